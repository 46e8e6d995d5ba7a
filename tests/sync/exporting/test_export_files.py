"""Files of exports: whole or not at all, safe to open, nothing lost, nothing that the caller may not see."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.customer import Customer
from sync.database import Database
from sync.errors import Misused, NotFound, Refused
from sync.exporting import making
from sync.exporting.files import CannotWrite, appearing, part_of
from sync.exporting.request import COLUMNS, Encoding, Format, Request, checked, stored
from sync.exporting.writing import escaped
from sync.feed import tokens
from sync.master.identity import founder_id, public_id
from tests.master_kit import master, record, sync

NAMES = ("平安科技", "=cmd|' /C calc'!A1", "Зоя 😀", "+491234", "-2+3", "Łódź")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Six customers of odd names; one of them known to two systems, and one that was merged away."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('export') / 'kehu.db'}"
        with master(url) as made:
            yield _filled(made)
        return
    with request.getfixturevalue("postgres").database() as url, master(url) as made:
        yield _filled(made)


def _filled(database: Database) -> Database:
    sync(database, 1, *(record(f"C{n}", name=name, tags=[f"t{n}"]) for n, name in enumerate(NAMES)))
    sync(database, 1, record("C9", name="Whole", contacts=[{"id": "1", "name": "Secret Person", "tags": ["p"]}]))
    sync(database, 2, record("S1", name="平安", tags=["s1"]), record("S2", name="Shop only", tags=["s2"]))
    sync(database, 2, record("S1", name="平安", tags=["t0", "vip"]))
    return database


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def table(path: Path, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(encoding), newline="")))


def test_every_customer_is_written_once_with_its_records_and_former_ids(database: Database, tmp_path: Path) -> None:
    made = making.make(database, Request(), path := tmp_path / "all.ndjson")
    found = {line["id"]: line for line in lines(path)}
    assert len(found) == made.records == 9
    survivor = public_id(founder_id("erp", "customers", "C0"))
    assert sorted(found[survivor]["joined"]) == [["erp", "customers", "C0", ""], ["shop", "customers", "S1", ""]]
    assert found[survivor]["former_ids"] == [public_id(founder_id("shop", "customers", "S1"))]
    assert found[survivor]["golden"]["name"] in ("平安科技", "平安")
    assert list(found) == sorted(found), "in order of id"
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert made.bytes == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with database.reading() as connection:
        assert tokens.decode(made.token) == tokens.now(connection)


def test_the_same_customers_give_the_same_bytes(database: Database, tmp_path: Path) -> None:
    for form in Format:
        one = making.make(database, Request(format=form), tmp_path / f"one.{form}")
        assert making.make(database, Request(format=form), tmp_path / f"two.{form}").sha256 == one.sha256


def test_no_cell_of_a_table_is_taken_for_a_formula(database: Database, tmp_path: Path) -> None:
    making.make(database, Request(Format.CSV), path := tmp_path / "all.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfid,version,")
    rows = table(path)
    names = {row["name"] for row in rows}
    assert "'=cmd|' /C calc'!A1" in names
    assert "'-2+3" in names
    assert "+491234" in names, "a plain number is harmless and stays as it is"
    assert all(not cell.startswith(("=", "@", "\t")) for row in rows for cell in row.values())


def test_a_character_that_gbk_lacks_is_told_and_can_be_read_back(database: Database, tmp_path: Path) -> None:
    made = making.make(database, Request(Format.CSV, Encoding.GBK), path := tmp_path / "all.csv")
    names = {row["name"] for row in table(path, "gbk")}
    assert {"Зоя \\U0001F600", "\\u0141\\u00F3dź".replace("ź", "\\u017A").replace("\\u00F3", "ó")} <= names
    assert any("平安" in name for name in names)
    assert made.replaced == len(made.lacking) == 3
    assert set(made.lacking) == {"😀", "Ł", "ź"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_escapes_are_those_of_programming_languages(text: str) -> None:
    assert "".join(map(escaped, text)).encode().decode("unicode_escape") == text


def test_filters_narrow_the_customers(database: Database, tmp_path: Path) -> None:
    def count(**given: Any) -> int:
        return making.make(database, Request(**given), tmp_path / "x.ndjson", replace=True).records

    assert count(connection="shop") == 2
    assert count(tag="t0") == 1
    assert count(tag="t") == 0
    assert count(kind="person") == 1
    assert count(status="merged") == 1
    with pytest.raises(NotFound):
        count(connection="nobody")


def test_only_the_fields_asked_for_are_written(database: Database, tmp_path: Path) -> None:
    fields = ("name", "golden.tags", "joined")
    making.make(database, checked(Request(fields=fields)), path := tmp_path / "a.ndjson")
    assert {frozenset(line) for line in lines(path)} == {frozenset({"id", "name", "golden", "joined"})}
    assert {name for line in lines(path) for name in line["golden"]} == {"tags"}
    making.make(database, checked(Request(Format.CSV, fields=fields)), path := tmp_path / "a.csv")
    assert list(table(path)[0]) == ["name", "tags", "joined"]
    assert "erp/customers/C0; shop/customers/S1" in {row["joined"] for row in table(path)}


@pytest.mark.parametrize("field", ["nothing", "golden.nothing", "name.first", ""])
def test_a_field_there_is_not_is_refused(field: str) -> None:
    if not field:
        assert checked(Request(fields=(field,))).fields is None
        return
    with pytest.raises(Misused):
        checked(Request(fields=(field,)))


def test_gbk_is_for_csv_alone() -> None:
    with pytest.raises(Misused):
        checked(Request(Format.PARQUET, Encoding.GBK))


def test_a_stored_request_is_the_same() -> None:
    for request in (Request(), Request(Format.CSV, Encoding.GBK, "merged", "person", "vip", "erp", ("name",), True)):
        assert stored(request.json()) == request


def test_parquet_is_typed_after_the_canonical_customer(database: Database, tmp_path: Path) -> None:
    making.make(database, Request(Format.PARQUET), path := tmp_path / "all.parquet")
    found = pq.read_table(path)
    assert len(found.column_names) == len(COLUMNS)
    assert str(found.schema.field("updated_at").type) == "timestamp[us, tz=UTC]"
    assert str(found.schema.field("tags").type) == "list<element: string>"
    assert sorted(found.column("name").to_pylist())[-1] == max(found.column("name").to_pylist())
    assert len(found) == 9


def test_parquet_takes_everything_that_a_customer_can_hold(tmp_path: Path) -> None:
    from sync.exporting.parquet import ParquetWriter
    from sync.exporting.reading import Row

    whole = Customer.model_validate(WHOLE).model_dump(mode="json", exclude_none=True)
    row = Row(7, 1, "active", "person", "Zhang", orjson.dumps(whole).decode(), 1, "2026-01-01 00:00:00.000000", [], [])
    with appearing(path := tmp_path / "whole.parquet") as file:
        writer = ParquetWriter(file, Request(Format.PARQUET, fields=("golden", "joined", "former_ids")))
        writer.write([row])
        writer.finish()
    [found] = pq.read_table(path).to_pylist()
    assert found["birth_date"].isoformat() == "1990-01-02"
    assert found["consents"][0]["at"].isoformat() == "2026-01-01T00:00:00+00:00"
    assert dict(found["external_ids"]) == {"crm": "7"}
    assert orjson.loads(found["attributes"]) == {"segment": "gold"}
    assert found["credit_limit"] == "10.50"
    assert found["addresses"][0]["city"] == "上海"


WHOLE: dict[str, Any] = {
    "kind": "person",
    "name": "Zhang",
    "birth_date": "1990-01-02",
    "identifiers": [{"scheme": "cn.uscc", "value": "91310000", "valid": True}],
    "emails": [{"value": "zhang@example.com", "verified": True}],
    "phones": [{"value": "+8613800138000"}],
    "addresses": [{"country": "CN", "city": "上海", "street": "南京路 1"}],
    "organisation": {"connection": "erp", "stream": "customers", "source_id": "1"},
    "credit_limit": "10.50",
    "tags": ["vip"],
    "consents": [{"channel": "email", "granted": True, "at": "2026-01-01T00:00:00Z"}],
    "external_ids": {"crm": "7"},
    "attributes": {"segment": "gold"},
    "source_changed_at": "2026-01-01T08:00:00+08:00",
}


@pytest.mark.parametrize("form", list(Format))
def test_a_masked_file_holds_no_personal_data(database: Database, tmp_path: Path, form: Format) -> None:
    open_one = making.make(database, Request(form), tmp_path / "open")
    hidden = making.make(database, Request(form, masked=True), tmp_path / "masked")
    assert open_one.records == hidden.records
    if form is Format.PARQUET:
        names = {
            name for path in ("open", "masked") for name in pq.read_table(tmp_path / path).column("name").to_pylist()
        }
        assert {"Secret Person", "S***"} <= names
        return
    assert b"Secret Person" in (tmp_path / "open").read_bytes()
    assert b"Secret" not in (tmp_path / "masked").read_bytes()
    assert b"S***" in (tmp_path / "masked").read_bytes()


def test_an_existing_file_is_not_overwritten_unless_asked(database: Database, tmp_path: Path) -> None:
    (path := tmp_path / "a").write_text("mine")
    with pytest.raises(Refused):
        making.make(database, Request(), path)
    assert path.read_text() == "mine"
    making.make(database, Request(), path, replace=True)
    assert path.read_text() != "mine"
    with pytest.raises(CannotWrite):
        making.make(database, Request(), tmp_path / "nowhere" / "a")


def test_a_fault_leaves_nothing_behind(database: Database, tmp_path: Path) -> None:
    def refuse(_made: object) -> None:
        raise Refused("no")

    with pytest.raises(Refused):
        making.make(database, Request(), tmp_path / "a", before_naming=refuse)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_do_not_write_the_same_file(tmp_path: Path) -> None:
    with appearing(tmp_path / "a") as one:
        one.write(b"first")
        with pytest.raises(Refused), appearing(tmp_path / "a"):
            pass
    assert (tmp_path / "a").read_bytes() == b"first"


KILLED = """
import sys
from pathlib import Path
from sync.exporting.files import appearing
with appearing(Path(sys.argv[1])) as file:
    file.write(b"half" * 1_000_000)
    file.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_killed_export_leaves_no_half_file_and_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert not path.exists()
    assert part_of(path).exists(), "the test must have killed it in the middle"
    began = time.monotonic()
    with appearing(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    assert not part_of(path).exists()
    assert time.monotonic() - began < 5
