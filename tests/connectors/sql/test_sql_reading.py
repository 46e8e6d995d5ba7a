"""What goes wrong between a database and its copy elsewhere, on SQLite and PostgreSQL."""

from __future__ import annotations

import itertools
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import Capability, Deletes, Mode, Read
from connectors.errors import (
    AddressRefused,
    BadConfiguration,
    CursorExpired,
    RetryLater,
    SchemaDrift,
)
from connectors.sql.connector import SqlConnector
from tests.connectors.sql.sources import bodies, connect, keys, pages, sqlite_source

UNSYNCED = "PRAGMA synchronous=OFF"
"""Nothing here has to survive a power cut, and waiting for the disk is most of these tests' time."""


def database(folder: Path, *statements: str, name: str = "erp.db") -> None:
    """Run statements on an SQLite file in the folder."""
    connection = sqlite3.connect(folder / name)
    connection.execute(UNSYNCED)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def stream(folder: Path, **settings_: Any) -> SqlConnector:
    """A connector on that file with one stream ``s``."""
    own = {name: settings_.pop(name) for name in ("time_zone", "decimals", "bytes") if name in settings_}
    return connect(folder, url="sqlite:///erp.db", streams={"s": settings_}, **own)


STAMPED = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, at TEXT)"


def _second(number: int) -> str:
    """A stamp so many seconds after the beginning, as text."""
    return (datetime(2024, 5, 1, 8, tzinfo=UTC) + timedelta(seconds=number)).strftime("%Y-%m-%d %H:%M:%S")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    stamps=st.lists(st.sampled_from([None, "2024-05-01 08:00:00", "2024-05-01 08:00:01", "2024-05-02"]), max_size=14),
    size=st.integers(1, 5),
    mode=st.sampled_from(list(Mode)),
)
def test_every_cursor_continues_without_loss(tmp_path: Path, stamps: list[str | None], size: int, mode: Mode) -> None:
    (tmp_path / "erp.db").unlink(missing_ok=True)
    database(tmp_path, STAMPED)
    with sqlite3.connect(tmp_path / "erp.db") as connection:
        connection.execute(UNSYNCED)
        connection.executemany("INSERT INTO t VALUES (?, 'x', ?)", list(enumerate(stamps)))
    connection.close()
    connector = stream(tmp_path, table="t", cursor="at", lookback=0)
    start = {"phase": "changes", "since": None, "key": None} if mode is Mode.INCREMENTAL else None
    whole = pages(connector, mode, start, page_size=size)
    assert sorted(keys(whole), key=int) == [str(i) for i in range(len(stamps))]
    for number, page in enumerate(whole):
        cursor = orjson.loads(orjson.dumps(page.cursor))
        rest = pages(connector, mode, cursor, page_size=size, resumed=True)
        assert set(keys(whole[: number + 1])) | set(keys(rest)) == set(keys(whole))
        assert not set(keys(rest)) & set(keys(whole[: number + 1])) or page.cursor["phase"] == "nulls"


def test_rows_without_a_stamp_are_read_each_time_unless_switched_off(tmp_path: Path) -> None:
    database(tmp_path, STAMPED, "INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', '2024-05-01 08:00:00')")
    for null_cursors, expected in ((True, ["1", "2"]), (False, ["2"])):
        connector = stream(tmp_path, table="t", cursor="at", null_cursors=null_cursors)
        last = pages(connector)[-1].cursor
        assert keys(pages(connector, Mode.INCREMENTAL, last)) == expected


def test_a_late_commit_within_the_lookback_is_read(tmp_path: Path) -> None:
    database(tmp_path, STAMPED, "INSERT INTO t VALUES (1, 'a', '2024-05-01 08:00:00')")
    connector = stream(tmp_path, table="t", cursor="at", lookback=60)
    last = pages(connector)[-1].cursor
    database(
        tmp_path, "INSERT INTO t VALUES (2, 'late', '2024-05-01 07:59:30'), (3, 'too late', '2024-05-01 07:50:00')"
    )
    found = pages(connector, Mode.INCREMENTAL, last)
    assert keys(found) == ["2", "1"]
    assert found[-1].cursor["since"] == "2024-05-01 08:00:00"


