"""Resolve what was just landed, while its records are still in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection

from sync.master.landing import Landed
from sync.runs import events
from sync.runs.failpoints import around
from sync.runs.session import Session
from sync.runs.states import Level

if TYPE_CHECKING:
    from sync.master.publishing import Resolved


def announce(session: Session, connection: Connection, landed: Landed) -> None:
    """Say in the transaction that lands that ``resolve`` follows its commit at once."""
    if landed.landing_id is None:
        return
    from sync.master import resolving

    resolving.announce(connection, landed.landing_id, session.workspace.matcher, landed.batch)


def resolve(session: Session, landed: Landed) -> None:
    """Turn a landing into customers, in a transaction of its own. If we die before, the sweeper finds the landing."""
    if landed.landing_id is None:
        return
    try:
        with around("resolve"):
            done = _resolved(session, landed, landed.landing_id)
    finally:
        session.database.let_go()
    if done.oversized_blocks:
        _tell_of_blocks(session, done.oversized_blocks)


def _resolved(session: Session, landed: Landed, landing_id: int) -> Resolved:
    from sync.master import resolving  # the matching of customers is loaded with the first change

    return resolving.resolve(
        session.database,
        [landing_id],
        matcher=session.workspace.matcher,
        survivorship=session.workspace.survivorship,
        batch=landed.batch,
        derived_by=landed.version,
    )


def _tell_of_blocks(session: Session, count: int) -> None:
    with session.database.transaction() as connection:
        events.add(
            connection,
            session.run.id,
            Level.INFO,
            "{count} blocking keys were shared by too many records; finer ones took over (`kehu match blocks`).",
            count=count,
        )
