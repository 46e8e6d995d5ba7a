"""The ERPNext manifest against a simulator of a site, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from connectors.conformance import Copy, Unsupported
from connectors.contract import Connector, Context, Inbound, Mode, Read, Write
from connectors.errors import BadConfiguration, BadCredentials, PermissionMissing, RecordRejected, WriteConflict
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.erpnext.erpnext_simulator import ErpNext, refusal
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, registered

SECRET = "erp-hook-secret"
FIRST, SECOND = "A/B & C 1 客户", "A/B & C 2 客户"


class ErpSource(VendorSource):
    vendor = "erpnext"
    server: ErpNext

    def settings(self) -> dict[str, Any]:
        key, _, secret = ErpNext.KEY.partition(":")
        return {
            "base_url": self.server.url, "api_key": key, "api_secret": secret, "zone": "Asia/Shanghai",
            "customer_group": "All Customer Groups", "webhook_secret": SECRET,
        }  # fmt: skip

    def webhook(self, key: str) -> Inbound:
        return self.server.hook(key, SECRET)

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"api_secret": "wrong-secret-0"}, "api_secret"

    def body(self, number: int) -> dict[str, Any]:
        return {"customer_name": f"Written {number}", "custom_external_id": f'K"{number}'}

    def conflict(self) -> Write:
        seen = "2026-01-01T00:00:00.000000Z"
        return Write({"customer_name": "Overwritten"}, "conflict", key=FIRST, expected=seen)


class ContactSource(ErpSource):
    stream = "contacts"

    def body(self, number: int) -> dict[str, Any]:
        raise Unsupported("contacts are only read")


class ErpSuite(VendorSuite):
    throttled = Answer(429, b"Too Many Requests", {"Content-Type": "text/plain", "X-RateLimit-Limit": "600000"})


class TestCustomers(ErpSuite):
    @pytest.fixture
    def source(self) -> Iterator[ErpSource]:
        with ErpNext() as server:
            yield ErpSource(server)


class TestContacts(ErpSuite):
    @pytest.fixture
    def source(self) -> Iterator[ContactSource]:
        with ErpNext(doctype="Contact") as server:
            yield ContactSource(server)


@pytest.fixture
def site() -> Iterator[ErpNext]:
    with ErpNext() as server:
        yield server


@pytest.fixture
def connector(site: ErpNext) -> Iterator[Connector[Any]]:
    made = ErpSource(site).connect()
    yield made
    made.close()


def stamps(connector: Connector[Any]) -> dict[str, str | None]:
    return {record.key: record.changed_at for page in connector.read(Read("customers")) for record in page.records}


def test_local_stamps_are_read_and_asked_for_in_the_zone_of_the_site(connector: Connector[Any], site: ErpNext) -> None:
    site.rows[FIRST]["modified"] = "2026-01-02 11:04:05.123456"
    assert stamps(connector)[FIRST] == "2026-01-02T03:04:05.123456Z"
    cursor = {"main": {"value": "2026-01-02T03:04:05.123456Z", "key": ""}}
    list(connector.read(Read("customers", Mode.INCREMENTAL, cursor)))
    ((_, _, since),) = json.loads(site.calls[-1].query["filters"])
    assert since == "2026-01-02 09:59:05.123000"  # 65 minutes earlier, to the millisecond


@pytest.mark.parametrize(("there", "here"), [("Asia/Shanghai", "UTC"), ("America/New_York", "Asia/Shanghai")])
def test_a_wrong_zone_in_the_settings_reads_too_much_and_loses_nothing(there: str, here: str) -> None:
    with ErpNext(zone=there) as site:
        source = ErpSource(site)
        copy = Copy(source.connect(source.settings() | {"zone": here}), source)
        copy.full()
        for _ in range(3):
            key = site.add()
            copy.incremental()
            assert key in copy.bodies


def test_the_hour_that_comes_twice_when_clocks_are_put_back_loses_nothing() -> None:
    with ErpNext(rows=0, zone="Europe/Berlin") as site:
        source = ErpSource(site)
        copy = Copy(source.connect(source.settings() | {"zone": "Europe/Berlin"}), source)
        site.add(modified="2024-10-27 02:59:59.000000")
        copy.full()
        later = site.add(modified="2024-10-27 02:00:01.000000")
        copy.incremental()
        assert later in copy.bodies


def test_a_zone_that_does_not_exist_is_a_wrong_setting(site: ErpNext) -> None:
    source = ErpSource(site)
    with pytest.raises(BadConfiguration, match="Asia/Shenzen"):
        source.connect(source.settings() | {"zone": "Asia/Shenzen"}).check()


def test_a_site_that_never_saw_our_login_says_so(connector: Connector[Any], site: ErpNext) -> None:
    site.strips_login = True
    with pytest.raises(BadCredentials, match="api_key"):
        connector.check()


def test_a_user_who_may_log_in_but_not_see_customers_is_told_so_by_the_check(
    connector: Connector[Any], site: ErpNext
) -> None:
    site.habits.no_permission = True
    with pytest.raises(PermissionMissing, match="Customer"):
        connector.check()


def test_a_guest_refused_in_other_words_still_stops_the_connection(connector: Connector[Any], site: ErpNext) -> None:
    site.habits.fail_next = [refusal(403, "PermissionError", "Not permitted")]
    with pytest.raises(PermissionMissing, match="get_logged_user"):
        connector.check()


def test_a_name_with_blanks_slashes_and_ampersands_is_written_to(connector: Connector[Any], site: ErpNext) -> None:
    (result,) = connector.write("customers", [Write({"tax_id": "X1"}, "w1", key=FIRST)])
    assert (result.error, site.rows[FIRST]["tax_id"]) == (None, "X1")


def test_the_stamp_we_saw_lets_the_write_through_and_an_older_one_does_not(
    connector: Connector[Any], site: ErpNext
) -> None:
    seen = stamps(connector)[FIRST]
    fresh = connector.write("customers", [Write({"tax_id": "X1"}, "w1", key=FIRST, expected=seen)])
    stale = connector.write("customers", [Write({"tax_id": "X2"}, "w2", key=FIRST, expected=seen)])
    assert fresh[0].error is None
    assert isinstance(stale[0].error, WriteConflict)
    assert site.rows[FIRST]["tax_id"] == "X1"


def test_two_customers_of_one_name_stay_two(connector: Connector[Any], site: ErpNext) -> None:
    twins = [Write({"customer_name": "Twin", "custom_external_id": key}, key) for key in ("K1", "K2")]
    one, two = connector.write("customers", twins)
    assert (one.key, two.key) == ("Twin", "Twin - 1")
    assert [result.key for result in connector.write("customers", twins)] == ["Twin", "Twin - 1"]


def test_a_new_customer_without_external_id_is_refused_for_it_could_not_be_found_again(
    connector: Connector[Any], site: ErpNext
) -> None:
    (result,) = connector.write("customers", [Write({"customer_name": "Nameless"}, "w1")])
    assert isinstance(result.error, RecordRejected)
    assert result.error.path == "custom_external_id"
    assert len(site.rows) == 8


def test_a_site_without_the_external_id_field_is_a_matter_of_settings(connector: Connector[Any], site: ErpNext) -> None:
    for row in site.rows.values():
        del row["custom_external_id"]
    with pytest.raises(BadConfiguration, match="Unknown column 'custom_external_id'"):
        connector.write("customers", [Write({"customer_name": "A", "custom_external_id": "K"}, "w1")])


def test_a_race_for_the_same_external_id_is_a_conflict(connector: Connector[Any], site: ErpNext) -> None:
    site.rows[FIRST]["custom_external_id"] = "K1"
    site.habits.fail_next = [Answer(200, {"data": []})]
    (result,) = connector.write("customers", [Write({"customer_name": "A", "custom_external_id": "K1"}, "w1")])
    assert isinstance(result.error, WriteConflict)


def test_a_missing_value_rejects_that_record_alone(site: ErpNext) -> None:
    source = ErpSource(site)
    settings = {name: value for name, value in source.settings().items() if name != "customer_group"}
    bad, good = source.connect(settings).write(
        "customers", [Write(source.body(1), "w1"), Write({"tax_id": "X"}, "w2", key=SECOND)]
    )
    assert isinstance(bad.error, RecordRejected)
    assert "Customer Group" in str(bad.error)
    assert good.error is None


def test_a_deadlock_is_tried_again(connector: Connector[Any], site: ErpNext) -> None:
    site.habits.fail_next = [refusal(417, "QueryDeadlockError", "Deadlock found")]
    assert len(stamps(connector)) == 8


EXAMPLE = json.loads("""{"data":[{"name":"CUST-2026-00001","customer_name":"Acme","customer_type":"Company",
"tax_id":"DE136695976","modified":"2026-01-02 03:04:05.123456","disabled":0,"primary_address":"1 Rd<br>\\nLeeds"}]}""")


def documented() -> Connector[Any]:
    connector = registered("erpnext").load()
    config = connector.config_model(base_url="https://93.184.216.34", api_key="k", api_secret="s", zone="Asia/Shanghai")
    return connector(config, Context("erp"))


@responses.activate
def test_the_documented_customer_is_mapped_to_a_company() -> None:
    responses.get("https://93.184.216.34/api/resource/Customer", json=EXAMPLE)
    responses.get("https://93.184.216.34/api/resource/Customer", json={"data": []})
    (record,) = [record for page in documented().read(Read("customers")) for record in page.records]
    assert (record.key, record.changed_at) == ("CUST-2026-00001", "2026-01-01T19:04:05.123456Z")
    (company,) = compile_mapping(load_spec(registered("erpnext").folder / "mapping.yaml"))(json.loads(record.body))
    assert (company.customer["kind"], company.customer["status"]) == ("organisation", "active")
    assert company.customer["identifiers"] == [{"scheme": "eu.vat", "value": "DE136695976", "valid": True}]
    assert company.customer["addresses"][0]["text"] == "1 Rd Leeds"


@pytest.mark.parametrize(
    ("record", "kind", "status"),
    [
        ({"customer_type": "Individual", "disabled": 1}, "person", "inactive"),
        ({"customer_type": "Partnership", "is_frozen": 1, "disabled": 1}, "organisation", "blocked"),
        ({}, "organisation", "active"),
    ],
)
def test_types_and_states_are_told_apart(record: dict[str, Any], kind: str, status: str) -> None:
    mapper = compile_mapping(load_spec(registered("erpnext").folder / "mapping.yaml"))
    (mapped,) = mapper({"name": "C1", "customer_name": "A"} | record)
    assert (mapped.customer["kind"], mapped.customer["status"]) == (kind, status)


@responses.activate
def test_documented_refusals() -> None:
    responses.get(
        "https://93.184.216.34/api/method/frappe.auth.get_logged_user",
        json={"exc_type": "AuthenticationError"}, status=401,
    )  # fmt: skip
    with pytest.raises(BadCredentials, match="api_secret"):
        documented().check()
