"""What is sent: an event of the change feed in the form of Standard Webhooks. The same change, the same message."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from sync.feed import tokens
from sync.feed.events import TYPES, Event, of_rows
from sync.feed.reading import COLUMNS
from sync.master.bulk import bulk_for

TEST = "webhook.test"
__all__ = ["TEST", "TYPES", "Message", "load", "of_event", "of_test"]


class Message(NamedTuple):
    """One webhook: its id, which stays the same however often it is sent, its type and its body."""

    id: str
    type: str
    body: str


def of_event(event: Event, *, thin: bool) -> Message:
    """The message of a change. Thin: which fields changed, without their values."""
    told = event.told(personal=not thin)
    data = {name: told[name] for name in ("customer", "version", "changed", "cause")}
    data["change"] = told["data"]
    body = {"type": told["type"], "timestamp": told["at"], "data": data}
    text = orjson.dumps(body, option=orjson.OPT_UTC_Z).decode()
    return Message(f"evt_{event.token.feed:x}_{event.token.seq}", told["type"], text)


def of_test(endpoint_id: str, number: str, at: datetime) -> Message:
    """A message that tells of nothing."""
    body = {"type": TEST, "timestamp": at.isoformat(), "data": {"endpoint": endpoint_id}}
    return Message(f"test_{number}", TEST, orjson.dumps(body).decode())


def load(connection: Connection, seqs: Collection[int]) -> dict[int, Event]:
    """The events of some changes; those that were compacted are missing."""
    bulk = bulk_for(connection)
    feed = tokens.bounds(bulk).feed
    rows: list[Any] = bulk.fetch(f"SELECT {COLUMNS} FROM change WHERE seq {{ints}}", sorted(seqs))  # noqa: S608
    return {event.token.seq: event for event in of_rows(feed, rows)}
