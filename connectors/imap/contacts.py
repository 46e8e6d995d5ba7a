"""The stream of contacts: everybody a mailbox corresponds with, one record an address.

A contact's record is computed from all messages that name it, never by adding to an earlier record: so reading again,
resuming and any order give the same record. A full read goes through all headers once. An incremental read looks
at new messages only, and makes the records of the addresses in them anew, from the messages that the server's SEARCH
finds for each. Whether SEARCH can be relied upon is seen at work: it must find the new message that made us ask. If it
does not, or if the mailbox is small, all headers are gone through instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

import orjson

from connectors.contract import Context, Mode, Page, Read, Rejected
from connectors.correspondence.headers import parse_message
from connectors.correspondence.ledger import Ledger, Taken
from connectors.correspondence.people import People
from connectors.correspondence.reading import records_of, within
from connectors.errors import RecordRejected
from connectors.imap.config import ImapConfig
from connectors.imap.folders import Folder, quoted
from connectors.imap.mailbox import Mailbox
from connectors.imap.wire import Fetched, FolderState

SMALL = 2000
"""Up to so many messages, going through all headers costs less than searching for single addresses."""
SAMPLES = 2000
"""For so many addresses, one message known to hold each is remembered, to test SEARCH with."""
Folders = list[tuple[Folder, FolderState]]
Positions = dict[str, list[int]]
"""Per folder (as the server names it): its UIDVALIDITY, and the UID from which messages are new."""


class Contacts:
    """Reads the contacts of one mailbox. ``small`` is replaced by tests."""

    small = SMALL

    def __init__(self, mailbox: Mailbox, config: ImapConfig, context: Context) -> None:
        self._mailbox, self._config, self._context = mailbox, config, context
        self._people = People(
            [*config.own_addresses, config.user],
            config.own_domains,
            config.exclude_addresses,
            mailing_lists=config.mailing_lists,
            since=config.since,
        )

    def folders(self) -> Folders:
        """The folders to read and how they stand."""
        states = [(folder, self._mailbox.state(folder)) for folder in self._mailbox.folders()]
        return [(folder, state) for folder, state in states if state is not None]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of contacts in the order of their addresses."""
        ledger = Ledger()
        try:
            cursor = dict(request.cursor or {})
            bounded = request.since is not None or request.until is not None
            if request.mode is Mode.FULL or not (bounded or cursor.get("folders")):
                if request.resumed and "folders" in cursor and "after" not in cursor:
                    yield Page([], cursor)  # the read was finished
                else:
                    yield from self._everything(cursor if "after" in cursor else {}, request, ledger)
            else:
                yield from self._changes(cursor, request, ledger)
        finally:
            ledger.close()

    def ids(self) -> Iterator[Sequence[str]]:
        """The addresses of all contacts."""
        ledger = Ledger()
        try:
            for _ in self._scan(self.folders(), ledger):
                pass
            yield from ledger.addresses(5000)
        finally:
            ledger.close()

    # --- the two ways to read

    def _everything(self, cursor: dict[str, Any], request: Read, ledger: Ledger) -> Iterator[Page]:
        folders = self.folders()
        until = cursor.get("until") or _positions(folders)
        for rejected in self._scan(folders, ledger):
            yield Page([], cursor or {"phase": "scan"}, rejected=rejected)
        contacts = ledger.contacts(cursor.get("after", ""))
        total = ledger.count()
        while part := list(islice(contacts, request.page_size)):
            yield Page(records_of(part), {"until": until, "after": part[-1]["address"]}, total=total)
        yield Page([], {"folders": until}, total=total)

    def _changes(self, cursor: dict[str, Any], request: Read, ledger: Ledger) -> Iterator[Page]:
        folders = self.folders()
        before: Positions = cursor.get("folders") or {}
        until: Positions = cursor.get("until") or _positions(folders)
        samples: dict[str, tuple[str, int]] = {}
        for rejected in self._touched(folders, before, request, ledger, samples):
            yield Page([], cursor, rejected=rejected)
        after = str(cursor.get("after", ""))
        if ledger.touched_count():
            for part in self._made_anew(folders, after, request.page_size, ledger, samples):
                yield Page(records_of(part), {"folders": before, "until": until, "after": part[-1]["address"]})
        yield Page([], {"folders": until})

    def _touched(
        self,
        folders: Folders,
        before: Positions,
        request: Read,
        ledger: Ledger,
        samples: dict[str, tuple[str, int]],
    ) -> Iterator[list[Rejected]]:
        """Note the addresses in new messages; ``samples`` gets one (folder, UID) for each, to test SEARCH with."""
        for folder, state in folders:
            validity, first = before.get(folder.wire, [0, 1])
            first = first if validity == state.validity else 1
            since = self._config.since
            if request.since is not None or request.until is not None:
                first, since = 1, request.since.date() - timedelta(days=1) if request.since else since
            if first >= state.next_uid:
                continue
            self._mailbox.open(folder, state)
            for uids in self._mailbox.uids(state, first, since):
                rows, rejected = self._taken(folder, state, self._mailbox.headers(uids))
                wanted = [(row, uid) for row, uid in rows if within(row.arrived, request)]
                ledger.touch({row.address for row, _ in wanted})
                if len(samples) < SAMPLES:
                    samples.update({row.address: (folder.wire, uid) for row, uid in wanted})
                if rejected:
                    yield rejected

    def _made_anew(
        self, folders: Folders, after: str, size: int, ledger: Ledger, samples: dict[str, tuple[str, int]]
    ) -> Iterator[list[dict[str, Any]]]:
        """The records of the touched addresses, by SEARCH where that is cheaper and works, else by all headers."""
        messages = sum(state.messages for _, state in folders)
        if messages > self.small and ledger.touched_count() * len(folders) < messages // 20:
            while chunk := ledger.touched(after, size):
                ledger.forget()
                if not self._searched(folders, chunk, ledger, samples):
                    break
                contacts = list(ledger.contacts())
                after = chunk[-1]
                if contacts:
                    yield contacts
            else:
                return
            ledger.forget()
        for _ in self._scan(folders, ledger):
            pass
        found = ledger.contacts(after, touched_only=True)
        while part := list(islice(found, size)):
            yield part

    # --- gathering

    def _scan(self, folders: Folders, ledger: Ledger) -> Iterator[list[Rejected]]:
        """Go through all headers; yields what could not be read, and now and then nothing, as a sign of life."""
        for folder, state in folders:
            self._mailbox.open(folder, state)
            for number, uids in enumerate(self._mailbox.uids(state, since=self._config.since), 1):
                rows, rejected = self._taken(folder, state, self._mailbox.headers(uids))
                ledger.add([row for row, _ in rows])
                if rejected or number % 50 == 0:
                    yield rejected

    def _searched(
        self, folders: Folders, addresses: Sequence[str], ledger: Ledger, samples: dict[str, tuple[str, int]]
    ) -> bool:
        """Gather the messages of these addresses by SEARCH. False when SEARCH misses a message known to be there."""
        for folder, state in folders:
            self._mailbox.open(folder, state)
            for address in addresses:
                found = self._mailbox.search(*_criteria(address))
                where, uid = samples.get(address, ("", 0))
                if not address.isascii() or (where == folder.wire and uid not in found):
                    return False
                for start in range(0, len(found), 200):
                    rows, _ = self._taken(folder, state, self._mailbox.headers(found[start : start + 200]))
                    ledger.add([row for row, _ in rows if row.address == address])
        return True

    def _taken(
        self, folder: Folder, state: FolderState, fetched: Sequence[Fetched]
    ) -> tuple[list[tuple[Taken, int]], list[Rejected]]:
        """The addresses of these messages that count as contacts, and the messages that cannot be read."""
        rows: list[tuple[Taken, int]] = []
        rejected: list[Rejected] = []
        for item in fetched:
            name = f"{folder.wire}/{state.validity}/{item.uid}"
            try:
                message = parse_message(item.header)
            except (ValueError, RecursionError, IndexError) as error:
                rejected.append(_rejected(name, folder, item, error))
                continue
            if item.arrived is not None and self._people.counts(message, item.arrived):
                rows += [(row, item.uid) for row in self._people.taken(message, item.arrived, message.id or name)]
        return rows, rejected


def _criteria(address: str) -> list[str]:
    """A SEARCH for all messages that name an address."""
    name = quoted(address)
    return ["OR", "OR", "OR", "FROM", name, "TO", name, "CC", name, "HEADER", "REPLY-TO", name]


def _positions(folders: Folders) -> Positions:
    return {folder.wire: [state.validity, state.next_uid] for folder, state in folders}


def _rejected(key: str, folder: Folder, item: Fetched, error: Exception) -> Rejected:
    body = {"folder": folder.name, "uid": item.uid, "header": item.header[:2000].decode("utf-8", "replace")}
    reason = RecordRejected(
        "The message {uid} in {folder} cannot be read: {reason}.",
        path="header",
        rule="a message with an address in From, To, Cc or Reply-To",
        uid=item.uid,
        folder=folder.name,
        reason=str(error)[:200] or type(error).__name__,
        remedy="Nothing to do unless this message matters: the others are read.",
    )
    return Rejected(key, orjson.dumps(body), reason)
