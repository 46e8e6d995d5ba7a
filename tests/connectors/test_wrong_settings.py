"""The check names the setting that is wrong, connector by connector and setting by setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connectors.errors import ConnectorError, NeedsHuman, PermissionMissing
from tests.connectors.business_central.business_central_server import BusinessCentralServer
from tests.connectors.business_central.test_business_central import CustomerSource
from tests.connectors.dynamics_dataverse.dataverse_server import DataverseServer
from tests.connectors.dynamics_dataverse.test_dataverse import DataverseSource
from tests.connectors.erpnext.erpnext_simulator import ErpNext
from tests.connectors.erpnext.test_erpnext import ErpSource
from tests.connectors.hubspot.hub_simulator import HubSpot
from tests.connectors.hubspot.test_hubspot import HubSource
from tests.connectors.kingdee.kingdee_simulator import Kingdee
from tests.connectors.kingdee.kingdee_source import KingdeeSource, PasswordSource, SignatureSource
from tests.connectors.odoo.odoo_simulator import Odoo
from tests.connectors.odoo.test_odoo import OdooSource
from tests.connectors.salesforce.salesforce_simulator import Salesforce
from tests.connectors.salesforce.test_salesforce import SalesSource
from tests.connectors.sap_s4hana.sap_server import SapServer
from tests.connectors.sap_s4hana.test_sap_s4hana import PartnerSource
from tests.connectors.yonyou_u8.test_yonyou_u8 import U8Source
from tests.connectors.yonyou_u8.u8_simulator import U8
from tests.connectors.yonyou_yonbip.yonbip_simulator import YonBip
from tests.connectors.yonyou_yonbip.yonbip_source import YonBipSource

ROWS = 1


def dataverse(rows: int) -> DataverseServer:
    """An environment that refuses the one column that the tests ask for in vain."""
    server = DataverseServer(rows)
    server.unknown_columns.add("no_such")
    return server


SYSTEMS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "kingdee, app secret": (Kingdee, KingdeeSource),
    "kingdee, password": (Kingdee, PasswordSource),
    "kingdee, signature": (Kingdee, SignatureSource),
    "yonyou_u8": (U8, U8Source),
    "yonyou_yonbip": (YonBip, YonBipSource),
    "odoo, json-2": (Odoo, OdooSource),
    "odoo, json-rpc": (lambda rows: Odoo(rows, version="16.0"), OdooSource),
    "erpnext": (ErpNext, ErpSource),
    "sap_s4hana": (SapServer, PartnerSource),
    "dynamics_dataverse": (dataverse, DataverseSource),
    "business_central": (BusinessCentralServer, CustomerSource),
    "salesforce": (Salesforce, SalesSource),
    "hubspot": (HubSpot, HubSource),
}
ELSEWHERE = "{url}/elsewhere"
WRONG = [
    ("kingdee, app secret", "base_url", ELSEWHERE),
    ("kingdee, app secret", "acct_id", "0000"),
    ("kingdee, app secret", "user", "nobody"),
    ("kingdee, app secret", "app_id", "231784_wrong"),
    ("kingdee, app secret", "app_secret", "wrong-secret-0000"),
    ("kingdee, password", "user", "nobody"),
    ("kingdee, password", "password", "wrong-password"),
    ("kingdee, signature", "user", "nobody"),
    ("kingdee, signature", "app_id", "231784_wrong"),
    ("kingdee, signature", "app_secret", "wrong-secret-0000"),
    ("kingdee, app secret", "extra_fields", ["F_NO_SUCH"]),
    ("yonyou_u8", "base_url", ELSEWHERE),
    ("yonyou_u8", "from_account", "nobody"),
    ("yonyou_u8", "to_account", "nobody"),
    ("yonyou_u8", "app_key", "nobody"),
    ("yonyou_u8", "app_secret", "wrong-secret-0000"),
    ("yonyou_u8", "ds_sequence", 7),
    ("yonyou_yonbip", "base_url", ELSEWHERE),
    ("yonyou_yonbip", "tenant_id", "nobody"),
    ("yonyou_yonbip", "app_key", "nobody"),
    ("yonyou_yonbip", "app_secret", "wrong-secret-0000"),
    ("odoo, json-2", "base_url", ELSEWHERE),
    ("odoo, json-2", "database", "nowhere"),
    ("odoo, json-2", "api_key", "wrong-key-0000"),
    ("odoo, json-2", "fields", ["x_no_such"]),
    ("odoo, json-rpc", "base_url", ELSEWHERE),
    ("odoo, json-rpc", "database", "nowhere"),
    ("odoo, json-rpc", "user", "nobody"),
    ("odoo, json-rpc", "api_key", "wrong-key-0000"),
    ("odoo, json-rpc", "protocol", "json2"),
    ("erpnext", "base_url", ELSEWHERE),
    ("erpnext", "api_key", "nobody"),
    ("erpnext", "api_secret", "wrong-secret-0000"),
    ("erpnext", "zone", "Asia/Shenzen"),
    ("sap_s4hana", "base_url", ELSEWHERE),
    ("sap_s4hana", "user", "NOBODY"),
    ("sap_s4hana", "password", "wrong-password"),
    ("sap_s4hana", "client", "999"),
    ("sap_s4hana", "expand", ["to_Nothing"]),
    ("dynamics_dataverse", "base_url", ELSEWHERE),
    ("dynamics_dataverse", "base_url", "{other}"),
    ("dynamics_dataverse", "tenant", "nobody.example"),
    ("dynamics_dataverse", "client_id", "nobody"),
    ("dynamics_dataverse", "client_secret", "wrong-secret-0000"),
    ("dynamics_dataverse", "api_version", "v1.0"),
    ("dynamics_dataverse", "account_fields", ["no_such"]),
    ("business_central", "base_url", ELSEWHERE),
    ("business_central", "company", "nobody"),
    ("business_central", "tenant", "nobody.example"),
    ("business_central", "client_id", "nobody"),
    ("business_central", "client_secret", "wrong-secret-0000"),
    ("salesforce", "base_url", ELSEWHERE),
    ("salesforce", "client_id", "nobody"),
    ("salesforce", "client_secret", "wrong-secret-0000"),
    ("salesforce", "api_version", "v1.0"),
    ("salesforce", "account_fields", ["No_Such__c"]),
    ("hubspot", "base_url", ELSEWHERE),
    ("hubspot", "access_token", "pat-wrong"),
]


@pytest.fixture(scope="module")
def systems() -> Iterator[Callable[[str], tuple[Any, Any]]]:
    """Each system and the source that describes it, started when it is first asked for."""
    with ExitStack() as running:
        started: dict[str, tuple[Any, Any]] = {}

        def get(name: str) -> tuple[Any, Any]:
            if name not in started:
                make, source = SYSTEMS[name]
                server = running.enter_context(make(ROWS))
                started[name] = (server, source(server))
            return started[name]

        yield get


def refusal(source: Any, settings: dict[str, Any]) -> ConnectorError:
    """What making the connection and its check raise."""
    try:
        connector = source.connect(settings)
    except ConnectorError as error:
        return error
    with pytest.raises(ConnectorError) as caught:
        connector.check()
    connector.close()
    return caught.value


@pytest.mark.parametrize("name", list(SYSTEMS))
def test_with_right_settings_the_check_passes(systems: Callable[[str], tuple[Any, Any]], name: str) -> None:
    _, source = systems(name)
    connector = source.connect()
    assert str(connector.check())
    connector.close()


@pytest.mark.parametrize(("name", "setting", "value"), WRONG)
def test_a_wrong_setting_is_named(
    systems: Callable[[str], tuple[Any, Any]], name: str, setting: str, value: Any
) -> None:
    server, source = systems(name)
    if isinstance(value, str):
        value = value.format(
            url=source.settings().get("base_url", ""), other=server.url.replace("127.0.0.1", "localhost")
        )
    error = refusal(source, source.settings() | {setting: value})
    said = f"{error} {error.remedy} {getattr(error, 'setting', '')} {error.params.get('settings', '')}"
    assert setting in said, f"{type(error).__name__}: {error} | {error.remedy}"
    assert isinstance(error, NeedsHuman), "what a human has to correct must not be tried again and again"


@pytest.mark.parametrize("name", list(SYSTEMS))
def test_a_missing_permission_is_told_by_the_check(systems: Callable[[str], tuple[Any, Any]], name: str) -> None:
    server, source = systems(name)
    habits = server.habits
    if hasattr(habits, "no_permission"):
        habits.no_permission = True
    else:
        habits.forbidden |= {"read", "read accounts", "read contacts"}
    try:
        error = refusal(source, source.settings())
    finally:
        if hasattr(habits, "no_permission"):
            habits.no_permission = False
        else:
            habits.forbidden.clear()
    assert isinstance(error, PermissionMissing), f"{type(error).__name__}: {error}"
    assert error.remedy