class Restless:
    """A table that changes between the pages of every read, each change stamped up to two seconds late."""

    def __init__(self, folder: Path, seed: int, busy: int) -> None:
        self.folder, self.chance, self.busy = folder, random.Random(seed), busy
        self.clock, self.held = itertools.count(100), dict[str, str]()
        (folder / "erp.db").unlink(missing_ok=True)
        database(folder, STAMPED, *(f"INSERT INTO t VALUES ({i}, 'old', '{_second(i)}')" for i in range(10)))

    def stir(self) -> None:
        now = next(self.clock)
        lateness = [0] * self.busy + self.chance.choice([[], [], [1], [2]])
        rows = [(self.chance.randint(0, 400), f"v{now}", _second(now - late)) for late in lateness]
        with closing(sqlite3.connect(self.folder / "erp.db")) as connection, connection:
            connection.execute(UNSYNCED)
            connection.executemany("INSERT OR REPLACE INTO t VALUES (?, ?, ?)", rows)

    def read(self, connector: SqlConnector, request: Read, pages: int | None = None, *, restless: range) -> Any:
        """Read to the end or so many pages; the source changes after these of them. Answers the cursor."""
        cursor = request.cursor
        for number, page in enumerate(islice(connector.read(request), pages)):
            self.held |= {record.key: orjson.loads(record.body)["name"] for record in page.records}
            cursor = orjson.loads(orjson.dumps(page.cursor))
            if number in restless:
                self.stir()
        return cursor

    def rows(self) -> dict[str, str]:
        with closing(sqlite3.connect(self.folder / "erp.db")) as connection:
            return {str(key): name for key, name in connection.execute("SELECT id, name FROM t")}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 4), crash=st.none() | st.integers(1, 6))
def test_late_commits_during_a_long_incremental_read_are_not_lost(
    tmp_path: Path, seed: int, size: int, crash: int | None
) -> None:
    """Between the pages of one read passes far more time than the look-back of three seconds."""
    source = Restless(tmp_path, seed, busy=size)
    connector = stream(tmp_path, table="t", cursor="at", lookback=3)
    cursor: Any = None
    for number in range(4):
        restless = range(source.chance.randint(0, 6), 25)
        request = Read("s", Mode.INCREMENTAL if number else Mode.FULL, cursor, page_size=size)
        cursor = source.read(connector, request, crash, restless=restless)
        if crash is not None:
            going_on = replace(request, cursor=cursor, resumed=True)
            cursor = source.read(connector, going_on, restless=restless)
    source.read(connector, Read("s", Mode.INCREMENTAL, cursor), restless=range(0))
    assert source.held == source.rows()


def test_an_incremental_read_ends_at_the_newest_stamp_of_its_start(tmp_path: Path) -> None:
    database(tmp_path, STAMPED, *(f"INSERT INTO t VALUES ({i}, 'x', '{_second(i)}')" for i in range(4)))
    connector = stream(tmp_path, table="t", cursor="at", lookback=0)
    start = {"phase": "changes", "since": None, "key": None}
    reading = connector.read(Read("s", Mode.INCREMENTAL, start, page_size=2))
    first = next(reading)
    database(tmp_path, f"INSERT INTO t VALUES (9, 'new', '{_second(9)}')")
    assert [record.key for page in [first, *reading] for record in page.records] == ["0", "1", "2", "3"]
    resumed = pages(connector, Mode.INCREMENTAL, first.cursor, page_size=2, resumed=True)
    assert keys(resumed) == ["2", "3"], "the end is kept in the cursor"
    assert keys(pages(connector, Mode.INCREMENTAL, resumed[-1].cursor)) == ["3", "9"]


