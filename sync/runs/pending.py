"""Resolving what was landed and then left alone, because the worker died in between.

A landing that ends its process, or fails, three times is left alone and shown: it must not hold up its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, delete, select, update

from sync.database import Database, database_errors, upsert
from sync.logs import Logger
from sync.master.cause import caused_by
from sync.master.tables import landing
from sync.matching import due, switching
from sync.runs import clock, events, lease
from sync.runs.lease import Lease
from sync.runs.states import Level
from sync.runs.tables import landing_try, sync_run
from sync.runs.workspace import Workspace

TRIES = 3
TOGETHER = 20
GRACE = timedelta(seconds=10)
"""The worker that landed a page resolves it itself; only older landings are anybody's."""

LEASE = "resolve"

log = Logger(__name__)


def waiting(connection: Connection, limit: int = 1_000) -> list[tuple[int, int]]:
    """Landings that nobody seems to be at, oldest first, with how often they were tried; stuck ones left out."""
    tries = landing_try.c.tries
    rows = connection.execute(
        select(landing.c.id, tries)
        .outerjoin(landing_try, landing_try.c.landing_id == landing.c.id)
        .where(landing.c.landed_at < clock.now() - GRACE, tries.is_(None) | (tries < TRIES))
        .order_by(landing.c.id)
        .limit(limit)
    )
    return [(row[0], row[1] or 0) for row in rows]


def stuck(connection: Connection) -> list[int]:
    """Landings that were given up: they fail or end their process every time."""
    rows = connection.execute(
        select(landing.c.id)
        .join(landing_try, landing_try.c.landing_id == landing.c.id)
        .where(landing_try.c.tries >= TRIES)
    )
    return [row[0] for row in rows]


def retry_stuck(connection: Connection) -> int:
    """Give the stuck landings three more tries, e.g. after an update of the program. Answers how many."""
    return connection.execute(update(landing_try).where(landing_try.c.tries >= TRIES).values(tries=0)).rowcount


def resolve_pending(workspace: Workspace) -> int:
    """Resolve all that waits; answers how many landings. One worker at a time does this.

    First the match model is learnt if its policy says that it is time, and a switch of it is gone on with.
    """
    database = workspace.database
    _learn(workspace)
    if not switching.go_on(database):
        return 0
    with database.hot_transaction() as connection:
        held = lease.acquire(connection, LEASE)
    if held is None:
        return 0
    try:
        with lease.kept(database, held) as keeper:
            done = 0
            while batch := _next(database):
                keeper.alive()
                done += _resolve(workspace, batch)
                if switching.under_way(database) is not None:
                    break
            switching.finish(database)
            return done
    finally:
        _release(database, held)


def is_settled(workspace: Workspace) -> bool:
    """Whether no version of the match model has to be learnt by itself or is being switched to."""
    learns = workspace.settings.matching.recalibrate != due.NEVER and due.is_due(workspace.database)
    return not learns and switching.under_way(workspace.database) is None


def _learn(workspace: Workspace) -> None:
    policy = workspace.settings.matching.recalibrate
    if policy != due.NEVER and due.is_due(workspace.database):
        from sync.matching import calibration

        version = calibration.follow_policy(workspace.database, policy)
        if version is not None:
            log.info("a version of the match model was learnt", version=version.number, policy=policy)
            with workspace.database.transaction() as connection:
                _tell(connection, version.number, policy)


def _tell(connection: Connection, version: int, policy: str) -> None:
    """Note it at the run that ended the first load: from there on customers are put together in another way."""
    ended = select(sync_run.c.id).where(sync_run.c.finished_at.is_not(None))
    run_id = connection.execute(ended.order_by(sync_run.c.finished_at.desc()).limit(1)).scalar_one_or_none()
    if run_id is None:
        return
    if policy == due.FIRST_LOAD:
        events.add(
            connection,
            run_id,
            Level.INFO,
            "The first load is over: version {version} of the match model was learnt from its records and is put in "
            "force; all customers are put together anew.",
            version=version,
        )
    else:
        events.add(
            connection,
            run_id,
            Level.INFO,
            "The first load is over: version {version} of the match model was learnt from its records and is proposed.",
            version=version,
        )


def _next(database: Database) -> list[int]:
    """Some landings at once; one by one when something went wrong with them before."""
    with database.hot_reading() as connection:
        found = waiting(connection, TOGETHER)
    untried = [landing_id for landing_id, tries in found if tries == 0]
    return untried or [landing_id for landing_id, _ in found[:1]]


def _resolve(workspace: Workspace, landing_ids: Sequence[int]) -> int:
    from sync.master import resolving  # the matching of customers is loaded when something waits for it

    _note_tries(workspace.database, landing_ids)
    try:
        with caused_by("resume"):
            resolving.resolve(
                workspace.database,
                landing_ids,
                matcher=workspace.matcher,
                survivorship=workspace.survivorship,
            )
    except database_errors():
        _forget_tries(workspace.database, landing_ids)
        raise
    except Exception as error:
        log.error("landings could not be resolved", landings=list(landing_ids), exc_info=error)
        return 0
    _forget_tries(workspace.database, landing_ids)
    return len(landing_ids)


def _note_tries(database: Database, landing_ids: Sequence[int]) -> None:
    """Counted before the try, since a crash leaves no chance to count it afterwards."""
    with database.transaction() as connection:
        statement = upsert(connection, landing_try)
        statement = statement.on_conflict_do_update(
            index_elements=["landing_id"],
            set_={"tries": landing_try.c.tries + 1, "last_at": statement.excluded.last_at},
        )
        connection.execute(statement, [{"landing_id": one, "tries": 1, "last_at": clock.now()} for one in landing_ids])


def _forget_tries(database: Database, landing_ids: Sequence[int]) -> None:
    with database.transaction() as connection:
        connection.execute(delete(landing_try).where(landing_try.c.landing_id.in_(landing_ids)))


def _release(database: Database, held: Lease) -> None:
    try:
        with database.hot_transaction() as connection:
            lease.release(connection, held)
    except (lease.LeaseLost, *database_errors()):  # type: ignore[misc]
        log.info("the lease had run out already", lease=held.name)
