"""The Tryton connector against a real Tryton."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

import connectors.tryton
from connectors.conformance import ConformanceSuite, Copy, Source
from connectors.contract import Mode, Page, Read, Record, Write
from connectors.errors import BadConfiguration, BadCredentials, RecordRejected, WriteConflict
from connectors.tryton.client import TrytonClient
from connectors.tryton.config import TrytonConfig
from connectors.tryton.connector import TrytonConnector
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.systems.fixtures import available
from tests.systems.tryton import DATABASE, Tryton
from tests.systems.tryton import tryton as start_tryton

pytestmark = [pytest.mark.systems, pytest.mark.timeout(900), pytest.mark.xdist_group("tryton")]
FOLDER = Path(connectors.tryton.__file__).parent
PARTS = ("contact_mechanism", "address", "identifier")
_numbers = itertools.count(1)


class TrytonSource(Source):
    """Parties, changed through the server's own interface and, for equal stamps, in its database."""

    connector = TrytonConnector
    stream = "parties"
    folder = FOLDER
    page_size = 10

    def __init__(self, server: Tryton) -> None:
        self.server = server
        self._client: TrytonClient | None = None

    def settings(self) -> dict[str, Any]:
        return {
            "base_url": self.server.url,
            "database": DATABASE,
            "user": self.server.user,
            "password": self.server.password,
            "contact_relations": ["联系人"],
        }

    def call(self, method: str, *params: Any, **context: Any) -> Any:
        if self._client is None:
            self._client = TrytonClient(TrytonConfig(**self.settings()), self.context())
        return self._client.call(f"model.{method}", *params, **context)

    def keys(self) -> set[str]:
        return {str(key) for key in self.call("party.party.search", [], 0, None, None, active_test=False)}

    def add(self) -> str:
        (key,) = self.call("party.party.create", [{"name": f"新客户{next(_numbers)}"}])
        return str(key)

    def update(self, key: str) -> None:
        self.call("party.party.write", [int(key)], {"name": f"改名{next(_numbers)}"})

    def delete(self, key: str) -> None:
        self.call("party.party.delete", [int(key)])

    def tie(self, keys: Sequence[str]) -> None:
        stamp = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
        marks = ",".join("?" * len(keys))
        self.server.sql(
            f"UPDATE party_party SET write_date = ? WHERE id IN ({marks})",
            f"{stamp:%Y-%m-%d %H:%M:%S}",
            *map(int, keys),
        )

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "password": "wrong-password"}, "password"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "base_url": "http://127.0.0.1:9"}

    def body(self, number: int) -> dict[str, Any]:
        return {
            "name": f"回写客户{number}",
            "contact_mechanisms": [{"type": "email", "value": f"written{number}@example.com"}],
            "addresses": [{"street": f"人民路{number}号", "city": "上海", "country": "CN"}],
        }

    def conflict(self) -> Write:
        return Write({"name": "duplicate", "code": "1"}, "conflict")


@pytest.fixture
def source(tryton: Tryton) -> TrytonSource:
    return TrytonSource(tryton)


@pytest.fixture
def connector(source: TrytonSource) -> Iterator[TrytonConnector]:
    made = source.connect()
    assert isinstance(made, TrytonConnector)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Tryton]:
    """A server of the suite's own: it renames parties that other tests look for."""
    yield from available(start_tryton)


class TestConformance(ConformanceSuite):
    @pytest.fixture
    def source(self, server: Tryton) -> TrytonSource:
        return TrytonSource(server)


def pages(connector: TrytonConnector, mode: Mode = Mode.FULL, cursor: Any = None, **more: Any) -> list[Page]:
    return list(connector.read(Read("parties", mode, cursor, page_size=1000, **more)))


def records(found: Sequence[Page]) -> dict[str, Record]:
    return {record.key: record for page in found for record in page.records}


def body(record: Record) -> dict[str, Any]:
    decoded: dict[str, Any] = orjson.loads(record.body)
    return decoded


