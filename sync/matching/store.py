"""Versions of the match model in the database: proposing, reading, listing. Switching is ``sync.matching.switching``.

A version holds everything that was learnt from data: parameters in Splink's JSON, term frequencies, shared contacts,
crowded blocks. It never changes; what is learnt anew is a version of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, func, insert, select, text, update

from mappings.contract import Matcher
from mappings.fingerprint import DERIVATION
from mappings.matching.blocking import block_cap
from mappings.matching.cautious import ACCEPT_FROM, REVIEW_FROM, cautious_model
from mappings.matching.model import Kind, MatchModel
from mappings.matching.rules import RuleMatcher
from sync.errors import NotFound
from sync.master.inforce import DEFAULT_CAP
from sync.master.tables import match_model, match_state
from sync.matching.due import in_force
from sync.matching.packed import KINDS, PROBABILITY, RULES, compiled, models_of, packed, probabilistic

PROPOSED, ACTIVE, RETIRED = "proposed", "active", "retired"
PROGRAM = "kehu"
UNLEARNT_CAP = 10
"""The cap on blocks of a version that was not learnt from data: nobody knows how many records will come."""
_LOCK = 0x6B766572  # an advisory lock of our own: versions are numbered one after the other
_LISTED = [column for column in match_model.c if column.name != "contents"]


class ModelVersion(NamedTuple):
    """A version as it is listed. ``statistics`` says what it was learnt from."""

    number: int
    family: str
    fingerprint: str
    block_cap: int
    origin: str
    note: str
    statistics: Mapping[str, Any]
    state: str
    made_by: str
    made_at: datetime


def propose(
    connection: Connection,
    models: Mapping[Kind, MatchModel],
    *,
    origin: str,
    note: str,
    by: str = PROGRAM,
    statistics: Mapping[str, Any] | None = None,
    accept_from: float = ACCEPT_FROM,
    review_from: float = REVIEW_FROM,
    cap: int | None = None,
) -> ModelVersion:
    """Store models as a new version that nothing uses yet; kinds that are left out get the shipped model.

    ``statistics["records"]`` says how large the customer base was that they were learnt from. Models equal to a stored
    version's are that version. Customers merge from a mean weight of ``accept_from`` on, and pairs of at least
    ``review_from`` are for stewards. ``cap``: a block of more records is refined; by default as the customer base's
    size asks for.
    """
    whole = {kind: models.get(kind) or cautious_model(kind) for kind in KINDS}
    fingerprint = probabilistic(whole, accept_from, review_from).version
    learnt_from = int((statistics or {}).get("records", 0))
    return _add(
        connection,
        family=PROBABILITY,
        fingerprint=fingerprint,
        contents=packed(whole, accept_from, review_from),
        block_cap=cap or (block_cap(learnt_from) if learnt_from else UNLEARNT_CAP),
        origin=origin,
        note=note,
        statistics=orjson.dumps(statistics or {}).decode(),
        made_by=by,
    )


def ensure(connection: Connection, family: str) -> ModelVersion:
    """The version of a family that is shipped; stored on first use, and in force if nothing else is."""
    found = _shipped(connection, family)
    if not in_force(connection):
        connection.execute(insert(match_state).values(id=1, active=found.number, derivation=DERIVATION))
        set_state(connection, found.number, ACTIVE)
        found = get(connection, found.number)
    return found


def active(connection: Connection) -> ModelVersion:
    """The version in force. Raises NotFound before the project's first registration."""
    number = connection.execute(select(match_state.c.active)).scalar_one_or_none()
    if number is None:
        raise NotFound("No match model is in force yet.", remedy="Run `kehu sync run` once.")
    return get(connection, number)


def get(connection: Connection, number: int) -> ModelVersion:
    """One version. Raises NotFound."""
    row = connection.execute(select(*_LISTED).where(match_model.c.id == number)).one_or_none()
    if row is None:
        raise NotFound(
            "There is no version {number} of the match model.",
            number=number,
            remedy="`kehu match versions` lists them.",
        )
    return _version(row)


def versions(connection: Connection) -> list[ModelVersion]:
    """All versions, newest first."""
    return [_version(row) for row in connection.execute(select(*_LISTED).order_by(match_model.c.id.desc()))]


def load(connection: Connection, number: int) -> dict[Kind, MatchModel]:
    """The models of a version by kind. Raises NotFound, also for the rules, which have none."""
    contents = connection.execute(select(match_model.c.contents).where(match_model.c.id == number)).scalar_one_or_none()
    if contents is None:
        found = get(connection, number)
        raise NotFound(
            "Version {number} is the {family}, which have no parameters.",
            number=number,
            family=found.family,
            remedy="Name a version of the family probability; `kehu match versions` lists them.",
        )
    return models_of(contents)


def matcher_of(connection: Connection, number: int) -> Matcher:
    """The matcher of a version. Raises NotFound."""
    found = get(connection, number)
    contents = connection.execute(select(match_model.c.contents).where(match_model.c.id == number)).scalar_one()
    return compiled(found.family, contents)


def set_state(connection: Connection, number: int, state: str) -> None:
    """Say whether a version is proposed, active or retired."""
    connection.execute(update(match_model).where(match_model.c.id == number).values(state=state))


def annotate(connection: Connection, number: int, statistics: dict[str, Any]) -> None:
    """Say more of what a version was learnt from and would change; what decides stays as it is."""
    values = {"statistics": orjson.dumps(statistics).decode()}
    connection.execute(update(match_model).where(match_model.c.id == number).values(values))


def _shipped(connection: Connection, family: str) -> ModelVersion:
    if family == PROBABILITY:
        return propose(connection, {}, origin="default", note="")
    return _add(
        connection,
        family=RULES,
        fingerprint=RuleMatcher.version,
        contents=None,
        block_cap=DEFAULT_CAP,
        origin=RULES,
        note="",
        statistics="{}",
        made_by=PROGRAM,
    )


def _add(connection: Connection, **values: Any) -> ModelVersion:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    same = select(*_LISTED).where(match_model.c.fingerprint == values["fingerprint"])
    known = connection.execute(same.where(match_model.c.block_cap == values["block_cap"])).first()
    if known is not None:
        return _version(known)
    number = (connection.execute(select(func.max(match_model.c.id))).scalar_one() or 0) + 1
    row = {"id": number, "state": PROPOSED, "made_at": datetime.now(UTC), **values}
    connection.execute(insert(match_model).values(row))
    return get(connection, number)


def _version(row: Any) -> ModelVersion:
    return ModelVersion(
        row.id,
        row.family,
        row.fingerprint,
        row.block_cap,
        row.origin,
        row.note,
        orjson.loads(row.statistics),
        row.state,
        row.made_by,
        row.made_at,
    )
