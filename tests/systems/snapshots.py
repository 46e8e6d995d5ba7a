"""Databases of web systems, prepared once and restored for each run."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.services import PostgresServer, binaries, search_path


def dump(server: PostgresServer, database: str, file: Path) -> None:
    """Write one database to ``file`` (SQL)."""
    _run("pg_dump", "--no-owner", "--file", str(file), server.dsn(database))


def restore(server: PostgresServer, file: Path) -> str:
    """The name of a new database with the contents of ``file``."""
    database = server.create_database()
    _run("psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file", str(file), server.dsn(database))
    return database


def _run(program: str, *arguments: str) -> None:
    environment = {"PATH": search_path(), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [binaries() / "bin" / program, *arguments], env=environment, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stderr[-1000:]}")
