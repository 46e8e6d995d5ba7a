"""The servers that the tests stand on: fresh, restartable, and gone when their starter is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis
import sqlalchemy as sa

from tests import services
from tests.processes import DidNotStart, Process, cache_folder
from tests.services import PostgresServer, ValkeyServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
STARTER = """
import sys, time
from tests import services
with services.{kind}() as server:
    print(server.pid, flush=True)
    time.sleep(60)
"""


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]
    finally:
        engine.dispose()


def create_customers(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE customer AS SELECT '张伟' AS name")


def test_each_test_gets_an_empty_database(postgres: PostgresServer, postgres_url: str) -> None:
    with postgres.database(create_customers) as other:
        assert rows(other, "SELECT name FROM customer") == [("张伟",)]
        assert rows(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_a_preparation_runs_once_and_is_cloned(postgres: PostgresServer) -> None:
    calls = []

    def prepare(url: str) -> None:
        calls.append(url)
        create_customers(url)

    for _ in range(2):
        with postgres.database(prepare) as url:
            assert rows(url, "SELECT count(*) FROM customer") == [(1,)]
    assert len(calls) == 1


def test_a_database_is_dropped_although_a_session_is_open(postgres: PostgresServer) -> None:
    with postgres.database() as url:
        held = psycopg.connect(url.replace("+psycopg", ""))
    with pytest.raises(psycopg.OperationalError):
        held.execute("SELECT 1")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_committed_rows_survive_a_restart_of_postgres(postgres_server: PostgresServer, how: str) -> None:
    create_customers(postgres_server.url())
    getattr(postgres_server, how)()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres_server.dsn(), connect_timeout=2)
    postgres_server.start()
    assert rows(postgres_server.url(), "SELECT name FROM customer") == [("张伟",)]


def test_each_test_gets_an_empty_logical_database(valkey: ValkeyServer, valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as one, redis.Redis.from_url(valkey.fresh_url()) as two:
        one.set("bell", "rung")
        assert two.get("bell") is None


def test_a_durable_valkey_keeps_its_data_over_a_restart(valkey_server: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey_server.url()) as client:
        client.set("bell", "rung")
        valkey_server.stop()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        valkey_server.start()
        assert client.get("bell") == b"rung"


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
def test_a_server_ends_when_its_starter_is_killed(kind: str) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER.format(kind=kind)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert alive(pid)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    assert eventually(lambda: not alive(pid))


def test_a_server_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    broken = Process(["/bin/sh", "-c", "echo no such table; exit 1"], tmp_path / "log")
    with pytest.raises(DidNotStart, match="no such table"):
        broken.start(lambda: False)
    assert not broken.running


def test_postgres_starts_from_a_checkout_that_other_users_may_not_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_reachable", lambda path: False)
    services.binaries.cache_clear()
    try:
        with services.postgres() as server, server.database() as url:
            assert rows(url, "SELECT 1") == [(1,)]
    finally:
        services.binaries.cache_clear()


def test_the_cache_is_outside_the_checkout() -> None:
    assert ROOT not in cache_folder().parents


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
