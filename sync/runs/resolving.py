"""Resolve what was just landed, while its records are still in memory."""

from __future__ import annotations

from sync.master.landing import Landed
from sync.runs.failpoints import around
from sync.runs.session import Session


def resolve(session: Session, landed: Landed) -> None:
    """Turn a landing into customers, in a transaction of its own. If we die before, the sweeper finds the landing."""
    if landed.landing_id is None:
        return
    from sync.master import resolving  # the matching of customers is loaded with the first change

    with around("resolve"):
        resolving.resolve(
            session.database,
            [landed.landing_id],
            matcher=session.workspace.matcher,
            survivorship=session.workspace.survivorship,
            batch=landed.batch,
            derived_by=landed.version,
        )
