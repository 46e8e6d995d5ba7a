"""Requests per CPU second of the REST interface, as a ratio to raw SQL and orjson under the same server.

Run ``python -m benchmarks.api``. Two programs serve the same customers, each in a process of its own under uvicorn: the
application with everything (guard, key, permission, metrics, log line), and a bare ASGI function that runs the one SQL
statement with the driver and writes its rows with orjson, without asking who is there. One client with one connection
asks each in turn, so that a busy machine slows both. Only the server's CPU time counts (user and system).
``--database URL`` asks a filled master instead (``benchmarks.million`` makes one), and leaves a key there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import secrets
import socket
import sqlite3
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import text

from dashboard.app import create_app
from sync import migrations, telemetry
from sync.access import Access
from sync.identity import keys, users
from sync.identity.permissions import Role
from sync.master.bulk import bulk_for
from sync.master.identity import founder_id, public_id
from sync.project import Project
from tests.services import postgres

CUSTOMERS, PAGE = 5_000, 50
UNLIMITED = "web: {limit: {per_second: 1000000, burst: 10000000}}\n"
COLUMNS = "id, version, status, kind, name, golden, members, changed_at"


def golden(number: int) -> str:
    """A customer of about 600 bytes, as ours are."""
    whole = {
        "kind": "person",
        "name": f"张伟 {number}",
        "latin_name": f"Zhang Wei {number}",
        "emails": [{"value": f"zhang.wei{number}@example.com", "label": "work"}],
        "phones": [{"value": f"+86138{number:08}", "label": "mobile"}],
        "addresses": [{"country": "CN", "city": "上海市", "street": "南京东路 100 号", "postcode": "200001"}],
        "tags": ["vip", "newsletter"],
        "consents": [{"channel": "email", "purpose": "marketing", "granted": True, "source": "shop"}],
        "source_changed_at": "2026-01-02T03:04:05Z",
        "external_ids": {"crm": f"Z-{number}"},
    }
    return orjson.dumps(whole).decode()


def fill(project: Project) -> tuple[str, list[int]]:
    """Customers, and a key that may read them; answers the key and the ids in order."""
    migrations.migrate(project.database)
    ids = sorted(founder_id("erp", "customers", str(number)) for number in range(CUSTOMERS))
    with project.database.transaction() as connection:
        bulk = bulk_for(connection)
        now = bulk.instant(datetime.now(UTC))
        rows = [(one, 3, "active", "person", f"张伟 {n}", golden(n), 2, now) for n, one in enumerate(ids)]
        bulk.insert("customer", rows)
        users.add(connection, "shop", Role.INTEGRATOR, by="benchmark")
        scopes = ["customers:read", "personal:read"]
        return keys.create(connection, "shop", "shop", scopes, by="benchmark").secret, ids


def ours(folder: str, port: int) -> None:
    """Serve the application; its log goes where nobody reads it, as in production into a file."""
    import uvicorn

    with open(os.devnull, "w") as nowhere:
        telemetry.configure(stream=nowhere)
        project = Project.load(folder)
        app = create_app(project, Access(project.state_folder))
        uvicorn.run(app, port=port, log_config=None, access_log=False, server_header=False)


def raw(folder: str, port: int) -> None:
    """Serve the same rows by the driver and orjson alone."""
    import uvicorn

    fetch = reader(Project.load(folder))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        asked = scope["path"].rpartition("/")[2]
        if asked == "customers":
            after = int(scope["query_string"].partition(b"=")[2] or -1)
            rows = fetch(
                f"SELECT {COLUMNS} FROM customer WHERE status = 'active' AND id > ? ORDER BY id LIMIT 50", after
            )
            body = orjson.dumps({"data": [shown(row) for row in rows], "next_cursor": str(rows[-1][0])})
        else:
            body = orjson.dumps(shown(fetch(f"SELECT {COLUMNS} FROM customer WHERE id = ?", int(asked))[0]))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(app, port=port, log_config=None, access_log=False, server_header=False, lifespan="off")


def reader(project: Project) -> Callable[..., list[Any]]:
    """One statement by the driver, in a transaction of its own."""
    if project.database.is_postgres:
        import psycopg

        session = psycopg.connect(project.database_url.replace("+psycopg", ""), autocommit=True)
        return lambda statement, *values: session.execute(statement.replace("?", "%s"), values).fetchall()
    file = sqlite3.connect(str(project.database.url.database), check_same_thread=False)
    return lambda statement, *values: file.execute(statement, values).fetchall()


def shown(row: Any) -> dict[str, Any]:
    """A row as JSON."""
    return {
        "id": row[0],
        "version": row[1],
        "status": row[2],
        "kind": row[3],
        "name": row[4],
        "members": row[6],
        "updated_at": row[7],
        "golden": orjson.Fragment(row[5]),
    }


@contextmanager
def serving(target: Callable[[str, int], None], folder: Path) -> Iterator[tuple[int, socket.socket]]:
    """The process and a connection to it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=target, args=(str(folder), port), daemon=True)
    process.start()
    try:
        yield process.pid or 0, _connected(port)
    finally:
        process.terminate()
        process.join(10)


