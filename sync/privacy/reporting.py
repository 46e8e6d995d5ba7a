"""The access report: everything that is held on a person, by source (GDPR art. 15, PIPL art. 45)."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, select

from sync import audit, provenance
from sync.errors import NotFound
from sync.master import lookup, queries
from sync.master.bulk import bulk_for
from sync.master.identity import public_id
from sync.privacy import person
from sync.privacy.person import Person
from sync.project import Project
from sync.runs.tables import quarantine

MOST_CHANGES = 1_000
LONGEST_PAYLOAD = 200_000


def report(connection: Connection, project: Project, customer_id: str, *, by: str) -> dict[str, Any]:
    """What is held on the person behind a customer; audited in the same transaction. Raises NotFound."""
    row, _old = lookup.customer(connection, customer_id)
    if row is None:
        raise NotFound("There is no customer {customer}.", customer=customer_id[:40], remedy="Check the address.")
    found, name = person.find(connection, row.id), public_id(row.id)
    view = queries.get(connection, name)
    explained = [] if view is None else provenance.of_customer(connection, view, project.survivorship)
    golden = orjson.loads(row.golden)
    history = queries.history(connection, name, MOST_CHANGES)
    told = {
        "customer": name,
        "ids": [public_id(one) for one in found.ids],
        "status": row.status,
        "golden": golden,
        "consents": golden.get("consents", []),
        "origin": [{"field": one.field, "rule": one.rule, "sources": list(one.sources)} for one in explained],
        "records": _records(connection, project, found),
        "quarantine": _quarantine(connection, found),
        "decisions": _decisions(connection, found),
        "changes": [{"at": one.at, "type": one.type, "version": one.version, "data": one.body} for one in history],
        "receivers": _receivers(connection),
    }
    audit.record(connection, by, "customer.reported", f"customer:{name}", {"records": len(found.records)})
    return told


def _records(connection: Connection, project: Project, found: Person) -> list[dict[str, Any]]:
    """What each system holds, as it came and as it was understood, and what the system is for."""
    rows = bulk_for(connection).fetch(
        "SELECT id, raw, canonical, changed_at, landed_at, deleted_at FROM source_record WHERE id {ints}",
        found.record_ids,
    )
    stored = {row[0]: row[1:] for row in rows}
    told = []
    for one in found.records:
        raw, canonical, changed, landed, deleted = stored[one.id]
        settings = project.settings.connections.get(one.connection)
        told.append(
            {
                "connection": one.connection,
                "purpose": None if settings is None else settings.purpose,
                "stream": one.stream,
                "id": one.source_id,
                "part": one.part,
                "changed_at": changed,
                "received_at": lookup.moment(landed),
                "deleted_at": None if deleted is None else lookup.moment(deleted),
                "raw": None if raw is None else orjson.loads(raw),
                "canonical": None if canonical is None else orjson.loads(canonical),
            }
        )
    return told


def _quarantine(connection: Connection, found: Person) -> list[dict[str, Any]]:
    """Records that did not fit: those of the person's records, and those with a contact of the person."""
    keys = {(one.stream_id, one.source_id) for one in found.records}
    told = []
    for row in connection.execute(select(quarantine)).yield_per(500):
        payload = bytes(row.payload).decode(errors="replace")
        if (row.stream_id, row.source_id) in keys or person.holds(payload, found.values):
            told.append({"id": row.id, "source_id": row.source_id, "payload": payload[:LONGEST_PAYLOAD]})
    return told


def _decisions(connection: Connection, found: Person) -> list[dict[str, Any]]:
    rows = bulk_for(connection).fetch(
        "SELECT DISTINCT d.id, d.act, d.verdict, d.field, d.value, d.decided_by, d.reason, d.decided_at "
        "FROM steward_decision d JOIN steward_anchor a ON a.decision_id = d.id WHERE a.record_id {ints} ORDER BY d.id",
        found.record_ids,
    )
    names = ("id", "act", "verdict", "field", "value", "decided_by", "reason")
    return [{**dict(zip(names, row[:7], strict=True)), "decided_at": lookup.moment(row[7])} for row in rows]


def _receivers(connection: Connection) -> list[dict[str, Any]]:
    """Who is told of every change."""
    rows = bulk_for(connection).fetch("SELECT id, description, payload, state FROM webhook_endpoint ORDER BY id")
    return [dict(zip(("id", "description", "payload", "state"), row, strict=True)) for row in rows]
