"""The Dataverse connector against a small environment that behaves as the documentation says, and as it may."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

import connectors.dynamics_dataverse
from connectors.conformance import ConformanceSuite, Copy, Source, Unsupported
from connectors.contract import Connector, Mode, Page, Read, Write
from connectors.dynamics_dataverse.connector import DataverseConnector
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.registry import load_registry
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.dynamics_dataverse.dataverse_server import DataverseServer
from tests.connectors.odata_server import Answer

FOLDER = Path(connectors.dynamics_dataverse.__file__).parent
_numbers = itertools.count(1)


class DataverseSource(Source):
    connector = DataverseConnector
    stream = "accounts"
    folder = FOLDER

    def __init__(self, server: DataverseServer, **settings: Any) -> None:
        self.server, self._settings = server, settings

    def settings(self) -> dict[str, Any]:
        client, secret = self.server.CLIENT
        login = {"tenant": self.server.TENANT, "client_id": client, "client_secret": secret}
        return {"base_url": self.server.url, "login_url": f"{self.server.url}/login", **login, **self._settings}

    def keys(self) -> set[str]:
        return set(self.server.tables["accounts"].rows)

    def add(self) -> str:
        return self.server.add()

    def update(self, key: str) -> None:
        self.server.change("accounts", key, name=f"改名{next(_numbers)}")

    def delete(self, key: str) -> None:
        self.server.remove("accounts", key)

    def tie(self, keys: Sequence[str]) -> None:
        self.server.tie("accounts", list(keys))

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "client_secret": "wrong-secret"}, "client_secret"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "base_url": "http://127.0.0.1:9"}

    def body(self, number: int) -> dict[str, Any]:
        return {"name": f"Written {number}", "emailaddress1": f"w{number}@example.com"}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.keys())
        number = self.server.tables["accounts"].rows[other]["accountnumber"]
        return Write({"accountnumber": number}, "conflict", key=one)


class Reachable(DataverseSource):
    def unreachable(self) -> dict[str, Any]:
        raise Unsupported("tried with change tracking")


@pytest.fixture
def server() -> Iterator[DataverseServer]:
    with DataverseServer(accounts=8) as server:
        yield server


@pytest.fixture
def source(server: DataverseServer) -> DataverseSource:
    return DataverseSource(server)


@pytest.fixture
def connector(source: DataverseSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


class TestWithChangeTracking(ConformanceSuite):
    @pytest.fixture
    def source(self, server: DataverseServer) -> DataverseSource:
        return DataverseSource(server)


class TestByChangeStamps(ConformanceSuite):
    @pytest.fixture
    def source(self, server: DataverseServer) -> DataverseSource:
        server.tables["accounts"].tracked = False
        return Reachable(server)


class TestWithAlternateKey(ConformanceSuite):
    @pytest.fixture
    def source(self, server: DataverseServer) -> DataverseSource:
        class Keyed(Reachable):
            def body(self, number: int) -> dict[str, Any]:
                return {**super().body(number), "accountnumber": "W3" if number == 3 else f"W{number}"}

        return Keyed(server, alternate_key="accountnumber")


def pages(connector: Connector[Any], mode: Mode = Mode.FULL, cursor: Any = None, **more: Any) -> list[Page]:
    return list(connector.read(Read("accounts", mode, cursor, page_size=3, **more)))


def keys(found: Sequence[Page]) -> list[str]:
    return [record.key for page in found for record in page.records]


def row(server: DataverseServer, key: str | None) -> dict[str, Any]:
    found: dict[str, Any] = server.tables["accounts"].rows[key or ""]
    return found


class TestReading:
    def test_the_check_tells_how_changes_become_known(self, server: DataverseServer, connector: Any) -> None:
        server.tables["contacts"].tracked = False
        checked = connector.check()
        assert checked.details["accounts"] == "change tracking"
        assert checked.details["contacts"] == "change stamps"

    def test_a_settled_copy_is_asked_for_changes_with_one_call(self, server: DataverseServer, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        server.calls.clear()
        assert keys(pages(connector, Mode.INCREMENTAL, cursor)) == []
        assert len(server.calls) == 1

    def test_links_go_back_as_they_came(self, server: DataverseServer, connector: Any) -> None:
        pages(connector)
        followed = [call for call in server.calls if "$skiptoken" in call.query]
        assert len(followed) >= 2
        assert all("odata.maxpagesize=3" in call.headers["Prefer"] for call in followed)

    def test_a_delete_is_told_by_the_next_read(self, source: DataverseSource, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        gone = sorted(source.keys())[0]
        source.delete(gone)
        assert [key for page in pages(connector, Mode.INCREMENTAL, cursor) for key in page.deleted] == [gone]

    def test_the_currency_is_told_by_its_code(self, connector: Any) -> None:
        body = orjson.loads(pages(connector)[0].records[0].body)
        assert body["transactioncurrency_code"] == "CNY"

    def test_without_the_right_to_read_currencies_all_else_is_read(
        self, server: DataverseServer, connector: Any
    ) -> None:
        server.habits.forbidden.add("read transactioncurrencies")
        assert len(set(keys(pages(connector)))) == 8

    def test_a_backfill_reads_a_range_and_leaves_change_tracking_as_it_was(
        self, source: DataverseSource, connector: Any
    ) -> None:
        cursor = pages(connector)[-1].cursor
        moment = connector.context.now()
        found = pages(connector, Mode.INCREMENTAL, cursor, since=moment, until=moment)
        assert found[-1].cursor["delta"] == cursor["delta"]

    def test_a_backfill_by_stamps_reads_its_range_and_no_more(self, server: DataverseServer, connector: Any) -> None:
        server.tables["accounts"].tracked = False
        old = sorted(server.tables["accounts"].rows)[0]
        server.change("accounts", old, datetime(2026, 2, 1, tzinfo=UTC))
        cursor = pages(connector)[-1].cursor
        around = {"since": datetime(2026, 1, 31, tzinfo=UTC), "until": datetime(2026, 2, 2, tzinfo=UTC)}
        found = pages(connector, Mode.INCREMENTAL, cursor, **around)
        assert keys(found) == [old]
        assert found[-1].cursor == cursor
        fresh = pages(connector, Mode.INCREMENTAL, None, **around)
        assert keys(fresh) == [old]
        assert len(keys(pages(connector, Mode.INCREMENTAL, fresh[-1].cursor))) == 8

    def test_a_stream_that_there_is_not_is_named(self, connector: Any) -> None:
        with pytest.raises(BadConfiguration, match="leads"):
            list(connector.read(Read("leads")))


class TestFaults:
    def test_a_token_that_ends_amid_a_read_is_renewed(self, server: DataverseServer, source: DataverseSource) -> None:
        copy = Copy(source.connect(), source)
        assert set(copy.full(server.tokens.clear).bodies) == source.keys()

    def test_a_storm_of_refusals_is_weathered(self, server: DataverseServer, connector: Any) -> None:
        body = {"error": {"code": "0x80072322", "message": "Number of requests exceeded the limit of 6000."}}
        server.habits.fail_next = [Answer(429, body), Answer(429, body, {"Retry-After": "0"})]
        assert len(set(keys(pages(connector)))) == 8

    def test_a_long_wait_that_is_asked_for_is_left_to_the_engine(self, server: DataverseServer, connector: Any) -> None:
        server.habits.fail_next = [Answer(429, {"error": {"code": "0x80072321"}}, {"Retry-After": "120"})]
        with pytest.raises(WaitUntil):
            pages(connector)

    def test_an_answer_cut_short_is_asked_for_again(self, server: DataverseServer, connector: Any) -> None:
        server.habits.cut_next = 1
        assert len(set(keys(pages(connector)))) == 8

    def test_a_missing_privilege_is_named(self, server: DataverseServer, connector: Any) -> None:
        server.habits.forbidden.add("read accounts")
        with pytest.raises(PermissionMissing, match="prvReadAccount"):
            connector.check()

    def test_a_client_without_a_user_is_told_so(self, server: DataverseServer, connector: Any) -> None:
        text = "The user is not a member of the organization."
        server.habits.fail_next = [Answer(403, {"error": {"code": "0x80072560", "message": text}})]
        with pytest.raises(PermissionMissing, match="not a member"):
            connector.check()

    def test_a_token_that_is_never_accepted_names_the_settings(self, server: DataverseServer, connector: Any) -> None:
        server.habits.token_life = 0
        with pytest.raises(BadCredentials, match="client_secret"):
            connector.check()

    def test_a_column_that_there_is_not_is_named(self, server: DataverseServer, connector: Any) -> None:
        body = {"error": {"code": "0x80060888", "message": "Could not find a property named 'new_x'."}}
        server.habits.fail_next = [Answer(400, body), Answer(400, body)]
        with pytest.raises(StreamBroken, match="new_x"):
            pages(connector)

    def test_an_answer_without_rows_is_no_empty_table(self, server: DataverseServer, connector: Any) -> None:
        server.habits.fail_next = [Answer(200, {"ok": True}), Answer(200, {"ok": True})]
        with pytest.raises(StreamBroken):
            pages(connector)


class TestWhatIsNotPromised:
    """Statements of the documentation that could not be checked: being wrong costs time, never data."""

    @pytest.mark.parametrize("status", [400, 404, 410, 412])
    def test_an_outdated_link_means_a_full_read_whatever_its_status(
        self, server: DataverseServer, connector: Any, status: int
    ) -> None:
        cursor = pages(connector)[-1].cursor
        server.habits.fail_next = [Answer(status, {"error": {"code": "0x80044352", "message": "too old"}})]
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, cursor)

    @pytest.mark.parametrize("counts_from", ["start", "end"])
    def test_changes_amid_a_read_are_not_lost_wherever_the_token_counts_from(
        self, server: DataverseServer, source: DataverseSource, counts_from: str
    ) -> None:
        server.token_counts_from = counts_from
        first = sorted(source.keys())[0]
        copy = Copy(source.connect(), source).full(lambda: source.update(first)).incremental()
        assert copy.bodies == Copy(source.connect(), source).full().bodies

    def test_changes_amid_a_long_read_of_changes_are_not_lost(
        self, server: DataverseServer, source: DataverseSource
    ) -> None:
        server.token_counts_from = "end"
        copy = Copy(source.connect(), source).full()
        for key in sorted(source.keys()):
            source.update(key)
        first = min(source.keys(), key=lambda key: server.tables["accounts"].versions[key])
        start = server.pages
        server.habits.before_page = lambda number: source.update(first) if number == start + 2 else None
        copy.incremental()
        server.habits.before_page = None
        assert copy.incremental().bodies == Copy(source.connect(), source).full().bodies

    def test_rows_that_hold_only_what_changed_are_read_whole(
        self, server: DataverseServer, source: DataverseSource
    ) -> None:
        server.sends_only_changed_fields = True
        copy = Copy(source.connect(), source).full()
        source.update(sorted(source.keys())[0])
        assert copy.incremental().bodies == Copy(source.connect(), source).full().bodies

    def test_deletes_that_are_not_told_are_found_by_the_sweep(
        self, server: DataverseServer, source: DataverseSource, connector: Any
    ) -> None:
        server.tells_deletes = False
        gone = sorted(source.keys())[0]
        source.delete(gone)
        assert {key for batch in connector.ids("accounts") for key in batch} == source.keys()

    @pytest.mark.parametrize(
        "entry",
        [
            {"@removed": {"reason": "deleted"}, "@id": "https://x.example/api/data/v9.2/accounts(k-1)"},
            {"@odata.context": "x/$metadata#accounts/$deletedEntity", "id": "k-1", "reason": "deleted"},
            {"@removed": {"reason": "changed"}, "id": "accounts('k-1')"},
        ],
    )
    def test_deletes_are_understood_in_every_form(
        self, server: DataverseServer, connector: Any, entry: dict[str, Any]
    ) -> None:
        cursor = pages(connector)[-1].cursor
        server.habits.fail_next = [Answer(200, {"value": [entry], "@odata.deltaLink": cursor["delta"]})]
        assert pages(connector, Mode.INCREMENTAL, cursor)[0].deleted == ["k-1"]

    def test_a_delete_without_a_key_is_not_passed_over(self, server: DataverseServer, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        server.habits.fail_next = [Answer(200, {"value": [{"@removed": {}}], "@odata.deltaLink": cursor["delta"]})]
        with pytest.raises(StreamBroken):
            pages(connector, Mode.INCREMENTAL, cursor)

    def test_changes_without_a_further_link_mean_a_full_read(self, server: DataverseServer, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        server.habits.fail_next = [Answer(200, {"value": []})]
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, cursor)

    def test_without_the_right_to_track_changes_stamps_are_followed(
        self, server: DataverseServer, source: DataverseSource
    ) -> None:
        server.habits.forbidden.add("track")
        copy = Copy(source.connect(), source).full()
        source.update(sorted(source.keys())[0])
        assert copy.incremental().bodies == Copy(source.connect(), source).full().bodies

    def test_a_position_of_another_environment_is_not_followed(self, connector: Any) -> None:
        cursor = {**pages(connector)[-1].cursor, "delta": "https://other.example/api/data/v9.2/accounts?$deltatoken=1"}
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, cursor)

    @pytest.mark.parametrize("cursor", [{"stage": "else"}, {"stage": "done", "delta": 7}, {"value": "x"}])
    def test_a_foreign_position_means_a_full_read(self, connector: Any, cursor: dict[str, Any]) -> None:
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, cursor)


class TestWriting:
    def test_only_what_differs_is_sent(self, server: DataverseServer, source: DataverseSource, connector: Any) -> None:
        key = source.add()
        same = row(server, key)["emailaddress1"]
        (result,) = connector.write("accounts", [Write({"name": "New", "emailaddress1": same}, "w", key)])
        assert result.error is None
        (sent,) = [call for call in server.calls if call.method == "PATCH"]
        assert sent.body == {"name": "New"}
        assert sent.headers["If-Match"].startswith('W/"')

    def test_nothing_is_sent_when_nothing_differs(self, server: DataverseServer, source: Any, connector: Any) -> None:
        key = source.add()
        connector.write("accounts", [Write({"name": row(server, key)["name"]}, "w", key)])
        assert [call for call in server.calls if call.method == "PATCH"] == []

    def test_a_row_changed_between_look_and_write_is_not_overwritten(
        self, server: DataverseServer, source: DataverseSource, connector: Any
    ) -> None:
        key = source.add()
        server.habits.before_write = lambda: server.change("accounts", key, name="theirs")
        (result,) = connector.write("accounts", [Write({"name": "ours"}, "w", key)])
        assert isinstance(result.error, WriteConflict)
        assert row(server, key)["name"] == "theirs"

    @pytest.mark.parametrize("by", ["stamp", "etag"])
    def test_a_row_newer_than_what_was_seen_is_not_overwritten(
        self, server: DataverseServer, source: DataverseSource, connector: Any, by: str
    ) -> None:
        key = source.add()
        seen = "2026-01-02T03:04:05.000000Z" if by == "stamp" else row(server, key)["@odata.etag"]
        source.update(key)
        (result,) = connector.write("accounts", [Write({"name": "ours"}, "w", key, expected=seen)])
        assert isinstance(result.error, WriteConflict)
        assert row(server, key)["name"] != "ours"

    def test_a_lost_answer_does_not_create_twice(
        self, server: DataverseServer, source: DataverseSource, connector: Any
    ) -> None:
        before = source.keys()
        server.habits.lose_answer_of_writes = 1
        (result,) = connector.write("accounts", [Write({"name": "Once"}, "once")])
        assert source.keys() - before == {result.key}

    def test_a_new_account_with_a_known_number_updates_that_account(self, server: DataverseServer) -> None:
        connector = DataverseSource(server, alternate_key="accountnumber").connect()
        key = server.add(accountnumber="O'Neil 1")
        for number in (key and "C1", "O'Neil 1"):
            (result,) = connector.write("accounts", [Write({"name": "Ours", "accountnumber": number}, f"w{number}")])
            assert result.error is None
            assert not result.created
            assert row(server, result.key)["name"] == "Ours"
        assert len(server.tables["accounts"].rows) == 9
        connector.close()

    def test_a_number_that_urls_cannot_hold_is_looked_up_instead(self, server: DataverseServer) -> None:
        connector = DataverseSource(server, alternate_key="accountnumber").connect()
        write = Write({"name": "Slash", "accountnumber": "A/1&2"}, "w-slash")
        (first,) = connector.write("accounts", [write])
        (again,) = connector.write("accounts", [Write(write.body, "another")])
        assert first.key == again.key
        assert first.error is again.error is None
        connector.close()

    def test_an_alternate_key_that_is_not_active_is_named(self, server: DataverseServer) -> None:
        server.alternate_keys.clear()
        connector = DataverseSource(server, alternate_key="accountnumber").connect()
        with pytest.raises(BadConfiguration) as caught:
            connector.write("accounts", [Write({"name": "x", "accountnumber": "N1"}, "w")])
        assert caught.value.setting == "alternate_key"
        connector.close()

    def test_a_number_that_belongs_to_another_account_is_a_conflict(
        self, server: DataverseServer, source: DataverseSource, connector: Any
    ) -> None:
        before = source.keys()
        (result,) = connector.write("accounts", [Write({"name": "x", "accountnumber": "C1"}, "w")])
        assert isinstance(result.error, WriteConflict)
        assert source.keys() == before

    def test_a_bad_record_is_rejected_and_its_neighbours_are_written(
        self, source: DataverseSource, connector: Any
    ) -> None:
        absent = "00000000-0000-0000-0000-0000000000ff"
        batch = [
            Write({"no_such_column": 1}, "w-1"), Write({"name": "Good"}, "w-2"),
            Write({"name": "x"}, "w-3", "not-a-guid)/x("), Write({"name": "x"}, "w-4", absent),
        ]  # fmt: skip
        one, two, three, four = connector.write("accounts", batch)
        assert isinstance(one.error, RecordRejected)
        assert "no_such_column" in str(one.error)
        assert two.error is None
        assert isinstance(three.error, RecordRejected)
        assert isinstance(four.error, RecordRejected)

    def test_a_missing_right_to_write_stops_the_batch(self, server: DataverseServer, connector: Any) -> None:
        server.habits.forbidden.add("write accounts")
        with pytest.raises(PermissionMissing):
            connector.write("accounts", [Write({"name": "x"}, "w")])


class TestDefaultMapping:
    def test_an_account_becomes_an_organisation(self) -> None:
        body = {
            "accountid": "1", "name": "深圳市华为技术有限公司", "accountnumber": "C1", "emailaddress1": "A@x.example",
            "telephone1": "+8675512345678", "address1_country": "China", "address1_city": "深圳", "statecode": 1,
            "address1_line1": "Road 1", "address1_line2": "House 2", "creditlimit": 1000.5,
            "transactioncurrency_code": "CNY", "donotbulkemail": True, "modifiedon": "2026-01-02T03:04:05Z",
            "_ownerid_value@OData.Community.Display.V1.FormattedValue": "Li Na",
        }  # fmt: skip
        customer = compile_mapping(load_spec(FOLDER / "mapping_accounts.yaml"))(body)[0].customer
        assert customer["kind"] == "organisation"
        assert customer["status"] == "inactive"
        assert customer["owner"] == "Li Na"
        assert customer["credit_limit"] == "1000.5"
        assert customer["addresses"][0]["street"] == "Road 1, House 2"
        assert customer["addresses"][0]["country"] == "CN"
        assert {c["granted"] for c in customer["consents"] if c.get("purpose") == "marketing"} == {False}

    @pytest.mark.parametrize(("table", "belongs"), [("account", True), ("contact", False)])
    def test_a_contact_belongs_to_its_account(self, table: str, belongs: bool) -> None:
        body = {
            "contactid": "2", "fullname": "Zhang Wei", "firstname": "Wei", "lastname": "Zhang", "jobtitle": "Buyer",
            "_parentcustomerid_value": "1", "statecode": 0,
            "_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": table,
        }  # fmt: skip
        customer = compile_mapping(load_spec(FOLDER / "mapping_contacts.yaml"))(body)[0].customer
        assert customer["kind"] == "person"
        wanted = {"source_id": "1", "stream": "accounts", "role": "Buyer"}
        assert customer.get("organisation") == (wanted if belongs else None)


def test_the_registry_knows_it_with_its_grade() -> None:
    info = load_registry().get("dynamics_dataverse")
    assert info.load() is DataverseConnector
    assert info.grade in ("silver", "gold")
    assert set(info.mappings) == {"mapping_accounts.yaml", "mapping_contacts.yaml"}
