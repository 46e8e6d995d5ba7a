"""Who else holds something of a person: each room says how to wipe it, here or with ``register``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from sqlalchemy import Connection, delete, select, update

from sync.delivery.tables import webhook_attempt, webhook_due, webhook_endpoint
from sync.idempotency import idempotency_key, opened
from sync.master.bulk import bulk_for
from sync.master.identity import public_id
from sync.master.tombstones import vault_of
from sync.privacy.person import Person, holds
from sync.runs.tables import hint, quarantine, reconciliation, run_event
from sync.vault import VaultError

Holder = Callable[[Connection, Person], int]
"""Wipes what it holds of the person, in the transaction of the erasure; answers how many rows or files it was."""


def register(name: str, holder: Holder) -> None:
    """Have something wiped with every erasure; ``name`` is what receipts call it."""
    HOLDERS[name] = holder


def _quarantine(connection: Connection, person: Person) -> int:
    """Of the person's records, and whatever holds a contact of the person."""
    keys = {(record.stream_id, record.source_id) for record in person.records}
    gone = []
    for row in connection.execute(select(quarantine)).yield_per(500):
        texts = (bytes(row.payload).decode(errors="replace"), row.value, row.message)
        if (row.stream_id, row.source_id) in keys or any(holds(text, person.values) for text in texts):
            gone.append(row.id)
    return bulk_for(connection).run("DELETE FROM quarantine WHERE id {ints}", gone)


def _deliveries(connection: Connection, person: Person) -> int:
    """What is still to be delivered of the past, and what receivers have answered.

    Whoever is delivering at the moment reads its queue anew: what it holds in memory may be the person's.
    """
    ids = list(person.ids)
    due = connection.execute(delete(webhook_due).where(webhook_due.c.customer_id.in_(ids)))
    log = update(webhook_attempt).where(webhook_attempt.c.customer_id.in_(ids)).values(answer="", error=None)
    gone = due.rowcount + connection.execute(log).rowcount
    connection.execute(update(webhook_endpoint).values(revision=webhook_endpoint.c.revision + 1))
    return gone


def _answers(connection: Connection, person: Person) -> int:
    """Answers that are kept for who sends the same key again."""
    texts = [*map(public_id, person.ids), *person.values]
    vault, gone = vault_of(connection), 0
    for owner, key in connection.execute(select(idempotency_key.c.owner, idempotency_key.c.key)).all():
        try:
            body = opened(connection, vault, owner, key)
        except VaultError:
            body = b""
        if holds(body.decode(errors="replace"), texts):
            mine = (idempotency_key.c.owner == owner) & (idempotency_key.c.key == key)
            gone += connection.execute(delete(idempotency_key).where(mine)).rowcount
    return gone


def _remarks(connection: Connection, person: Person) -> int:
    """Hints, remarks of runs, and samples of comparisons that name the person or one of the records."""
    keys = [orjson.dumps(record.source_id).decode() for record in person.records]
    gone = 0
    for record in person.records:
        named = (hint.c.stream_id == record.stream_id) & (hint.c.source_id == record.source_id)
        gone += connection.execute(delete(hint).where(named)).rowcount
    texts = [*person.values, *keys]
    for row in connection.execute(select(run_event.c.id, run_event.c.text)).all():
        if holds(row.text, person.values):
            gone += connection.execute(delete(run_event).where(run_event.c.id == row.id)).rowcount
    for row in connection.execute(select(reconciliation.c.id, reconciliation.c.sample)).all():
        if holds(row.sample, texts):
            empty = orjson.dumps({"missing": [], "extra": []}).decode()
            done = update(reconciliation).where(reconciliation.c.id == row.id).values(sample=empty)
            gone += connection.execute(done).rowcount
    return gone


HOLDERS: dict[str, Holder] = {
    "quarantine": _quarantine,
    "deliveries": _deliveries,
    "stored_answers": _answers,
    "remarks": _remarks,
}


def wipe(connection: Connection, person: Person) -> dict[str, Any]:
    """Have everybody wipe what they hold; answers how many by name."""
    return {name: holder(connection, person) for name, holder in HOLDERS.items()}
