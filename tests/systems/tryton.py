"""A real Tryton ERP with a small company's parties, on SQLite."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import LOOPBACK, Process, accepts_connections, free_port, run_folder
from tests.systems.installing import installed, python_environment, run, version_of

SERIES = "8.2"
DATABASE = "kehu"
USER, PASSWORD = "admin", "correct-horse-battery"
MODULES = ("party", "party_relationship", "sale", "account_invoice")
PACKAGES = ["trytond==8.2.1", "proteus>=8.2,<8.3", *(f"trytond_{name}>=8.2,<8.3" for name in MODULES)]
SEED = Path(__file__).with_name("tryton_seed.py")


@dataclass(frozen=True)
class Tryton:
    """A running server: where it is, how to log in, and its database file for what no user may do."""

    url: str
    database: Path
    process: Process
    user: str = USER
    password: str = PASSWORD

    def sql(self, statement: str, *values: object) -> None:
        """Change the database behind the server's back, e.g. to give several records one change stamp."""
        with sqlite3.connect(self.database, timeout=30) as connection:
            connection.execute(statement, values)
        connection.close()


@contextmanager
def tryton() -> Iterator[Tryton]:
    """A Tryton of this caller's own with the seeded parties; raises ``Unavailable``."""
    environment, prepared = _environment(), _prepared()
    folder = run_folder("tryton")
    shutil.copy(prepared / f"{DATABASE}.sqlite", folder)
    port = free_port()
    config = _configuration(folder, port)
    command: list[str | Path] = [
        environment / "bin" / "python",
        environment / "bin" / "trytond",
        "-c",
        config,
        "-d",
        DATABASE,
    ]
    process = Process(command, folder / "tryton.log", cwd=folder)
    process.start(lambda: accepts_connections(port), timeout=90)
    try:
        yield Tryton(f"http://{LOOPBACK}:{port}", folder / f"{DATABASE}.sqlite", process)
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _environment() -> Path:
    name = f"tryton-{SERIES}-{version_of(*PACKAGES)}"
    return installed(name, lambda folder: python_environment(folder, PACKAGES))


def _prepared() -> Path:
    """A folder with the initialised and seeded database, made anew when the seed changes."""
    name = f"tryton-{SERIES}-database-{version_of(SEED, *PACKAGES)}"
    environment = _environment()

    def build(folder: Path) -> None:
        config = _configuration(folder, 0)
        (folder / f"{DATABASE}.sqlite").touch()
        (folder / "password").write_text(PASSWORD)
        python, admin = environment / "bin" / "python", environment / "bin" / "trytond-admin"
        options: list[str | Path] = ["-c", config, "-d", DATABASE, "-l", "zh_CN", "--email", "admin@example.com"]
        secret = {"TRYTONPASSFILE": str(folder / "password")}
        run(python, admin, *options, "--activate-dependencies", "-u", *MODULES, cwd=folder, env=secret)
        run(python, SEED, config, DATABASE, cwd=folder, env={"PYTHONPATH": "", "TZ": "UTC"})

    return installed(name, build)


def _configuration(folder: Path, port: int) -> Path:
    path = folder / "trytond.conf"
    path.write_text(
        f"[database]\nuri = sqlite://\npath = {os.fspath(folder)}\n"
        f"[web]\nlisten = {LOOPBACK}:{port}\n[session]\nmax_age = 86400\n"
    )
    return path
