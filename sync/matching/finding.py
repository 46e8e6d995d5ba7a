"""Which customers a record that is not stored would be: the model in force asked, nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from mappings.contract import Canonical, CompiledMapping, Features, Matcher
from mappings.customer import Customer
from mappings.normalise.emails import normalise_email
from mappings.normalise.identifiers import normalise_identifier
from mappings.normalise.phones import normalise_phone
from sync.master.bulk import Bulk, bulk_for
from sync.master.identity import public_id
from sync.master.inforce import InForce, MatcherSource, reading_with
from sync.master.records import features_of
from sync.matching.active import plain
from sync.matching.explaining import Explaining

MOST_RECORDS = 2_000
"""Of the records that share a key so many are compared; blocks past the cap are asked by finer keys anyway."""
FEWER = 500
"""Of each key."""


class Candidate(NamedTuple):
    """A customer that the record may be, by the strongest of its records.

    ``verdict``: ``same`` as resolving would say of the pair alone, ``review``, or ``different``; None where the model
    has no thresholds. ``steps`` explain the weight (log2 odds).
    """

    customer: str
    name: str | None
    kind: str
    weight: float
    verdict: str | None
    rule: str
    record: dict[str, str]
    steps: list[dict[str, Any]]
    veto: str | None


class Found(NamedTuple):
    """The best candidates for one customer found in the record, and how it was understood."""

    part: str
    canonical: Canonical
    compared: int
    candidates: list[Candidate]


def normalised(given: Mapping[str, Any], region: str | None) -> Canonical:
    """A canonical customer as a mapping would give it: contacts and numbers in one form. Raises ValidationError."""
    whole = Customer.model_validate(given).model_dump(mode="json", exclude_none=True, exclude_unset=True)
    for entry in whole.get("emails", ()):
        entry["value"] = normalise_email(entry["value"]) or entry["value"]
    for entry in whole.get("phones", ()):
        known = normalise_phone(entry["value"], region)
        entry["value"] = entry["value"] if known is None else known.value
    for entry in whole.get("identifiers", ()):
        number = normalise_identifier(entry["scheme"], entry["value"])
        if number is not None:
            entry |= {"value": number.value, "valid": number.valid}
    return {name: value for name, value in whole.items() if value not in ("", [], {})}


def find_raw(
    connection: Connection,
    source: Matcher | MatcherSource,
    mapping: CompiledMapping,
    raw: Mapping[str, Any],
    limit: int,
) -> list[Found]:
    """For each customer in a raw record of a stream, the best candidates. Raises RecordInvalid."""
    return [find(connection, source, one.customer, limit, part=one.part) for one in mapping(raw)]


def find(
    connection: Connection, source: Matcher | MatcherSource, customer: Canonical, limit: int, *, part: str = ""
) -> Found:
    """The customers that a canonical customer most probably is, the strongest first."""
    bulk = bulk_for(connection)
    force = reading_with(source, bulk)
    features = force.matcher.features(customer)
    records = _sharing(bulk, force, features)
    strongest = _strongest(bulk, force, features, records)
    best = sorted(strongest.values(), key=lambda one: (-one[0], one[1]))[:limit]
    return Found(part, customer, len(records), _told(bulk, force, features, best))


def _sharing(bulk: Bulk, force: InForce, features: Features) -> list[int]:
    """The records that share a key with it."""
    found: dict[int, None] = {}
    for key in force.keys(features):
        rows = bulk.fetch("SELECT record_id FROM match_key WHERE key = ? ORDER BY record_id LIMIT ?", key, FEWER)
        found.update(dict.fromkeys(row[0] for row in rows))
    return sorted(found)[:MOST_RECORDS]


def _strongest(
    bulk: Bulk, force: InForce, features: Features, records: Sequence[int]
) -> dict[int, tuple[float, int, int, str, str]]:
    """By customer: weight, record, customer, rule and the record's features as they are stored."""
    rows = bulk.fetch(
        "SELECT s.id, x.customer_id, s.features FROM source_record s JOIN crosswalk x ON x.record_id = s.id "
        "WHERE s.id {ints} AND s.deleted_at IS NULL AND s.features IS NOT NULL",
        list(records),
    )
    best: dict[int, tuple[float, int, int, str, str]] = {}
    for record, customer, text in rows:
        evidence = force.matcher.compare(features, features_of(text) or ())
        if evidence is None:
            continue
        if customer not in best or evidence.weight > best[customer][0]:
            best[customer] = (evidence.weight, record, customer, evidence.rule, text)
    return best


def _told(
    bulk: Bulk, force: InForce, features: Features, best: Sequence[tuple[float, int, int, str, str]]
) -> list[Candidate]:
    ids = [one[1] for one in best]
    rows = bulk.fetch(
        "SELECT s.id, n.name, t.name, s.source_id, s.part, c.name, c.kind FROM source_record s "
        "JOIN stream_state t ON t.id = s.stream_id JOIN connection n ON n.id = t.connection_id "
        "JOIN crosswalk x ON x.record_id = s.id JOIN customer c ON c.id = x.customer_id WHERE s.id {ints}",
        ids,
    )
    named = {row[0]: row[1:] for row in rows}
    matcher, told = plain(force.matcher), []
    for weight, record, customer, rule, text in best:
        connection, stream, source_id, part, name, kind = named[record]
        explained = matcher.explain(features, features_of(text) or ()) if isinstance(matcher, Explaining) else {}
        address = {"connection": connection, "stream": stream, "id": source_id, "part": part}
        verdict = _verdict(matcher, weight)
        steps, veto = explained.get("steps", []), explained.get("veto")
        told.append(Candidate(public_id(customer), name, kind, weight, verdict, rule, address, steps, veto))
    return told


def _verdict(matcher: Matcher, weight: float) -> str | None:
    accept, review = getattr(matcher, "accept_from", None), getattr(matcher, "review_from", None)
    if accept is None or review is None:
        return None
    return "same" if weight >= accept else "review" if weight >= review else "different"
