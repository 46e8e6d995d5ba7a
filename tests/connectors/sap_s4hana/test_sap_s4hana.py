"""The SAP connector against a small system that behaves as the documentation says, and as it may."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest

import connectors.sap_s4hana
from connectors.conformance import ConformanceSuite, Copy, Source
from connectors.contract import Connector, Mode, Page, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    WriteConflict,
)
from connectors.registry import load_registry
from connectors.sap_s4hana.connector import SapConnector
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.odata_server import Answer
from tests.connectors.sap_s4hana.sap_server import SapServer, refused

FOLDER = Path(connectors.sap_s4hana.__file__).parent
STREAM = "business_partners"
_numbers = itertools.count(1)


class PartnerSource(Source):
    connector = SapConnector
    stream = STREAM
    folder = FOLDER

    def __init__(self, server: SapServer, **settings: Any) -> None:
        self.server, self._settings = server, settings

    def settings(self) -> dict[str, Any]:
        user, password = self.server.USER
        whole = {"base_url": self.server.url, "user": user, "password": password, "identification_type": "ZKEHU"}
        return {**whole, **self._settings}

    def keys(self) -> set[str]:
        return {key for key, row in self.server.rows.items() if row["Customer"]}

    def add(self) -> str:
        now = self.server.now()
        key = self.server.add()
        self.server.change(key, now)
        return key

    def update(self, key: str) -> None:
        self.server.change(key, BusinessPartnerFullName=f"改名{next(_numbers)}")

    def delete(self, key: str) -> None:
        del self.server.rows[key]

    def tie(self, keys: Sequence[str]) -> None:
        same = self.server.now()
        for key in keys:
            self.server.change(key, same)

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "password": "wrong-password"}, "password"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "base_url": "http://127.0.0.1:9"}

    def body(self, number: int) -> dict[str, Any]:
        whole: dict[str, Any] = {"BusinessPartnerCategory": "2", "OrganizationBPName1": f"Written {number}"}
        if number != 3:  # the suite updates with number three, and roles are not updated
            whole["to_BusinessPartnerRole"] = [{"BusinessPartnerRole": "FLCU01"}]
        return whole

    def conflict(self) -> Write:
        key = sorted(self.keys())[0]
        self.update(key)
        return Write({"OrganizationBPName1": "ours"}, "conflict", key=key, expected="2026-01-02T03:04:05.000000Z")


@pytest.fixture
def server() -> Iterator[SapServer]:
    with SapServer(partners=8) as server:
        yield server


@pytest.fixture
def source(server: SapServer) -> PartnerSource:
    return PartnerSource(server)


@pytest.fixture
def connector(source: PartnerSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


class TestConformance(ConformanceSuite):
    @pytest.fixture
    def source(self, server: SapServer) -> PartnerSource:
        return PartnerSource(server)


class TestServerThatLimitsPagesAndDoesNotCount(ConformanceSuite):
    @pytest.fixture
    def source(self, server: SapServer) -> PartnerSource:
        server.page_limit, server.counts = 2, False

        class Limited(PartnerSource):
            page_size = 3

            def unreachable(self) -> dict[str, Any]:
                return {**self.settings(), "base_url": "http://nowhere.invalid:9", "full_every": 1}

        return Limited(server)


def pages(connector: Connector[Any], mode: Mode = Mode.FULL, cursor: Any = None, **more: Any) -> list[Page]:
    return list(connector.read(Read(STREAM, mode, cursor, page_size=3, **more)))


def bodies(found: Sequence[Page]) -> dict[str, dict[str, Any]]:
    return {record.key: orjson.loads(record.body) for page in found for record in page.records}


class TestReading:
    def test_the_check_counts_the_partners(self, connector: Any) -> None:
        assert connector.check().details == {"business_partners": "8"}

    def test_a_body_is_plain_json(self, connector: Any) -> None:
        body = bodies(pages(connector))["1000001"]
        assert body["CreationDate"] == "2026-01-02T00:00:00+00:00"
        assert body["CreationTime"] == "03:04:05"
        assert body["changed_at"] == "2026-01-02T03:04:05.000000Z"
        assert body["LastChangeDate"] is None
        assert body["to_BusinessPartnerAddress"][0]["to_EmailAddress"][0]["EmailAddress"] == "bp1000001@example.com"
        assert body["to_Customer"] == {"Customer": "1000001", "OrderIsBlockedForCustomer": ""}
        assert "to_BuPaIdentification" not in body
        assert "__metadata" not in body

    def test_change_times_are_read_in_the_zone_that_is_set(self, server: SapServer) -> None:
        connector = PartnerSource(server, zone="Asia/Shanghai").connect()
        assert bodies(pages(connector))["1000001"]["changed_at"] == "2026-01-01T19:04:05.000000Z"
        connector.close()

    def test_partners_that_are_no_customers_are_read_on_request_only(self, server: SapServer, connector: Any) -> None:
        vendor = server.add(Customer="")
        assert vendor not in bodies(pages(connector))
        everyone = PartnerSource(server, customers_only=False).connect()
        assert vendor in bodies(pages(everyone))
        everyone.close()

    def test_old_partners_are_not_read_again(self, server: SapServer, source: Any, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        changed, added = "1000003", source.add()
        server.change(changed)
        cursor = {**cursor, "value": "2026-03-01T00:00:00.000000Z"}
        assert set(bodies(pages(connector, Mode.INCREMENTAL, cursor))) == {changed, added}

    def test_a_partner_that_vanishes_amid_a_read_hides_no_other(
        self, server: SapServer, source: Any, connector: Any
    ) -> None:
        found = connector.read(Read(STREAM, Mode.FULL, page_size=3))
        seen = set(bodies([next(found)]))
        source.delete("1000001")
        seen |= set(bodies(list(found)))
        assert source.keys() <= seen

    def test_a_backfill_reads_its_range(self, server: SapServer, connector: Any) -> None:
        server.change("1000002", datetime(2026, 2, 1, 12, tzinfo=UTC))
        server.change("1000003", datetime(2026, 2, 9, 12, tzinfo=UTC))
        since, until = datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC)
        assert set(bodies(pages(connector, Mode.INCREMENTAL, None, since=since, until=until))) == {"1000002"}

    def test_unknown_parts_to_read_along_are_named(self, server: SapServer) -> None:
        connector = PartnerSource(server, expand=["to_NoSuchThing"]).connect()
        with pytest.raises(BadConfiguration, match="to_NoSuchThing") as caught:
            connector.check()
        assert caught.value.setting == "expand"
        connector.close()

    @pytest.mark.parametrize(
        "change", [{"password": None}, {"api_key": "k"}, {"zone": "Mars/Base"}, {"expand": ["$value"]}]
    )
    def test_settings_that_cannot_be_are_refused(self, server: SapServer, change: dict[str, Any]) -> None:
        with pytest.raises(BadConfiguration):
            PartnerSource(server, **change).connect()


class TestWhatIsNotPromised:
    def test_everything_is_read_again_after_some_days(self, server: SapServer, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        assert pages(connector, Mode.INCREMENTAL, cursor)
        long_ago = {**cursor, "full_at": (datetime.now(UTC) - timedelta(days=8)).isoformat()}
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, long_ago)
        assert pages(connector, Mode.INCREMENTAL, long_ago, resumed=True)

    def test_a_changed_address_that_moves_no_stamp_is_found_by_the_full_read(
        self, server: SapServer, source: Any
    ) -> None:
        server.children_move_the_stamp = False
        copy = Copy(source.connect(), source).full()
        server.rows["1000001"]["to_BusinessPartnerAddress"][0]["CityName"] = "Berlin"
        assert copy.full().bodies["1000001"]["to_BusinessPartnerAddress"][0]["CityName"] == "Berlin"

    def test_the_time_of_the_last_full_read_outlives_incremental_ones(self, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        again = pages(connector, Mode.INCREMENTAL, cursor)[-1].cursor
        assert again["full_at"] == cursor["full_at"]

    @pytest.mark.parametrize("hours", [-14, 14])
    def test_a_zone_that_is_wrong_loses_no_change(self, server: SapServer, source: Any, hours: int) -> None:
        copy = Copy(source.connect(), source).full().incremental()
        key = "1000004"
        server.change(key, server.now() + timedelta(hours=hours), BusinessPartnerFullName="verschoben")
        assert key in copy.incremental().changed

    def test_keys_with_leading_zeros_are_the_same_keys(self, server: SapServer, connector: Any) -> None:
        (result,) = connector.write(STREAM, [Write({"OrganizationBPName1": "Null"}, "w", "0001000001")])
        assert (result.key, result.error) == ("1000001", None)
        assert server.rows["1000001"]["OrganizationBPName1"] == "Null"

    def test_a_foreign_position_means_a_full_read(self, connector: Any) -> None:
        for cursor in ({"value": "x", "full_at": "2026-01-01T00:00:00Z"}, {"stage": "done"}):
            with pytest.raises(CursorExpired):
                pages(connector, Mode.INCREMENTAL, cursor)


class TestFaults:
    def test_a_login_page_instead_of_data_is_never_taken_for_data(self, server: SapServer, connector: Any) -> None:
        page = Answer(200, b"<html><form>Anmelden</form></html>", {"Content-Type": "text/html"})
        server.habits.fail_next = [page] * 4
        with pytest.raises(RetryLater, match="web page"):
            connector.check()

    def test_a_user_locked_amid_a_read_is_told(self, server: SapServer, connector: Any) -> None:
        server.habits.before_page = lambda number: setattr(server, "USER", ("KEHU", "other")) if number == 2 else None
        with pytest.raises(BadCredentials, match="password"):
            pages(connector)

    def test_a_storm_of_refusals_is_weathered(self, server: SapServer, connector: Any) -> None:
        server.habits.fail_next = [refused(429, "X", "quota"), Answer(503, b"", {"Retry-After": "0"})]
        assert len(bodies(pages(connector))) == 8

    def test_an_answer_cut_short_is_asked_for_again(self, server: SapServer, connector: Any) -> None:
        server.habits.cut_next = 1
        assert len(bodies(pages(connector))) == 8

    @pytest.mark.parametrize("what", ["read", "write"])
    def test_a_missing_authorisation_is_named(self, server: SapServer, connector: Any, what: str) -> None:
        server.habits.forbidden.add(what)
        with pytest.raises(PermissionMissing):
            connector.check() if what == "read" else connector.write(
                STREAM, [Write({"FirstName": "x"}, "w", "1000001")]
            )

    def test_a_wrong_address_is_told_as_such(self, server: SapServer) -> None:
        connector = PartnerSource(server, base_url=server.url + "/wrong").connect()
        with pytest.raises(BadConfiguration, match="No service found") as caught:
            connector.check()
        assert caught.value.setting == "base_url"
        connector.close()


class TestCsrf:
    def test_one_token_serves_many_changes(self, server: SapServer, connector: Any) -> None:
        batch = [Write({"FirstName": f"F{n}"}, f"w{n}", key) for n, key in enumerate(sorted(server.rows)[:3])]
        assert [r.error for r in connector.write(STREAM, batch)] == [None, None, None]
        assert server.tokens_given == 1

    def test_a_token_that_has_ended_is_fetched_anew_and_the_change_is_made_once(
        self, server: SapServer, source: Any, connector: Any
    ) -> None:
        connector.write(STREAM, [Write({"FirstName": "a"}, "w1", "1000001")])
        before = source.keys()
        server.session = None
        (result,) = connector.write(STREAM, [Write(source.body(1), "w2")])
        assert result.error is None
        assert source.keys() - before == {result.key}
        assert server.tokens_given == 2

    def test_a_token_that_is_never_accepted_stops_the_batch(self, server: SapServer, connector: Any) -> None:
        server.sets_cookies = False
        with pytest.raises(PermissionMissing, match="CSRF"):
            connector.write(STREAM, [Write({"FirstName": "x"}, "w", "1000001")])


class TestWriting:
    def test_a_created_partner_is_a_customer_with_its_parts(
        self, server: SapServer, source: Any, connector: Any
    ) -> None:
        body = source.body(1) | {"to_BusinessPartnerAddress": [{"AddressID": "1", "CityName": "上海", "Country": "CN"}]}
        (result,) = connector.write(STREAM, [Write(body, "w")])
        assert result.created
        found = bodies(pages(connector))[result.key]
        assert found["to_BusinessPartnerAddress"][0]["CityName"] == "上海"

    def test_a_lost_answer_does_not_create_twice(self, server: SapServer, source: Any, connector: Any) -> None:
        before, write = source.keys(), Write(source.body(1), "once")
        server.habits.lose_answer_of_writes = 1
        with pytest.raises(RetryLater):
            connector.write(STREAM, [write])
        (result,) = connector.write(STREAM, [write])
        assert source.keys() - before == {result.key}

    def test_without_a_type_to_mark_them_none_is_created(self, server: SapServer, source: Any) -> None:
        connector = PartnerSource(server, identification_type="").connect()
        with pytest.raises(BadConfiguration) as caught:
            connector.write(STREAM, [Write(source.body(1), "w")])
        assert caught.value.setting == "identification_type"
        connector.close()

    def test_only_what_differs_is_sent(self, server: SapServer, connector: Any) -> None:
        same = server.rows["1000001"]["OrganizationBPName1"]
        write = Write({"OrganizationBPName1": same, "FirstName": "x"}, "w", "1000001")
        connector.write(STREAM, [write, write])
        (sent,) = [call for call in server.calls if call.method == "PATCH"]
        assert sent.body == {"FirstName": "x"}

    def test_a_partner_changed_between_look_and_write_is_not_overwritten(
        self, server: SapServer, connector: Any
    ) -> None:
        server.habits.before_write = lambda: server.change("1000001", OrganizationBPName1="theirs")
        (result,) = connector.write(STREAM, [Write({"OrganizationBPName1": "ours"}, "w", "1000001")])
        assert isinstance(result.error, WriteConflict)
        assert server.rows["1000001"]["OrganizationBPName1"] == "theirs"

    def test_an_address_is_changed_by_its_id_and_added_once(self, server: SapServer, connector: Any) -> None:
        server.children_move_the_stamp = False
        named = {"AddressID": "91000001", "CityName": "Berlin"}
        new = {"CityName": "Wien", "Country": "AT"}
        for _ in range(2):
            (result,) = connector.write(STREAM, [Write({"to_BusinessPartnerAddress": [named, new]}, "w", "1000001")])
            assert result.error is None
        assert [a["CityName"] for a in server.rows["1000001"]["to_BusinessPartnerAddress"]] == ["Berlin", "Wien"]

    @pytest.mark.parametrize("others", [0, 2])
    def test_a_partner_with_more_to_write_than_the_others_is_not_in_conflict_with_itself(
        self, server: SapServer, connector: Any, others: int
    ) -> None:
        address = {"to_BusinessPartnerAddress": [{"AddressID": "91000001", "CityName": "Berlin"}]}
        keys = sorted(server.rows)
        for key in keys:
            server.change(key, datetime(2026, 3, 1, 9, 0, 0, tzinfo=UTC))
        seen = "2026-03-01T09:00:00Z"
        batch = [Write({"FirstName": "neu", **address}, "w0", keys[0], expected=seen)]
        batch += [Write({"FirstName": "neu"}, f"w{n}", keys[n], expected=seen) for n in range(1, others + 2)]
        server.children_move_the_stamp = False
        assert [result.error for result in connector.write(STREAM, batch)] == [None] * len(batch)
        row = server.rows[keys[0]]
        assert (row["FirstName"], row["to_BusinessPartnerAddress"][0]["CityName"]) == ("neu", "Berlin")

    @pytest.mark.parametrize("status", [401, 429, 503])
    def test_a_part_that_is_refused_for_the_moment_after_its_partner_was_changed_is_written_alone(
        self, server: SapServer, connector: Any, status: int
    ) -> None:
        keys = sorted(server.rows)[:2]
        server.children_move_the_stamp = False

        batch = [
            Write(
                {"FirstName": "neu", "to_BusinessPartnerAddress": [{"AddressID": f"9{key}", "CityName": "Bonn"}]},
                key,
                key,
            )
            for key in keys
        ]
        rounds: list[int] = []
        whole = type(connector._writer)._asked

        def counted(writer: Any, asks: Any) -> Any:
            rounds.append(len(asks))
            if len(rounds) == 4:
                server.habits.fail_parts = [refused(status, "x", "not now")] * 2
            return whole(writer, asks)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(connector._writer), "_asked", counted)
            results = connector.write(STREAM, batch)
        assert [result.error for result in results] == [None, None]
        assert rounds == [2, 2, 2, 2]
        assert [server.rows[key]["to_BusinessPartnerAddress"][0]["CityName"] for key in keys] == ["Bonn", "Bonn"]

    def test_a_part_that_somebody_changes_after_its_partner_was_written_is_not_overwritten(
        self, server: SapServer, connector: Any
    ) -> None:
        key = min(server.rows)
        (address,) = server.rows[key]["to_BusinessPartnerAddress"]
        item = {"AddressID": address["AddressID"], "CityName": "Bonn"}
        whole = type(connector._writer)._alone

        def raced(writer: Any, ask: Any) -> Any:
            answer = whole(writer, ask)
            if ask.method == "PATCH":
                address["CityName"] = "Wien"
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(connector._writer), "_alone", raced)
            (result,) = connector.write(
                STREAM, [Write({"FirstName": "x", "to_BusinessPartnerAddress": [item]}, "w", key)]
            )
        assert isinstance(result.error, WriteConflict)
        assert address["CityName"] == "Wien"

    def test_bad_records_are_rejected_with_all_reasons_and_their_neighbours_written(
        self, source: Any, connector: Any
    ) -> None:
        nested = {"to_BusinessPartnerAddress": [{"AddressID": "1", "to_EmailAddress": []}]}
        batch = [
            Write({"OrganizationBPName1": "x"}, "w-1"), Write(source.body(1), "w-2"),
            Write({"NoSuchField": 1}, "w-3", "1000001"), Write({"FirstName": "x"}, "w-4", "99'99"),
            Write(nested, "w-5", "1000001"),
        ]  # fmt: skip
        results = connector.write(STREAM, batch)
        assert [isinstance(r.error, RecordRejected) for r in results] == [True, False, True, True, True]
        assert "Grouping is missing" in str(results[0].error)
        assert "only a warning" not in str(results[0].error)


class TestDefaultMapping:
    BODY: ClassVar[dict[str, Any]] = {
        "BusinessPartner": "1000001", "Customer": "1000001", "BusinessPartnerCategory": "2",
        "BusinessPartnerFullName": "Müller & Söhne GmbH", "OrganizationBPName1": "Müller & Söhne GmbH",
        "OrganizationBPName2": "", "BusinessPartnerIsBlocked": False, "IsMarkedForArchiving": False,
        "to_Customer": {"OrderIsBlockedForCustomer": "", "DeletionIndicator": False}, "CorrespondenceLanguage": "DE",
        "to_BusinessPartnerTax": [{"BPTaxType": "DE0", "BPTaxNumber": "DE136695976", "BPTaxLongNumber": ""}],
        "to_BusinessPartnerAddress": [
            {
                "Country": "DE", "CityName": "München", "StreetName": "Weg", "HouseNumber": "1", "PostalCode": "80331",
                "to_EmailAddress": [{"EmailAddress": "INFO@mueller.example"}],
                "to_PhoneNumber": [{"InternationalPhoneNumber": "+49891234567", "PhoneNumber": "1234567"}],
                "to_MobilePhoneNumber": [{"InternationalPhoneNumber": "+491711234567"}],
            }
        ],
        "CreationDate": "2026-01-02T00:00:00+00:00", "changed_at": "2026-01-02T03:04:05.000000Z",
    }  # fmt: skip

    @staticmethod
    def customer(body: dict[str, Any]) -> dict[str, Any]:
        return dict(compile_mapping(load_spec(FOLDER / "mapping.yaml"))(body)[0].customer)

    def test_a_partner_becomes_a_customer(self) -> None:
        customer = self.customer(self.BODY)
        assert (customer["kind"], customer["status"]) == ("organisation", "active")
        assert customer["identifiers"] == [{"scheme": "eu.vat", "value": "DE136695976", "valid": True}]
        assert [phone["label"] for phone in customer["phones"]] == ["work", "mobile"]
        assert customer["addresses"][0]["street"] == "Weg 1"
        assert customer["emails"][0]["value"].lower() == "info@mueller.example"
        assert customer["external_ids"] == {"sap_customer": "1000001"}

    def test_a_person_has_given_and_family_name(self) -> None:
        person = {"BusinessPartnerCategory": "1", "FirstName": "Anna", "LastName": "Größe"}
        customer = self.customer({**self.BODY, **person})
        assert (customer["kind"], customer["given_name"], customer["family_name"]) == ("person", "Anna", "Größe")

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"BusinessPartnerIsBlocked": True}, "blocked"), ({"IsMarkedForArchiving": True}, "inactive"),
            ({"to_Customer": {"DeletionIndicator": True}}, "inactive"),
            ({"to_Customer": {"OrderIsBlockedForCustomer": "01"}}, "blocked"), ({"to_Customer": None}, "active"),
        ],
    )  # fmt: skip
    def test_blocks_are_told(self, change: dict[str, Any], status: str) -> None:
        assert self.customer({**self.BODY, **change})["status"] == status


def test_the_registry_knows_it_with_its_grade() -> None:
    info = load_registry().get("sap_s4hana")
    assert info.load() is SapConnector
    assert info.grade in ("silver", "gold")
