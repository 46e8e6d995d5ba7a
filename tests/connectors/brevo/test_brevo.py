"""The Brevo manifest against a simulator of the account, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import responses

from connectors.conformance import Copy
from connectors.contract import Connector, Context, Inbound, Read, Write
from connectors.errors import BadCredentials, PermissionMissing, RecordRejected, WriteConflict
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.brevo.brevo_simulator import Brevo, refusal
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies, registered

TOKEN = "brevo-hook-token"


class BrevoSource(VendorSource):
    vendor = "brevo"
    stream = "contacts"
    server: Brevo

    def settings(self) -> dict[str, Any]:
        return {"base_url": self.server.url + "/v3", "api_key": Brevo.KEY, "webhook_token": TOKEN}

    def webhook(self, key: str) -> Inbound:
        return self.server.hook(key, {"Authorization": f"Bearer {TOKEN}"})

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"api_key": "xkeysib-wrong"}, "api_key"

    def body(self, number: int) -> dict[str, Any]:
        return {"email": f"written{number}@x.example", "attributes": {"FIRSTNAME": "Written", "LASTNAME": str(number)}}

    def conflict(self) -> Write:
        return Write({"email": self.server.rows["2"]["email"]}, "conflict", key="1")


class TestContacts(VendorSuite):
    throttled = Answer(429, {"code": "too_many_requests", "message": "Slow down"}, {"x-sib-ratelimit-remaining": "0"})
    asks_to_wait: ClassVar = {"x-sib-ratelimit-limit": "36000", "x-sib-ratelimit-reset": "3600"}

    @pytest.fixture
    def source(self) -> Iterator[BrevoSource]:
        with Brevo() as server:
            yield BrevoSource(server)


@pytest.fixture
def brevo() -> Iterator[Brevo]:
    with Brevo() as server:
        yield server


@pytest.fixture
def connector(brevo: Brevo) -> Iterator[Connector[Any]]:
    made = BrevoSource(brevo).connect()
    yield made
    made.close()


def test_a_count_of_the_page_instead_of_all_loses_nothing(brevo: Brevo) -> None:
    brevo.count_is_wrong = True
    assert set(bodies(BrevoSource(brevo))) == set(brevo.rows)


@pytest.mark.parametrize("excludes", [True, False])
def test_nothing_is_lost_whether_or_not_the_filter_includes_its_bound(brevo: Brevo, excludes: bool) -> None:
    brevo.since_excludes = excludes
    source = BrevoSource(brevo)
    copy = Copy(source.connect(), source)
    copy.full()
    key = brevo.add(modifiedAt=brevo.rows["8"]["modifiedAt"])
    copy.incremental()
    assert key in copy.changed


def test_no_contact_is_passed_by_when_another_is_deleted_during_the_read(brevo: Brevo) -> None:
    source = BrevoSource(brevo)
    copy = Copy(source.connect(), source)
    copy.full(lambda: brevo.delete("1"))
    assert source.keys() <= set(copy.bodies)


def test_a_stamp_in_the_zone_of_the_account_is_understood(connector: Connector[Any], brevo: Brevo) -> None:
    brevo.rows["1"]["modifiedAt"] = "2026-01-02T11:04:05.000+08:00"
    stamps = {r.key: r.changed_at for page in connector.read(Read("contacts")) for r in page.records}
    assert stamps["1"] == "2026-01-02T03:04:05.000000Z"


def test_an_address_that_brevo_does_not_know_is_no_wrong_key(connector: Connector[Any], brevo: Brevo) -> None:
    why = "We have detected you are using an unrecognised IP address 203.0.113.9"
    brevo.habits.fail_next = [refusal(401, "unauthorized", why)]
    with pytest.raises(PermissionMissing, match=r"203\.0\.113\.9"):
        connector.check()


def test_a_refused_address_in_other_words_still_stops_the_connection(connector: Connector[Any], brevo: Brevo) -> None:
    brevo.habits.fail_next = [refusal(401, "unauthorized", "Your network is not on the list")]
    with pytest.raises(BadCredentials, match="Your network"):
        connector.check()


def test_an_account_in_process_is_asked_again(connector: Connector[Any], brevo: Brevo) -> None:
    busy = refusal(425, "account_in_process", "Try again later")
    brevo.habits.fail_next = [Answer(404), busy, busy]
    with_key = connector.write("contacts", [Write({"email": "new@x.example"}, "w1")])
    assert (with_key[0].error, with_key[0].key) == (None, "9")


def test_a_changed_email_is_written_as_the_attribute_that_moves_it(connector: Connector[Any], brevo: Brevo) -> None:
    write = Write({"email": "ann+new@x.example", "attributes": {"LASTNAME": "Li"}}, "w1", key="1")
    (result,) = connector.write("contacts", [write])
    assert (result.error, result.key) == (None, "1")
    assert brevo.rows["1"]["email"] == "ann+new@x.example"
    assert brevo.rows["1"]["attributes"]["LASTNAME"] == "Li"
    again = connector.write("contacts", [Write({"email": "ann+new@x.example"}, "w2")])
    assert again[0].key == "1"


def test_a_race_for_the_same_email_is_a_conflict(connector: Connector[Any], brevo: Brevo) -> None:
    brevo.habits.fail_next = [Answer(404)]
    (result,) = connector.write("contacts", [Write({"email": "c1@x.example"}, "w1")])
    assert isinstance(result.error, WriteConflict)


def test_an_invalid_phone_rejects_that_contact_alone(connector: Connector[Any], brevo: Brevo) -> None:
    brevo.habits.fail_next = [refusal(400, "invalid_parameter", "Invalid phone number")]
    bad, good = connector.write(
        "contacts", [Write({"attributes": {"SMS": "x"}}, "w1", key="1"), Write({"attributes": {}}, "w2", key="2")]
    )
    assert isinstance(bad.error, RecordRejected)
    assert "Invalid phone number" in str(bad.error)
    assert good.error is None


@pytest.mark.parametrize(
    "body",
    [{"event": "contact_updated", "id": 1, "content": [{"email": "a@x.example"}]}, {"odd": None}, [{"event": "x"}, {}]],
)
def test_a_webhook_of_whatever_shape_is_a_reason_to_look(connector: Connector[Any], body: Any) -> None:
    """What Brevo sends could not be checked: nothing in it is needed but the token."""
    hook = Inbound("POST", "/x", {"Authorization": f"Bearer {TOKEN}"}, {}, json.dumps(body).encode())
    assert {(hint.stream, hint.key) for hint in connector.verify(hook)} == {("contacts", None)}


EXAMPLE = json.loads("""{"contacts":[{"id":42,"email":"ann@x.example","emailBlacklisted":false,"smsBlacklisted":false,
"createdAt":"2025-12-01T00:00:00.000+00:00","modifiedAt":"2026-01-02T03:04:05.000+00:00","listIds":[2],
"listUnsubscribed":null,"attributes":{"FIRSTNAME":"Ann","LASTNAME":"Lee","SMS":"441134960000","EXT_ID":"C1"}}],
"count":1}""")


def documented() -> Connector[Any]:
    connector = registered("brevo").load()
    return connector(connector.config_model(api_key="k", base_url="https://93.184.216.34/v3"), Context("mail"))


@responses.activate
def test_the_documented_contact_is_mapped_to_a_person() -> None:
    contacts = "https://93.184.216.34/v3/contacts"
    responses.get(contacts, json=EXAMPLE)
    responses.get(contacts, json={"contacts": [], "count": 1})
    (record,) = [record for page in documented().read(Read("contacts")) for record in page.records]
    assert (record.key, record.changed_at) == ("42", "2026-01-02T03:04:05.000000Z")
    (person,) = compile_mapping(load_spec(registered("brevo").folder / "mapping.yaml"))(json.loads(record.body))
    assert person.customer["phones"][0]["value"] == "+441134960000"
    assert person.customer["external_ids"] == {"brevo.ext_id": "C1"}
    assert [(c["channel"], c["granted"]) for c in person.customer["consents"]] == [("email", True), ("sms", True)]


@responses.activate
def test_documented_refusals() -> None:
    responses.get(
        "https://93.184.216.34/v3/account", json={"code": "unauthorized", "message": "Key not found"}, status=401
    )
    with pytest.raises(BadCredentials, match="api_key"):
        documented().check()
