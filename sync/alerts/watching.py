"""The loop of alerts: look, write down what is to be told, send it. Part of the maintenance process."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Event

from sync.alerts import judging, sending
from sync.database import database_errors
from sync.logs import Logger
from sync.project import Project

EVERY = 10.0
"""Seconds between two looks."""
PATIENCE = 20.0
"""Seconds that a notice which is being sent may take when the process is to end."""

log = Logger(__name__)


def watch(project: Project, stop: Event, every: float = EVERY) -> None:
    """Until ``stop`` is set. Without a channel nothing is looked at."""
    if not judging.channels(project.settings.alerts):
        return
    while not stop.is_set():
        try:
            once(project)
        except database_errors() as error:
            log.warning("the database could not be reached", chore="alerts", kind=type(error).__name__)
        except Exception as error:
            log.error("a chore failed", chore="alerts", exc_info=error)
        stop.wait(every)


def once(project: Project, now: datetime | None = None) -> int:
    """Look and send once; answers how many notices were received."""
    moment = now or datetime.now(UTC)
    with project.database.transaction() as connection:
        judging.judge(connection, project.settings.alerts, moment)
        sending.forget(connection, moment.timestamp())
    return sending.send_due(project, project.database, moment.timestamp())
