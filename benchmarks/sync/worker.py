"""Runs by a worker that keeps running, which is how scheduled and asked-for runs are done in production.

The worker is the one of ``kehu up`` with the Valkey that rings for it; what they and PostgreSQL use from the request of
a run until its end is counted, so neither start-up nor the search index, which the maintenance loop fills by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.sync.measure import Cost, peak_mb, server_cpu, tree_cpu
from sync.project import Project
from sync.runs import requests
from sync.runs.dispatch import Doorbell
from sync.runs.history import show
from sync.runs.states import RunMode, Status, Trigger

POLL = 0.02
PATIENCE = 600.0
_WORKER = [sys.executable, "-m", "dramatiq", "worker", "--processes", "1", "--threads", "2"]


class Worker:
    """A worker process of a project with one stream, and what it costs to let it sync."""

    def __init__(self, folder: Path, pid: int, valkey: int, postmaster: int | None) -> None:
        self._project = Project.load(folder)
        self._pid, self._valkey, self._postmaster = pid, valkey, postmaster
        with self._project.database.transaction() as connection:
            self._project.register(connection)
            self._stream = requests.find_stream(connection, "api", "customers").id

    def sync(self) -> Cost:
        """One incremental run, which must succeed: what the worker with its children, Valkey and the server used."""
        ours, server, began = self._own_cpu(), server_cpu(self._postmaster), time.monotonic()
        with self._project.database.transaction() as connection:
            run = requests.request_run(connection, self._stream, RunMode.INCREMENTAL, trigger=Trigger.MANUAL).run_id
        Doorbell.at(self._project.broker.url).run(run)
        self._await(run)
        wall = time.monotonic() - began
        return Cost(self._own_cpu() - ours, server_cpu(self._postmaster) - server, wall, peak_mb(self._pid))

    def close(self) -> None:
        """Let the database go."""
        self._project.close()

    def _await(self, run: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with self._project.database.reading() as connection:
                seen = show(connection, run)
            if seen.finished_at is not None:
                if seen.status is not Status.SUCCEEDED:
                    raise SystemExit(f"run {run} {seen.status}: {seen.error}")
                return
            time.sleep(POLL)
        raise SystemExit(f"run {run} did not end in {PATIENCE:.0f} s")

    def _own_cpu(self) -> float:
        return tree_cpu(self._pid) + tree_cpu(self._valkey)


@contextmanager
def worker(folder: Path, valkey: int, postmaster: int | None) -> Iterator[Worker]:
    """A running worker; ended with its children afterwards."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            _WORKER, env={**environment, "KEHU_PROJECT": str(folder)}, stdout=log, stderr=log, start_new_session=True
        )
        running = Worker(folder, process.pid, valkey, postmaster)
        try:
            yield running
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            running.close()
