"""The Klaviyo manifest against a simulator of the account, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.utils import format_datetime
from typing import Any

import pytest
import responses

from connectors.conformance import Copy
from connectors.contract import Connector, Context, Inbound, Mode, Read, Write
from connectors.errors import BadConfiguration, BadCredentials, PermissionMissing, RecordRejected
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.klaviyo.klaviyo_simulator import Klaviyo, refusal
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies, keyed_hash, registered

THROTTLED = {"errors": [{"status": 429, "code": "throttled", "detail": "Expected available in 1 second."}]}

SECRET = "klaviyo-hook-secret"


class KlaviyoSource(VendorSource):
    vendor = "klaviyo"
    stream = "profiles"
    server: Klaviyo

    def settings(self) -> dict[str, Any]:
        return {"base_url": self.server.url + "/api", "api_key": Klaviyo.KEY, "webhook_secret": SECRET}

    def webhook(self, key: str) -> Inbound:
        return self.server.hook(key, SECRET)

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"api_key": "pk_wrong_00"}, "api_key"

    def body(self, number: int) -> dict[str, Any]:
        return {"email": f"written{number}@x.example", "first_name": "Written", "last_name": str(number)}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"email": self.server.rows[other]["attributes"]["email"]}, "conflict", key=one)


class TestProfiles(VendorSuite):
    throttled = Answer(429, THROTTLED)

    @pytest.fixture
    def source(self) -> Iterator[KlaviyoSource]:
        with Klaviyo() as server:
            yield KlaviyoSource(server)


@pytest.fixture
def klaviyo() -> Iterator[Klaviyo]:
    with Klaviyo() as server:
        yield server


@pytest.fixture
def connector(klaviyo: Klaviyo) -> Iterator[Connector[Any]]:
    made = KlaviyoSource(klaviyo).connect()
    yield made
    made.close()


@pytest.mark.parametrize("includes", [True, False])
def test_nothing_is_lost_whether_or_not_the_filter_includes_its_bound(klaviyo: Klaviyo, includes: bool) -> None:
    klaviyo.includes = includes
    source = KlaviyoSource(klaviyo)
    copy = Copy(source.connect(), source)
    copy.full()
    key = klaviyo.add()
    klaviyo.rows[key]["attributes"]["updated"] = klaviyo.rows["01HZX0000008"]["attributes"]["updated"]
    copy.incremental()
    assert key in copy.changed


def test_a_profile_that_the_list_shows_late_comes_with_the_next_read(klaviyo: Klaviyo) -> None:
    source = KlaviyoSource(klaviyo)
    copy = Copy(source.connect(), source)
    klaviyo.unlisted.add(klaviyo.add())
    klaviyo.add()
    copy.full()
    klaviyo.unlisted.clear()
    assert set(copy.incremental().bodies) == source.keys()


def test_profiles_that_move_to_the_end_while_they_are_read_come_again(klaviyo: Klaviyo) -> None:
    source = KlaviyoSource(klaviyo)
    copy = Copy(source.connect(), source)
    copy.full(lambda: klaviyo.update("01HZX0000001"))
    assert copy.bodies["01HZX0000001"]["attributes"]["properties"] == {"edits": 1}


def test_a_retired_revision_names_itself_and_is_no_expired_cursor(connector: Connector[Any], klaviyo: Klaviyo) -> None:
    klaviyo.REVISIONS = ("2028-10-15",)  # type: ignore[misc]
    with pytest.raises(BadConfiguration, match="revision"):
        list(connector.read(Read("profiles", Mode.INCREMENTAL, {})))
    source = KlaviyoSource(klaviyo)
    newer = source.connect(source.settings() | {"revision": "2028-10-15"})
    assert newer.check().message


def test_a_retired_revision_in_other_words_stops_the_stream_all_the_same(
    connector: Connector[Any], klaviyo: Klaviyo
) -> None:
    klaviyo.habits.fail_next = [refusal(400, "invalid", "The revision supplied is not valid")]
    with pytest.raises(BadConfiguration, match="revision supplied"):
        connector.check()


def test_a_null_empties_a_field_and_an_absent_one_stays(connector: Connector[Any], klaviyo: Klaviyo) -> None:
    (result,) = connector.write("profiles", [Write({"organization": None}, "w1", key="01HZX0000001")])
    assert result.error is None
    held = klaviyo.rows["01HZX0000001"]["attributes"]
    assert (held["organization"], held["first_name"]) == (None, "Ann")


def test_an_invalid_email_rejects_that_profile_alone(connector: Connector[Any]) -> None:
    bad, nobody, good = connector.write(
        "profiles",
        [Write({"email": "x"}, "w1"), Write({"first_name": "N"}, "w2"), Write({"email": "x@x.example"}, "w3")],
    )
    assert isinstance(bad.error, RecordRejected)
    assert "Invalid email address" in str(bad.error)
    assert isinstance(nobody.error, RecordRejected)
    assert (good.error, good.created) == (None, True)


def test_never_subscribed_is_neither_a_yes_nor_a_no(klaviyo: Klaviyo) -> None:
    source = KlaviyoSource(klaviyo)
    mapper = compile_mapping(load_spec(source.folder / "mapping.yaml"))
    mapped = {key: mapper(body)[0].customer for key, body in bodies(source).items()}
    assert "consents" not in mapped["01HZX0000002"]
    assert mapped["01HZX0000001"]["consents"][0]["granted"] is True


def test_visitors_known_by_a_cookie_alone_are_left_out() -> None:
    mapper = compile_mapping(load_spec(registered("klaviyo").folder / "mapping.yaml"))
    assert mapper({"id": "1", "attributes": {"email": None, "updated": "2026-01-02T03:04:05+00:00"}}) == []


def test_only_what_differs_is_sent_and_nothing_over_a_newer_change(connector: Connector[Any], klaviyo: Klaviyo) -> None:
    key, row = next(iter(klaviyo.rows.items()))
    same = Write({"first_name": "Ann", "organization": "Acme"}, "w1", key=key)
    changed = Write({"first_name": "Ann", "organization": "Acme Ltd"}, "w2", key=key)
    stale = Write({"organization": "Old"}, "w3", key=key, expected="2026-01-01T00:00:00Z")
    results = connector.write("profiles", [same, changed, stale])
    assert [type(result.error).__name__ for result in results] == ["NoneType", "NoneType", "WriteConflict"]
    (sent,) = [call.json()["data"]["attributes"] for call in klaviyo.calls if call.method == "PATCH"]
    assert sent == {"organization": "Acme Ltd"}
    assert row["attributes"]["organization"] == "Acme Ltd"


class TestWhatIsNotPromisedOfWebhooks:
    """How the time is written and what is signed could not be checked: what differs is refused, and read later."""

    def stamped(self, klaviyo: Klaviyo, stamp: str, message: str = "{body}{stamp}") -> Inbound:
        hook = klaviyo.hook("01HZX0000001", SECRET)
        signed = message.encode().replace(b"{body}", hook.body).replace(b"{stamp}", stamp.encode())
        headers = {"Klaviyo-Signature": keyed_hash(SECRET, signed).hex(), "Klaviyo-Timestamp": stamp}
        return Inbound("POST", "/x", headers, {}, hook.body)

    @pytest.mark.parametrize("form", ["seconds", "milliseconds", "iso", "zulu", "email"])
    def test_the_time_is_understood_however_it_is_written(
        self, connector: Connector[Any], klaviyo: Klaviyo, form: str
    ) -> None:
        now = connector.context.now()
        stamps = {
            "seconds": str(int(now.timestamp())), "milliseconds": str(int(now.timestamp() * 1000)),
            "iso": now.isoformat(), "zulu": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "email": format_datetime(now, usegmt=True),
        }  # fmt: skip
        (hint,) = connector.verify(self.stamped(klaviyo, stamps[form]))
        assert (hint.stream, hint.key) == ("profiles", "01HZX0000001")

    @pytest.mark.parametrize("message", ["{body}", "{stamp}{body}", "{stamp}.{body}"])
    def test_what_is_signed_otherwise_is_refused(
        self, connector: Connector[Any], klaviyo: Klaviyo, message: str
    ) -> None:
        stamp = connector.context.now().isoformat()
        with pytest.raises(BadCredentials) as caught:
            connector.verify(self.stamped(klaviyo, stamp, message))
        assert "webhook_secret" in caught.value.params["setting"]

    @pytest.mark.parametrize("stamp", ["", "yesterday", "1500000000"])
    def test_one_that_is_old_or_tells_no_time_is_refused(
        self, connector: Connector[Any], klaviyo: Klaviyo, stamp: str
    ) -> None:
        with pytest.raises(BadCredentials):
            connector.verify(self.stamped(klaviyo, stamp))


def test_the_right_to_subscriptions_is_missed_by_the_check(connector: Connector[Any], klaviyo: Klaviyo) -> None:
    def forbid(request: Any) -> None:
        if request.query.get("additional-fields[profile]"):
            raise refusal(403, "permission_denied", "Missing scope subscriptions:read")

    klaviyo.habits.before = forbid
    with pytest.raises(PermissionMissing, match="subscriptions:read"):
        connector.check()


def test_the_revision_asked_for_by_default_is_of_these_two_years() -> None:
    default = registered("klaviyo").load().config_model.model_fields["revision"].default
    assert default >= "2026"


EXAMPLE = json.loads("""{"data":[{"type":"profile","id":"01HZX0ABCDEF","attributes":{"email":"ann@x.example",
"phone_number":"+441134960000","external_id":"C1","first_name":"Ann","last_name":"Lee","organization":"Acme",
"locale":"en-GB","title":null,"created":"2025-12-01T00:00:00+00:00","updated":"2026-01-02T03:04:05+00:00",
"location":{"address1":"1 Rd","address2":null,"city":"Leeds","region":null,"country":"United Kingdom","zip":"LS1"},
"properties":{"tier":"gold"},"subscriptions":{"email":{"marketing":{"can_receive_email_marketing":true,
"consent":"SUBSCRIBED","consent_timestamp":"2025-12-01T00:00:00+00:00"}}}}}],"links":{"self":"…","next":null}}""")


def documented() -> Connector[Any]:
    connector = registered("klaviyo").load()
    return connector(connector.config_model(api_key="k", base_url="https://93.184.216.34/api"), Context("mail"))


@responses.activate
def test_the_documented_profile_is_mapped_to_a_person() -> None:
    responses.get("https://93.184.216.34/api/profiles", json=EXAMPLE)
    (record,) = [record for page in documented().read(Read("profiles")) for record in page.records]
    assert (record.key, record.changed_at) == ("01HZX0ABCDEF", "2026-01-02T03:04:05.000000Z")
    (person,) = compile_mapping(load_spec(registered("klaviyo").folder / "mapping.yaml"))(json.loads(record.body))
    assert person.customer["addresses"][0]["country"] == "GB"
    assert person.customer["consents"][0]["at"].startswith("2025-12-01")
    assert person.customer["external_ids"] == {"klaviyo.external_id": "C1"}


@responses.activate
@pytest.mark.parametrize("status", [401, "401"])
def test_documented_refusals_whether_the_status_in_them_is_text_or_number(status: Any) -> None:
    error = {"id": "1", "status": status, "code": "not_authenticated", "detail": "Missing or invalid key."}
    responses.get("https://93.184.216.34/api/profiles", json={"errors": [error]}, status=401)
    with pytest.raises(BadCredentials, match="api_key"):
        documented().check()
