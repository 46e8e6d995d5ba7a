"""The Odoo connector against a real Odoo 11, over JSON-RPC."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

import connectors.odoo
from connectors.conformance import ConformanceSuite, Copy, Source
from connectors.contract import Read, Write
from connectors.errors import BadConfiguration, RecordRejected, StreamBroken, WriteConflict
from connectors.odoo.client import OdooClient
from connectors.odoo.config import OdooConfig
from connectors.odoo.connector import OdooConnector
from tests.systems.fixtures import available
from tests.systems.odoo import Odoo
from tests.systems.odoo import odoo as start_odoo

pytestmark = [pytest.mark.systems, pytest.mark.timeout(900), pytest.mark.xdist_group("odoo")]
_numbers = itertools.count(1)


class RealOdooSource(Source):
    """Partners, changed through the server's own interface and, for equal stamps, in its database."""

    connector = OdooConnector
    stream = "partners"
    folder = Path(connectors.odoo.__file__).parent
    page_size = 4

    def __init__(self, server: Odoo) -> None:
        self.server = server
        self._client = OdooClient(OdooConfig(**self.settings()), self.context())

    def settings(self) -> dict[str, Any]:
        return {
            "base_url": self.server.url,
            "database": self.server.database,
            "user": self.server.user,
            "api_key": self.server.password,
        }

    def call(self, method: str, ids: Sequence[int] | None = None, **named: Any) -> Any:
        return self._client.call("res.partner", method, ids, write=True, **named)

    def keys(self) -> set[str]:
        return {str(row["id"]) for row in self.call("search_read", domain=[], fields=["id"])}

    def add(self) -> str:
        return str(self.call("create", vals={"name": f"新客户{next(_numbers)}"}))

    def update(self, key: str) -> None:
        self.call("write", [int(key)], vals={"street": f"街道{next(_numbers)}"})

    def delete(self, key: str) -> None:
        self.call("unlink", [int(key)])

    def tie(self, keys: Sequence[str]) -> None:
        stamp = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=5)
        self.server.sql("UPDATE res_partner SET write_date = %s WHERE id = ANY(%s)", stamp, [int(key) for key in keys])

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "api_key": "wrong-password"}, "api_key"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "base_url": "http://127.0.0.1:9"}

    def body(self, number: int) -> dict[str, Any]:
        return {"name": f"回写客户{number}", "ref": f"W{number}", "is_company": True, "email": f"w{number}@example.com"}

    def conflict(self) -> Write:
        key = self.add()
        return Write({"name": "ours"}, "conflict", key=key, expected="2020-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def system() -> Iterator[Odoo]:
    yield from available(start_odoo)


@pytest.fixture(scope="module")
def seeded(system: Odoo) -> RealOdooSource:
    source = RealOdooSource(system)
    for _ in range(12):
        source.add()
    return source


class TestAgainstRealOdoo(ConformanceSuite):
    @pytest.fixture
    def source(self, seeded: RealOdooSource) -> RealOdooSource:
        return seeded


@pytest.fixture
def connector(seeded: RealOdooSource) -> Iterator[Any]:
    made = seeded.connect()
    yield made
    made.close()


def shown(source: RealOdooSource, key: str, *names: str) -> dict[str, Any]:
    (row,) = source.call("read", [int(key)], fields=list(names))
    return dict(row)


def test_the_check_names_version_and_protocol(connector: Any) -> None:
    assert connector.check().details == {"protocol": "JSON-RPC", "version": "11.0", "user": "1"}


def test_a_database_that_there_is_not_is_named(seeded: RealOdooSource) -> None:
    connector = seeded.connect({**seeded.settings(), "database": "no_such_database"})
    with pytest.raises(BadConfiguration) as caught:
        connector.check()
    assert caught.value.setting == "database"
    connector.close()


def test_a_country_and_a_list_are_written_and_read_back(seeded: RealOdooSource, connector: Any) -> None:
    (china,) = seeded._client.call("res.country", "search_read", domain=[["code", "=", "CN"]], fields=["id"])
    tag = seeded._client.call("res.partner.category", "create", write=True, vals={"name": "重点"})
    body = {"name": "标签客户", "is_company": True, "country_id": china["id"], "category_id": [[6, 0, [tag]]]}
    (result,) = connector.write("partners", [Write(body, "tagged")])
    assert result.created
    row = shown(seeded, result.key, "country_id", "category_id", "is_company")
    assert (row["country_id"][0], row["category_id"], row["is_company"]) == (china["id"], [tag], True)


def test_an_archived_partner_is_still_read(seeded: RealOdooSource, connector: Any) -> None:
    key = seeded.add()
    seeded.call("write", [int(key)], vals={"active": False})
    found = {record.key: record for page in connector.read(Read("partners")) for record in page.records}
    assert orjson.loads(found[key].body)["active"] is False


def test_refusals_are_about_their_record(seeded: RealOdooSource, connector: Any) -> None:
    gone = seeded.add()
    seeded.delete(gone)
    batch = [Write({"country_id": 999_999, "name": "x"}, "w1"), Write({"name": "x"}, "w2", gone),
             Write({"type": "no such type"}, "w3", seeded.add()), Write({"name": "Good"}, "w4")]  # fmt: skip
    *bad, good = connector.write("partners", batch)
    assert [type(result.error) for result in bad] == [RecordRejected] * 3
    assert good.error is None


def test_a_partner_changed_after_we_read_it_is_not_overwritten(seeded: RealOdooSource, connector: Any) -> None:
    key = seeded.add()
    stamp = shown(seeded, key, "write_date")["write_date"]
    (fine,) = connector.write("partners", [Write({"city": "深圳"}, "w1", key, expected=f"{stamp}Z".replace(" ", "T"))])
    assert fine.error is None
    seeded.server.sql("UPDATE res_partner SET write_date = now() + interval '1 minute' WHERE id = %s", int(key))
    (late,) = connector.write("partners", [Write({"city": "广州"}, "w2", key, expected=f"{stamp}Z".replace(" ", "T"))])
    assert isinstance(late.error, WriteConflict)
    assert shown(seeded, key, "city")["city"] == "深圳"


def test_many_partners_of_one_transaction_are_read_over_many_pages(seeded: RealOdooSource, connector: Any) -> None:
    data = [[f"批量{number}"] for number in range(40)]
    made = seeded.call("load", fields=["name"], data=data)["ids"]
    copy = Copy(connector, seeded).full()
    assert {str(key) for key in made} <= set(copy.bodies)


def test_a_model_that_there_is_not_is_an_error_of_the_contract(seeded: RealOdooSource) -> None:
    with pytest.raises(StreamBroken):
        seeded._client.call("no.such.model", "search_read", domain=[], fields=[])


def test_many_new_partners_are_imported_at_once_each_under_its_own_id(seeded: RealOdooSource, connector: Any) -> None:
    (china,) = seeded._client.call("res.country", "search_read", domain=[["code", "=", "CN"]], fields=["id"])
    bodies = [{"name": f"批{n}", "ref": f"BATCH-{n}", "is_company": n % 2 == 0, "country_id": china["id"]}
              for n in range(20)]  # fmt: skip
    batch = [Write(body, f"batch-{n}") for n, body in enumerate(bodies)]
    before = seeded.keys()
    results, again = connector.write("partners", batch), connector.write("partners", batch)
    assert [result.created for result in results] == [True] * 20
    assert [result.key for result in again] == [result.key for result in results]
    assert seeded.keys() - before == {result.key for result in results}
    for result, body in zip(results, bodies, strict=True):
        row = shown(seeded, result.key, "name", "ref", "is_company", "country_id")
        assert (row["name"], row["ref"], row["is_company"]) == (body["name"], body["ref"], body["is_company"])
        assert row["country_id"][0] == china["id"]


def test_one_bad_partner_of_an_import_refuses_nobody_else(seeded: RealOdooSource, connector: Any) -> None:
    batch = [Write({"name": f"gut{n}", "type": "contact"}, f"import-{n}") for n in range(3)]
    batch.insert(1, Write({"name": "schlecht", "type": "no such type"}, "import-bad"))
    one, bad, *others = connector.write("partners", batch)
    assert isinstance(bad.error, RecordRejected)
    assert [result.error for result in (one, *others)] == [None] * 3
    assert shown(seeded, one.key, "name")["name"] == "gut0"