def _connected(port: int) -> socket.socket:
    import time

    for _attempt in range(600):
        try:
            made = socket.create_connection(("127.0.0.1", port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


def cpu(pid: int) -> float:
    """CPU seconds of a process with all its threads, to the nanosecond (user and system; Linux)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def ask(made: socket.socket, path: str, key: str) -> bytes:
    """One request, the answer's body."""
    made.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    data = made.recv(65_536)
    while b"\r\n\r\n" not in data:
        data += made.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(head.decode())
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += made.recv(65_536)
    return body


def drawn(project: Project) -> tuple[str, list[int]]:
    """A key for a filled master, and customers from all over it."""
    with project.database.transaction() as connection:
        name = f"benchmark-{secrets.token_hex(4)}"
        users.add(connection, name, Role.INTEGRATOR, by="benchmark")
        key = keys.create(connection, name, name, ["customers:read", "personal:read"], by="benchmark").secret
        low, high = connection.execute(text("SELECT min(id), max(id) FROM customer")).one()
        statement = text("SELECT id FROM customer WHERE status = 'active' AND id >= :at ORDER BY id LIMIT 1")
        places = [low + (high - low) * number // CUSTOMERS for number in range(CUSTOMERS)]
        random.Random(1).shuffle(places)
        return key, [connection.execute(statement, {"at": at}).scalar_one() for at in places]


def measure(project: Project, rounds: int, count: int, filled: bool = False) -> None:
    """Print requests per CPU second of both, and the ratio."""
    key, ids = drawn(project) if filled else fill(project)
    gets = [f"/{public_id(one)}" for one in ids], [f"/{one}" for one in ids]
    with serving(ours, project.folder) as mine, serving(raw, project.folder) as bare:
        pages = (
            _cursors(mine[1], key),
            [f"/customers?after={one}" for one in [-1, *sorted(ids)[PAGE - 1 :: PAGE]][: len(ids) // PAGE]],
        )
        for what, (own, others), number in (("get", gets, count), ("page of 50", pages, count // 4)):
            found: list[tuple[float, float]] = []
            for _round in range(rounds):
                base = "/api/v1/customers" if what == "get" else ""
                rates = []
                for (pid, made), paths, prefix in ((mine, own, base), (bare, others, "")):
                    for one in paths[:50]:
                        ask(made, prefix + one, key)
                    before = cpu(pid)
                    for number_ in range(number):
                        ask(made, prefix + paths[number_ % len(paths)], key)
                    rates.append(number / (cpu(pid) - before))
                found.append((rates[0], rates[1]))
            ratio = statistics.median(one / other for one, other in found)
            mine_rate, bare_rate = (statistics.median(column) for column in zip(*found, strict=True))
            kind = "PostgreSQL" if project.database.is_postgres else "SQLite"
            print(
                f"{kind:<11} {what:<11} ours {mine_rate:7,.0f}/s   raw {bare_rate:7,.0f}/s   ratio {ratio:.2f}",
                flush=True,
            )


def _cursors(made: socket.socket, key: str) -> list[str]:
    """The addresses of all pages, one after the other."""
    found, cursor = [], ""
    while True:
        path = "/api/v1/customers?limit=50" + (f"&cursor={cursor}" if cursor else "")
        found.append(path)
        cursor = orjson.loads(ask(made, path, key))["next_cursor"]
        if cursor is None:
            return found[:-1]
        if len(found) == CUSTOMERS // PAGE:
            return found


def main() -> None:
    """Both databases, or one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    parser.add_argument("--database", metavar="URL", help="of a filled master")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2_000)
    given = parser.parse_args()
    if given.database:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "kehu.yaml").write_text(f"language: en\ndatabase: '{given.database}'\n{UNLIMITED}")
            measure(Project.load(folder), given.rounds, given.count, filled=True)
        return
    if given.only != "postgres":
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "kehu.yaml").write_text(f"language: en\n{UNLIMITED}")
            measure(Project.load(folder), given.rounds, given.count)
    if given.only != "sqlite":
        with postgres() as server, server.database() as url, tempfile.TemporaryDirectory() as folder:
            Path(folder, "kehu.yaml").write_text(f"language: en\ndatabase: '{url}'\n{UNLIMITED}")
            measure(Project.load(folder), given.rounds, given.count)


if __name__ == "__main__":
    main()