def party(connector: TrytonConnector, name: str) -> Record:
    return next(record for record in records(pages(connector)).values() if body(record)["name"] == name)


def changed(connector: TrytonConnector, source: TrytonSource, change: Any) -> dict[str, Record]:
    """What an incremental read that is exactly at its cursor says after ``change``."""
    cursor = pages(connector)[-1].cursor
    settled = pages(connector, Mode.INCREMENTAL, cursor, resumed=True)[-1].cursor
    change()
    return records(pages(connector, Mode.INCREMENTAL, settled, resumed=True))


class TestReading:
    def test_the_check_says_who_we_are_and_how_much_there_is(self, connector: TrytonConnector) -> None:
        checked = connector.check()
        assert "Tryton 8.2" in str(checked)
        assert int(checked.details["parties"]) >= 29

    def test_a_party_carries_its_parts_in_plain_json(self, connector: TrytonConnector, source: TrytonSource) -> None:
        key = source.add()
        source.call(
            "party.party.write",
            [int(key)],
            {
                "contact_mechanisms": [["create", [{"type": "email", "value": "a@example.com"}]]],
                "identifiers": [["create", [{"type": "eu_vat", "code": "DE136695976"}]]],
                "addresses": [["create", [{"city": "München", "street_unstructured": "Weg 1"}]]],
            },
        )
        found = body(records(pages(connector))[key])
        assert [item["value"] for item in found["contact_mechanisms"]] == ["a@example.com"]
        assert [(item["type"], item["code"]) for item in found["identifiers"]] == [("eu_vat", "DE136695976")]
        assert [(item["street"], item["city"]) for item in found["addresses"]] == [("Weg 1", "München")]
        assert found["active"] is True
        assert datetime.fromisoformat(found["write_date"]).utcoffset() == timedelta(0)

    def test_archived_parties_are_read_and_listed(self, connector: TrytonConnector) -> None:
        archived = party(connector, "Acme Ltd")
        assert body(archived)["active"] is False
        assert archived.key in {key for batch in connector.ids("parties") for key in batch}

    def test_archived_phone_numbers_are_left_out(self, connector: TrytonConnector, source: TrytonSource) -> None:
        found = body(party(connector, "李娜"))
        mobile = next(item for item in found["contact_mechanisms"] if item["type"] == "mobile")
        source.call("party.contact_mechanism.write", [mobile["id"]], {"active": False})
        after = body(party(connector, "李娜"))
        source.call("party.contact_mechanism.write", [mobile["id"]], {"active": True})
        assert mobile["id"] not in [item["id"] for item in after["contact_mechanisms"]]

    def test_a_party_without_a_name_is_read(self, connector: TrytonConnector) -> None:
        assert any(not body(record)["name"] for record in records(pages(connector)).values())

    @pytest.mark.parametrize("part", PARTS)
    def test_a_new_part_makes_its_party_changed(
        self, connector: TrytonConnector, source: TrytonSource, part: str
    ) -> None:
        key = source.add()
        values = {
            "contact_mechanism": {"type": "other", "value": f"室{next(_numbers)}"},
            "address": {"city": "Graz"},
            "identifier": {"code": "X1"},
        }[part]
        create = lambda: source.call(f"party.{part}.create", [{"party": int(key), **values}])  # noqa: E731
        assert list(changed(connector, source, create)) == [key]

    def test_an_edited_phone_number_makes_its_party_changed_and_newer(
        self, connector: TrytonConnector, source: TrytonSource
    ) -> None:
        before = party(connector, "王芳")
        mechanism = body(before)["contact_mechanisms"][0]["id"]
        edit = lambda: source.call("party.contact_mechanism.write", [mechanism], {"value": "+8613900000001"})  # noqa: E731
        found = changed(connector, source, edit)
        assert list(found) == [before.key]
        assert (found[before.key].changed_at or "") > (before.changed_at or "")

    def test_a_new_relation_makes_both_parties_changed(self, connector: TrytonConnector, source: TrytonSource) -> None:
        one, other = source.add(), source.add()
        (kind,) = source.call("party.relation.type.search", [["name", "=", "联系人"]], 0, 1, None)
        relation = {"from_": int(one), "to": int(other), "type": kind}
        found = changed(connector, source, lambda: source.call("party.relation.all.create", [relation]))
        assert set(found) == {one, other}
        assert body(found[one])["contact_of"] == {"id": int(other), "role": "联系人"}

    def test_a_backfill_reads_only_what_changed_in_its_range(
        self, connector: TrytonConnector, source: TrytonSource
    ) -> None:
        key = source.add()
        stamp = datetime.fromisoformat(records(pages(connector))[key].changed_at or "")
        around = {"since": stamp, "until": stamp}
        assert list(records(pages(connector, Mode.INCREMENTAL, None, **around))) == [key]

    def test_a_read_without_changes_says_nothing(self, connector: TrytonConnector, source: TrytonSource) -> None:
        assert changed(connector, source, lambda: None) == {}

    def test_decimals_and_fields_of_own_modules_can_be_added(self, source: TrytonSource) -> None:
        settings = {**source.settings(), "extra_fields": ["full_name", "code_digit"]}
        made = source.connect(settings)
        assert isinstance(made, TrytonConnector)
        assert {"full_name", "code_digit"} <= set(body(party(made, "张伟")))
        made.close()

    def test_an_unknown_extra_field_is_named(self, source: TrytonSource) -> None:
        made = source.connect({**source.settings(), "extra_fields": ["no_such_field"]})
        with pytest.raises(BadConfiguration, match="no_such_field"):
            made.check()


