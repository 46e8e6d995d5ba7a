"""A worker's part: make the file of an export that was asked for."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from threading import Event

from sync import telemetry
from sync.database import Database
from sync.errors import SyncError
from sync.exporting import jobs, making
from sync.exporting.jobs import JobView
from sync.exporting.making import Exported
from sync.logs import Logger
from sync.project import Project
from sync.runs import lease
from sync.runs.lease import Keeper, Lease, LeaseLost
from sync.runs.wording import failure

PROGRESS_EVERY = 1.0
"""Seconds between two notes of how far it is."""

log = Logger(__name__)


def folder_of(project: Project) -> Path:
    """Where the files of exports stand; every worker and every web process must reach it."""
    given = project.settings.exports.folder
    return project.state_folder / "exports" if given is None else project.folder / Path(given).expanduser()


class Stopped(SyncError):
    """The worker shuts down: another one begins anew."""

    code = "stopping"


def work(
    database: Database, job_id: int, folder: Path, keep: timedelta, *, stop: Event | None = None, expiry: float = 30.0
) -> JobView | None:
    """Make the file; answers how the export stands then, None if there was nothing to do.

    Safe to call any number of times from any number of processes: one of them works.
    """
    with database.transaction() as connection:
        held = lease.acquire(connection, jobs.lease_of(job_id), expiry=expiry)
        job = None if held is None else jobs.begin(connection, job_id)
    if held is None or job is None:
        return None
    with telemetry.bound(export=job_id), lease.kept(database, held, every=expiry / 6) as keeper:
        try:
            _make(database, job, folder, keep, held, _Pulse(database, job, keeper, stop or Event()))
        except LeaseLost:
            log.info("another worker goes on with an export")
        except Stopped:
            _give_back(database, job, held)
        except Exception as error:
            _failed(database, job, held, error)
    with database.reading() as connection:
        return jobs.get(connection, job_id)


def _make(database: Database, job: JobView, folder: Path, keep: timedelta, held: Lease, pulse: _Pulse) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = f"export-{job.id}-{held.fence}.{job.request.format.value}"
    made: Exported = making.make(database, job.request, folder / file, replace=True, told=pulse)
    try:
        with database.transaction() as connection:
            jobs.finish(connection, job, made, file, keep)
            jobs.forget_lease(connection, held)
    except BaseException:
        (folder / file).unlink(missing_ok=True)
        raise


def _give_back(database: Database, job: JobView, held: Lease) -> None:
    log.info("an export was given back")
    with database.transaction() as connection:
        jobs.give_back(connection, job.id)
        jobs.forget_lease(connection, held)


def _failed(database: Database, job: JobView, held: Lease, error: Exception) -> None:
    why = failure(error)
    log.error("an export failed", code=why.code, reason=str(why.message))
    with database.transaction() as connection:
        jobs.fail(connection, job.id, why)
        jobs.forget_lease(connection, held)


class _Pulse:
    """Called after each page: signs of life, progress, and whether to go on."""

    def __init__(self, database: Database, job: JobView, keeper: Keeper, stop: Event) -> None:
        self._database, self._job, self._keeper, self._stop = database, job, keeper, stop
        self._next = 0.0

    def __call__(self, records: int, expected: int | None) -> None:
        self._keeper.alive()
        if self._stop.is_set():
            raise Stopped("The worker shuts down.")
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_EVERY
            with self._database.transaction() as connection:
                jobs.progress(connection, self._job.id, records, expected)
