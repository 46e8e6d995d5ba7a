"""Small parts for tests of the master: a database, streams, a mapping and a matcher simple enough to reason about.

``dump`` is the canonical form of the master's whole content, in which two masters are compared; ``replayed`` gives
the same from the change log alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select, text

import sync.master.search.tables
import sync.privacy.tables
from connectors.contract import Page, Record
from mappings.contract import Decision, Evidence, Features, Mapped, Member, seniority
from mappings.errors import RecordInvalid
from mappings.survivorship import SurvivorshipRules
from sync.database import Database, metadata
from sync.master import landing, resolving, streams, tally
from sync.master.identity import public_id
from sync.master.tables import change, crosswalk, customer, customer_alias, source_record
from sync.runs import tables as run_tables

NOW = datetime(2026, 5, 1, tzinfo=UTC)
RULES = SurvivorshipRules()


class TokenMatcher:
    """Records that share a token are one customer, unless their tax ids differ; must-link and cannot-link hold."""

    version = "tokens-1"

    def features(self, record: Mapping[str, Any]) -> Features:
        return (sorted(record.get("tags", ())), record.get("owner"))

    def keys(self, features: Features) -> list[int]:
        return [int.from_bytes(token.encode()[:7].ljust(7, b"."), "big") for token in features[0]]

    def compare(self, left: Features, right: Features) -> Evidence | None:
        if not set(left[0]) & set(right[0]) or self._vetoed(left, right):
            return None
        return Evidence(10.0, "token")

    def cluster(self, members: Sequence[Member], decisions: Sequence[Decision]) -> list[list[int]]:
        ranked = sorted(members, key=lambda member: seniority(member.key))
        groups = [[member] for member in ranked]
        must = {frozenset((d.left, d.right)) for d in decisions if d.same}
        cannot = {frozenset((d.left, d.right)) for d in decisions if not d.same}
        changed = True
        while changed:
            changed = False
            for i, one in enumerate(groups):
                for other in groups[i + 1 :]:
                    pairs = [(a, b) for a in one for b in other]
                    forbidden = any(
                        frozenset((a.key, b.key)) in cannot
                        or (self._vetoed(a.features, b.features) and frozenset((a.key, b.key)) not in must)
                        for a, b in pairs
                    )
                    linked = any(
                        frozenset((a.key, b.key)) in must or self.compare(a.features, b.features) for a, b in pairs
                    )
                    if linked and not forbidden:
                        one += other
                        groups.remove(other)
                        changed = True
                        break
                if changed:
                    break
        ordered = [sorted(group, key=lambda member: seniority(member.key)) for group in groups]
        ordered.sort(key=lambda group: seniority(group[0].key))
        return [[member.id for member in group] for group in ordered]

    @staticmethod
    def _vetoed(left: Features, right: Features) -> bool:
        return left[1] is not None and right[1] is not None and left[1] != right[1]


class PlainMapping:
    """The raw record is the customer; ``bad`` ones are rejected, ``contacts`` become parts, ``ignored`` give none."""

    fingerprint = "plain-1"
    paths = frozenset({"name", "tags", "owner"})

    def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
        if record.get("bad"):
            raise RecordInvalid("The field {path} is bad.", path="bad", rule="not bad", value="true")
        if record.get("ignored"):
            return []
        fields = {name: record[name] for name in ("name", "tags", "owner") if record.get(name)}
        mapped = [Mapped("", {"kind": "organisation", **fields})]
        for contact in record.get("contacts", ()):
            part = {"kind": "person", "name": contact["name"], "tags": contact.get("tags", [])}
            mapped.append(Mapped(f"contact:{contact['id']}", {k: v for k, v in part.items() if v}))
        return mapped


MATCHER = TokenMatcher()
MAPPING = PlainMapping()


@contextmanager
def master(
    url: str, names: Sequence[tuple[str, str]] = (("erp", "customers"), ("shop", "customers"))
) -> Iterator[Database]:
    """An empty master with the given (connection, stream) pairs, numbered from 1 in this order."""
    database = Database(url)
    metadata.create_all(database.engine)
    with database.transaction() as connection:
        for connection_name in dict.fromkeys(name for name, _ in names):
            row = {"name": connection_name, "connector": "test", "created_at": NOW}
            connection.execute(run_tables.connection.insert().values(row))
        for connection_name, stream in names:
            number = connection.execute(
                text("SELECT id FROM connection WHERE name = :name"), {"name": connection_name}
            ).scalar_one()
            connection.execute(run_tables.stream_state.insert().values(connection_id=number, name=stream))
    try:
        yield database
    finally:
        database.dispose()


def record(key: str, changed_at: str | None = None, **fields: Any) -> Record:
    """A raw record with the given fields."""
    return Record(key, orjson.dumps(fields), changed_at)


def land(
    database: Database, stream_id: int, records: Sequence[Record], deleted: Sequence[str] = (), **more: Any
) -> landing.Landed:
    """Land one page in a transaction of its own."""
    with database.hot_transaction() as connection:
        stream = streams.load(connection)[stream_id]
        page = Page(records, {}, deleted, **more)
        return landing.land(connection, stream, page, MAPPING, MATCHER, now=NOW)


def resolve(database: Database, landed: landing.Landed | None = None) -> resolving.Resolved:
    """Resolve what was handed over, or everything that is pending."""
    if landed is not None:
        ids = [landed.landing_id] if landed.landing_id is not None else []
        return resolving.resolve(database, ids, matcher=MATCHER, survivorship=RULES, batch=landed.batch)
    with database.reading() as connection:
        ids = resolving.pending(connection, 100_000)
    return resolving.resolve(database, ids, matcher=MATCHER, survivorship=RULES)


def sync(database: Database, stream_id: int, *records: Record, deleted: Sequence[str] = ()) -> landing.Landed:
    """Land one page and resolve it at once."""
    landed = land(database, stream_id, records, deleted)
    resolve(database, landed)
    return landed


def dump(database: Database) -> dict[str, Any]:
    """What the master holds, independent of internal numbers; ``without_ids`` also of history."""
    with database.reading() as connection:
        kept, counted = tally.read(connection), tally.counted(connection)
        assert kept == counted, f"the kept counts are wrong: {kept} for {counted}"
        directory = streams.load(connection)
        active = connection.execute(select(customer.c.id, customer.c.golden).where(customer.c.status == "active"))
        customers = {public_id(row.id): orjson.loads(row.golden) for row in active}
        rows = connection.execute(
            select(source_record, crosswalk.c.customer_id).join(crosswalk, crosswalk.c.record_id == source_record.c.id)
        )
        placed = {
            (directory[row.stream_id].connection, directory[row.stream_id].name, row.source_id, row.part): public_id(
                row.customer_id
            )
            for row in rows
        }
        rows = connection.execute(
            select(customer_alias)
            .join(customer, customer.c.id == customer_alias.c.old_id)
            .where(customer.c.status == "merged")
        )
        aliases = {public_id(row.old_id): public_id(row.customer_id) for row in rows}
    return {"customers": customers, "crosswalk": placed, "aliases": living(aliases, customers)}


def living(aliases: Mapping[str, str], customers: Mapping[str, Any]) -> dict[str, str]:
    """The former ids that lead to a customer of today."""
    return {old: into for old, into in aliases.items() if into in customers}


def without_ids(content: Mapping[str, Any]) -> dict[frozenset[tuple[str, ...]], Any]:
    """The golden records by their source records: the function of live records and decisions that a master is."""
    members: dict[str, set[tuple[str, ...]]] = {}
    for address, number in content["crosswalk"].items():
        members.setdefault(number, set()).add(address)
    return {frozenset(members[number]): golden for number, golden in content["customers"].items()}


def today(content: Mapping[str, Any]) -> dict[str, Any]:
    """The customers with their ids and their source records, without the ids that they had before."""
    return {"customers": content["customers"], "crosswalk": content["crosswalk"]}


def replayed(database: Database) -> dict[str, Any]:
    """The same content from the change log alone, as a consumer that read it from zero holds it."""
    customers: dict[str, dict[str, Any]] = {}
    placed: dict[tuple[str, ...], str] = {}
    aliases: dict[str, str] = {}
    with database.reading() as connection:
        rows = connection.execute(select(change).order_by(change.c.seq)).all()
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "the change log has gaps"
    for row in rows:
        apply_change(customers, placed, aliases, public_id(row.customer_id), row.type, orjson.loads(row.body))
    return {"customers": customers, "crosswalk": placed, "aliases": living(aliases, customers)}


def apply_change(
    customers: dict[str, dict[str, Any]],
    placed: dict[tuple[str, ...], str],
    aliases: dict[str, str],
    number: str,
    kind: str,
    body: Mapping[str, Any],
) -> None:
    """One event of the feed, as docs/change-feed.md tells consumers to apply it."""
    if kind in {"merged", "deleted", "erased"}:
        customers.pop(number)
        for address in [address for address, holder in placed.items() if holder == number]:
            del placed[address]
        if kind == "merged":
            aliases |= {old: body["into"] for old, target in aliases.items() if target == number}
            aliases[number] = body["into"]
        return
    if "golden" in body:
        customers[number] = body["golden"]
        aliases.pop(number, None)
    customers[number] = {**customers[number], **body.get("set", {})}
    for name in body.get("unset", ()):
        del customers[number][name]
    for address in map(tuple, body.get("joined", ())):
        placed[address] = number
    for address in map(tuple, body.get("left", ())):
        if placed.get(address) == number:
            del placed[address]


def consistent(database: Database) -> dict[str, Any]:
    """The dump, after checking what must hold at any time when nothing is pending."""
    content = dump(database)
    assert replayed(database) == content
    assert set(content["crosswalk"].values()) == set(content["customers"])
    assert not set(content["aliases"]) & set(content["customers"])
    assert_every_id_resolves(database)
    return content


def assert_every_id_resolves(database: Database) -> None:
    """Every id that the change log ever named stands for a customer's row today."""
    with database.reading() as connection:
        issued = set(connection.execute(select(change.c.customer_id)).scalars())
        rows = set(connection.execute(select(customer.c.id)).scalars())
        aliases = {row.old_id: row.customer_id for row in connection.execute(select(customer_alias))}
        merged = set(connection.execute(select(customer.c.id).where(customer.c.status == "merged")).scalars())
        active = set(connection.execute(select(customer.c.id).where(customer.c.status == "active")).scalars())
        former = {old for old, into in aliases.items() if into in active}
    assert issued <= rows
    assert former <= merged, "an id that nobody bore counts as a former one"
    assert set(aliases.values()) <= rows - merged, "an alias leads to a customer that was merged away"
    assert merged <= set(aliases), "a merged id leads nowhere"
