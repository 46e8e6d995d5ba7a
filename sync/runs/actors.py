"""The actors of the worker: messages carry ids, the work is found in the database.

Every actor may be called any number of times, at any time, in any order: a run that is not due, has ended or is held
by another worker is left alone. Nothing is retried by the broker; the sweeper rings again for what is left.
"""

from __future__ import annotations

from threading import Event

import dramatiq
import structlog
from dramatiq.middleware import Middleware

from sync import telemetry, tracing
from sync.database import database_errors
from sync.matching import due
from sync.runs import dispatch, pending, run, sweeper
from sync.runs.dispatch import BULK, INTERACTIVE, Doorbell
from sync.runs.states import ENDED
from sync.runs.workspace import Pace, Workspace

log = structlog.get_logger(__name__)


class StopAtShutdown(Middleware):
    """Tells running work to stop at its next page edge when the worker shuts down."""

    def __init__(self) -> None:
        self.stop = Event()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """The worker was asked to end."""
        self.stop.set()


class FitToThreads(Middleware):
    """A worker takes no more than it has threads for, and keeps one thread free of bulk work.

    dramatiq by itself takes twice as much: long runs would then wait behind one another beside idle workers, and what
    a human waits for behind them all.
    """

    WAKE_MS = 200
    """A worker looks for messages this often; dramatiq's second would be seen by whoever clicks."""

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """The worker is about to start its threads."""
        worker.queue_prefetch = worker.worker_threads
        worker.worker_timeout = min(worker.worker_timeout, self.WAKE_MS)
        if isinstance(broker, dispatch.Broker):
            broker.bulk_at_once = max(1, worker.worker_threads - 1)


def register(broker: dramatiq.Broker, workspace: Workspace, *, pace: Pace | None = None) -> None:
    """Declare all actors on a broker, working in this workspace."""
    shutdown = StopAtShutdown()
    broker.add_middleware(shutdown)
    broker.add_middleware(FitToThreads())
    bell = Doorbell(broker)

    def run_sync(run_id: int) -> None:
        """Work on one run until it ends, waits or the worker shuts down."""
        try:
            with telemetry.bound(run_id=run_id), tracing.span("run", {"kehu.run": run_id}) as span:
                status = run.execute(workspace, run_id, stop=shutdown.stop, pace=pace)
                span.note({"kehu.status": "none" if status is None else status.value})
        except database_errors() as error:
            log.warning("the database could not be reached", run=run_id, kind=type(error).__name__)
            return
        if status is not None:
            _ring_for_next(workspace, bell, run_id)
        if status in ENDED:
            _ring_for_learning(workspace, bell)

    def resolve_pending() -> None:
        """Resolve what was landed and then left alone."""
        try:
            pending.resolve_pending(workspace)
        except database_errors() as error:
            log.warning("the database could not be reached", kind=type(error).__name__)

    def declare(name: str, queue: str, priority: int, work: object) -> None:
        dramatiq.Actor(work, broker=broker, actor_name=name, queue_name=queue, priority=priority, options={})  # type: ignore[arg-type]

    declare(dispatch.RUN_SYNC_NOW, INTERACTIVE, 0, run_sync)
    declare(dispatch.RESOLVE_PENDING, INTERACTIVE, 5, resolve_pending)
    declare(dispatch.RUN_SYNC, BULK, 10, run_sync)


def _ring_for_learning(workspace: Workspace, bell: Doorbell) -> None:
    """The run may have been the last of the first load, after which the match model is learnt."""
    try:
        wanted = workspace.settings.matching.recalibrate != due.NEVER and due.is_due(workspace.database)
    except database_errors():
        return
    if wanted:
        bell.pending()


def _ring_for_next(workspace: Workspace, bell: Doorbell, run_id: int) -> None:
    """Another run may stand in line behind this one: no need to wait for the sweeper."""
    try:
        following = sweeper.next_in_line(workspace.database, run_id)
    except database_errors():
        return
    if following is not None:
        bell.run(following.run_id, following.trigger)