def test_the_position_never_goes_back(tmp_path: Path) -> None:
    database(tmp_path, STAMPED, "INSERT INTO t VALUES (1, 'a', '2024-05-01 08:00:00'), (2, 'b', '2024-05-01 07:59:59')")
    connector = stream(tmp_path, table="t", cursor="at", lookback=60)
    last = pages(connector)[-1].cursor
    database(tmp_path, "DELETE FROM t WHERE id = 1")
    assert pages(connector, Mode.INCREMENTAL, last)[-1].cursor["since"] == "2024-05-01 08:00:00"


def test_a_row_that_changes_while_a_full_read_passes_is_in_the_next_incremental_read(tmp_path: Path) -> None:
    rows = ", ".join(f"({i}, 'a', '2024-05-01 08:00:0{i}')" for i in range(9))
    database(tmp_path, STAMPED, f"INSERT INTO t VALUES {rows}")
    connector = stream(tmp_path, table="t", cursor="at", lookback=0)
    reading = connector.read(Read("s", page_size=3))
    next(reading)
    database(tmp_path, "UPDATE t SET name = 'new', at = '2024-05-01 09:00:00' WHERE id = 0")
    last = list(reading)[-1].cursor
    assert bodies(pages(connector, Mode.INCREMENTAL, last))["0"]["name"] == "new"


def test_marked_rows_are_deletes_in_full_and_incremental_reads_and_not_among_the_ids(tmp_path: Path) -> None:
    database(
        tmp_path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT, gone TEXT)",
        "INSERT INTO t VALUES (1, '2024-05-01', 'N'), (2, '2024-05-01', 'Y'), (3, '2024-05-02', NULL)",
    )
    connector = stream(tmp_path, table="t", cursor="at", deleted="gone")
    (described,) = connector.discover()
    assert described.deletes is Deletes.FEED
    found = pages(connector)
    assert (keys(found), [key for page in found for key in page.deleted]) == (["1", "3"], ["2"])
    assert [key for batch in connector.ids("s") for key in batch] == ["1", "3"]
    database(tmp_path, "UPDATE t SET gone = '1', at = '2024-05-03' WHERE id = 3")
    assert "3" in [key for page in pages(connector, Mode.INCREMENTAL, found[-1].cursor) for key in page.deleted]


def test_composite_keys_are_joined_unambiguously_and_resumed(tmp_path: Path) -> None:
    database(
        tmp_path,
        "CREATE TABLE t (branch TEXT NOT NULL, no INTEGER NOT NULL, n TEXT, PRIMARY KEY (branch, no))",
        "INSERT INTO t VALUES ('a', 1, 'x'), ('a', 2, 'x'), ('a|1', 1, 'x'), ('b', 1, 'x')",
    )
    connector = stream(tmp_path, table="t")
    whole = pages(connector, page_size=1)
    assert keys(whole) == ["a|1", "a|2", "a\\|1|1", "b|1"]
    assert keys(pages(connector, cursor=whole[1].cursor, resumed=True)) == keys(whole[2:])


def test_a_statement_is_a_stream_and_repeated_or_missing_keys_are_rejected(tmp_path: Path) -> None:
    database(
        tmp_path,
        "CREATE TABLE c (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE p (id INTEGER, c INTEGER, name TEXT)",
        "INSERT INTO c VALUES (1, '南洋'), (2, 'b')",
        "INSERT INTO p VALUES (1, 1, 'x'), (2, 1, 'y'), (2, 2, 'z'), (NULL, 1, 'no key'), (3, 2, 'a:b')",
    )
    sql = "SELECT p.id, p.name, c.name AS company, '10:30' AS clock FROM p JOIN c ON c.id = p.c;"
    found = pages(stream(tmp_path, select=sql, key="id"), page_size=2)
    assert bodies(found)["1"] == {"id": 1, "name": "x", "company": "南洋", "clock": "10:30"}
    assert set(keys(found)) == {"1", "2", "3"}
    assert len([bad for page in found for bad in page.rejected]) == 2


