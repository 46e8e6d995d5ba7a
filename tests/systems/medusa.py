"""A real Medusa web shop with a few customers, on PostgreSQL."""

from __future__ import annotations

import shutil
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

VERSION = "2.21.2"
PACKAGES = dict.fromkeys(("@medusajs/medusa", "@medusajs/framework", "@medusajs/cli"), VERSION)
EMAIL, PASSWORD = "admin@example.com", "correct-horse-battery"
CLI = "node_modules/@medusajs/cli/cli.js"
CONFIGURATION = """
const { defineConfig } = require("@medusajs/framework/utils")
const origin = "http://127.0.0.1"
module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { ssl: false, connection: { ssl: false } },
    http: {
      storeCors: origin, adminCors: origin, authCors: origin,
      jwtSecret: "a-secret-of-this-test", jwtExpiresIn: process.env.TOKEN_TTL, cookieSecret: "another-one",
    },
  },
})
"""
CUSTOMERS: list[dict[str, Any]] = [
    {"email": "zhang.wei@example.com", "first_name": "伟", "last_name": "张", "phone": "+8613800138000"},
    {"email": "INFO@HongDa.example", "company_name": "上海宏达贸易有限公司", "metadata": {"税号": "91310000"}},
    {"email": "anna@example.com", "first_name": "Anna-Lena", "last_name": "Größe"},
    {"email": "sean@example.com", "first_name": "Seán", "last_name": "O'Brien", "phone": ""},
    {"email": "nobody@example.com"},
    *({"email": f"batch{n:02d}@example.com", "company_name": f"Batch {n:02d} Ltd"} for n in range(20)),
]
ADDRESS = {"address_1": "南京西路1号", "city": "上海", "country_code": "cn", "postal_code": "200000"}


@dataclass
class Medusa:
    """A running shop, and an administrator's session with it."""

    url: str
    dsn: str
    process: Process
    email: str = EMAIL
    password: str = PASSWORD
    session: requests.Session = field(default_factory=requests.Session)

    def sign_in(self) -> None:
        """Get a fresh token for ``session``."""
        answer = self.session.post(
            f"{self.url}/auth/user/emailpass", json={"email": self.email, "password": self.password}, timeout=30
        )
        self.session.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call to the administrator's interface; its JSON. Signs in again when the token has expired."""
        answer = self.session.request(method, f"{self.url}/admin{path}", json=body, timeout=30)
        if answer.status_code == 401:
            self.sign_in()
            answer = self.session.request(method, f"{self.url}/admin{path}", json=body, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask or change the database behind the shop's back."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def medusa(token_ttl: str = "1d") -> Iterator[Medusa]:
    """A shop of this caller's own with the seeded customers; raises ``Unavailable``."""
    software, snapshot = _software(), _snapshot()
    with services.postgres() as server:
        database = restore(server, snapshot / "shop.sql")
        with _started(software, server.dsn(database), token_ttl) as shop:
            yield shop


def _software() -> Path:
    def build(folder: Path) -> None:
        node_packages(folder, PACKAGES)
        (folder / "medusa-config.js").write_text(CONFIGURATION)

    return installed(f"medusa-{VERSION}-{version_of(CONFIGURATION)}", build)


def _snapshot() -> Path:
    """A folder with the migrated and seeded database as SQL, made anew when this module changes."""
    software = _software()

    def build(folder: Path) -> None:
        with services.postgres() as server:
            database = server.create_database()
            environment = _environment(server.dsn(database), "1d")
            run(node(), CLI, "db:migrate", "--skip-scripts", cwd=software, env=environment)
            run(node(), CLI, "user", "-e", EMAIL, "-p", PASSWORD, cwd=software, env=environment)
            with _started(software, server.dsn(database), "1d") as shop:
                _seed(shop)
            dump(server, database, folder / "shop.sql")

    return installed(f"medusa-{VERSION}-database-{version_of(Path(__file__))}", build)


def _seed(shop: Medusa) -> None:
    for number, customer in enumerate(CUSTOMERS):
        created = shop.call("POST", "/customers", customer)["customer"]
        if number < 3:
            shop.call("POST", f"/customers/{created['id']}/addresses", ADDRESS)
    shop.sql("UPDATE customer SET updated_at = '2026-03-01T08:00:00Z' WHERE email LIKE 'batch%%'")


@contextmanager
def _started(software: Path, dsn: str, token_ttl: str) -> Iterator[Medusa]:
    port, folder = free_port(), run_folder("medusa")
    command = [node(), CLI, "start", "-H", LOOPBACK, "-p", str(port)]
    process = Process(command, folder / "medusa.log", cwd=software, env=_environment(dsn, token_ttl))
    process.start(lambda: accepts_connections(port), timeout=120)
    try:
        yield Medusa(f"http://{LOOPBACK}:{port}", dsn, process)
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _environment(dsn: str, token_ttl: str) -> dict[str, str]:
    return {
        "PATH": services.search_path(),
        "DATABASE_URL": dsn,
        "TOKEN_TTL": token_ttl,
        "NODE_ENV": "production",
        "MEDUSA_DISABLE_TELEMETRY": "true",
    }
