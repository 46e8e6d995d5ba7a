"""``python -m benchmarks.sync [--records N] [--only NAME,…]``: the table in docs/performance.md.

Every scenario runs in processes of its own against the same API and a PostgreSQL of its own, with fsync on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.sync.measure import Cost, run, server_work
from benchmarks.sync.project import LAND_ONLY, WHOLE, write_project
from benchmarks.sync.worker import worker
from sync.database import Database
from sync.schema import metadata
from tests.processes import cache_folder, free_port
from tests.services import PostgresServer, postgres, valkey

REAL = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB", "autovacuum": "off"}
"""Vacuuming is done, and counted apart, after each load: by itself it would come once a minute, and whoever runs then
would pay for it.
"""
LOG_FILES = 60
LOG_FILE = "SELECT pg_logical_emit_message(false, 'benchmark', repeat('x', 16 * 1024 * 1024))"
"""Fills one of the files of PostgreSQL's log, which are used again after a checkpoint."""


@contextmanager
def api(records: int) -> Iterator[str]:
    """The API as a process of its own; its CPU is not counted."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.sync.api", str(port), str(records)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


class Bench:
    """Runs scenarios and prints one line each."""

    server: PostgresServer

    def __init__(self, records: int, address: str, folder: Path) -> None:
        self.records, self.address, self.folder = records, address, folder

    def report(self, name: str, cost: Cost, records: int | None = None) -> None:
        """One line of the table."""
        micro = cost.cpu / (records or self.records) * 1e6
        print(
            f"{name:<44} {cost.client:7.2f} {cost.server:7.2f} {cost.cpu:7.2f} s CPU  {micro:8.1f} µs/record "
            f"{cost.wall:7.1f} s wall {cost.peak_mb:6.0f} MB",
            flush=True,
        )

    def settle(self, url: str, postmaster: int) -> None:
        """What autovacuum does within the minute after a load, done at once."""
        self.report("  vacuum and analyse after it", server_work("VACUUM (ANALYZE)", url, postmaster))

    @contextmanager
    def database(self) -> Iterator[str]:
        """A database on a server of its own: what one scenario leaves behind costs no other. Its log files are made
        before, as those of a server that has run for a while are; making them costs a first load a fifth more.
        """
        with postgres(REAL) as self.server, self.server.database() as url:
            self.server.execute(*[LOG_FILE] * LOG_FILES, "CHECKPOINT")
            yield url

    def floor(self) -> None:
        """Plain requests and COPY."""
        with self.database() as url:
            command = [sys.executable, "-m", "benchmarks.sync.floor", self.address, url]
            self.report("floor", run(command, self.server.pid))

    def kehu(
        self, name: str, mapping: str, *, sqlite: bool = False, further: bool = False, model: str = "rules"
    ) -> None:
        """A first load, and optionally what follows it."""
        folder = self.folder / name.replace(" ", "-").replace(",", "")
        if sqlite:
            url = f"sqlite:///{folder}/kehu.db"
            folder.mkdir(parents=True)
            write_project(folder, self.address, url, mapping, model)
            self._kehu(name, url, folder, None, further)
        else:
            with self.database() as url:
                write_project(folder, self.address, url, mapping, model)
                self._kehu(name, url, folder, self.server.pid, further)

    def _kehu(self, name: str, url: str, folder: Path, postmaster: int | None, further: bool) -> None:
        _create(url)

        def sync(mode: str) -> Cost:
            return run([sys.executable, "-m", "benchmarks.sync.subject", str(folder), mode], postmaster)

        self.report(f"kehu: {name}", sync("incremental"))
        if not further:
            return
        if postmaster is not None:
            self.settle(url, postmaster)
        self.report(f"kehu: {name}, incremental, nothing changed", sync("incremental"))
        self.report(f"kehu: {name}, full read, nothing changed", sync("full"))
        self.change()
        self.report(f"kehu: {name}, incremental, 1 % changed", sync("incremental"))

    def workers(self) -> None:
        """On both databases."""
        with self.database() as url:
            self.by_worker("PostgreSQL", url, self.server.pid)
        self.by_worker("SQLite", "", None)

    def by_worker(self, name: str, url: str, postmaster: int | None) -> None:
        """The same runs by a worker that keeps running; of the later ones the median of five."""
        folder = self.folder / f"worker-{name}"
        folder.mkdir(parents=True)
        url = url or f"sqlite:///{folder}/kehu.db"
        _create(url)
        with valkey() as broker:
            write_project(folder, self.address, url, WHOLE, broker=broker.url())
            with worker(folder, broker.pid, postmaster) as running:
                self.report(f"a worker, {name}", running.sync())
                if postmaster is not None:
                    self.settle(url, postmaster)
                self.report(f"a worker, {name}, nothing changed", _median([running.sync() for _ in range(5)]))
                costs = []
                for _ in range(5):
                    self.change()
                    costs.append(running.sync())
                self.report(f"a worker, {name}, 1 % changed", _median(costs))

    def change(self) -> None:
        """Change one record in a hundred at the source."""
        requests.post(f"{self.address}/change?percent=1", timeout=60)

    def peer(self) -> None:
        """dlt, first load and incremental runs."""
        python = peer_python()
        with self.database() as url, tempfile.TemporaryDirectory() as folder:
            command = [python, "-m", "benchmarks.sync.peer", self.address, url, folder]
            self.report("dlt (merge, csv loader)", run(command, self.server.pid))
            self.settle(url, self.server.pid)
            self.report("dlt, incremental, nothing changed", run(command, self.server.pid))
            self.change()
            self.report("dlt, incremental, 1 % changed", run(command, self.server.pid))


def _create(url: str) -> None:
    database = Database(url)
    metadata.create_all(database.engine)
    database.dispose()


def _median(costs: Sequence[Cost]) -> Cost:
    """The one in the middle by CPU seconds."""
    return sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]


def peer_python() -> str:
    """A Python with dlt, installed once beside the test cache."""
    folder = cache_folder() / "dlt"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        packages = ["dlt[postgres]>=1.5,<2", "psycopg2-binary", "requests", "orjson"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
        (folder / "ready").touch()
    return str(python)


def _compile_once(folder: Path) -> None:
    """Let every process find its modules as bytecode, as installed ones do, and leave none in the checkout."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    modules = "sync.oneshot, sync.registration, connectors.rest, mappings.compile, mappings.matching.rules"
    subprocess.run(
        [sys.executable, "-c", f"import {modules}, benchmarks.sync.floor, benchmarks.sync.subject"], check=True
    )


def main() -> None:
    """The whole table, or the scenarios named by ``--only``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--only", default="floor,peer,land,postgres,sqlite,worker")
    chosen = parser.parse_args()
    with api(chosen.records) as address, tempfile.TemporaryDirectory() as folder:
        _compile_once(Path(folder))
        bench = Bench(chosen.records, address, Path(folder))
        scenarios: dict[str, Callable[[], None]] = {
            "floor": bench.floor,
            "peer": bench.peer,
            "land": lambda: bench.kehu("land only", LAND_ONLY),
            "postgres": lambda: bench.kehu("PostgreSQL", WHOLE, further=True),
            "sqlite": lambda: bench.kehu("SQLite", WHOLE, sqlite=True, further=True),
            "worker": bench.workers,
            "probability": lambda: bench.kehu("by probability", WHOLE, further=True, model="probability"),
        }
        print(f"{'':<44}  client  server   total")
        for name in chosen.only.split(","):
            scenarios[name]()


if __name__ == "__main__":
    main()
