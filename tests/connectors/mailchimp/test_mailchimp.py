"""The Mailchimp manifest against a simulator of an audience, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import responses

from connectors.conformance import Copy
from connectors.contract import Connector, Context, Inbound, Read, Write
from connectors.errors import BadConfiguration, BadCredentials, PermissionMissing, RecordRejected, WaitUntil
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.mailchimp.mailchimp_simulator import Mailchimp, problem
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies, registered

TOKEN = "chimp-hook-token"


class MailchimpSource(VendorSource):
    vendor = "mailchimp"
    stream = "members"
    server: Mailchimp

    def settings(self) -> dict[str, Any]:
        return {
            "base_url": self.server.url + "/3.0",
            "api_key": Mailchimp.KEY,
            "list_id": "a1b2",
            "webhook_token": TOKEN,
        }

    def webhook(self, key: str) -> Inbound:
        return self.server.hook(key, {"token": TOKEN})

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"api_key": "wrong0000-us6"}, "api_key"

    def body(self, number: int) -> dict[str, Any]:
        return {"email_address": f"Written+{number}@x.test", "merge_fields": {"FNAME": "Written", "LNAME": str(number)}}

    def conflict(self) -> Write:
        return Write({"email_address": self.server.rows["k0002"]["email_address"]}, "conflict", key="k0001")


class TestMembers(VendorSuite):
    throttled = problem(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.")
    asks_to_wait: ClassVar = {}

    @pytest.fixture
    def source(self) -> Iterator[MailchimpSource]:
        with Mailchimp() as server:
            yield MailchimpSource(server)


@pytest.fixture
def audience() -> Iterator[Mailchimp]:
    with Mailchimp() as server:
        yield server


@pytest.fixture
def connector(audience: Mailchimp) -> Iterator[Connector[Any]]:
    made = MailchimpSource(audience).connect()
    yield made
    made.close()


def test_the_check_names_the_audience(connector: Connector[Any]) -> None:
    assert "Newsletter" in str(connector.check())


def test_a_wrong_audience_is_a_wrong_setting(audience: Mailchimp) -> None:
    source = MailchimpSource(audience)
    with pytest.raises(BadConfiguration, match="no-such-list"):
        source.connect(source.settings() | {"list_id": "no-such-list"}).check()


def test_archived_and_erased_members_alike_are_missing_from_the_keys(
    connector: Connector[Any], audience: Mailchimp
) -> None:
    audience.archive("k0001")
    audience.delete("k0002")
    found = {key for keys in connector.ids("members") for key in keys}
    assert found == set(audience.rows)
    assert {"k0001", "k0002"}.isdisjoint(found)


def test_members_changed_while_they_are_read_in_the_order_of_change_hide_nobody(audience: Mailchimp) -> None:
    source = MailchimpSource(audience)
    copy = Copy(source.connect(), source)
    copy.full(lambda: [audience.update(key) for key in ("k0001", "k0002")])
    assert set(copy.bodies) == source.keys()


@pytest.mark.parametrize("excludes", [True, False])
def test_nothing_is_lost_whether_or_not_the_filter_includes_its_bound(audience: Mailchimp, excludes: bool) -> None:
    audience.since_excludes = excludes
    source = MailchimpSource(audience)
    copy = Copy(source.connect(), source)
    copy.full()
    key = audience.add(last_changed=audience.rows["k0008"]["last_changed"])
    copy.incremental()
    assert key in copy.changed


def test_a_changed_address_keeps_the_key(connector: Connector[Any], audience: Mailchimp) -> None:
    (result,) = connector.write("members", [Write({"email_address": "new@x.test"}, "w1", key="k0001")])
    assert (result.error, result.key) == (None, "k0001")
    again = connector.write("members", [Write({"email_address": "NEW@x.test"}, "w2")])
    assert again[0].key == "k0001"
    assert len(audience.rows) == 8


def test_nobody_is_subscribed_by_us_and_who_left_stays_away(connector: Connector[Any], audience: Mailchimp) -> None:
    new, left = connector.write(
        "members", [Write({"email_address": "new@x.test"}, "w1"), Write({"email_address": "c3@x.test"}, "w2")]
    )
    assert audience.rows[str(new.key)]["status"] == "transactional"
    assert (left.error, audience.rows["k0003"]["status"]) == (None, "unsubscribed")
    (forced,) = connector.write("members", [Write({"email_address": "c3@x.test", "status": "subscribed"}, "w3")])
    assert isinstance(forced.error, RecordRejected)
    assert "compliance" in str(forced.error)


def test_the_status_of_whom_we_add_is_a_setting(audience: Mailchimp) -> None:
    source = MailchimpSource(audience)
    connector = source.connect(source.settings() | {"status_if_new": "pending"})
    (result,) = connector.write("members", [Write({"email_address": "new@x.test"}, "w1")])
    assert audience.rows[str(result.key)]["status"] == "pending"


def test_an_erased_address_rejects_that_record_alone(connector: Connector[Any], audience: Mailchimp) -> None:
    audience.forgotten.add("gone@x.test")
    bad, good = connector.write(
        "members", [Write({"email_address": "gone@x.test"}, "w1"), Write({"email_address": "new@x.test"}, "w2")]
    )
    assert isinstance(bad.error, RecordRejected)
    assert "permanently deleted" in str(bad.error)
    assert good.error is None


def test_an_archived_member_is_updated_and_stays_archived(connector: Connector[Any], audience: Mailchimp) -> None:
    audience.archive("k0001")
    (result,) = connector.write(
        "members", [Write({"email_address": "c1@x.test", "merge_fields": {"FNAME": "N"}}, "w1")]
    )
    assert (result.error, result.key) == (None, "k0001")
    assert audience.archived["k0001"]["status"] == "archived"
    assert "k0001" not in audience.rows


def test_a_bare_403_means_slower_and_one_with_a_title_means_no(connector: Connector[Any], audience: Mailchimp) -> None:
    audience.habits.fail_next = [Answer(403, b"<html>Request Blocked</html>", {"Content-Type": "text/html"})]
    with pytest.raises(WaitUntil):
        connector.check()
    audience.habits.fail_next = [problem(403, "Compliance Related", "This account has been suspended.")]
    with pytest.raises(PermissionMissing, match="suspended"):
        MailchimpSource(audience).connect().check()


def test_another_data_centre_is_a_wrong_setting_and_no_missing_right(
    connector: Connector[Any], audience: Mailchimp
) -> None:
    audience.habits.fail_next = [problem(403, "Wrong Datacenter", "Your account is on us7.")]
    with pytest.raises(BadConfiguration, match="us7"):
        connector.check()


EXAMPLE = json.loads("""{"members":[{"id":"62eeb292278cc15f5817cb78f7790b08","email_address":"ann@x.example",
"unique_email_id":"abc","contact_id":"0f1e","full_name":"Ann Lee","status":"subscribed","merge_fields":{"FNAME":"Ann",
"LNAME":"Lee","ADDRESS":{"addr1":"1 Rd","addr2":"","city":"Leeds","state":"","zip":"LS1","country":"GB"},"PHONE":""},
"timestamp_opt":"2026-01-01T00:00:00+00:00","last_changed":"2026-01-02T03:04:05+00:00","list_id":"a1b2",
"tags":[{"id":1,"name":"vip"}]}],"list_id":"a1b2","total_items":1}""")


def documented() -> Connector[Any]:
    connector = registered("mailchimp").load()
    config = connector.config_model(api_key="k-us6", list_id="a1b2", base_url="https://93.184.216.34/3.0")
    return connector(config, Context("mail"))


@responses.activate
def test_the_documented_member_is_mapped_to_a_person() -> None:
    members = "https://93.184.216.34/3.0/lists/a1b2/members"
    responses.get(members, json=EXAMPLE)
    responses.get(members, json={"members": [], "total_items": 1})
    (record,) = [record for page in documented().read(Read("members")) for record in page.records]
    assert (record.key, record.changed_at) == ("0f1e", "2026-01-02T03:04:05.000000Z")
    (person,) = compile_mapping(load_spec(registered("mailchimp").folder / "mapping.yaml"))(json.loads(record.body))
    assert person.customer["addresses"][0]["street"] == "1 Rd"
    assert person.customer["tags"] == ["vip"]
    assert person.customer["consents"][0]["granted"] is True


def test_an_empty_address_that_is_a_text_and_a_member_who_left(audience: Mailchimp) -> None:
    source = MailchimpSource(audience)
    mapper = compile_mapping(load_spec(source.folder / "mapping.yaml"))
    left = mapper(bodies(source)["k0003"])[0].customer
    assert "addresses" not in left
    assert left["consents"] == [{"channel": "email", "granted": False, "source": "mailchimp"}]


@responses.activate
def test_documented_refusals() -> None:
    body = {"type": "x", "title": "API Key Invalid", "status": 401, "detail": "Your API key may be invalid"}
    responses.get("https://93.184.216.34/3.0/lists/a1b2", json=body, status=401)
    with pytest.raises(BadCredentials, match="api_key"):
        documented().check()


def test_the_address_is_tested_by_a_get(connector: Connector[Any]) -> None:
    assert connector.challenge(Inbound("GET", "/api/hooks/newsletter", {}, {"token": TOKEN}, b"")) == b""
