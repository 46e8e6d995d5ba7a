"""Reading from a real PostgreSQL: its types, its rights, its transactions."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from connectors.contract import Mode
from connectors.errors import BadConfiguration, BadCredentials, NeedsHuman, PermissionMissing, RetryLater
from tests.connectors.sql.sources import PostgresCustomers, bodies, connect, keys, pages

pytestmark = pytest.mark.services


@pytest.fixture
def postgres_project(tmp_path: Path, postgres_url: str) -> tuple[PostgresCustomers, Path]:
    """A customers table on PostgreSQL and a project folder."""
    return PostgresCustomers(tmp_path, postgres_url, postgres_url), tmp_path


def test_types_of_postgresql_become_json(postgres_project: tuple[PostgresCustomers, Path]) -> None:
    source, project = postgres_project
    source.run(
        "CREATE TABLE t (id uuid PRIMARY KEY, credit numeric, due date, at timestamp, seen timestamptz, raw bytea, "
        "tags text[], extra jsonb, span interval, net inet, big numeric)"
    )
    source.run(
        "INSERT INTO t VALUES ('00000000-0000-0000-0000-000000000007', 12.50, '2024-05-01', '2024-05-01 08:00', "
        "'2024-05-01 08:00+08', '\\x00ff', '{a,b}', '{\"a\": 1}', '90 seconds', '10.0.0.1', 123456789012345678901.5)"
    )
    given_ = {"url": source.given, "time_zone": "Asia/Shanghai", "streams": {"s": {"table": "t"}}}
    (body,) = bodies(pages(connect(project, **given_))).values()
    assert body == {
        "id": "00000000-0000-0000-0000-000000000007", "credit": "12.50", "due": "2024-05-01",
        "at": "2024-05-01T00:00:00+00:00", "seen": "2024-05-01T00:00:00+00:00", "raw": "AP8=", "tags": ["a", "b"],
        "extra": {"a": 1}, "span": 90.0, "net": "10.0.0.1", "big": "123456789012345678901.5",
    }  # fmt: skip
    (page, *_) = pages(connect(project, **given_, decimals="number"))
    assert b'"big":123456789012345678901.5' in page.records[0].body


def test_times_that_python_cannot_hold_are_read_as_text(postgres_project: tuple[PostgresCustomers, Path]) -> None:
    source, project = postgres_project
    source.run("INSERT INTO customers (id, name, updated_at) VALUES (77, 'x', 'infinity'), (78, 'y', '20000-01-01')")
    connector = connect(project, url=source.given, streams={"s": {"table": "customers"}})
    found = bodies(pages(connector))
    assert (found["77"]["updated_at"], len(found)) == ("infinity", 10)


def test_times_that_python_cannot_hold_do_not_end_the_reading_of_changes(
    postgres_project: tuple[PostgresCustomers, Path],
) -> None:
    source, project = postgres_project
    source.run("INSERT INTO customers (id, name, updated_at) VALUES (77, 'x', 'infinity'), (78, 'y', '20000-01-01')")
    streams = {"s": {"table": "customers", "cursor": "updated_at"}}
    connector = connect(project, url=source.given, streams=streams)
    last = pages(connector)[-1].cursor
    source.update("1")
    found = pages(connector, Mode.INCREMENTAL, last)
    assert "1" in keys(found)
    assert "1" in keys(pages(connector, Mode.INCREMENTAL, found[-1].cursor)), "its stamp is within the look-back"


def test_a_statement_cannot_write_even_by_a_function(postgres_project: tuple[PostgresCustomers, Path]) -> None:
    source, project = postgres_project
    source.run(
        "CREATE FUNCTION harmless() RETURNS int LANGUAGE sql AS 'DELETE FROM customers WHERE id = 1 RETURNING id'"
    )
    connector = connect(project, url=source.given, streams={"s": {"select": "SELECT harmless() AS id", "key": "id"}})
    with pytest.raises(PermissionMissing):
        pages(connector)
    assert {"1"} <= source.keys()


def test_columns_of_the_same_name_are_refused(postgres_project: tuple[PostgresCustomers, Path]) -> None:
    source, project = postgres_project
    connector = connect(project, url=source.given, streams={"s": {"select": "SELECT 1 AS a, 2 AS a", "key": "a"}})
    with pytest.raises(BadConfiguration, match="same name"):
        pages(connector)


def test_a_server_side_cursor_reads_a_statement_in_pages(postgres_project: tuple[PostgresCustomers, Path]) -> None:
    source, project = postgres_project
    sql = "SELECT n AS id, 'x'::text AS name FROM generate_series(1, 2500) AS n"
    connector = connect(project, url=source.given, streams={"s": {"select": sql, "key": "id"}})
    found = pages(connector, page_size=1000)
    assert [len(page.records) for page in found] == [1000, 1000, 500, 0]
    assert len(keys(pages(connector, cursor=found[0].cursor, resumed=True))) == 1500


def test_a_right_that_is_missing_is_told_as_such(postgres_project: tuple[PostgresCustomers, Path]) -> None:
    source, project = postgres_project
    source.run("DROP ROLE IF EXISTS blind")
    source.run("CREATE ROLE blind LOGIN")
    url = source.given.replace("postgres@", "blind@")
    try:
        with pytest.raises(PermissionMissing):
            pages(connect(project, url=url, streams={"s": {"table": "customers"}}))
    finally:
        source.run("DROP ROLE blind")


def test_a_database_that_is_not_there_needs_a_human(postgres_project: tuple[PostgresCustomers, Path]) -> None:
    source, project = postgres_project
    connector = connect(project, url=source.given.rsplit("/", 1)[0] + "/nowhere", streams={"s": "t"})
    with pytest.raises(NeedsHuman, match="nowhere"):
        connector.check()


@pytest.mark.parametrize(
    ("part", "wrong", "error"),
    [
        ("login", ("postgres@", "nobody:wrong-word-4711@"), BadCredentials),
        ("port", (None, "9"), RetryLater),
        ("database", (None, "nowhere"), BadConfiguration),
        ("table", (None, "no_such_table"), BadConfiguration),
    ],
)
def test_the_check_names_what_is_wrong(
    postgres_project: tuple[PostgresCustomers, Path], part: str, wrong: tuple[str, str], error: type[Exception]
) -> None:
    source, project = postgres_project
    server, _, _ = source.given.rpartition("/")
    urls = {
        "login": source.given.replace(*wrong) if wrong[0] else "",
        "port": f"{server.rpartition(':')[0]}:{wrong[1]}/{source.given.rpartition('/')[2]}",
        "database": f"{server}/{wrong[1]}",
        "table": source.given,
    }
    streams = {"s": {"table": wrong[1] if part == "table" else "customers", "key": "id"}}
    with pytest.raises(error) as caught:
        connect(project, url=urls[part], streams=streams, timeout=2).check()
    said = f"{caught.value} {caught.value.remedy} {getattr(caught.value, 'setting', '')}"  # type: ignore[attr-defined]
    assert ("table" if part == "table" else "url") in said, said
    assert "wrong-word-4711" not in said


def test_a_transaction_that_commits_late_is_not_lost(postgres_project: tuple[PostgresCustomers, Path]) -> None:
    source, project = postgres_project
    settings_ = {"table": "customers", "cursor": "updated_at", "lookback": 600}
    connector = connect(project, url=source.given, streams={"s": settings_})
    engine = create_engine(source.given)
    with engine.connect() as late:
        late.execute(
            text("INSERT INTO customers (id, name, updated_at) VALUES (90, 'late', :at)"), {"at": source.now()}
        )
        source.update("1")
        last = pages(connector)[-1].cursor
        late.commit()
    engine.dispose()
    assert "90" in keys(pages(connector, Mode.INCREMENTAL, last))


def test_a_host_with_several_addresses_is_reached_at_the_one_that_answers(
    postgres_project: tuple[PostgresCustomers, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, project = postgres_project
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: int) -> list[Any]:
        found = real("127.0.0.1", port, *rest) if host == "db.example" else real(host, port, *rest)
        other = [(*entry[:4], ("127.0.0.9", port)) for entry in found]
        return [*other, *found] if host == "db.example" else found

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = source.given.replace("127.0.0.1", "db.example")
    assert len(keys(pages(connect(project, url=url, streams={"s": "customers"})))) == 8
