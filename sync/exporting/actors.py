"""The actor of exports: its message carries the export's number, the work is found in the database."""

from __future__ import annotations

from datetime import timedelta

import dramatiq
import structlog

from sync.database import database_errors
from sync.exporting import jobs, working
from sync.project import Project
from sync.runs import dispatch
from sync.runs.actors import StopAtShutdown
from sync.runs.dispatch import Doorbell

LEFTOVERS = timedelta(hours=1)
"""Files of no export that are older than this are deleted."""

log = structlog.get_logger(__name__)


def register(broker: dramatiq.Broker, project: Project) -> None:
    """Declare the actor on a broker."""
    shutdown = StopAtShutdown()
    broker.add_middleware(shutdown)

    def run_export(job_id: int) -> None:
        """Make the file of one export, unless somebody else does."""
        try:
            working.work(project.database, job_id, working.folder_of(project), _keep(project), stop=shutdown.stop)
        except database_errors() as error:
            log.warning("the database could not be reached", export=job_id, kind=type(error).__name__)

    dramatiq.Actor(
        run_export,
        broker=broker,
        actor_name=dispatch.RUN_EXPORT,
        queue_name=dispatch.QUEUE_OF[dispatch.RUN_EXPORT],
        priority=10,
        options={},
    )


def look_after(project: Project, bell: Doorbell) -> None:
    """A chore: ring for exports that nobody works on, delete files whose time is over."""
    folder = working.folder_of(project)
    with project.database.transaction() as connection:
        jobs.expire(connection, folder)
        jobs.tidy(connection, folder, LEFTOVERS)
        waiting = jobs.waiting(connection)
    for job_id in waiting:
        bell.export(job_id)


def _keep(project: Project) -> timedelta:
    return timedelta(seconds=project.settings.exports.keep)