def test_a_view_is_a_stream(tmp_path: Path) -> None:
    database(tmp_path, STAMPED, "INSERT INTO t VALUES (1, 'a', 'x')", "CREATE VIEW v AS SELECT id, name FROM t")
    assert bodies(pages(stream(tmp_path, table="v", key="id"))) == {"1": {"id": 1, "name": "a"}}


def test_without_streams_all_tables_with_a_primary_key_are_offered(tmp_path: Path) -> None:
    database(tmp_path, STAMPED, "CREATE TABLE loose (x TEXT)")
    streams = connect(tmp_path, url="sqlite:///erp.db").discover()
    assert [one.name for one in streams] == ["t"]
    assert streams[0].capabilities == {Capability.IDS}
    assert {field.path: field.type for field in streams[0].fields} == {"id": "number", "name": "string", "at": "string"}


def test_only_the_chosen_columns_are_read(tmp_path: Path) -> None:
    database(tmp_path, STAMPED, "INSERT INTO t VALUES (1, 'a', 'x')")
    assert bodies(pages(stream(tmp_path, table="t", columns=["name"]))) == {"1": {"name": "a", "id": 1}}


def test_text_that_is_not_utf8_costs_its_row_or_is_decoded_as_configured(tmp_path: Path) -> None:
    gbk = "张伟".encode("gbk").hex()
    database(
        tmp_path, STAMPED, f"INSERT INTO t VALUES (1, CAST(x'{gbk}' AS TEXT), 'x'), (2, 'b', 'x'), (3, x'{gbk}', 'x')"
    )
    found = pages(stream(tmp_path, table="t"))
    assert (keys(found), found[0].rejected[0].key) == (["2", "3"], "1")
    assert keys(pages(stream(tmp_path, select="SELECT * FROM t", key="id"))) == ["2", "3"]
    decoded = bodies(pages(stream(tmp_path, table="t", bytes="gb18030")))
    assert (decoded["1"]["name"], decoded["3"]["name"]) == ("张伟", "张伟")
    assert bodies(pages(stream(tmp_path, table="t", bytes="hex")))["3"]["name"] == gbk


def test_a_nul_or_a_huge_value_rejects_only_its_row(tmp_path: Path) -> None:
    database(
        tmp_path, STAMPED, "INSERT INTO t VALUES (1, 'a' || char(0), 'x'), (2, 'ok', 'x'), (3, zeroblob(5000000), 'x')"
    )
    found = pages(stream(tmp_path, table="t"))
    assert keys(found) == ["2"]
    assert [bad.key for bad in found[0].rejected] == ["1", "3"]
    assert all(len(bad.body) < 1000 for bad in found[0].rejected)


@pytest.mark.parametrize(
    ("settings_", "named"),
    [
        ({"table": "customerz"}, "customers"),
        ({"table": "customers", "cursor": "update_at"}, "updated_at"),
        ({"table": "customers", "key": "idd"}, "id"),
    ],
)
def test_names_that_are_not_there_are_errors_with_the_nearest_one(
    tmp_path: Path, settings_: dict[str, Any], named: str
) -> None:
    sqlite_source(tmp_path)
    with pytest.raises(BadConfiguration, match=named):
        pages(stream(tmp_path, **settings_))


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("nonsense", BadConfiguration),
        ("sqlite://", BadConfiguration),
        ("sqlite:///missing.db", BadConfiguration),
        ("sqlite:////etc/passwd", BadConfiguration),
        ("sqlite:///../erp.db", BadConfiguration),
        ("sqlite:///file:erp.db?mode=rwc&uri=true", BadConfiguration),
        ("sqlite:///noise.db", BadConfiguration),
        ("mysql+nodriver://a:s3cret-word@127.0.0.1/x", BadConfiguration),
        ("postgresql+psycopg://a:s3cret-word@169.254.169.254/x", AddressRefused),
        ("postgresql+psycopg://a:s3cret-word@10.0.0.1/x", AddressRefused),
        ("postgresql+psycopg:///x", AddressRefused),
        ("postgresql+psycopg://a:s3cret-word@127.0.0.1/x?host=/tmp", BadConfiguration),
        ("postgresql+psycopg://a:s3cret-word@127.0.0.1/x?options=-c", BadConfiguration),
        ("postgresql+psycopg://a:s3cret-word@127.0.0.1:1/x", RetryLater),
    ],
)
def test_a_url_that_cannot_be_used_is_an_error_without_its_password(
    tmp_path: Path, url: str, error: type[Exception]
) -> None:
    (tmp_path / "noise.db").write_bytes(b"no database at all, only noise" * 100)
    project = tmp_path / "project"
    project.mkdir()
    (project / "noise.db").write_bytes(b"no database at all, only noise" * 100)
    (tmp_path / "erp.db").write_bytes(b"")
    connector = connect(project, url=url, streams={"s": "t"}, timeout=2)
    with pytest.raises(error) as caught:
        connector.check()
    assert "s3cret-word" not in f"{caught.value} {caught.value.__dict__} {connector!r} {connector.config!r}"
    connector.close()


