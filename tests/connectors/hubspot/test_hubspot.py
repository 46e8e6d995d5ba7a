"""The HubSpot manifest against a simulator of the account, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import responses

from connectors.conformance import Copy, Unsupported
from connectors.contract import Connector, Context, Inbound, Mode, Read, Write
from connectors.errors import (
    BadCredentials,
    PermissionMissing,
    RecordRejected,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.hubspot.hub_simulator import HubSpot, refusal
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies, registered

LIMITED = {"status": "error", "message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT"}

SECRET, ADDRESS = "hub-client-secret-1", "https://kehu.example.com/api/hooks/crm"


class HubSource(VendorSource):
    vendor = "hubspot"
    stream = "contacts"
    server: HubSpot

    def settings(self) -> dict[str, Any]:
        hooks = {"client_secret": SECRET, "webhook_url": ADDRESS}
        return {"base_url": self.server.url, "access_token": HubSpot.KEY, "contact_properties": "tier, vat_id", **hooks}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"access_token": "pat-wrong-999"}, "access_token"

    def webhook(self, key: str) -> Inbound:
        return self.server.hook(key, SECRET, ADDRESS)

    def body(self, number: int) -> dict[str, Any]:
        return {"email": f"written{number}@x.example", "firstname": "Written", "lastname": str(number)}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"email": self.server.rows[other]["properties"]["email"]}, "conflict", key=one)


class CompanySource(HubSource):
    stream = "companies"

    def body(self, number: int) -> dict[str, Any]:
        raise Unsupported("companies have no unique field, so none is created")

    def conflict(self) -> Write:
        raise Unsupported("companies have no unique field")


class HubSuite(VendorSuite):
    throttled = Answer(429, LIMITED | {"policyName": "TEN_SECONDLY_ROLLING"})


class TestContacts(HubSuite):
    @pytest.fixture
    def source(self) -> Iterator[HubSource]:
        with HubSpot() as server:
            yield HubSource(server)


class TestCompanies(HubSuite):
    @pytest.fixture
    def source(self) -> Iterator[CompanySource]:
        with HubSpot(kind="companies") as server:
            yield CompanySource(server)


@pytest.fixture
def hub() -> Iterator[HubSpot]:
    with HubSpot() as server:
        yield server


@pytest.fixture
def connector(hub: HubSpot) -> Iterator[Connector[Any]]:
    made = HubSource(hub).connect()
    yield made
    made.close()


def test_more_contacts_than_one_search_shows_are_all_read(connector: Connector[Any], hub: HubSpot) -> None:
    while len(hub.rows) < 3 * hub.cap:
        hub.add()
    pages = connector.read(Read("contacts", page_size=7))
    assert {record.key for page in pages for record in page.records} == set(hub.rows)
    assert all("after" not in call.json() for call in hub.calls)


def test_properties_of_ones_own_are_asked_for_and_unknown_ones_are_null(
    connector: Connector[Any], hub: HubSpot
) -> None:
    hub.rows["97"]["properties"]["tier"] = "gold"
    found = bodies(HubSource(hub))["97"]["properties"]
    assert (found["tier"], found["vat_id"]) == ("gold", None)


def test_a_contact_that_the_search_learns_of_late_comes_with_the_next_read(hub: HubSpot) -> None:
    source = HubSource(hub)
    copy = Copy(source.connect(), source)
    late, soon = hub.add(hub.now() - timedelta(minutes=5)), hub.add()
    hub.unindexed.add(late)
    assert late not in copy.full().bodies
    hub.unindexed.clear()
    copy.incremental()
    assert {late, soon} <= set(copy.bodies)


def test_the_keys_for_sweeps_do_not_come_from_the_lagging_search(connector: Connector[Any], hub: HubSpot) -> None:
    hub.unindexed.add(hub.add())
    assert {key for keys in connector.ids("contacts") for key in keys} == set(hub.rows)


def test_a_write_right_after_another_finds_it_though_the_search_does_not(
    connector: Connector[Any], hub: HubSpot
) -> None:
    for number in range(3):
        (result,) = connector.write("contacts", [Write({"email": "n@x.example", "phone": str(number)}, f"w{number}")])
        assert result.error is None
    assert len(hub.rows) == 9
    assert hub.rows[str(result.key)]["properties"]["phone"] == "2"


def test_a_race_for_the_same_email_is_a_conflict_that_names_the_other(connector: Connector[Any], hub: HubSpot) -> None:
    hub.habits.fail_next = [refusal(404, "OBJECT_NOT_FOUND", "resource not found")]
    (result,) = connector.write("contacts", [Write({"email": "c1@x.example"}, "w1")])
    assert isinstance(result.error, WriteConflict)
    assert "Existing ID: 97" in str(result.error)


def test_a_value_of_the_wrong_type_rejects_that_record_alone(connector: Connector[Any], hub: HubSpot) -> None:
    bad, good = connector.write(
        "contacts", [Write({"phone": 1}, "w1", key="97"), Write({"phone": "1"}, "w2", key="98")]
    )
    assert isinstance(bad.error, RecordRejected)
    assert good.error is None


def test_companies_are_updated_and_never_created_for_they_have_no_unique_field() -> None:
    with HubSpot(kind="companies") as hub:
        connector = CompanySource(hub).connect()
        new, old = connector.write("companies", [Write({"name": "A"}, "w1"), Write({"name": "B"}, "w2", key="97")])
        assert isinstance(new.error, RecordRejected)
        assert (old.error, hub.rows["97"]["properties"]["name"]) == (None, "B")


def test_the_limit_per_day_is_not_asked_about_every_second(connector: Connector[Any], hub: HubSpot) -> None:
    hub.habits.fail_next = [Answer(429, LIMITED | {"policyName": "DAILY"})]
    with pytest.raises(WaitUntil) as caught:
        connector.check()
    assert caught.value.until - connector.context.now() > timedelta(minutes=50)
    assert len(hub.calls) == 1


def test_an_account_without_the_filter_by_date_breaks_the_stream_and_loses_nothing(hub: HubSpot) -> None:
    source = HubSource(hub)
    connector = source.connect()
    *_, last = connector.read(Read("contacts"))
    hub.habits.fail_next = [refusal(400, "VALIDATION_ERROR", "1767323045000 was not a valid long")]
    with pytest.raises(StreamBroken, match="not a valid long"):
        list(connector.read(Read("contacts", Mode.INCREMENTAL, last.cursor)))


def test_the_dated_version_of_the_interface_is_a_setting() -> None:
    with HubSpot(base="/crm/objects/2026-03") as hub:
        source = HubSource(hub)
        connector = source.connect(source.settings() | {"objects": "objects/2026-03"})
        assert connector.check().message
        assert len(list(connector.read(Read("contacts")))) == 2


def test_many_contacts_are_written_by_one_call_and_each_has_its_result(connector: Connector[Any], hub: HubSpot) -> None:
    batch = [
        Write({"email": "new@x.example", "phone": "1"}, "w0"),
        Write({"email": "c1@x.example", "phone": "2"}, "w1"),
        Write({"email": "bad@x.example", "phone": 3}, "w2"),
        Write({"phone": "4"}, "w3"),
        Write({"phone": "5"}, "w4", key="98"),
        Write({"email": "c1@x.example"}, "w5", key="99"),
        Write({"phone": "7"}, "w6", key="999"),
    ]
    results = connector.write("contacts", batch)
    assert [result.key for result in results] == [str(max(map(int, hub.rows))), "97", None, None, "98", "99", "999"]
    assert [result.created for result in results] == [True] + [False] * 6
    kinds = [type(result.error) for result in results]
    assert kinds == [type(None)] * 2 + [RecordRejected] * 2 + [type(None), WriteConflict, RecordRejected]
    assert "Existing ID: 97" in str(results[5].error)
    assert [call.path.rpartition("/")[2] for call in hub.calls] == ["upsert", "update"]
    assert hub.rows["97"]["properties"]["phone"] == "2"


def test_the_same_contact_twice_in_a_batch_is_written_twice_and_exists_once(
    connector: Connector[Any], hub: HubSpot
) -> None:
    batch = [Write({"email": "twin@x.example", "phone": str(number)}, f"w{number}") for number in range(3)]
    results = connector.write("contacts", [*batch, Write({"email": "other@x.example"}, "w9")])
    assert len({result.key for result in results}) == 2
    assert [result.error for result in results] == [None] * 4


def test_a_batch_that_is_refused_as_a_whole_is_written_one_by_one(connector: Connector[Any], hub: HubSpot) -> None:
    hub.refuses_batches = True
    good, bad = connector.write(
        "contacts", [Write({"phone": "1"}, "w0", key="97"), Write({"phone": 1}, "w1", key="98")]
    )
    assert (good.error, hub.rows["97"]["properties"]["phone"]) == (None, "1")
    assert isinstance(bad.error, RecordRejected)


def test_what_the_answer_is_silent_about_is_written_alone(connector: Connector[Any], hub: HubSpot) -> None:
    hub.hides_traces = True
    good, bad = connector.write(
        "contacts", [Write({"phone": "1"}, "w0", key="97"), Write({"phone": 1}, "w1", key="98")]
    )
    assert good.error is None
    assert isinstance(bad.error, RecordRejected)
    assert [call.method for call in hub.calls] == ["POST", "PATCH"]


def test_more_contacts_than_one_call_takes_are_written_in_several(connector: Connector[Any], hub: HubSpot) -> None:
    batch = [Write({"email": f"n{number}@x.example"}, f"w{number}") for number in range(150)]
    results = connector.write("contacts", batch)
    assert all(result.created for result in results)
    assert [len(call.json()["inputs"]) for call in hub.calls] == [100, 50]
    assert [hub.rows[str(result.key)]["properties"]["email"] for result in results] == [w.body["email"] for w in batch]


def test_a_merge_hints_at_the_survivor_and_at_those_that_were_merged(connector: Connector[Any], hub: HubSpot) -> None:
    event = {"subscriptionType": "contact.merge", "primaryObjectId": 98, "mergedObjectIds": [97, 99], "eventId": 1}
    hints = connector.verify(hub.signed([event], SECRET, ADDRESS))
    assert {hint.key for hint in hints} == {"97", "98", "99"}
    hub.delete("97")
    hub.rows["99"] = hub.rows["98"]  # the old number leads to the survivor
    page = connector.fetch("contacts", ["97", "98", "99"])
    assert {record.key for record in page.records} == {"98"}
    assert sorted(page.deleted) == ["97", "99"]


def test_events_of_generic_subscriptions_are_told_by_the_type_of_their_object(
    connector: Connector[Any], hub: HubSpot
) -> None:
    events = [{"subscriptionType": "object.creation", "objectTypeId": f"0-{n}", "objectId": n} for n in (1, 2, 3)]
    hints = connector.verify(hub.signed(events, SECRET, ADDRESS))
    assert {(hint.stream, hint.key) for hint in hints} == {("contacts", "1"), ("companies", "2")}


def test_a_webhook_sent_to_another_address_is_refused(connector: Connector[Any], hub: HubSpot) -> None:
    with pytest.raises(BadCredentials):
        connector.verify(hub.hook("97", SECRET, ADDRESS + "/other"))


EXAMPLE = json.loads("""{"results":[{"id":"101","properties":{"email":"ann@x.example","firstname":"Ann",
"hs_additional_emails":"a@x.example;b@x.example","associatedcompanyid":"55","hs_email_optout":"true",
"lastmodifieddate":"2026-01-02T03:04:05.678Z","hs_object_id":"101","createdate":"2025-12-01T00:00:00Z"},
"createdAt":"2025-12-01T00:00:00Z","updatedAt":"2026-01-02T03:04:05.678Z","archived":false}],
"paging":{"next":{"after":"102","link":"https://api.hubapi.com/crm/v3/objects/contacts?after=102"}}}""")
SEARCH = "https://93.184.216.34/crm/v3/objects/contacts/search"


def documented() -> Connector[Any]:
    connector = registered("hubspot").load()
    return connector(connector.config_model(access_token="t", base_url="https://93.184.216.34"), Context("hub"))


@responses.activate
def test_the_documented_contact_is_mapped_to_a_person_of_a_company() -> None:
    responses.post(SEARCH, json=EXAMPLE)
    responses.post(SEARCH, json={"total": 0, "results": []})
    (record,) = [record for page in documented().read(Read("contacts")) for record in page.records]
    assert (record.key, record.changed_at) == ("101", "2026-01-02T03:04:05.678000Z")
    (person,) = compile_mapping(load_spec(registered("hubspot").folder / "mapping.yaml"))(json.loads(record.body))
    assert [email["value"] for email in person.customer["emails"]] == ["ann@x.example", "a@x.example", "b@x.example"]
    assert person.customer["organisation"] == {"source_id": "55", "stream": "companies"}
    assert person.customer["consents"][0]["granted"] is False


@responses.activate
def test_documented_refusals() -> None:
    responses.get(
        "https://93.184.216.34/crm/v3/objects/contacts",
        json={"status": "error", "message": "Authentication credentials not found", "correlationId": "1",
              "category": "INVALID_AUTHENTICATION"},
        status=401,
    )  # fmt: skip
    with pytest.raises(BadCredentials, match="access_token"):
        documented().check()


def test_a_missing_scope_is_told_by_the_check_though_the_other_objects_may_be_read(
    connector: Connector[Any], hub: HubSpot
) -> None:
    def forbid(request: Any) -> None:
        if "/companies" in request.path:
            raise refusal(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes")

    hub.habits.before = forbid
    details = connector.check().details
    assert (details["contacts"], details["companies"]) == ("readable", "not allowed")


def test_without_any_scope_the_check_fails(connector: Connector[Any], hub: HubSpot) -> None:
    hub.habits.no_permission = True
    with pytest.raises(PermissionMissing, match="scopes"):
        connector.check()
