"""Small parts for tests of stewardship: acts in short, and a rebuild of the master from what is landed and decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import select, text

from mappings.contract import Mapped
from sync.database import Database
from sync.master import resolving
from sync.master.tables import source_record
from sync.project import Project
from sync.stewardship import acts
from sync.stewardship import services as stewardship
from sync.stewardship.services import Engine, Outcome, Steward
from tests.master_kit import MATCHER, RULES, PlainMapping, dump

MIA = Steward("Mia", "I know them")
ENGINE = Engine(MATCHER, RULES)


class WideMapping(PlainMapping):
    """As ``PlainMapping``, with every other field of the raw record and its kind as they are."""

    fingerprint = "wide-1"

    def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
        mapped = super().__call__(record)
        return [Mapped(one.part, {**one.customer, **dict(record)}) if one.part == "" else one for one in mapped]


def do(database: Database, work: Any, *arguments: Any, by: Steward = MIA, **options: Any) -> Outcome:
    """Carry one act out."""
    return stewardship.carry_out(database, _call(work, by, arguments, options), ENGINE)


def rehearse(database: Database, work: Any, *arguments: Any, **options: Any) -> Outcome:
    """Try one act."""
    return stewardship.rehearse(database, _call(work, MIA, arguments, options), ENGINE)


def _call(work: Any, by: Steward, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    if work is stewardship.unmerge:
        options = {**options, "settle": ENGINE.settle}
    return lambda connection: work(connection, by, *arguments, **options)


@contextmanager
def merged(project: Project, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Two customers are one for a while: the id that it bears, and the one that leads to it."""
    engine = stewardship.Engine(project.matcher, project.survivorship)
    outcome = stewardship.carry_out(project.database, lambda link: stewardship.merge(link, MIA, list(ids)), engine)
    (survivor,) = {one.public_id for one in outcome.after}
    (former,) = set(ids) - {survivor}
    try:
        yield survivor, former
    finally:
        undo = lambda link: stewardship.undo(link, MIA, outcome.decision)  # noqa: E731
        stewardship.carry_out(project.database, undo, engine)


def rebuild(database: Database) -> None:
    """Throw away all that is derived, and derive it again from the landed records and the decisions."""
    with database.transaction() as connection:
        for table in ("crosswalk", "customer", "customer_alias", "match_edge", "change", "landing"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text("DELETE FROM counter WHERE name = 'change'"))
        connection.execute(text("DELETE FROM tally WHERE name NOT LIKE 'records:%'"))
        landing = acts.queue(connection, connection.execute(select(source_record.c.id)).scalars())
    if landing is not None:
        resolving.resolve(database, [landing], matcher=MATCHER, survivorship=RULES)


def customers(database: Database) -> list[set[str]]:
    """The customers as sets of short names of their records: the connection's initial and the key."""
    groups: dict[str, set[str]] = {}
    for (connection, _stream, key, part), number in dump(database)["crosswalk"].items():
        groups.setdefault(number, set()).add(f"{connection[0]}{key}{part}")
    return sorted(groups.values(), key=sorted)


def number_of(database: Database, record: str) -> str:
    """The id of the customer that holds a record."""
    return str(dump(database)["crosswalk"][(*record.split("/", 2), "")])


def golden_of(database: Database, record: str) -> dict[str, Any]:
    """The golden record of the customer that holds a record."""
    return dict(dump(database)["customers"][number_of(database, record)])


def fingerprint(database: Database) -> bytes:
    """Everything the database holds, to prove that nothing was written."""
    with database.reading() as connection:
        names = ("steward_decision", "steward_anchor", "landing", "crosswalk", "customer", "change", "counter")
        rows = [[tuple(map(str, row)) for row in connection.execute(text(f"SELECT * FROM {n}"))] for n in names]
    return orjson.dumps([sorted(one) for one in rows])
