"""A real Directus as a generic SaaS system: contacts, short-lived tokens and a rate limiter, on PostgreSQL."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import requests

from tests import services
from tests.processes import LOOPBACK, Process, accepts_connections, free_port, run_folder
from tests.systems.installing import installed, node, node_packages, run, version_of
from tests.systems.snapshots import dump, restore

VERSION = "11.17.4"
EMAIL, PASSWORD = "admin@example.com", "correct-horse-battery"
STATIC_TOKEN = "a-static-token-of-this-test-0123456789"
CLI = "node_modules/directus/cli.js"
SANDBOX = Path("node_modules/isolated-vm/isolated-vm.js")
TEXTS = ("name", "company", "email", "phone", "tax_id")
COLLECTION = {
    "collection": "contacts",
    "schema": {},
    "meta": {"archive_field": None},
    "fields": [
        {"field": "id", "type": "integer", "schema": {"is_primary_key": True, "has_auto_increment": True}, "meta": {}},
        {"field": "date_created", "type": "timestamp", "schema": {}, "meta": {"special": ["date-created"]}},
        {"field": "date_updated", "type": "timestamp", "schema": {}, "meta": {"special": ["date-updated"]}},
        *(
            {"field": name, "type": "string", "schema": {}, "meta": {}}
            for name in ("name", "company", "email", "phone", "tax_id")
        ),
        {"field": "address", "type": "json", "schema": {}, "meta": {}},
    ],
}
CONTACTS: list[dict[str, Any]] = [
    {"name": "张伟", "company": "上海宏达贸易有限公司", "email": "zhang.wei@example.com", "phone": "138 0013 8000"},
    {"name": "Zhang Wei", "company": "Shanghai Hongda", "email": "zhang.wei@example.com"},
    {"name": "Anna-Lena Größe", "email": None, "phone": "+49 89 123456", "address": {"city": "München"}},
    {"name": "", "company": "Acme Ltd", "email": "info@acme.example", "tax_id": "GB123456789"},
    {"name": "Seán O'Brien", "email": "not an address"},
    *({"name": f"批量{n:02d}", "email": f"batch{n:02d}@example.com"} for n in range(20)),
]


@dataclass
class Directus:
    """A running server, and an administrator's session with it (static token, which never expires)."""

    url: str
    dsn: str
    process: Process
    email: str = EMAIL
    password: str = PASSWORD
    token: str = STATIC_TOKEN
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call; its JSON's ``data``. Waits when the rate limiter says so."""
        headers = {"Authorization": f"Bearer {self.token}"}
        while True:
            answer = self.session.request(method, self.url + path, json=body, headers=headers, timeout=30)
            if answer.status_code != 429:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()["data"] if answer.content else None

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask or change the database behind the server's back."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def directus(*, token_ttl: str = "15m", calls_per_second: int = 50) -> Iterator[Directus]:
    """A Directus of this caller's own with the seeded contacts; raises ``Unavailable``.

    ``token_ttl`` is how long the tokens of a login live; over ``calls_per_second`` it answers 429.
    """
    software, snapshot = _software(), _snapshot()
    with services.postgres() as server:
        database = restore(server, snapshot / "crm.sql")
        limits = {
            "ACCESS_TOKEN_TTL": token_ttl,
            "RATE_LIMITER_ENABLED": "true",
            "RATE_LIMITER_STORE": "memory",
            "RATE_LIMITER_POINTS": str(calls_per_second),
            "RATE_LIMITER_DURATION": "1",
        }
        with _started(software, server, database, limits) as crm:
            yield crm


def _software() -> Path:
    def build(folder: Path) -> None:
        node_packages(folder, {"directus": VERSION})
        # The sandbox for extensions has to be compiled; nothing here uses extensions.
        (folder / SANDBOX).write_text("module.exports = {}\n")

    return installed(f"directus-{VERSION}", build)


def _snapshot() -> Path:
    """A folder with the bootstrapped and seeded database as SQL, made anew when this module changes."""
    software = _software()

    def build(folder: Path) -> None:
        with services.postgres() as server:
            database = server.create_database()
            run(node(), CLI, "bootstrap", cwd=software, env=_environment(server, database))
            with _started(software, server, database, {}) as crm:
                _seed(crm)
            dump(server, database, folder / "crm.sql")

    return installed(f"directus-{VERSION}-database-{version_of(Path(__file__))}", build)


def _seed(crm: Directus) -> None:
    crm.sql("UPDATE directus_users SET token = %s WHERE email = %s", STATIC_TOKEN, EMAIL)
    crm.call("POST", "/collections", COLLECTION)
    for contact in CONTACTS:
        crm.call("POST", "/items/contacts", contact)
    crm.sql("UPDATE contacts SET date_created = '2026-03-01T08:00:00Z' WHERE email LIKE 'batch%%'")


@contextmanager
def _started(
    software: Path, server: services.PostgresServer, database: str, more: dict[str, str]
) -> Iterator[Directus]:
    port, folder = free_port(), run_folder("directus")
    environment = {**_environment(server, database), "PORT": str(port), "HOST": LOOPBACK, **more}
    process = Process([node(), CLI, "start"], folder / "directus.log", cwd=software, env=environment)
    process.start(lambda: accepts_connections(port), timeout=120)
    try:
        yield Directus(f"http://{LOOPBACK}:{port}", server.dsn(database), process)
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _environment(server: services.PostgresServer, database: str) -> dict[str, str]:
    return {
        "PATH": services.search_path(),
        "DB_CLIENT": "pg",
        "DB_CONNECTION_STRING": server.dsn(database),
        "SECRET": "a-secret-of-this-test-0123456789",
        "ADMIN_EMAIL": EMAIL,
        "ADMIN_PASSWORD": PASSWORD,
        "TELEMETRY": "false",
        "PUBLIC_URL": f"http://{LOOPBACK}",
        "QUERY_LIMIT_MAX": "100",
        "NO_UPDATE_NOTIFIER": "1",
        "IMPORT_IP_DENY_LIST": "",  # its flows may call this machine
    }
