"""Writing rows: once however often it is sent, never over a newer state, never by halves."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Write, WriteResult
from connectors.errors import PermissionMissing, RecordRejected, WriteConflict
from connectors.sql import writing
from connectors.sql.connector import SqlConnector
from tests.connectors.sql.sources import PostgresCustomers, connect, sqlite_source

KEYED = "CREATE TABLE t (branch TEXT NOT NULL, no INTEGER NOT NULL, name TEXT UNIQUE, PRIMARY KEY (branch, no))"


@pytest.fixture
def writable(tmp_path: Path) -> SqlConnector:
    """A table with a composite key and no idempotency column."""
    run(tmp_path, KEYED)
    streams = {"t": {"table": "t", "writable": True}}
    return connect(tmp_path, url="sqlite:///erp.db", streams=streams)


def run(folder: Path, statement: str) -> list[Any]:
    """Run a statement on the project's SQLite file."""
    connection = sqlite3.connect(folder / "erp.db")
    with connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def write(connector: SqlConnector, body: dict[str, Any], key: str | None = None, **more: Any) -> WriteResult:
    """One write."""
    (result,) = connector.write("t", [Write(body, "once", key, **more)])
    return result


def test_a_row_with_its_own_key_is_made_once_and_then_updated(tmp_path: Path, writable: SqlConnector) -> None:
    first = write(writable, {"branch": "a|b", "no": 1, "name": "x"})
    again = write(writable, {"branch": "a|b", "no": 1, "name": "y"})
    assert (first.key, first.created) == ("a\\|b|1", True)
    assert (again.key, again.created) == ("a\\|b|1", False)
    assert write(writable, {"name": "z"}, key="a\\|b|1").key == "a\\|b|1"
    assert run(tmp_path, "SELECT * FROM t") == [("a|b", 1, "z")]


@pytest.mark.parametrize(
    ("body", "key", "error"),
    [
        ({"name": "x"}, None, RecordRejected),
        ({"branch": "a", "no": 1, "phone": "x"}, None, RecordRejected),
        ({"branch": "a", "no": 1, "name": ["x"]}, None, RecordRejected),
        ({"name": "x"}, "a|7", WriteConflict),
        ({"name": "x"}, "a|seven", WriteConflict),
        ({"name": "x"}, "a", RecordRejected),
        ({"branch": "a"}, "a|1", RecordRejected),
    ],
)
def test_a_write_that_cannot_be_done_is_told_and_changes_nothing(
    tmp_path: Path, writable: SqlConnector, body: dict[str, Any], key: str | None, error: type[Exception]
) -> None:
    result = write(writable, body, key)
    assert type(result.error) is error
    assert run(tmp_path, "SELECT * FROM t") == []


def test_a_refused_row_leaves_the_others_of_its_batch(tmp_path: Path, writable: SqlConnector) -> None:
    names = ("x", "x", "y")
    batch = [Write({"branch": "a", "no": no, "name": name}, str(no)) for no, name in enumerate(names)]
    results = writable.write("t", batch)
    assert [result.key for result in results] == ["a|0", None, "a|2"]
    assert isinstance(results[1].error, WriteConflict)
    assert run(tmp_path, "SELECT no FROM t ORDER BY no") == [(0,), (2,)]


def test_a_row_that_changed_since_it_was_read_is_not_overwritten(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)
    connector = source.connect()
    ((stamp,),) = source.run("SELECT updated_at FROM customers WHERE id = 1")
    source.update("1")
    (result,) = connector.write("customers", [Write({"name": "mine"}, "w", key="1", expected=stamp)])
    assert isinstance(result.error, WriteConflict)
    ((stamp,),) = source.run("SELECT updated_at FROM customers WHERE id = 1")
    (result,) = connector.write("customers", [Write({"name": "mine"}, "w", key="1", expected=stamp)])
    assert result.error is None


def test_an_update_whose_answer_was_lost_is_no_conflict_when_it_is_sent_again(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)
    connector = source.connect()
    ((stamp,),) = source.run("SELECT updated_at FROM customers WHERE id = 1")
    write = Write({"name": "mine"}, "w", key="1", expected=stamp)
    connector.write("customers", [write])
    source.run("UPDATE customers SET updated_at = '2031-01-01 00:00:00' WHERE id = 1")
    (again,) = connector.write("customers", [write])
    assert again.error is None
    (other,) = connector.write("customers", [Write({"name": "other"}, "w2", key="1", expected=stamp)])
    assert isinstance(other.error, WriteConflict)


@pytest.mark.services
def test_a_row_that_changes_between_look_and_update_is_not_overwritten(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = PostgresCustomers(tmp_path, postgres_url, postgres_url)
    connector = source.connect()
    ((stamp,),) = source.run("SELECT updated_at FROM customers WHERE id = 1")
    looked = writing._version

    def raced(*given: object) -> object:
        found = looked(*given)  # type: ignore[arg-type]
        source.update("1")
        return found

    monkeypatch.setattr(writing, "_version", raced)
    expected = writing.key_part(stamp)
    (result,) = connector.write("customers", [Write({"name": "mine"}, "w", key="1", expected=expected)])
    assert isinstance(result.error, WriteConflict)
    assert source.run("SELECT name FROM customers WHERE id = 1") != [("mine",)]


def test_a_stream_that_is_not_writable_refuses(tmp_path: Path) -> None:
    run(tmp_path, KEYED)
    connector = connect(tmp_path, url="sqlite:///erp.db", streams={"t": "t"})
    with pytest.raises(PermissionMissing, match="not writable"):
        write(connector, {"branch": "a", "no": 1})


@pytest.mark.services
def test_a_value_that_the_table_does_not_accept_rejects_only_its_row(tmp_path: Path, postgres_url: str) -> None:
    source = PostgresCustomers(tmp_path, postgres_url, postgres_url)
    bodies = [{"name": "a", "updated_at": "no time"}, {"name": "b", "updated_at": "2026-01-01"}]
    results = source.connect().write("customers", [Write(body, body["name"]) for body in bodies])
    assert isinstance(results[0].error, RecordRejected)
    assert results[1].created
