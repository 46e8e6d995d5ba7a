"""An update whose answer was lost is sent again: it was heard, so it is done, and no conflict with itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.contract import Read, Write
from connectors.errors import WriteConflict
from tests.connectors.brevo.brevo_simulator import Brevo
from tests.connectors.brevo.test_brevo import BrevoSource
from tests.connectors.klaviyo.klaviyo_simulator import Klaviyo
from tests.connectors.klaviyo.test_klaviyo import KlaviyoSource
from tests.connectors.magento.magento_simulator import Magento
from tests.connectors.magento.test_magento import MagentoSource
from tests.connectors.mailchimp.mailchimp_simulator import Mailchimp
from tests.connectors.mailchimp.test_mailchimp import MailchimpSource
from tests.connectors.mautic.mautic_simulator import Mautic
from tests.connectors.mautic.test_mautic import MauticSource
from tests.connectors.msgraph.graph_server import GraphServer
from tests.connectors.msgraph.test_msgraph import ContactSource as GraphSource
from tests.connectors.shopify.shop_simulator import Shop
from tests.connectors.shopify.test_shopify import ShopSource
from tests.connectors.youzan.test_youzan import YouzanSource
from tests.connectors.youzan.youzan_simulator import YouzanShop

SYSTEMS: list[tuple[Any, Any, dict[str, Any], dict[str, Any]]] = [
    (ShopSource, Shop, {"firstName": "Neu"}, {"firstName": "Other"}),
    (MagentoSource, Magento, {"lastname": "Neu"}, {"lastname": "Other"}),
    (KlaviyoSource, Klaviyo, {"location": {"city": "York"}}, {"location": {"city": "Ripon"}}),
    (BrevoSource, Brevo, {"attributes": {"LASTNAME": "Neu"}}, {"attributes": {"LASTNAME": "Other"}}),
    (MailchimpSource, Mailchimp, {"merge_fields": {"LNAME": "Neu"}}, {"merge_fields": {"LNAME": "Other"}}),
    (MauticSource, Mautic, {"lastname": "Neu"}, {"lastname": "Other"}),
    (YouzanSource, YouzanShop, {"name": "新"}, {"name": "旧"}),
    (GraphSource, lambda: GraphServer(contacts=3), {"displayName": "Neu"}, {"displayName": "Other"}),
]


@pytest.mark.parametrize(("source", "server", "body", "other"), SYSTEMS)
def test_it_is_done_and_overwrites_nothing_else(
    source: Any, server: Any, body: dict[str, Any], other: dict[str, Any]
) -> None:
    with server() as running:
        driver = source(running)
        connector = driver.connect()
        key = sorted(driver.keys())[0]
        write = Write(body, "update-1", key=key, expected="2020-01-01T00:00:00.000000Z")
        (heard,) = connector.write(driver.stream, [replace(write, expected=None)])
        assert heard.error is None
        calls = len([call for call in running.calls if call.method in ("PATCH", "PUT")])
        (again,) = connector.write(driver.stream, [write])
        assert (again.key, again.error) == (key, None)
        assert len([call for call in running.calls if call.method in ("PATCH", "PUT")]) == calls, "nothing was sent"
        (late,) = connector.write(driver.stream, [replace(write, body=other)])
        assert isinstance(late.error, WriteConflict)
        assert key in {record.key for page in connector.read(Read(driver.stream)) for record in page.records}
        connector.close()
