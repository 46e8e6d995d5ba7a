"""Why two records are, or are not, one customer: the waterfall of their weight, and whether they were compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from sqlalchemy import Connection

from mappings.contract import Features, Matcher
from sync.errors import Misused
from sync.master import decisions
from sync.master.bulk import Bulk, bulk_for
from sync.master.identity import parse_public_id, public_id
from sync.master.inforce import InForce, MatcherSource, Refinable, reading_with, without_blocks
from sync.master.records import features_of
from sync.matching.active import plain
from sync.stewardship.records import SourceRef, find_customer, find_record

MOST_PAIRS = 2_500
"""Of two customers with more pairs of records the first so many are looked at for the strongest."""


@runtime_checkable
class Explaining(Protocol):
    """A matcher that can say how a pair's weight comes about."""

    def explain(self, left: Features, right: Features) -> dict[str, Any]:
        """The waterfall."""


class Key(NamedTuple):
    """A blocking key in words: what it asks, the value, and what became of its block (kept, refined or linked)."""

    question: str
    value: str
    state: str


class Side(NamedTuple):
    """One of the two records."""

    record: str
    customer: str
    name: str


class Explanation(NamedTuple):
    """Everything about one pair. ``compared``: the evidence that is stored; ``said``: stewards' decisions on the two.

    ``shared`` are keys that both have; ``crowded`` those that both would have, had their blocks not grown too large.
    ``review_from`` and ``accept_from`` are None for matchers without thresholds.
    """

    version: int
    family: str
    left: Side
    right: Side
    same_customer: bool
    weight: float
    prior: float | None
    steps: list[dict[str, Any]]
    veto: str | None
    rule: str | None
    review_from: float | None
    accept_from: float | None
    shared: list[Key]
    crowded: list[Key]
    compared: tuple[float, str] | None
    said: list[str]
    details: dict[str, Any]


def explain(connection: Connection, source: Matcher | MatcherSource, one: str, other: str) -> Explanation:
    """Explain two source records (CONNECTION/STREAM/KEY), or the strongest pair of records of two customers.

    Raises UnknownRecord, UnknownCustomer, Misused for one record with itself.
    """
    bulk = bulk_for(connection)
    force = reading_with(source, bulk)
    matcher = plain(force.matcher)
    left, right = _strongest(bulk, matcher, _records(connection, one), _records(connection, other))
    features = _features(bulk, [left.id, right.id])
    mine, theirs = features[left.id], features[right.id]
    found = matcher.explain(mine, theirs) if isinstance(matcher, Explaining) else {}
    evidence = matcher.compare(mine, theirs)
    keys = set(force.keys(mine)), set(force.keys(theirs))
    details: dict[str, Any] = {
        name: found[name] for name in ("names", "shared_identifiers", "shared_contacts") if name in found
    }
    return Explanation(
        force.number,
        "probability" if "steps" in found else "rules",
        _side(left),
        _side(right),
        left.customer_id == right.customer_id,
        float(found.get("weight", evidence.weight if evidence else 0.0)),
        found.get("prior"),
        found.get("steps", []),
        found.get("veto"),
        found.get("rule") or (evidence.rule if evidence else None),
        getattr(matcher, "review_from", None),
        getattr(matcher, "merge_at", None),
        [_in_words(force, mine, key) for key in sorted(keys[0] & keys[1])],
        _crowded(bulk, force, mine, theirs),
        _stored(bulk, left.id, right.id),
        _said(bulk, left.id, right.id),
        details,
    )


def _records(connection: Connection, text: str) -> Sequence[SourceRef]:
    if parse_public_id(text) is not None and "/" not in text:
        return find_customer(connection, text).records
    return [find_record(connection, text)]


def _strongest(
    bulk: Bulk, matcher: Matcher, ones: Sequence[SourceRef], others: Sequence[SourceRef]
) -> tuple[SourceRef, SourceRef]:
    pairs = [(one, other) for one in ones for other in others if one.id != other.id][:MOST_PAIRS]
    if not pairs:
        raise Misused("Two different records are needed; both are {record}.", record=ones[0].address)
    if len(pairs) == 1:
        return pairs[0]
    features = _features(bulk, sorted({record.id for pair in pairs for record in pair}))

    def strength(pair: tuple[SourceRef, SourceRef]) -> float:
        evidence = matcher.compare(features[pair[0].id], features[pair[1].id])
        return evidence.weight if evidence else float("-inf")

    return max(pairs, key=strength)


def _features(bulk: Bulk, record_ids: Sequence[int]) -> Mapping[int, Features]:
    rows = bulk.fetch("SELECT id, features FROM source_record WHERE id {ints}", list(record_ids))
    return {row[0]: features_of(row[1]) or () for row in rows}


def _side(record: SourceRef) -> Side:
    return Side(record.address, public_id(record.customer_id), str(record.canonical.get("name", "")))


def _in_words(force: InForce, features: Features, key: int) -> Key:
    matcher = plain(force.matcher)
    question, value = matcher.block(features, key) if isinstance(matcher, Refinable) else ("", "")
    return Key(question, value, "linked" if key in force.linked else "kept")


def _crowded(bulk: Bulk, force: InForce, left: Features, right: Features) -> list[Key]:
    """Keys that both would share, had their blocks not grown too large."""
    everything = without_blocks(plain(force.matcher), frozenset())
    both = set(everything.keys(left)) & set(everything.keys(right)) & force.refined
    rows = bulk.fetch(
        "SELECT question, value, action FROM match_block WHERE version = ? AND key {ints} ORDER BY key",
        force.number,
        sorted(both),
    )
    return [Key(*row) for row in rows]


def _stored(bulk: Bulk, left: int, right: int) -> tuple[float, str] | None:
    rows = bulk.fetch(
        "SELECT weight, rule FROM match_edge WHERE left_id = ? AND right_id = ?", min(left, right), max(left, right)
    )
    return (rows[0][0], rows[0][1]) if rows else None


def _said(bulk: Bulk, left: int, right: int) -> list[str]:
    verdicts = decisions.read(bulk, [left, right]).verdicts.values()
    both = [one for one in verdicts if {left, right} <= one.sides.keys()]
    return [f"{one.id}: {'same' if one.same else 'different'}" for one in sorted(both)]
