"""The processes that production runs: dramatiq workers and the maintenance loop of a project, and ways to hurt them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from sync.project import Project
from sync.runs.tables import sync_run
from tests.master_kit import consistent
from tests.promises.company import STAGES, build, evolve, settle, sync_all

ROOT = Path(__file__).parents[2]
WORKER = [sys.executable, "-m", "dramatiq", "worker", "--processes", "1", "--threads", "2", "--path", str(ROOT)]
MAINTENANCE = [sys.executable, "-m", "sync.runs.maintenance"]


class Plant:
    """Workers and one maintenance loop for a project folder; a worker that ends is started again at once."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self._commands: list[Sequence[str]] = [MAINTENANCE, *[WORKER] * workers]
        self._processes: list[subprocess.Popen[bytes]] = []
        self.restarts = 0

    def start(self) -> None:
        """Start everything."""
        self._processes = [self._spawn(command) for command in self._commands]

    def tend(self) -> None:
        """Start again what has ended, as a supervisor does."""
        for place, process in enumerate(self._processes):
            if process.poll() is not None:
                self._processes[place] = self._spawn(self._commands[place])
                self.restarts += 1

    def kill_a_worker(self, place: int = 0) -> None:
        """SIGKILL a worker with all its children."""
        self._kill(self._processes[1 + place])

    def stop(self) -> None:
        """Kill all that is left."""
        for process in self._processes:
            self._kill(process)

    def log(self) -> str:
        """What the processes said."""
        return (self.folder / "plant.log").read_text(errors="replace")

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "plant.log").open("ab") as log:
            environment = {**os.environ, "KEHU_PROJECT": str(self.folder), "PYTHONPATH": str(ROOT)}
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def plant(folder: Path, workers: int = 1) -> Iterator[Plant]:
    """A running plant, killed at the end."""
    made = Plant(folder, workers)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def wait_for_runs(project: Project, running: Plant, seconds: float, hurt: Any = None) -> float:
    """Wait until all runs have ended, hurting something about once a second; answers how long it took."""
    began = time.monotonic()
    while not _ended(project):
        assert time.monotonic() - began < seconds, running.log()[-4000:]
        running.tend()
        if hurt is not None:
            hurt()
        time.sleep(0.25)
    return time.monotonic() - began


def _ended(project: Project) -> bool:
    try:
        with project.database.reading() as connection:
            return not connection.execute(select(sync_run.c.id).where(sync_run.c.finished_at.is_(None))).first()
    except DBAPIError:
        return False


def statuses(project: Project) -> list[str]:
    """How the runs ended."""
    with project.database.reading() as connection:
        return list(connection.execute(select(sync_run.c.status)).scalars())


def quiet_master(folder: Path, scale: int) -> dict[str, Any]:
    """What the master must be: the same company synced in peace."""
    build(folder, f"sqlite:///{folder}/kehu.db", scale=scale)
    for stage in range(STAGES):
        evolve(folder, stage, scale)
        sync_all(folder)
    return content_of(folder)


def content_of(folder: Path) -> dict[str, Any]:
    """The settled master of a project."""
    project = Project.load(folder)
    try:
        settle(project)
        return consistent(project.database)
    finally:
        project.database.dispose()
