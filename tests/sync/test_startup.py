"""A run that finds nothing changed is all start-up: it loads nothing that only changes, commands or servers need."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.sync.api import Handler, Store
from benchmarks.sync.project import WHOLE, write_project
from sync.database import Database
from sync.schema import metadata

NOT_NEEDED = (
    # what maps, compares and unites customers
    "phonenumbers", "stdnum", "opencc", "anyascii", "jsonata_rs", "re2", "rapidfuzz", "numpy", "pyarrow", "duckdb",
    "splink",
    "mappings.compile", "mappings.transforms", "mappings.matching", "mappings.survivorship", "sync.master.resolving",
    "sync.matching.store", "sync.stewardship", "sync.dedupe",
    # other databases, other connectors
    "psycopg", "sqlalchemy.dialects.postgresql", "sqlalchemy.orm", "connectors.files", "connectors.sql",
    "connectors.imap", "connectors.conformance", "connectors.scaffold",
    # commands, workers, servers, migrations, secrets that are not asked for
    "alembic", "sync.migrations", "structlog", "rich", "typer", "dramatiq", "redis", "fastapi", "uvicorn", "starlette",
    "jinja2", "keyring", "cryptography", "prometheus_client", "httpx", "tenacity", "sync.cli", "dashboard",
    "sync.doctor",
)  # fmt: skip
"""Modules with all below them. Each was measured: the heaviest cost 20 to 60 ms of the 600 that such a run may take."""

RUN = """
import sys
from benchmarks.sync.subject import main
main(sys.argv[1], "incremental")
print("loaded", *sys.modules)
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project that syncs a small API into SQLite; the database exists."""
    Handler.store = Store(40)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"sqlite:///{tmp_path}/kehu.db"
    write_project(tmp_path, f"http://127.0.0.1:{server.server_port}", url, WHOLE)
    database = Database(url)
    metadata.create_all(database.engine)
    database.dispose()
    yield tmp_path
    server.shutdown()


def sync_once(folder: Path) -> tuple[str, set[str]]:
    """What one run in a process of its own says, and the modules it has loaded."""
    command = [sys.executable, "-c", RUN, str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr
    said, loaded = answer.stdout.splitlines()
    return said, set(loaded.split())


def test_a_run_that_finds_nothing_changed_loads_no_heavy_module(project: Path) -> None:
    first, loaded = sync_once(project)
    assert "created=40" in first
    assert {"phonenumbers", "mappings.compile", "sync.master.resolving"} <= loaded
    second, loaded = sync_once(project)
    assert "created=0, updated=0" in second
    heavy = sorted(name for name in loaded if any(name == one or name.startswith(f"{one}.") for one in NOT_NEEDED))
    assert heavy == [], "load these where they are needed: see docs/performance.md, “Start-up”"


def test_the_tables_load_no_dialect() -> None:
    code = "import sys, sync.schema; print(*(name for name in sys.modules if name.startswith('sqlalchemy.dialects.')))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.split() == []