def test_a_table_that_vanishes_while_it_is_read_pauses_the_stream(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)
    connector = source.connect()
    reading = connector.read(Read("customers", page_size=3))
    next(reading)
    source.run("DROP TABLE customers")
    with pytest.raises(SchemaDrift):
        list(reading)


def test_a_locked_database_is_tried_again_later(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)
    holder = sqlite3.connect(tmp_path / "erp.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    connector = connect(tmp_path, url="sqlite:///erp.db", timeout=1, streams=source.settings()["streams"])
    with pytest.raises(RetryLater, match="locked"):
        connector.check()
    holder.close()


def test_a_foreign_position_expires(tmp_path: Path) -> None:
    sqlite_source(tmp_path)
    with pytest.raises(CursorExpired):
        pages(stream(tmp_path, table="customers"), cursor={"files": {}})


def test_a_backfill_is_bounded_by_the_stamp(tmp_path: Path) -> None:
    database(
        tmp_path,
        STAMPED,
        "INSERT INTO t VALUES (1, 'a', '2024-05-01 08:00:00'), (2, 'b', '2024-05-02 08:00:00')",
        "INSERT INTO t VALUES (3, 'c', '2024-05-03 08:00:00')",
    )
    connector = stream(tmp_path, table="t", cursor="at", time_zone="Asia/Shanghai")
    since, until = datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(2024, 5, 2, 1, tzinfo=UTC)
    assert keys(pages(connector, since=since)) == ["2", "3"]
    assert keys(pages(connector, since=since, until=until)) == ["2"]
    assert keys(pages(connector, until=until)) == ["1", "2"]


def test_a_backfill_by_a_number_is_refused(tmp_path: Path) -> None:
    database(tmp_path, "CREATE TABLE t (id INTEGER PRIMARY KEY, version INTEGER)", "INSERT INTO t VALUES (1, 7)")
    with pytest.raises(BadConfiguration, match="holds no times"):
        pages(stream(tmp_path, table="t", cursor="version"), since=datetime.now(UTC))


def test_the_stamp_of_a_record_is_utc(tmp_path: Path) -> None:
    database(
        tmp_path, STAMPED, "INSERT INTO t VALUES (1, 'a', '2024-05-01 08:00:00'), (2, 'b', '2024-05-01T08:00:00Z')"
    )
    found = pages(stream(tmp_path, table="t", cursor="at", time_zone="Asia/Shanghai"))
    assert [record.changed_at for record in found[0].records] == [
        "2024-05-01T00:00:00+00:00",
        "2024-05-01T08:00:00+00:00",
    ]


def test_sqlite_is_opened_read_only(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)
    connector = source.connect()
    with connector._database.reading() as connection, pytest.raises(Exception, match=r"readonly|read-only|query_only"):
        connection.exec_driver_sql("DELETE FROM customers")
