"""The Salesforce connector against a simulator of an org, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.conformance import Copy
from connectors.contract import Connector, Context, Mode, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.salesforce.client import PAUSE
from connectors.salesforce.connector import SalesforceConnector
from connectors.salesforce.reading import long_id
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.salesforce.salesforce_simulator import Salesforce, refusal
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies, registered


class SalesSource(VendorSource):
    vendor = "salesforce"
    stream = "accounts"
    server: Salesforce

    def __init__(self, server: Salesforce, **settings: Any) -> None:
        super().__init__(server)
        self._settings = settings

    def settings(self) -> dict[str, Any]:
        login = {"client_id": Salesforce.CLIENT, "client_secret": Salesforce.KEY}
        return {"base_url": self.server.url, **login, "external_id_field": "Kehu_Id__c", **self._settings}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"client_secret": "wrong-secret-000"}, "client_secret"

    def body(self, number: int) -> dict[str, Any]:
        return {"Name": f"Written {number}", "Phone": f"+86 755 0000{number}"}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"AccountNumber": self.server.rows[other]["AccountNumber"]}, "conflict", key=one)

    def connect(self, settings: Any = None) -> Connector[Any]:
        made = super().connect(settings)
        made.bulk._sleep = lambda seconds: None  # type: ignore[attr-defined]
        return made


class SalesSuite(VendorSuite):
    throttled = Answer(429, [{"message": "too many", "errorCode": "TOO_MANY"}])


class TestRest(SalesSuite):
    @pytest.fixture
    def source(self) -> Iterator[SalesSource]:
        with Salesforce() as server:
            yield SalesSource(server)


class TestBulk(SalesSuite):
    @pytest.fixture
    def source(self) -> Iterator[SalesSource]:
        with Salesforce() as server:
            yield SalesSource(server, bulk_from=1)


@pytest.fixture
def org() -> Iterator[Salesforce]:
    with Salesforce() as server:
        yield server


@pytest.fixture
def connector(org: Salesforce) -> Iterator[Any]:
    made = SalesSource(org).connect()
    yield made
    made.close()


def read(connector: Connector[Any], mode: Mode = Mode.FULL, cursor: Any = None, size: int = 1000) -> list[Any]:
    request = Read("accounts", mode, cursor, page_size=size)
    return [record for page in connector.read(request) for record in page.records]


def position(connector: Connector[Any]) -> Any:
    return [page.cursor for page in connector.read(Read("accounts"))][-1]


def deleted(connector: Connector[Any], cursor: Any) -> set[str]:
    pages = connector.read(Read("accounts", Mode.INCREMENTAL, cursor))
    return {key for page in pages for key in page.deleted}


class TestLogin:
    def test_a_session_that_ends_amid_the_read_is_renewed_unseen(self, org: Salesforce, connector: Any) -> None:
        pages = connector.read(Read("accounts", page_size=3))
        first = next(pages)
        org.revoked.add(f"00D!{org.KEY}-1")
        assert {r.key for page in (first, *pages) for r in page.records} == set(org.rows)
        assert org.tokens == 2

    def test_a_refresh_token_logs_in(self, org: Salesforce) -> None:
        connector = SalesSource(org, refresh_token="refresh-1").connect()
        assert len(read(connector)) == 8
        connector.close()

    def test_a_rotated_refresh_token_is_refused_with_its_remedy(self, org: Salesforce) -> None:
        org.rotates = True
        connector = SalesSource(org, refresh_token="refresh-1").connect()
        with pytest.raises(BadConfiguration, match="rotates") as caught:
            connector.check()
        assert caught.value.setting == "refresh_token"
        connector.close()

    def test_a_signed_assertion_logs_in(self, org: Salesforce) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        connector = SalesSource(org, private_key=pem, username="kehu@example.com", client_secret=None).connect()
        assert len(read(connector)) == 8
        assert b"assertion=" in org.calls[0].body
        connector.close()

    def test_a_private_key_that_is_none_is_named(self, org: Salesforce) -> None:
        connector = SalesSource(org, private_key="-----BEGIN X-----", username="u", client_secret=None).connect()
        with pytest.raises(BadConfiguration) as caught:
            connector.check()
        assert caught.value.setting == "private_key"
        connector.close()

    @pytest.mark.parametrize("wrong", [{"client_secret": None}, {"private_key": "x"}])
    def test_settings_without_a_whole_login_are_refused(self, org: Salesforce, wrong: dict[str, Any]) -> None:
        with pytest.raises(BadConfiguration):
            SalesSource(org, **wrong).connect()

    def test_all_calls_go_to_the_address_that_the_login_tells(self, org: Salesforce) -> None:
        with Salesforce() as gate:
            gate.instance = org.url
            connector = SalesSource(gate).connect()
            assert len(read(connector)) == 8
            assert {call.path for call in gate.calls} == {"/services/oauth2/token"}
            connector.close()


class TestReading:
    def test_pages_shorter_than_asked_for_lose_nothing(self, org: Salesforce, connector: Any) -> None:
        org.page_cap = 2
        assert {record.key for record in read(connector)} == set(org.rows)

    def test_only_fields_that_the_user_may_see_are_asked_for(self, org: Salesforce, connector: Any) -> None:
        org.hidden.add("Phone")
        assert "Phone" not in json.loads(read(connector)[0].body)

    def test_a_field_that_goes_while_we_run_breaks_the_stream_once(self, org: Salesforce, connector: Any) -> None:
        read(connector)
        org.hidden.add("Phone")
        with pytest.raises(StreamBroken, match="No such column"):
            read(connector)
        assert len(read(connector)) == 8

    def test_custom_fields_are_read_and_misspelt_ones_named(self, org: Salesforce) -> None:
        connector = SalesSource(org, account_fields=["Tax_Id__c"]).connect()
        assert "Tax_Id__c" in json.loads(read(connector)[0].body)
        connector.close()
        connector = SalesSource(org, account_fields=["TaxId__c"]).connect()
        with pytest.raises(BadConfiguration, match="Tax_Id__c") as caught:
            read(connector)
        assert caught.value.setting == "account_fields"
        connector.close()

    def test_every_stream_is_described(self, connector: Any) -> None:
        streams = {stream.name: stream for stream in connector.discover()}
        assert set(streams) == {"accounts", "contacts", "leads"}
        assert {field.path for field in streams["accounts"].fields} >= {"Id", "Name", "SystemModstamp"}
        assert "BillingAddress" not in {field.path for field in streams["accounts"].fields}

    def test_an_object_that_is_hidden_is_told_by_the_check(self, org: Salesforce, connector: Any) -> None:
        def hide(request: Any) -> None:
            if "/Lead/" in request.path:
                raise refusal(403, "INSUFFICIENT_ACCESS", "no access")

        org.habits.before = hide
        assert connector.check().details["leads"] == "not allowed"

    def test_an_answer_without_rows_is_no_empty_org(self, org: Salesforce, connector: Any) -> None:
        read(connector)
        org.habits.fail_next = [Answer(200, {"ok": True})] * 2
        with pytest.raises(StreamBroken):
            read(connector)


class TestDeletes:
    def test_rows_in_the_recycle_bin_are_told(self, org: Salesforce, connector: Any) -> None:
        cursor = position(connector)
        gone = min(org.rows)
        org.log.clear()
        org.delete(gone)
        org.log.clear()
        assert deleted(connector, cursor) == {gone}

    def test_rows_that_have_left_the_bin_are_told_by_the_log(self, org: Salesforce, connector: Any) -> None:
        cursor = position(connector)
        gone = min(org.rows)
        org.delete(gone)
        org.empty_bin()
        assert deleted(connector, cursor) == {gone}

    def test_a_row_that_is_back_is_not_deleted_by_its_old_entry(self, org: Salesforce, connector: Any) -> None:
        cursor = position(connector)
        back = min(org.rows)
        org.log[back] = org.rows[back]["SystemModstamp"]
        assert deleted(connector, cursor) == set()

    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_a_log_that_cannot_be_had_is_made_up_for_by_the_sweep(
        self, org: Salesforce, connector: Any, status: int
    ) -> None:
        cursor = position(connector)
        org.keeps_bin = False
        gone = min(org.rows)
        org.delete(gone)

        def refuse(request: Any) -> None:
            if "/deleted" in request.path:
                raise refusal(status, "INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")

        org.habits.before = refuse
        assert deleted(connector, cursor) == set()
        assert gone not in {key for keys in connector.ids("accounts") for key in keys}

    def test_the_log_is_never_asked_for_more_than_it_holds(self, org: Salesforce, connector: Any) -> None:
        cursor = {"value": "2020-01-01T00:00:00.000000Z", "key": ""}
        deleted(connector, cursor)
        (asked,) = [call.query["start"] for call in org.calls if "/deleted" in call.path]
        assert datetime.fromisoformat(asked) > datetime.now(UTC) - timedelta(days=30)

    def test_a_short_id_is_the_long_one(self) -> None:
        assert long_id("001xx000003DGbQ") == "001xx000003DGbQAAW"


class TestBulkJobs:
    @pytest.fixture
    def bulk(self, org: Salesforce) -> Iterator[Any]:
        made = SalesSource(org, bulk_from=5).connect()
        yield made
        made.close()

    def test_a_job_gives_the_same_bodies_as_queries(self, org: Salesforce, bulk: Any, connector: Any) -> None:
        assert {r.key: r.body for r in read(bulk)} == {r.key: r.body for r in read(connector)}
        assert org.jobs

    def test_small_objects_and_changes_need_no_job(self, org: Salesforce) -> None:
        connector = SalesSource(org, bulk_from=9).connect()
        cursor = position(connector)
        read(connector, Mode.INCREMENTAL, cursor)
        assert not org.jobs
        connector.close()

    def test_a_job_that_takes_long_is_waited_for_in_steps(self, org: Salesforce, bulk: Any) -> None:
        org.job_polls = 20
        pages = list(bulk.read(Read("accounts", page_size=3)))
        assert any("wait" in str(page.cursor) for page in pages)
        assert {r.key for page in pages for r in page.records} == set(org.rows)

    def test_a_read_goes_on_with_its_job_after_a_crash(self, org: Salesforce, bulk: Any) -> None:
        first = next(bulk.read(Read("accounts", page_size=3)))
        rest = bulk.read(Read("accounts", Mode.FULL, first.cursor, resumed=True, page_size=3))
        assert {r.key for page in (first, *rest) for r in page.records} == set(org.rows)
        assert len(org.jobs) == 1

    def test_a_job_that_is_forgotten_or_fails_becomes_plain_queries(self, org: Salesforce, bulk: Any) -> None:
        first = next(bulk.read(Read("accounts", page_size=3)))
        org.jobs.clear()
        rest = bulk.read(Read("accounts", Mode.FULL, first.cursor, resumed=True, page_size=3))
        assert {r.key for page in (first, *rest) for r in page.records} == set(org.rows)
        org.job_fails = True
        assert {record.key for record in read(bulk)} == set(org.rows)

    def test_results_that_are_cut_short_lose_nothing(self, org: Salesforce, bulk: Any) -> None:
        def cut(request: Any) -> None:
            if request.path.endswith("/results"):
                head = b"Id,Name\n001xx0000000001AAA,x\n"
                raise Answer(200, head, {"Content-Type": "text/csv", "Sforce-NumberOfRecords": "8"})

        org.habits.before = cut
        assert {record.key for record in read(bulk)} == set(org.rows)

    def test_a_row_changed_while_the_job_runs_is_in_the_next_read(self, org: Salesforce) -> None:
        source = SalesSource(org, bulk_from=1)
        copy = Copy(source.connect(), source)
        copy.full(lambda: org.update(max(org.rows)))
        assert max(org.rows) in copy.incremental().changed


class TestLimits:
    def test_near_the_end_of_the_daily_calls_we_wait(self, org: Salesforce, connector: Any) -> None:
        org.usage = (13_600, 15_000)
        pages = connector.read(Read("accounts", page_size=3))
        with pytest.raises(WaitUntil, match="13600/15000") as caught:
            list(pages)
        assert caught.value.until - datetime.now(UTC) > PAUSE - timedelta(minutes=1)

    def test_the_limit_told_as_an_error_makes_us_wait(self, org: Salesforce, connector: Any) -> None:
        read(connector)
        org.habits.fail_next = [refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")]
        with pytest.raises(WaitUntil):
            read(connector)

    def test_without_the_header_nothing_waits(self, org: Salesforce, connector: Any) -> None:
        org.usage = ()  # type: ignore[assignment]
        assert connector.check().details["usage"] == "?"

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [(400, "MALFORMED_QUERY", StreamBroken), (400, "QUERY_TIMEOUT", RetryLater),
         (400, "INVALID_TYPE", PermissionMissing),
         (403, "API_DISABLED_FOR_ORG", PermissionMissing), (404, "NOT_FOUND", BadConfiguration),
         (406, "", RetryLater), (420, "", RetryLater), (414, "URI_TOO_LONG", StreamBroken)],
    )  # fmt: skip
    def test_errors_are_known_by_their_code(
        self, org: Salesforce, connector: Any, status: int, code: str, kind: type[Exception]
    ) -> None:
        read(connector)
        org.habits.fail_next = [refusal(status, code, "because")]
        with pytest.raises(kind, match="because"):
            read(connector)


class TestWriting:
    def test_only_what_differs_is_sent_and_in_one_call(self, org: Salesforce, connector: Any) -> None:
        one, two, *_ = sorted(org.rows)
        batch = [Write({"Name": "A", "BillingCity": "深圳"}, "w1", one), Write({"Name": "B"}, "w2", two)]
        assert [result.key for result in connector.write("accounts", batch)] == [one, two]
        (sent,) = [call.json() for call in org.calls if call.method == "PATCH"]
        kind = {"attributes": {"type": "Account"}}
        assert sent == {
            "allOrNone": False,
            "records": [{**kind, "id": one, "Name": "A"}, {**kind, "id": two, "Name": "B"}],
        }

    def test_nothing_is_sent_when_nothing_differs(self, org: Salesforce, connector: Any) -> None:
        connector.write("accounts", [Write({"BillingCity": "深圳", "Phone": ""}, "w", min(org.rows))])
        assert not [call for call in org.calls if call.method == "PATCH"]

    @pytest.mark.parametrize("collections", [True, False])
    def test_creates_are_upserts_with_or_without_collections(
        self, org: Salesforce, connector: Any, collections: bool
    ) -> None:
        org.collections = collections
        batch = [Write({"Name": "Own id", "Kehu_Id__c": "a/1 é"}, "w1"), Write({"Name": "Made id"}, "w2")]
        first = connector.write("accounts", batch)
        again = connector.write("accounts", batch)
        assert [result.created for result in first + again] == [True, True, False, False]
        assert [result.key for result in first] == [result.key for result in again]
        assert org.rows[first[0].key]["Kehu_Id__c"] == "a/1 é"
        assert len(org.rows) == 10

    @pytest.mark.parametrize("collections", [True, False])
    def test_a_bad_record_is_rejected_and_its_neighbours_are_written(
        self, org: Salesforce, connector: Any, collections: bool
    ) -> None:
        org.collections = collections
        one, two, three, *_ = sorted(org.rows)
        batch = [
            Write({"Name": ""}, "w1", one), Write({"Nope": 1}, "w2", one),
            Write({"Name": "x"}, "w3", "001xx9999999999AAA"),
            Write({"AccountNumber": "C3"}, "w4", two), Write({"Name": "Good"}, "w5", three),
            Write({"Name": "x"}, "w6", "1' OR Id != '"),
        ]  # fmt: skip
        results = connector.write("accounts", batch)
        kinds = [RecordRejected, RecordRejected, RecordRejected, WriteConflict, type(None), RecordRejected]
        assert [type(result.error) for result in results] == kinds
        assert results[0].error.path == "Name"
        assert org.rows[three]["Name"] == "Good"

    def test_a_row_newer_than_what_was_seen_is_not_overwritten(self, org: Salesforce, connector: Any) -> None:
        key = min(org.rows)
        org.update(key)
        (result,) = connector.write("accounts", [Write({"Name": "ours"}, "w", key, expected="2026-01-02T03:04:05Z")])
        assert isinstance(result.error, WriteConflict)
        assert org.rows[key]["Name"] != "ours"

    def test_a_row_changed_between_look_and_write_is_refused_under_the_strict_lock(self, org: Salesforce) -> None:
        connector = SalesSource(org, strict_lock=True).connect()
        key = min(org.rows)
        (fine,) = connector.write("accounts", [Write({"Name": "first"}, "w0", key)])
        assert fine.error is None
        later = org.now() + timedelta(seconds=5)
        org.before_write = lambda: org.update(key, later)
        (result,) = connector.write("accounts", [Write({"Name": "ours"}, "w", key)])
        assert isinstance(result.error, WriteConflict)
        assert org.rows[key]["Name"] == "first"
        connector.close()

    def test_a_locked_row_has_the_whole_batch_sent_again(self, org: Salesforce, connector: Any) -> None:
        one, two, *_ = sorted(org.rows)
        with pytest.raises(RetryLater):
            connector.write("accounts", [Write({"Name": "Locked"}, "w1", one), Write({"Name": "Fine"}, "w2", two)])
        assert org.rows[two]["Name"] == "Fine"

    def test_an_external_id_that_several_have_is_a_conflict(self, org: Salesforce, connector: Any) -> None:
        for key in sorted(org.rows)[:2]:
            org.rows[key]["Kehu_Id__c"] = "same"
        org.collections = False
        (result,) = connector.write("accounts", [Write({"Name": "x", "Kehu_Id__c": "same"}, "w")])
        assert isinstance(result.error, WriteConflict)

    @pytest.mark.parametrize("field", [None, "Nope__c"])
    def test_without_an_external_id_field_nothing_is_created(self, org: Salesforce, field: str | None) -> None:
        connector = SalesSource(org, external_id_field=field).connect()
        with pytest.raises(BadConfiguration) as caught:
            connector.write("accounts", [Write({"Name": "x"}, "w")])
        assert caught.value.setting == "external_id_field"
        assert len(org.rows) == 8
        connector.close()

    def test_more_than_two_hundred_go_in_several_calls(self, org: Salesforce, connector: Any) -> None:
        results = connector.write("accounts", [Write({"Name": f"N{n}"}, f"w{n}") for n in range(450)])
        assert len({result.key for result in results}) == 450
        assert len([call for call in org.calls if call.method == "PATCH"]) == 3

    def test_a_call_refused_as_a_whole_for_one_record_is_made_record_by_record(
        self, org: Salesforce, connector: Any
    ) -> None:
        read(connector)

        def parse(request: Any) -> None:
            if request.method == "PATCH" and b"no number" in request.body:
                raise refusal(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of double from VALUE_STRING")

        org.habits.before = parse
        before = len(org.rows)
        batch = [Write({"Name": name}, name) for name in ("one", "no number", "three")]
        one, odd, three = connector.write("accounts", batch)
        assert (one.error, three.error, len(org.rows)) == (None, None, before + 2)
        assert isinstance(odd.error, RecordRejected)
        assert "deserialize" in str(odd.error)
        org.calls.clear()
        connector.write("accounts", [Write({"Name": f"later {n}"}, f"later-{n}") for n in range(3)])
        assert len([call for call in org.calls if call.method == "PATCH"]) == 1  # collections are still used

    def test_collections_that_answer_too_little_stop_the_batch(self, org: Salesforce, connector: Any) -> None:
        read(connector)
        org.habits.fail_next = [Answer(200, [])]
        with pytest.raises(StreamBroken):
            connector.write("accounts", [Write({"Name": "x"}, "w")])

    def test_a_missing_right_to_write_stops_the_batch(self, org: Salesforce, connector: Any) -> None:
        read(connector)
        org.habits.fail_next = [refusal(403, "INSUFFICIENT_ACCESS", "no")]
        with pytest.raises(PermissionMissing):
            connector.write("accounts", [Write({"Name": "x"}, "w")])


HOST = "https://93.184.216.34"
TOKEN = {"access_token": "00D!AQ", "instance_url": HOST, "id": f"{HOST}/id/00D/005", "token_type": "Bearer",
         "issued_at": "1767000000000", "signature": "…"}  # fmt: skip
EXAMPLE = {"totalSize": 1, "done": True, "records": [
    {"attributes": {"type": "Account", "url": "/services/data/v68.0/sobjects/Account/001x"},
     "Id": "001xx000003DGbQAAW", "Name": "Acme",
     "Phone": "+1 555", "SystemModstamp": "2026-01-02T03:04:05.000+0000", "IsDeleted": False},
]}  # fmt: skip
DESCRIBED = {"fields": [{"name": n, "type": "string"} for n in ("Id", "Name", "Phone", "SystemModstamp", "IsDeleted")]}


def documented() -> SalesforceConnector:
    config = {"base_url": HOST, "client_id": "k", "client_secret": "s-1", "api_version": "v68.0", "bulk_from": 0}
    return SalesforceConnector(SalesforceConnector.config_model.model_validate(config), Context("sf"))


@responses.activate
def test_the_documented_account_is_read() -> None:
    responses.post(f"{HOST}/services/oauth2/token", json=TOKEN)
    responses.get(f"{HOST}/services/data/v68.0/sobjects/Account/describe", json=DESCRIBED)
    responses.get(f"{HOST}/services/data/v68.0/query", json=EXAMPLE)
    (record,) = read(documented())
    assert (record.key, record.changed_at) == ("001xx000003DGbQAAW", "2026-01-02T03:04:05.000000Z")
    assert "attributes" not in json.loads(record.body)


@responses.activate
def test_the_documented_expired_session_is_renewed_once_and_then_names_the_settings() -> None:
    responses.post(f"{HOST}/services/oauth2/token", json=TOKEN)
    body = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    responses.get(f"{HOST}/services/data/v68.0/sobjects/Account/describe", json=body, status=401)
    with pytest.raises(BadCredentials, match="client_secret"):
        documented().check()
    assert len([call for call in responses.calls if "token" in str(call.request.url)]) == 2


@responses.activate
def test_the_documented_refused_grant_names_the_settings() -> None:
    body = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    responses.post(f"{HOST}/services/oauth2/token", json=body, status=400)
    with pytest.raises(BadCredentials, match="expired access/refresh token"):
        documented().check()


class TestDefaultMappings:
    def mapped(self, stream: str, body: dict[str, Any]) -> list[Any]:
        folder = registered("salesforce").folder
        return list(compile_mapping(load_spec(folder / f"mapping_{stream}.yaml"))(body))

    def test_an_account_is_an_organisation_and_a_person_account_a_person(self) -> None:
        body = {
            "Id": "1",
            "Name": "Acme",
            "BillingCity": "Leeds",
            "BillingCountry": "United Kingdom",
            "Phone": "+44 113 4960000",
        }
        (found,) = self.mapped("accounts", body)
        assert (found.customer["kind"], found.customer["addresses"][0]["country"]) == ("organisation", "GB")
        (person,) = self.mapped("accounts", {"Id": "2", "IsPersonAccount": True, "FirstName": "Ann", "LastName": "Lee",
                                             "Name": "Ann Lee", "PersonEmail": "ann@x.example"})  # fmt: skip
        assert (person.customer["kind"], person.customer["family_name"]) == ("person", "Lee")

    def test_a_contact_belongs_to_its_account_and_its_opt_out_is_no_consent(self) -> None:
        body = {
            "Id": "3",
            "LastName": "Lee",
            "AccountId": "1",
            "Title": "Buyer",
            "HasOptedOutOfEmail": True,
            "DoNotCall": False,
        }
        (found,) = self.mapped("contacts", body)
        assert found.customer["organisation"] == {"source_id": "1", "stream": "accounts", "role": "Buyer"}
        assert {c["channel"]: c["granted"] for c in found.customer["consents"]} == {"email": False, "phone": True}

    def test_a_converted_lead_is_nobody_any_more(self) -> None:
        body = {"Id": "4", "LastName": "Lee", "Company": "Acme", "Email": "ann@x.example", "IsConverted": False}
        person, company = self.mapped("leads", body)
        assert (person.customer["kind"], person.customer["status"]) == ("person", "prospect")
        assert (company.customer["kind"], company.customer["name"]) == ("organisation", "Acme")
        assert not self.mapped("leads", {**body, "IsConverted": True})

    def test_other_objects_are_read_as_they_are(self) -> None:
        with Salesforce(name="Contact") as server:
            source = SalesSource(server)
            source.stream = "contacts"
            assert set(bodies(source)) == set(server.rows)
