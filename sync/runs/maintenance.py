"""The maintenance loop: schedules, the sweeper, and the recovery of dead workers' messages.

Any number of these may run; each due time fires once, each run is rung for by one of them. Started by ``kehu up``, or
by itself: ``KEHU_PROJECT=folder python -m sync.runs.maintenance``.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import structlog

from sync.database import Database, database_errors
from sync.feed import compaction
from sync.master import tally
from sync.master.search import index
from sync.runs import retention, schedules, sweeper
from sync.runs.dispatch import Doorbell
from sync.runs.recovery import Recovery
from sync.runs.states import Trigger

if TYPE_CHECKING:
    from sync.project import Project

TICK = 0.25
SWEEP_EVERY = 2.0
RECOVER_EVERY = 2.0
FORGET_EVERY = 600.0
SEARCH_EVERY = 1.0
EXPORTS_EVERY = 30.0
TALLY_EVERY = 10.0
INDEXED_AT_ONCE = 20_000
"""Changes that the search index takes in before the other chores have their turn."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Chore:
    """Something done every so often; a fault of it stops nothing else."""

    name: str
    every: float
    work: Callable[[], Any]
    next_at: float = 0.0

    def do_if_due(self) -> None:
        """Do it if its time has come."""
        now = time.monotonic()
        if now < self.next_at:
            return
        self.next_at = now + self.every
        try:
            self.work()
        except database_errors() as error:
            log.warning("the database could not be reached", chore=self.name, kind=type(error).__name__)
        except Exception as error:
            log.error("a chore failed", chore=self.name, exc_info=error)


def maintain(database: Database, broker_url: str, stop: Event, also: Iterable[Chore] = ()) -> None:
    """Keep everything going until ``stop`` is set. ``also``: further chores."""
    bell, recovery = Doorbell.at(broker_url), Recovery(broker_url)

    def fire() -> None:
        for run_id in schedules.fire_due(database):
            bell.run(run_id, Trigger.SCHEDULE)

    chores = [
        Chore("schedules", TICK, fire),
        Chore("sweeper", SWEEP_EVERY, lambda: sweeper.sweep(database, bell)),
        Chore("recovery", RECOVER_EVERY, recovery.pulse),
        Chore("search", SEARCH_EVERY, lambda: index.catch_up(database, INDEXED_AT_ONCE)),
        Chore("tally", TALLY_EVERY, lambda: tally.compact(database)),
        Chore("retention", FORGET_EVERY, lambda: retention.forget(database)),
        *also,
    ]
    while not stop.is_set():
        for chore in chores:
            chore.do_if_due()
        stop.wait(TICK)


def _of(project: Project) -> Iterator[Chore]:
    """Chores that need more of the project than its database."""
    from sync.exporting.actors import look_after
    from sync.privacy import erasing

    bell = Doorbell.at(project.broker.url)
    yield Chore("exports", EXPORTS_EVERY, lambda: look_after(project, bell))
    yield Chore("erasures", FORGET_EVERY, lambda: erasing.finish(project))
    keep = timedelta(seconds=project.settings.changes.keep)
    yield Chore("changes", FORGET_EVERY, lambda: compaction.compact(project.database, keep))


@contextmanager
def _beside(project: Project, stop: Event) -> Iterator[None]:
    """Alerts, webhooks and learning have threads of their own: a server that hangs holds up no schedule."""
    from sync.alerts import watching
    from sync.delivery.courier import Post
    from sync.delivery.office import Office
    from sync.matching import drift

    office = Office(Post(project.database, project.vault, project.settings.webhooks.allow_private))
    threads = (
        Thread(target=watching.watch, args=(project, stop), name="alerts", daemon=True),
        Thread(target=office.run, args=(stop,), name="webhooks", daemon=True),
        Thread(target=drift.watch, args=(project, stop), name="match model", daemon=True),
    )
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(watching.PATIENCE)


def main() -> None:
    """Run for the project named by ``KEHU_PROJECT`` until SIGTERM or SIGINT."""
    from sync import telemetry, tracing
    from sync.project import Project

    telemetry.configure()
    tracing.configure("kehu-maintenance")
    project = Project.load(os.environ.get("KEHU_PROJECT", "."))
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with _beside(project, stop):
            maintain(project.database, project.broker.url, stop, _of(project))
    finally:
        project.close()


if __name__ == "__main__":
    main()
