"""How long a dead worker's work stands still: ``python -m benchmarks.recovery [--kills N]``.

Real workers, the maintenance loop, PostgreSQL and Valkey, with the leases of production. A worker is SIGKILLed with all
its children at a random moment of a full read, and started again at once, as a supervisor does; the clock stops when
the run has stored another page.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from sync.project import Project
from sync.runs import requests
from sync.runs.dispatch import Doorbell
from sync.runs.history import show
from sync.runs.states import RunMode, Status, Trigger
from tests.promises.company import build
from tests.promises.plant import Plant, plant
from tests.services import postgres, valkey

SCALE, PATIENCE = 600, 180.0
"""So many times sixty customers make a read that lasts long enough to be interrupted."""


def ask(project: Project, broker: str) -> int:
    """Ask the workers for a full read."""
    with project.database.transaction() as connection:
        stream = requests.find_stream(connection, "erp", "customers").id
        run = requests.request_run(connection, stream, mode=RunMode.FULL, trigger=Trigger.MANUAL).run_id
    Doorbell.at(broker).run(run)
    return run


def asked_again(project: Project, broker: str, run: int) -> int:
    """Ask for the next read once one has ended well."""
    with project.database.reading() as connection:
        seen = show(connection, run)
    if seen.status is not Status.SUCCEEDED:
        raise SystemExit(f"run {run} {seen.status}: {seen.error}")
    return ask(project, broker)


def progress(project: Project, run: int) -> tuple[int, bool]:
    """Pages stored so far, and whether the run has ended."""
    with project.database.reading() as connection:
        seen = show(connection, run)
    return seen.pages, seen.finished_at is not None


def advance(project: Project, run: int, pages: int) -> None:
    """Wait until the run has stored more than so many pages, or has ended."""
    began = time.monotonic()
    while True:
        now, ended = progress(project, run)
        if now > pages or ended:
            return
        if time.monotonic() - began > PATIENCE:
            raise SystemExit(f"run {run} stood still for {PATIENCE:.0f} s")
        time.sleep(0.05)


def measure(project: Project, broker: str, running: Plant, kills: int) -> list[float]:
    """Seconds of standstill after each kill."""
    rng, stood = random.Random(1), []
    run = ask(project, broker)
    while len(stood) < kills:
        pages, ended = progress(project, run)
        if ended:
            run = asked_again(project, broker, run)
            continue
        advance(project, run, pages)
        time.sleep(rng.uniform(0, 1))
        pages, ended = progress(project, run)
        if ended:
            continue
        running.kill_a_worker()
        died = time.monotonic()
        running.tend()
        advance(project, run, pages + 1)  # one page may have been on its way into the database
        stood.append(time.monotonic() - died)
        print(f"kill {len(stood)}: {stood[-1]:.1f} s", flush=True)
    return stood


def main() -> None:
    """Measure and print the distribution."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    kills = parser.parse_args().kills
    with postgres() as server, server.database() as url, valkey() as broker, tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "project"
        build(folder, url, broker.url(), scale=SCALE)
        project = Project.load(folder)
        with project.database.transaction() as connection:
            project.register(connection)
        with plant(folder) as running:
            stood = sorted(measure(project, broker.url(), running, kills))
    p99 = stood[min(int(len(stood) * 0.99), len(stood) - 1)]
    print(f"a dead worker's work stood still, {kills} kills: p50 {statistics.median(stood):.1f} s, p99 {p99:.1f} s")


if __name__ == "__main__":
    main()