class TestSession:
    def test_a_wrong_database_is_named(self, source: TrytonSource) -> None:
        with pytest.raises(BadConfiguration, match="nowhere") as caught:
            source.connect({**source.settings(), "database": "nowhere"}).check()
        assert caught.value.setting == "database"

    def test_a_session_that_ended_is_renewed_without_notice(
        self, connector: TrytonConnector, source: TrytonSource
    ) -> None:
        connector.check()
        source.server.sql("DELETE FROM ir_session")
        source._client = None
        assert len(records(pages(connector))) == len(source.keys())

    def test_an_unknown_user_is_refused_like_a_wrong_password(self, source: TrytonSource) -> None:
        with pytest.raises(BadCredentials):
            source.connect({**source.settings(), "user": "nobody"}).check()


class TestWriting:
    def test_a_created_party_has_all_that_was_written(self, connector: TrytonConnector, source: TrytonSource) -> None:
        (result,) = connector.write("parties", [Write(source.body(900), "write-900")])
        found = body(records(pages(connector))[result.key or ""])
        assert result.created
        assert found["name"] == "回写客户900"
        assert [item["value"] for item in found["contact_mechanisms"]] == ["written900@example.com"]
        assert [(item["street"], item["city"]) for item in found["addresses"]] == [("人民路900号", "上海")]

    def test_an_update_adds_what_is_missing_and_keeps_the_rest(
        self, connector: TrytonConnector, source: TrytonSource
    ) -> None:
        (created,) = connector.write("parties", [Write(source.body(901), "write-901")])
        more = {"contact_mechanisms": [*source.body(901)["contact_mechanisms"], {"type": "phone", "value": "+4989123"}]}
        for attempt in range(2):
            (result,) = connector.write("parties", [Write(more, f"write-901-{attempt}", created.key)])
            assert result.error is None
        found = body(records(pages(connector))[created.key or ""])
        assert sorted(item["type"] for item in found["contact_mechanisms"]) == ["email", "phone"]
        assert len(found["addresses"]) == 1

    def test_a_party_changed_meanwhile_is_not_overwritten(
        self, connector: TrytonConnector, source: TrytonSource
    ) -> None:
        key = source.add()
        seen = records(pages(connector))[key].changed_at
        source.update(key)
        name = body(records(pages(connector))[key])["name"]
        (result,) = connector.write("parties", [Write({"name": "ours"}, "write-902", key, expected=seen)])
        assert isinstance(result.error, WriteConflict)
        assert body(records(pages(connector))[key])["name"] == name

    def test_a_write_that_saw_the_newest_state_goes_through(
        self, connector: TrytonConnector, source: TrytonSource
    ) -> None:
        key = source.add()
        seen = records(pages(connector))[key].changed_at
        (result,) = connector.write("parties", [Write({"name": "ours"}, "write-903", key, expected=seen)])
        assert result.error is None
        assert body(records(pages(connector))[key])["name"] == "ours"

    def test_a_bad_record_is_rejected_and_its_neighbours_are_written(
        self, connector: TrytonConnector, source: TrytonSource
    ) -> None:
        bad = {"name": "bad", "contact_mechanisms": [{"type": "no such type", "value": "x"}]}
        unknown = {"name": "bad", "no_such_field": 1}
        batch = [Write(bad, "w-1"), Write(source.body(904), "w-2"), Write(unknown, "w-3"), Write({}, "w-4", "999999")]
        one, two, three, four = connector.write("parties", batch)
        assert isinstance(one.error, RecordRejected)
        assert two.error is None
        assert isinstance(three.error, RecordRejected)
        assert three.error.path == "no_such_field"
        assert isinstance(four.error, RecordRejected)


