"""A complete consumer of the change feed, as docs/change-feed.md describes one, and the writers it follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection

from sync.database import Database
from sync.feed import reading, tokens
from sync.feed.tokens import Token
from tests.master_kit import living


class Copy:
    """What a consumer holds: customers, the crosswalk, and where old ids lead."""

    def __init__(self) -> None:
        self.customers: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        self.placed: dict[tuple[str, ...], str] = {}
        self.aliases: dict[str, str] = {}

    def apply(self, event: Mapping[str, Any]) -> None:
        """One event, in the order of the feed."""
        number, body = event["customer"], event["data"]
        match event["type"]:
            case "customer.merged" | "customer.deleted" | "customer.erased":
                self._drop(number)
                if "into" in body:
                    self.aliases |= {old: body["into"] for old, to in self.aliases.items() if to == number}
                    self.aliases[number] = body["into"]
                return
            case "customer.updated":
                assert self.versions[number] == event["version"]["before"], "an event was missed or came twice"
                golden = {**self.customers[number], **body.get("set", {})}
                self.customers[number] = {k: v for k, v in golden.items() if k not in body.get("unset", ())}
            case _:  # snapshot, created, split
                self.customers[number] = body["golden"]
                self.aliases.pop(number, None)
                self.aliases |= dict.fromkeys(body.get("former_ids", ()), number)
        self.versions[number] = event["version"]["after"]
        for address in map(tuple, body.get("joined", ())):
            self.placed[address] = number
        for address in map(tuple, body.get("left", ())):
            if self.placed.get(address) == number:
                del self.placed[address]

    def _drop(self, number: str) -> None:
        self.customers.pop(number, None)
        self.versions.pop(number, None)
        self.placed = {address: holder for address, holder in self.placed.items() if holder != number}

    def content(self) -> dict[str, Any]:
        """In the form of ``master_kit.dump``."""
        return {"customers": self.customers, "crosswalk": self.placed, "aliases": living(self.aliases, self.customers)}


def take(connection: Connection, text: str | None, limit: int) -> tuple[list[dict[str, Any]], str, bool]:
    """One request of a consumer, as the interface answers it: events, token, more."""
    token = tokens.start(connection) if text is None else tokens.decode(text)
    batch = reading.read(connection, token, limit)
    events = [orjson.loads(event.json(personal=True)) for event in batch.events]
    return events, tokens.encode(batch.token), batch.more


def following(database: Database) -> Copy:
    """A copy taken now, from the beginning."""
    copy, text, more = Copy(), None, True
    while more:
        with database.reading() as connection:
            events, text, more = take(connection, text, 100)
        for event in events:
            copy.apply(event)
    return copy


def here(database: Database) -> Token:
    """The place after the newest change."""
    with database.reading() as connection:
        return tokens.now(connection)
