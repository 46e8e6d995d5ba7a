"""The hot reads answer what the ordinary way answers, byte for byte, and nobody whom that would refuse."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from dashboard import hot, permissions
from sync import telemetry
from sync.database import Database
from sync.identity import keys
from sync.identity.permissions import Role
from sync.master import glance_postgres
from sync.master.bulk import bulk_for
from sync.master.glance import Glance, Reading
from sync.master.glance_postgres import SESSIONS, Busy, PostgresGlance
from tests import services

LIST = "/api/v1/customers"
PASSING = ("x-request-id", "date")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The company of the REST tests."""
    sys.path.insert(0, "tests/dashboard/api")
    import conftest

    yield from conftest.laboratory(tmp_path_factory.mktemp("hot"))
    sys.path.remove("tests/dashboard/api")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The routes that were answered the hot way."""
    found: list[str] = []
    send = hot.Hot._send

    async def noted(self: hot.Hot, send_: Any, route: str, *rest: Any) -> None:
        found.append(route)
        await send(self, send_, route, *rest)

    monkeypatch.setattr(hot.Hot, "_send", noted)
    return found


def both(client: TestClient, path: str, **headers: str) -> tuple[Any, Any]:
    """The answers of the hot and of the ordinary way; an unusual header leads there."""
    client.get("/api/v1/me")  # the key is known now
    quick = client.get(path, headers=headers)
    return quick, client.get(path, headers={**headers, "x-unusual": "1"})


def id_of(client: TestClient, key: str) -> str:
    query = {"connection": "erp", "stream": "customers", "id": key}
    return str(client.get("/api/v1/crosswalk", params=query).json()["customer"])


@pytest.mark.parametrize("role", [Role.ADMIN, Role.VIEWER])
@pytest.mark.parametrize("path", ["", "?limit=7", "?limit=500", "/{id}"])
def test_both_ways_answer_the_same(lab: Any, served: list[str], role: Role, path: str) -> None:
    client = lab.client(role)
    quick, ordinary = both(client, LIST + path.format(id=id_of(client, "10")))
    assert len(served) == 1
    assert quick.content == ordinary.content
    assert (quick.status_code, ordinary.status_code) == (200, 200)
    left, right = ({k: v for k, v in one.headers.items() if k not in PASSING} for one in (quick, ordinary))
    assert left == right


def test_pages_go_on_where_they_stopped(lab: Any, served: list[str]) -> None:
    client = lab.client()
    seen, cursor = [], ""
    while cursor is not None:
        quick, ordinary = both(client, f"{LIST}?limit=40" + (f"&cursor={cursor}" if cursor else ""))
        assert quick.content == ordinary.content
        seen += [one["id"] for one in quick.json()["data"]]
        cursor = quick.json()["next_cursor"]
    assert len(served) == 3
    assert len(set(seen)) == len(seen) == 112


def test_who_holds_it_already_gets_nothing_again(lab: Any, served: list[str]) -> None:
    client = lab.client()
    address = f"{LIST}/{id_of(client, '10')}"
    tag = client.get(address).headers["etag"]
    for path, known in ((address, tag), (LIST, client.get(LIST).headers["etag"])):
        quick, ordinary = both(client, path, **{"if-none-match": known})
        assert (quick.status_code, quick.content) == (ordinary.status_code, ordinary.content) == (304, b"")
    assert len(served) >= 2


@pytest.mark.parametrize(
    "path",
    ["/C0000000000000", "/nonsense", "?limit=0", "?limit=501", "?limit=x", "?cursor=zzz", "?cursor=",
     "?limit=5&limit=6", "?q=", "?status=merged", "?fields=name", "?unknown=1", "?limit=%35", "/", "?limit=5&"],
)  # fmt: skip
def test_whatever_is_unusual_goes_the_ordinary_way(lab: Any, served: list[str], path: str) -> None:
    quick, ordinary = both(lab.client(), LIST + path)
    assert served == []
    assert quick.status_code == ordinary.status_code


def test_an_older_id_leads_on(lab: Any, served: list[str]) -> None:
    client = lab.client()
    with lab.project.database.reading() as connection:
        old = connection.execute(text("SELECT id FROM customer WHERE status = 'merged'")).scalar()
    from sync.master.identity import public_id

    if old is not None:
        quick, _ = both(client, f"{LIST}/{public_id(old)}")
        assert quick.status_code == 308
    assert served == []


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer kehu_nobody"},
        {"authorization": "Basic eDp5"},
        {"host": "evil.example"},
        {"cookie": "a=b"},
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_nobody_is_let_in_who_would_not_be(lab: Any, served: list[str], headers: dict[str, str]) -> None:
    client = lab.client()
    client.get("/api/v1/me")
    client.get(LIST, headers=headers)
    assert served == []


def test_a_key_without_the_permission_and_a_revoked_one_are_refused(lab: Any, served: list[str]) -> None:
    with lab.project.database.transaction() as connection:
        made = keys.create(connection, "runs", "admin-user", ["runs:read"], by="test")
        ended = keys.create(connection, "ended", "admin-user", ["customers:read"], by="test")
    assert both(lab.client(None, authorization=f"Bearer {made.secret}"), LIST)[0].status_code == 403
    client = lab.client(None, authorization=f"Bearer {ended.secret}")
    assert both(client, LIST)[0].status_code == 200
    with lab.project.database.transaction() as connection:
        keys.revoke(connection, ended.key.id, by="test")
    permissions.forget(ended.secret)  # what a second does by itself
    assert client.get(LIST).status_code == 401
    assert len(served) == 1


def test_a_read_that_fails_is_told_by_the_ordinary_way(
    lab: Any, served: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> Any:
        raise OSError

    monkeypatch.setattr(Glance, "read", fail)
    assert both(lab.client(), LIST)[0].status_code == 200
    assert served == []


def test_every_hot_answer_is_counted_and_logged(lab: Any, served: list[str]) -> None:
    client, out = lab.client(), io.StringIO()
    telemetry.configure(stream=out, json=True, level="INFO")
    try:
        quick, ordinary = both(client, LIST, **{"x-request-id": "mine"})
    finally:
        telemetry.configure(stream=sys.stderr)
    lines = [orjson.loads(line) for line in out.getvalue().splitlines()]
    mine = [line for line in lines if line.get("request_id") == "mine"]
    assert [(line["route"], line["status"], line["event"]) for line in mine] == [(LIST, 200, "request")] * 2
    assert mine[0].keys() == mine[1].keys()
    assert quick.headers["x-request-id"] == ordinary.headers["x-request-id"] == "mine"
    metrics = client.get("/metrics").text
    assert f'kehu_http_request_seconds_count{{method="GET",route="{LIST}",status="200"}}' in metrics


@pytest.fixture(scope="module")
def postgres() -> Iterator[Database]:
    """One customer, and a function that sleeps."""
    with services.postgres() as server, server.database() as url:
        database = Database(url)
        with database.transaction() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE customer (id bigint, version int, status text, kind text, name text, golden text, "
                "members int, changed_at timestamptz)"
            )
            connection.exec_driver_sql(
                "INSERT INTO customer VALUES "
                "(7, 1, 'active', 'person', '张伟', '{\"a\":1}', 1, '2026-01-02 03:04:05.12Z'), "
                "(8, 1, 'active', 'person', NULL, '{}', 1, '2026-01-02 03:04:05Z')"
            )
        yield database
        database.dispose()


@pytest.mark.services
def test_rows_are_what_the_driver_gives(postgres: Database) -> None:
    async def read() -> tuple[Any, Any]:
        glance = PostgresGlance(postgres)
        return await glance.read(Reading.ONE, (7,)), await glance.read(Reading.PAGE, (-1, 5))

    one, page = asyncio.run(read())
    with postgres.reading() as connection:
        rows = bulk_for(connection).fetch(Reading.PAGE, -1, 5)
    assert [(*row[:5], row[5].decode(), *row[6:]) for row in page] == [tuple(row) for row in rows]
    assert one == page[:1]


@pytest.mark.services
def test_many_at_once_are_answered_or_told_to_go_the_ordinary_way(postgres: Database) -> None:
    async def read() -> list[Any]:
        glance = PostgresGlance(postgres)
        asked = (glance.read(Reading.ONE, (7 + number % 2,)) for number in range(40))
        found = await asyncio.gather(*asked, return_exceptions=True)
        again = await asyncio.gather(*(glance.read(Reading.ONE, (7,)) for _ in range(SESSIONS)))
        return [*found, *again]

    found = asyncio.run(read())
    answered = [rows for rows in found if isinstance(rows, list)]
    assert {type(one) for one in found} <= {list, Busy}
    assert len(answered) >= 2 * SESSIONS
    assert all(rows[0][0] in (7, 8) for rows in answered)


@pytest.mark.services
def test_a_session_that_was_ended_or_hangs_is_thrown_away(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )

    async def read() -> None:
        glance = PostgresGlance(postgres)
        await glance.read(Reading.ONE, (7,))
        with postgres.transaction() as connection:
            connection.exec_driver_sql(others)
        with pytest.raises(Exception, match=r"."):
            await glance.read(Reading.ONE, (7,))
        postgres.engine.dispose()
        assert (await glance.read(Reading.ONE, (7,)))[0][0] == 7
        monkeypatch.setattr(glance_postgres, "TIMEOUT", 0.05)
        with postgres.transaction() as connection:
            connection.exec_driver_sql("LOCK TABLE customer IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(TimeoutError):
                await glance.read(Reading.ONE, (7,))
        monkeypatch.undo()
        assert (await glance.read(Reading.ONE, (7,)))[0][0] == 7
        assert glance._open == 1

    asyncio.run(read())