class TestBatches:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The methods that are called."""
        called: list[str] = []
        whole = TrytonClient.call

        def counted(client: TrytonClient, method: str, *params: Any, **more: Any) -> Any:
            called.append(method)
            return whole(client, method, *params, **more)

        monkeypatch.setattr(TrytonClient, "call", counted)
        return called

    def test_twenty_new_parties_and_twenty_changed_ones_take_a_call_each_kind(
        self, connector: TrytonConnector, source: TrytonSource, calls: list[str]
    ) -> None:
        keys = [source.add() for _ in range(20)]
        new = [Write({"name": f"批{n}", "code": f"B{n}"}, f"batch-{n}") for n in range(20)]
        changed = [Write({"name": f"改{key}"}, f"batch-u{key}", key) for key in keys]
        calls.clear()
        results = connector.write("parties", [*new, *changed])
        assert calls.count("model.party.party.create") == calls.count("model.party.party.write") == 1
        assert len(calls) == 5
        found = {key: body(record) for key, record in records(pages(connector)).items()}
        assert [found[result.key or ""]["name"] for result in results] == [
            *[f"批{n}" for n in range(20)], *[f"改{key}" for key in keys],
        ]  # fmt: skip
        assert [result.created for result in results] == [True] * 20 + [False] * 20
        again = connector.write("parties", [*new, *changed])
        assert [result.key for result in again] == [result.key for result in results]
        assert source.keys() == set(found)

    def test_one_refused_party_leaves_its_neighbours_alone(
        self, connector: TrytonConnector, source: TrytonSource
    ) -> None:
        wrong = {"contact_mechanisms": [{"type": "no such type", "value": "x"}]}
        kept, locked = source.add(), source.add()
        seen = records(pages(connector))[locked].changed_at
        source.update(locked)
        before = source.keys()
        batch = [
            Write({"name": "eins"}, "n-1"), Write({"name": "zwei", **wrong}, "n-2"), Write({"name": "drei"}, "n-3"),
            Write({"name": "vier"}, "n-4", kept), Write({"name": "ours"}, "n-5", locked, expected=seen),
            Write({"name": "sechs", **wrong}, "n-6", source.add()), Write({"name": ["x"], "code": ["y"]}, "n-7"),
        ]  # fmt: skip
        one, two, three, four, five, six, seven = connector.write("parties", batch)
        assert [result.error for result in (one, three, four)] == [None, None, None]
        assert isinstance(two.error, RecordRejected)
        assert isinstance(five.error, WriteConflict)
        assert isinstance(six.error, RecordRejected)
        assert seven.error is not None
        assert {one.key, three.key} < source.keys() - before
        assert two.key is None
        assert body(records(pages(connector))[kept])["name"] == "vier"

    def test_a_party_changed_between_look_and_write_is_not_overwritten_nor_in_the_way_of_others(
        self, connector: TrytonConnector, source: TrytonSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, other = source.add(), source.add()
        seen = records(pages(connector))[one].changed_at
        whole = TrytonClient.call

        def raced(client: TrytonClient, method: str, *params: Any, **more: Any) -> Any:
            if method.endswith(".write") and len(params) > 2:
                monkeypatch.setattr(TrytonClient, "call", whole)
                source.call("party.party.write", [int(one)], {"name": "theirs"})
            return whole(client, method, *params, **more)

        monkeypatch.setattr(TrytonClient, "call", raced)
        batch = [Write({"name": "ours"}, "r-1", one, expected=seen), Write({"name": "gut"}, "r-2", other)]
        first, second = connector.write("parties", batch)
        assert isinstance(first.error, WriteConflict)
        assert second.error is None
        assert body(records(pages(connector))[one])["name"] == "theirs"

    def test_two_writes_of_one_party_or_code_are_made_in_order(
        self, connector: TrytonConnector, source: TrytonSource
    ) -> None:
        one, other = source.add(), source.add()
        batch = [Write({"name": name}, f"o-{name}", key) for name, key in (("a", one), ("b", other), ("c", one))]
        assert [result.error for result in connector.write("parties", batch)] == [None] * 3
        assert body(records(pages(connector))[one])["name"] == "c"
        same = [Write({"name": name, "code": "SAME-1"}, f"s-{name}") for name in ("x", "y", "z")]
        results = connector.write("parties", [Write({"name": "w"}, "s-w"), *same])
        assert [type(result.error) for result in results] == [type(None), type(None), WriteConflict, WriteConflict]


class TestDefaultMapping:
    @pytest.fixture
    def customers(self, connector: TrytonConnector) -> dict[str, dict[str, Any]]:
        mapper = compile_mapping(load_spec(FOLDER / "mapping.yaml"))
        found = {}
        for record in records(pages(connector)).values():
            if body(record)["name"]:
                found[body(record)["name"]] = dict(mapper(body(record))[0].customer)
        return found

    def test_companies_and_people_are_told_apart(self, customers: dict[str, dict[str, Any]]) -> None:
        kinds = {name: customer["kind"] for name, customer in customers.items()}
        organisations = ("上海宏达贸易有限公司", "Müller & Söhne GmbH", "Acme Ltd", "Ñandú Importações S/A")
        assert {kinds[name] for name in organisations} == {"organisation"}
        assert {kinds[name] for name in ("张伟", "Zhang Wei", "Anna-Lena Größe")} == {"person"}

    def test_a_contact_person_belongs_to_its_company(self, customers: dict[str, dict[str, Any]]) -> None:
        assert customers["张伟"]["organisation"] == {"source_id": "1", "role": "联系人"}

    def test_numbers_and_addresses_arrive_normalised(self, customers: dict[str, dict[str, Any]]) -> None:
        mueller = customers["Müller & Söhne GmbH"]
        assert {"scheme": "eu.vat", "value": "DE136695976", "valid": True} in mueller["identifiers"]
        assert customers["张伟"]["phones"][0]["value"] == "+8613800138000"
        assert customers["上海宏达贸易有限公司"]["website"].startswith("https://example.com")

    def test_archived_means_inactive(self, customers: dict[str, dict[str, Any]]) -> None:
        assert customers["Acme Ltd"]["status"] == "inactive"
        assert customers["张伟"]["status"] == "active"


def test_a_copy_kept_by_incremental_reads_equals_a_full_one(source: TrytonSource) -> None:
    copy = Copy(source.connect(), source).full()
    for key in sorted(source.keys())[:3]:
        source.update(key)
    assert copy.incremental().bodies == Copy(source.connect(), source).full().bodies
