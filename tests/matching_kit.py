"""Masters matched by versions of the match model in the database, for tests of switching and of order."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from connectors.contract import Page, Record
from mappings.contract import Mapped
from sync.database import Database
from sync.master import landing, resolving, streams
from sync.matching import store, switching
from sync.matching.active import ActiveVersion
from tests.master_kit import NOW, RULES, master

STREAMS = (("erp", "customers"), ("shop", "customers"))


class CustomerMapping:
    """The raw record is the canonical customer."""

    fingerprint = "customers-1"
    paths = frozenset({"name"})

    def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
        return [Mapped("", dict(record))]


@contextmanager
def versioned(url: str, family: str = store.PROBABILITY, cap: int | None = None) -> Iterator[Database]:
    """An empty master with the shipped version of a family in force, optionally with a lower cap on blocks."""
    with master(url, STREAMS) as database:
        with database.transaction() as connection:
            store.ensure(connection, family)
            if cap is not None:
                connection.exec_driver_sql(f"UPDATE match_model SET block_cap = {cap}")
        yield database


def land(
    database: Database, stream_id: int, records: Sequence[Record], deleted: Sequence[str] = (), source: Any = None
) -> landing.Landed:
    """Land one page."""
    with database.hot_transaction() as connection:
        stream = streams.load(connection)[stream_id]
        page, matcher = Page(records, {}, deleted), source or ActiveVersion()
        landed = landing.land(connection, stream, page, CustomerMapping(), matcher, now=NOW)
        if source is not None:  # as runs do, which resolve next
            resolving.announce(connection, landed.landing_id, source, landed.batch)
        return landed


def resolve(database: Database, landed: landing.Landed | None = None, source: Any = None) -> resolving.Resolved:
    """Resolve what was handed over, or everything that waits."""
    matcher = source or ActiveVersion()
    if landed is not None:
        ids = [landed.landing_id] if landed.landing_id is not None else []
        return resolving.resolve(
            database, ids, matcher=matcher, survivorship=RULES, batch=landed.batch, derived_by=landed.version
        )
    with database.reading() as connection:
        ids = resolving.pending(connection, 100_000)
    return resolving.resolve(database, ids, matcher=matcher, survivorship=RULES)


def switch(database: Database, number: int) -> None:
    """Put a version in force and settle everything by it."""
    with database.transaction() as connection:
        switching.begin(connection, number, by="test")
    assert switching.go_on(database)
    resolve(database)
    switching.finish(database)


NAMES = ("Ann Smith", "A. Smith", "Anne Smith", "Bob Jones", "张伟", "Zhang Wei", "Acme GmbH", "Acme Ltd")


def customer(chance: random.Random) -> dict[str, Any]:
    """A customer out of few names and contacts, so that many meet."""
    name = chance.choice(NAMES)
    kind = "organisation" if name.startswith("Acme") else "person"
    made: dict[str, Any] = {"kind": kind, "name": name}
    if chance.random() < 0.7:
        made["emails"] = [{"value": f"m{chance.randrange(4)}@example.com"}]
    if chance.random() < 0.5:
        made["phones"] = [{"value": f"+4930123456{chance.randrange(4)}"}]
    if chance.random() < 0.3 and kind == "person":
        made["birth_date"] = f"198{chance.randrange(3)}-05-0{chance.randint(1, 3)}"
    if chance.random() < 0.2 and kind == "organisation":
        value = chance.choice(("91440300708461136T", "91110108551385082Q"))
        made["identifiers"] = [{"scheme": "cn.uscc", "value": value, "valid": True}]
    return made
