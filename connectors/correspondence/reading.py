"""Reading contacts out of mail that an interface serves: everything once, then only those whom new messages name.

A contact's record is computed from all messages that name it, never by adding to an earlier record: so reading again,
resuming and any order give the same record. A full read goes through all messages. An incremental read looks at new
messages only, and makes the records of the people in them anew, from the messages that a search finds for each. Whether
the search can be relied upon is seen at work: it must find the new message that made us ask. If it does not, or if it
would cost more, all messages are gone through instead.

The cursor: ``position`` (from where on messages are new; the mailbox's own), and while contacts are given out ``until``
(the position afterwards) and ``after`` (the last address given).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson

from connectors.contract import Field, Mode, Page, Read, Record, Rejected
from connectors.correspondence.ledger import Ledger, Taken
from connectors.errors import CursorExpired

SAMPLES = 2000
"""For so many addresses, one message known to hold each is remembered, to test the search with."""
FIELDS = (
    Field("address", "string", "Email address"),
    Field("name", "string", "Name in the newest message that has one"),
    Field("names", "array", "The newest names, at most five"),
    Field("first_contact", "string", "Arrival of the first message"),
    Field("last_contact", "string", "Arrival of the last message"),
    Field("last_received", "string", "Arrival of the last message that we did not send"),
    Field("last_sent", "string", "Arrival of the last message that we sent"),
    Field("messages", "number", "Messages in all"),
    Field("received", "number", "Messages that we did not send"),
    Field("sent", "number", "Messages that we sent"),
)


@dataclass(frozen=True, slots=True)
class Haul:
    """What some messages say: people taken part in them, and messages that cannot be read."""

    taken: Sequence[Taken]
    rejected: Sequence[Rejected] = ()


class Mail(ABC):
    """A mailbox behind an interface. ``position`` is JSON, valid once ``everything`` or ``new`` has ended."""

    position: Any = None

    @abstractmethod
    def everything(self) -> Iterator[Haul]:
        """All messages that are read."""

    @abstractmethod
    def new(self, position: Any) -> Iterator[Haul]:
        """At least the messages that came since a position. Raises ``CursorExpired`` where it is too old."""

    @abstractmethod
    def naming(self, address: str) -> Iterator[Haul] | None:
        """The messages that name an address, by search; None where that many cannot be searched."""

    @abstractmethod
    def search_pays(self, addresses: int) -> bool:
        """Whether searching for so many addresses costs less than going through everything."""


class ContactReader:
    """Reads the contacts of one mailbox, in the order of their addresses."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of contacts."""
        ledger = Ledger()
        try:
            yield from self._read(request, ledger)
        finally:
            ledger.close()

    def ids(self) -> Iterator[list[str]]:
        """The addresses of all contacts."""
        ledger = Ledger()
        try:
            for haul in self._mail.everything():
                ledger.add(list(haul.taken))
            yield from ledger.addresses(5000)
        finally:
            ledger.close()

    def _read(self, request: Read, ledger: Ledger) -> Iterator[Page]:
        cursor = _stored(request)
        if request.mode is Mode.INCREMENTAL and (request.since or request.until) and "position" in cursor:
            yield from self._range(cursor, request, ledger)
        elif request.mode is Mode.INCREMENTAL and "position" in cursor:
            yield from self._changes(cursor, request, ledger)
        elif request.resumed and "position" in cursor and "after" not in cursor:
            yield Page([], cursor)  # the read was finished
        else:
            yield from self._everything(cursor if "after" in cursor else {}, request, ledger)

    def _everything(self, cursor: dict[str, Any], request: Read, ledger: Ledger) -> Iterator[Page]:
        yield from self._gathered(self._mail.everything(), cursor or {"phase": "scan"}, ledger)
        until = cursor.get("until") or self._mail.position
        contacts = ledger.contacts(str(cursor.get("after", "")))
        total = ledger.count()
        while part := list(islice(contacts, request.page_size)):
            yield Page(records_of(part), {"until": until, "after": part[-1]["address"]}, total=total)
        yield Page([], {"position": until}, total=total)

    def _changes(self, cursor: dict[str, Any], request: Read, ledger: Ledger) -> Iterator[Page]:
        before, samples = cursor["position"], dict[str, str]()
        for haul in self._mail.new(before):
            ledger.touch({row.address for row in haul.taken})
            if len(samples) < SAMPLES:
                samples.update({row.address: row.message for row in haul.taken})
            if haul.rejected:
                yield Page([], cursor, rejected=haul.rejected)
        until = cursor.get("until") or self._mail.position
        after = str(cursor.get("after", ""))
        if ledger.touched(after, 1):
            for part in self._made_anew(after, request.page_size, ledger, samples):
                yield Page(records_of(part), {"position": before, "until": until, "after": part[-1]["address"]})
        yield Page([], {"position": until})

    def _range(self, cursor: dict[str, Any], request: Read, ledger: Ledger) -> Iterator[Page]:
        """A backfill: the people of the messages between two moments. The position stays where it was."""
        for haul in self._mail.everything():
            ledger.add(list(haul.taken))
            ledger.touch({row.address for row in haul.taken if within(row.arrived, request)})
        kept = {"position": cursor["position"]}
        contacts = ledger.contacts(str(cursor.get("after", "")) if request.resumed else "", touched_only=True)
        while part := list(islice(contacts, request.page_size)):
            yield Page(records_of(part), {**kept, "after": part[-1]["address"]})
        yield Page([], kept)

    def _made_anew(
        self, after: str, size: int, ledger: Ledger, samples: dict[str, str]
    ) -> Iterator[list[dict[str, Any]]]:
        """The records of the touched addresses, by search where that is cheaper and works, else by all messages."""
        if self._mail.search_pays(ledger.touched_count()):
            while chunk := ledger.touched(after, size):
                ledger.forget()
                if not all(self._searched(address, ledger, samples) for address in chunk):
                    break
                after = chunk[-1]
                if contacts := list(ledger.contacts()):
                    yield contacts
            else:
                return
            ledger.forget()
        for haul in self._mail.everything():
            ledger.add(list(haul.taken))
        found = ledger.contacts(after, touched_only=True)
        while part := list(islice(found, size)):
            yield part

    def _searched(self, address: str, ledger: Ledger, samples: dict[str, str]) -> bool:
        """Gather the messages of one address by search. False when it misses a message known to be there."""
        hauls = self._mail.naming(address) if address.isascii() else None
        if hauls is None:
            return False
        found: set[str] = set()
        for haul in hauls:
            rows = [row for row in haul.taken if row.address == address]
            ledger.add(rows)
            found.update(row.message for row in rows)
        return address not in samples or samples[address] in found

    def _gathered(self, hauls: Iterator[Haul], cursor: dict[str, Any], ledger: Ledger) -> Iterator[Page]:
        """Put messages into the ledger; yields what cannot be read, and now and then nothing, as a sign of life."""
        for number, haul in enumerate(hauls, 1):
            ledger.add(list(haul.taken))
            if haul.rejected or number % 50 == 0:
                yield Page([], cursor, rejected=haul.rejected)


def records_of(contacts: Sequence[dict[str, Any]]) -> list[Record]:
    """Contacts of a ledger as records: the address is the key, the last contact the change stamp."""
    return [Record(item["address"], orjson.dumps(item), item["last_contact"]) for item in contacts]


def within(arrived: str, request: Read) -> bool:
    """Whether a message came within the bounds of a backfill, to the second."""
    when = datetime.fromisoformat(arrived)
    return (request.since is None or when >= request.since.astimezone(UTC).replace(microsecond=0)) and (
        request.until is None or when <= request.until
    )


def _stored(request: Read) -> dict[str, Any]:
    """The position to go on from; none for a full read that begins. Raises ``CursorExpired`` for a foreign one."""
    cursor = dict(request.cursor or {})
    if request.mode is Mode.FULL and not request.resumed:
        return {}
    if cursor and not {"position", "until", "phase"} & cursor.keys():
        raise CursorExpired("The stored position is not one this connector can continue from.")
    return cursor
