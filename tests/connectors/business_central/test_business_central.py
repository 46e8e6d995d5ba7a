"""The Business Central connector against a small server that behaves as the documentation says, and as it may."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import connectors.business_central
from connectors.business_central.connector import BusinessCentralConnector
from connectors.conformance import ConformanceSuite, Copy, Source, Unsupported
from connectors.contract import Connector, Mode, Page, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    WaitUntil,
    WriteConflict,
)
from connectors.registry import load_registry
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.business_central.business_central_server import BusinessCentralServer, refused
from tests.connectors.odata_server import Answer

FOLDER = Path(connectors.business_central.__file__).parent
_numbers = itertools.count(1)


class CustomerSource(Source):
    connector = BusinessCentralConnector
    stream = "customers"
    folder = FOLDER

    def __init__(self, server: BusinessCentralServer, **settings: Any) -> None:
        self.server, self._settings = server, settings

    def settings(self) -> dict[str, Any]:
        client, secret = self.server.CLIENT
        login = {"tenant": self.server.TENANT, "client_id": client, "client_secret": secret}
        address = {"base_url": self.server.url + self.server.ROOT, "login_url": f"{self.server.url}/login"}
        return {**address, **login, "number_prefix": "KH-", **self._settings}

    def keys(self) -> set[str]:
        return set(self.server.tables["customers"].rows)

    def add(self) -> str:
        return self.server.add()

    def update(self, key: str) -> None:
        self.server.change("customers", key, displayName=f"改名{next(_numbers)}")

    def delete(self, key: str) -> None:
        self.server.remove("customers", key)

    def tie(self, keys: Sequence[str]) -> None:
        self.server.tie("customers", list(keys))

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "client_secret": "wrong-secret"}, "client_secret"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "base_url": "http://127.0.0.1:9"}

    def body(self, number: int) -> dict[str, Any]:
        return {"displayName": f"Written {number}", "email": f"w{number}@example.com"}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.keys())
        return Write({"number": self.server.tables["customers"].rows[other]["number"]}, "conflict", key=one)


class OnPremises(CustomerSource):
    """By user and key; the server offers no delta links."""

    def settings(self) -> dict[str, Any]:
        user, key = self.server.KEY
        return {
            "base_url": self.server.url + self.server.ROOT, "company": "cronus ltd.", "user": user, "access_key": key,
            "number_prefix": "KH-",
        }  # fmt: skip

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "access_key": "wrong-key"}, "access_key"

    def unreachable(self) -> dict[str, Any]:
        raise Unsupported("tried with the online one")


@pytest.fixture
def server() -> Iterator[BusinessCentralServer]:
    with BusinessCentralServer(customers=8) as server:
        yield server


@pytest.fixture
def source(server: BusinessCentralServer) -> CustomerSource:
    return CustomerSource(server)


@pytest.fixture
def connector(source: CustomerSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


class TestOnline(ConformanceSuite):
    @pytest.fixture
    def source(self, server: BusinessCentralServer) -> CustomerSource:
        return CustomerSource(server)


class TestOnPremises(ConformanceSuite):
    @pytest.fixture
    def source(self, server: BusinessCentralServer) -> CustomerSource:
        server.tables["customers"].tracked = False
        return OnPremises(server)


def pages(connector: Connector[Any], mode: Mode = Mode.FULL, cursor: Any = None) -> list[Page]:
    return list(connector.read(Read("customers", mode, cursor, page_size=3)))


def keys(found: Sequence[Page]) -> set[str]:
    return {record.key for page in found for record in page.records}


def row(server: BusinessCentralServer, key: str | None) -> dict[str, Any]:
    found: dict[str, Any] = server.tables["customers"].rows[key or ""]
    return found


class TestCompany:
    def test_the_only_company_need_not_be_named(self, connector: Any) -> None:
        assert connector.check().details == {"company": "CRONUS Ltd.", "customers": "change tracking"}

    def test_with_several_companies_one_must_be_named(self, server: BusinessCentralServer, connector: Any) -> None:
        server.companies["0a000000-0000-0000-0000-000000000002"] = "Fabrikam"
        with pytest.raises(BadConfiguration, match="Fabrikam") as caught:
            connector.check()
        assert caught.value.setting == "company"

    @pytest.mark.parametrize("company", ["cronus LTD.", BusinessCentralServer.COMPANY])
    def test_a_company_is_named_by_name_or_id(self, server: BusinessCentralServer, company: str) -> None:
        server.companies["0a000000-0000-0000-0000-000000000002"] = "Fabrikam"
        assert "CRONUS" in str(CustomerSource(server, company=company).connect().check())

    @pytest.mark.parametrize("change", [{"tenant": ""}, {"user": "A", "access_key": "k"}, {"client_secret": None}])
    def test_half_a_login_and_two_logins_are_refused(
        self, server: BusinessCentralServer, change: dict[str, Any]
    ) -> None:
        with pytest.raises(BadConfiguration, match="either"):
            CustomerSource(server, **change).connect()


class TestFaults:
    def test_a_token_that_ends_amid_a_read_is_renewed(self, server: BusinessCentralServer, source: Any) -> None:
        assert set(Copy(source.connect(), source).full(server.tokens.clear).bodies) == source.keys()

    def test_an_application_that_is_not_set_up_is_told_so(self, server: BusinessCentralServer, connector: Any) -> None:
        server.set_up = False
        with pytest.raises(BadCredentials, match="client_id"):
            connector.check()

    def test_refusals_without_a_time_to_wait_are_weathered(self, server: BusinessCentralServer, connector: Any) -> None:
        server.habits.fail_next = [refused(429, "Application_TooManyRequests", "Too many requests.")] * 2
        assert len(keys(pages(connector))) == 8

    def test_a_lasting_storm_is_left_to_the_engine(self, server: BusinessCentralServer, connector: Any) -> None:
        server.habits.fail_next = [refused(429, "Application_TooManyRequests", "Too many.")] * 4
        with pytest.raises(WaitUntil):
            pages(connector)

    def test_an_answer_cut_short_is_asked_for_again(self, server: BusinessCentralServer, connector: Any) -> None:
        server.habits.cut_next = 1
        assert len(keys(pages(connector))) == 8

    def test_a_missing_permission_is_named_without_the_tail(
        self, server: BusinessCentralServer, connector: Any
    ) -> None:
        server.habits.forbidden.add("read")
        with pytest.raises(PermissionMissing, match="TableData 18 Customer") as caught:
            connector.check()
        assert "CorrelationId" not in str(caught.value)

    def test_a_missing_permission_to_write_stops_the_batch(self, server: BusinessCentralServer, connector: Any) -> None:
        server.habits.forbidden.add("write")
        with pytest.raises(PermissionMissing):
            connector.write("customers", [Write({"displayName": "x"}, "w")])

    def test_a_wrong_address_is_told_as_such(self, server: BusinessCentralServer) -> None:
        wrong = CustomerSource(server, base_url=server.url + "/v2.0/contoso/Sandbox/api/v2.0").connect()
        with pytest.raises(BadConfiguration, match="Resource not found"):
            wrong.check()


class TestWhatIsNotPromised:
    def test_a_stale_link_means_a_full_read(self, server: BusinessCentralServer, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        server.forget_links()
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, cursor)

    def test_a_link_to_the_next_page_that_is_forgotten_means_a_full_read(
        self, server: BusinessCentralServer, connector: Any
    ) -> None:
        server.habits.before_page = lambda number: server.forget_links() if number == 2 else None
        with pytest.raises(CursorExpired):
            pages(connector)

    @pytest.mark.parametrize("counts_from", ["start", "end"])
    def test_changes_amid_a_read_are_not_lost_wherever_the_link_counts_from(
        self, server: BusinessCentralServer, source: Any, counts_from: str
    ) -> None:
        server.token_counts_from = counts_from
        first = sorted(source.keys())[0]
        copy = Copy(source.connect(), source).full(lambda: source.update(first)).incremental()
        assert copy.bodies == Copy(source.connect(), source).full().bodies

    def test_a_link_that_is_no_longer_offered_means_a_full_read(
        self, server: BusinessCentralServer, connector: Any
    ) -> None:
        cursor = pages(connector)[-1].cursor
        server.habits.fail_next = [Answer(200, {"value": []})]  # the first call finds the company
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, cursor)

    @pytest.mark.parametrize("status", [409, 412])
    def test_a_changed_customer_is_a_conflict_whatever_the_status(
        self, server: BusinessCentralServer, source: Any, connector: Any, status: int
    ) -> None:
        key = source.add()
        server.conflict_status = status
        server.habits.before_write = lambda: server.change("customers", key, displayName="theirs")
        (result,) = connector.write("customers", [Write({"displayName": "ours"}, "w", key)])
        assert isinstance(result.error, WriteConflict)
        assert row(server, key)["displayName"] == "theirs"

    def test_a_filter_that_is_ignored_updates_nobody_else(
        self, server: BusinessCentralServer, source: Any, connector: Any
    ) -> None:
        server.ignores_filter = True
        before = source.keys()
        (result,) = connector.write("customers", [Write({"displayName": "New", "number": "N-1"}, "w")])
        assert source.keys() - before == {result.key}
        assert [key for key in before if row(server, key)["displayName"] == "New"] == []


class TestWriting:
    def test_a_lost_answer_does_not_create_twice(
        self, server: BusinessCentralServer, source: Any, connector: Any
    ) -> None:
        before, write = source.keys(), Write({"displayName": "Once"}, "once")
        server.habits.lose_answer_of_writes = 1
        with pytest.raises(RetryLater):
            connector.write("customers", [write])
        (result,) = connector.write("customers", [write])
        assert source.keys() - before == {result.key}

    def test_a_customer_with_a_known_number_is_updated(
        self, server: BusinessCentralServer, source: Any, connector: Any
    ) -> None:
        key = source.add()
        server.change("customers", key, number="O'NEIL")
        (result,) = connector.write("customers", [Write({"number": "o'neil", "displayName": "Ours"}, "w")])
        assert (result.key, result.created, row(server, key)["displayName"]) == (key, False, "Ours")

    def test_without_a_prefix_a_customer_without_a_number_is_refused(self, server: BusinessCentralServer) -> None:
        connector = CustomerSource(server, number_prefix="").connect()
        (result,) = connector.write("customers", [Write({"displayName": "x"}, "w")])
        assert isinstance(result.error, RecordRejected)
        assert result.error.path == "number"
        connector.close()

    def test_made_numbers_fit(self, server: BusinessCentralServer, connector: Any) -> None:
        (result,) = connector.write("customers", [Write({"displayName": "x"}, "w")])
        number = row(server, result.key)["number"]
        assert number.startswith("KH-")
        assert len(number) == 20

    def test_only_what_differs_is_sent_under_the_entity_tag(
        self, server: BusinessCentralServer, source: Any, connector: Any
    ) -> None:
        key = source.add()
        same = row(server, key)["email"]
        connector.write("customers", [Write({"email": same, "city": "York"}, "w", key)])
        connector.write("customers", [Write({"email": same, "city": "York"}, "w", key)])
        (sent,) = [call for call in server.calls if call.method == "PATCH"]
        assert sent.body == {"city": "York"}

    def test_a_customer_newer_than_what_was_seen_is_not_overwritten(
        self, server: BusinessCentralServer, source: Any, connector: Any
    ) -> None:
        key = source.add()
        write = Write({"displayName": "ours"}, "w", key, expected="2026-01-02T03:04:05.000000Z")
        (result,) = connector.write("customers", [write])
        assert isinstance(result.error, WriteConflict)

    def test_bad_records_are_rejected_and_their_neighbours_written(
        self, server: BusinessCentralServer, connector: Any
    ) -> None:
        batch = [
            Write({"displayName": "x" * 101}, "w-1"), Write({"displayName": "Good"}, "w-2"),
            Write({"noSuchField": 1}, "w-3"), Write({"displayName": "x"}, "w-4", "no-guid"),
            Write({"number": "1" * 21}, "w-5"), Write({"city": "x"}, "w-6", "00000000-0000-0000-0000-0000000000ff"),
        ]  # fmt: skip
        results = connector.write("customers", batch)
        assert [isinstance(r.error, RecordRejected) for r in results] == [True, False, True, True, True, True]
        assert "displayName is too long" in str(results[0].error)


class TestDefaultMapping:
    @pytest.mark.parametrize(
        ("given", "wanted"),
        [
            ({"blocked": "_x0020_"}, "active"), ({"blocked": " "}, "active"), ({"blocked": "All"}, "blocked"),
            ({}, "active"),
        ],
    )  # fmt: skip
    def test_what_is_blocked_is_told(self, given: dict[str, Any], wanted: str) -> None:
        assert self.customer({"displayName": "Acme Ltd", **given})["status"] == wanted

    def test_a_card_becomes_a_customer(self) -> None:
        body = {
            "id": "1", "number": "10000", "displayName": "Acme Ltd", "additionalName": "", "type": "Company",
            "addressLine1": "1 Rd", "addressLine2": "", "city": "Leeds", "state": "", "country": "GB",
            "postalCode": "LS1", "phoneNumber": "+441132345678", "email": "a@acme.example; b@acme.example",
            "taxRegistrationNumber": "GB980780684", "currencyCode": "", "blocked": " ", "creditLimit": 0,
            "lastModifiedDateTime": "2026-01-02T03:04:05.123Z",
        }  # fmt: skip
        customer = self.customer(body)
        assert customer["kind"] == "organisation"
        assert customer["legal_name"] == "Acme Ltd"
        assert [email["value"] for email in customer["emails"]] == ["a@acme.example", "b@acme.example"]
        assert customer["addresses"][0]["country"] == "GB"
        assert [(i["scheme"], i.get("valid")) for i in customer["identifiers"]] == [("gb.vat", True)]
        assert customer["external_ids"] == {"business_central": "10000"}

    def test_a_person_is_a_person(self) -> None:
        assert self.customer({"displayName": "Li Na", "type": "Person"})["kind"] == "person"

    @staticmethod
    def customer(body: dict[str, Any]) -> dict[str, Any]:
        return dict(compile_mapping(load_spec(FOLDER / "mapping.yaml"))(body)[0].customer)


def test_the_registry_knows_it_with_its_grade() -> None:
    info = load_registry().get("business_central")
    assert info.load() is BusinessCentralConnector
    assert info.grade in ("silver", "gold")
