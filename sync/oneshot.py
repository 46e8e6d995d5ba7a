"""Running syncs from the command line: by the workers when they answer, else in this very process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import NamedTuple

from sync import collector
from sync.errors import Misused
from sync.project import Project
from sync.runs import claim, events, history, pauses, pending, requests, run
from sync.runs.events import Event
from sync.runs.history import RunView
from sync.runs.states import RunMode, Status

CLAIM_PATIENCE = 3.0
"""Seconds in which a worker must take a run; after that this process works on it itself."""
POLL = 0.2
WATCH = 0.5
"""Seconds between two looks at runs that this process works on; their end is noticed at once."""
MOST_THREADS = 4

Progress = Callable[[Sequence[RunView]], None]


class Target(NamedTuple):
    """A stream by its names."""

    connection: str
    stream: str


def targets(project: Project, names: Sequence[str]) -> list[Target]:
    """The streams that ``CONNECTION`` or ``CONNECTION.STREAM`` words mean; all streams for no words.

    Raises NotFound for an unknown connection, Misused for an unknown stream.
    """
    found: dict[Target, None] = {}
    for name in names or list(project.settings.connections):
        connection, stream = split(project, name)
        streams = project.streams(connection)
        if stream and stream not in streams:
            raise Misused(
                "The connection {connection} has no stream {stream}. Configured: {names}.",
                remedy="Write it under connections.{connection}.streams in kehu.yaml; "
                "`kehu connection discover {connection}` lists what there is.",
                connection=connection,
                stream=stream,
                names=", ".join(streams) or "-",
            )
        switched_off = bool(project.connection(connection).streams)
        if not streams and not switched_off and (names or len(project.settings.connections) == 1):
            raise _without_streams(connection)
        found |= dict.fromkeys(Target(connection, one) for one in ([stream] if stream else streams))
    return list(found)


def split_paused(project: Project, wanted: Sequence[Target]) -> tuple[list[Target], list[Target]]:
    """The targets that may run, and those that somebody has paused."""
    with project.database.hot_reading() as connection:
        paused = pauses.on_purpose(connection)
    return [one for one in wanted if one not in paused], [one for one in wanted if one in paused]


def _without_streams(connection: str) -> Misused:
    return Misused(
        "The connection {connection} has no stream to sync: none is written down, and its connector knows none.",
        remedy="`kehu connection discover {connection}` lists what there is; write what you want under "
        "connections.{connection}.streams in kehu.yaml, with a mapping.",
        connection=connection,
    )


def split(project: Project, name: str) -> tuple[str, str]:
    """``CONNECTION`` or ``CONNECTION.STREAM`` as both names; the second empty if none is given. Raises NotFound."""
    if name in project.settings.connections:  # names may hold dots
        return name, ""
    for connection in sorted(project.settings.connections, key=len, reverse=True):
        if name.startswith(f"{connection}."):
            return connection, name[len(connection) + 1 :]
    connection, _, stream = name.partition(".")
    project.connection(connection)  # raises NotFound
    return connection, stream


def request(
    project: Project,
    wanted: Sequence[Target],
    mode: RunMode = RunMode.INCREMENTAL,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    accept_deletes: bool = False,
) -> list[int]:
    """Queue a run for each stream; answers their ids. Raises what ``sync.runs.requests.request_run`` raises."""
    with project.database.hot_transaction() as connection:
        streams = [requests.find_stream(connection, *target) for target in wanted]
        made = [
            requests.request_run(connection, stream.id, mode, since=since, until=until, accept_deletes=accept_deletes)
            for stream in streams
        ]
    return [one.run_id for one in made]


def ring(project: Project, run_ids: Sequence[int]) -> bool:
    """Ask the workers; false if no broker answers."""
    if not project.broker.answers():
        return False
    from sync.runs.dispatch import Doorbell  # loads the broker's client

    bell = Doorbell.at(project.broker.url)
    return all([bell.run(run_id) for run_id in run_ids])


def look(project: Project, run_ids: Sequence[int]) -> list[RunView]:
    """How the runs stand now."""
    with project.database.hot_reading() as connection:
        return [history.show(connection, run_id) for run_id in run_ids]


def remarks(project: Project, run_id: int) -> list[Event]:
    """What a run had to tell."""
    with project.database.reading() as connection:
        return events.of_run(connection, run_id)


def finish(project: Project, run_ids: Sequence[int], progress: Progress) -> list[RunView]:
    """Wait until all have ended, working on them here where no worker does. ``progress`` is told about twice a second.

    A KeyboardInterrupt stops our own work at the end of the page in hand; the runs stay open and go on later.
    """
    if ring(project, run_ids):
        _wait_for_claims(project, run_ids, progress)
    collector.settle()
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=MOST_THREADS) as pool:
        try:
            working = [pool.submit(_work, project, run_id, stop) for run_id in run_ids]
            for views in _until_ended(project, run_ids, working):
                progress(views)
        except BaseException:
            stop.set()
            raise
    pending.resolve_pending(project)
    return look(project, run_ids)


def settled(project: Project) -> bool:
    """Whether the customers are what they will be: a worker may just learn from a first load how to match them."""
    return pending.is_settled(project)


def settle(project: Project, seconds: float, tick: Callable[[], None]) -> bool:
    """Wait until they are, at most so long, and help where no worker does; ``tick`` is called again and again."""
    deadline = time.monotonic() + seconds
    while not settled(project):
        if time.monotonic() > deadline:
            return False
        tick()
        pending.resolve_pending(project)
        time.sleep(POLL)
    return True


def _work(project: Project, run_id: int, stop: threading.Event) -> None:
    """Work on a run whenever it is free and due, until it ends."""
    while not stop.is_set():
        run.execute(project, run_id, stop=stop)
        view = look(project, [run_id])[0]
        if not view.open or _stands_still(project, view):
            return
        stop.wait(_pause(view))


def _stands_still(project: Project, view: RunView) -> bool:
    """Whether nobody may begin the run, because a fault of a neighbour has paused its connection meanwhile."""
    if view.status is not Status.QUEUED:
        return False
    with project.database.hot_reading() as connection:
        return claim.is_paused(connection, view.stream_id)


def _pause(view: RunView) -> float:
    if view.status is Status.WAITING and view.waiting_until is not None:
        return min(max((view.waiting_until - datetime.now(UTC)).total_seconds(), POLL), 5.0)
    return 1.0


def _wait_for_claims(project: Project, run_ids: Sequence[int], progress: Progress) -> None:
    deadline = time.monotonic() + CLAIM_PATIENCE
    while time.monotonic() < deadline:
        views = look(project, run_ids)
        progress(views)
        if all(view.status is not Status.QUEUED for view in views):
            return
        time.sleep(POLL)


def _until_ended(project: Project, run_ids: Sequence[int], working: Sequence[Future[None]]) -> Iterator[list[RunView]]:
    """Looks after a moment first: a short run has ended by then, and nobody else needs a connection meanwhile."""
    while True:
        done = not wait(working, WATCH).not_done
        views = look(project, run_ids)
        yield views
        if done or not any(view.open for view in views):
            return
