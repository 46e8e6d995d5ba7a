"""Who wrote to whom, gathered from messages in any order, in a temporary SQLite file so that memory stays small.

A contact's record is a pure function of the set of messages that name it: the same messages give the same record,
however often and in whatever order they are added. Copies of one message (same Message-ID, in several folders) count
once, by the earliest arrival.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

MAX_NAMES = 5
_TABLES = """
CREATE TABLE taken (
    address TEXT NOT NULL, message TEXT NOT NULL, arrived TEXT NOT NULL, sent INTEGER NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (address, message)
) WITHOUT ROWID;
CREATE TABLE touched (address TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_TAKE = """
INSERT INTO taken (address, message, arrived, sent, name) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (address, message) DO UPDATE SET arrived = excluded.arrived, sent = excluded.sent, name = excluded.name
WHERE (excluded.arrived, excluded.sent, excluded.name) < (taken.arrived, taken.sent, taken.name)
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """One address in one message. ``arrived`` is ISO 8601 UTC; ``sent`` whether we wrote the message."""

    address: str
    message: str
    arrived: str
    sent: bool
    name: str


class Ledger:
    """The addresses of some messages. Close it to remove its file."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # "" is a temporary file of SQLite's own
        self._database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA cache_size = -8000; {_TABLES}")

    def add(self, rows: list[Taken]) -> None:
        """Add addresses of messages; repeats change nothing."""
        values = [(row.address, row.message, row.arrived, row.sent, row.name) for row in rows]
        self._database.execute("BEGIN")
        self._database.executemany(_TAKE, values)
        self._database.execute("COMMIT")

    def touch(self, addresses: set[str]) -> None:
        """Remember addresses whose records are to be made anew."""
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO touched VALUES (?)", [(address,) for address in addresses])
        self._database.execute("COMMIT")

    def touched(self, after: str, limit: int) -> list[str]:
        """The next touched addresses in order."""
        query = "SELECT address FROM touched WHERE address > ? ORDER BY address LIMIT ?"
        return [address for (address,) in self._database.execute(query, (after, limit))]

    def count(self) -> int:
        """How many contacts there are."""
        (count,) = self._database.execute("SELECT count(DISTINCT address) FROM taken").fetchone()
        return int(count)

    def touched_count(self) -> int:
        """How many addresses are touched."""
        (count,) = self._database.execute("SELECT count(*) FROM touched").fetchone()
        return int(count)

    def addresses(self, batch: int) -> Iterator[list[str]]:
        """All addresses in order, in lists."""
        found = (
            address for (address,) in self._database.execute("SELECT DISTINCT address FROM taken ORDER BY address")
        )
        while part := list(islice(found, batch)):
            yield part

    def contacts(self, after: str = "", *, touched_only: bool = False) -> Iterator[dict[str, Any]]:
        """The contacts after an address, in order, each a record's body."""
        only = "AND address IN (SELECT address FROM touched)" if touched_only else ""
        query = f"SELECT * FROM taken WHERE address > ? {only} ORDER BY address, arrived, message"  # noqa: S608
        rows = (Taken(*row) for row in self._database.execute(query, (after,)))
        for address, group in groupby(rows, key=lambda row: row.address):
            yield _contact(address, group)

    def forget(self) -> None:
        """Forget the messages, keep what is touched."""
        self._database.execute("DELETE FROM taken")

    def close(self) -> None:
        """Remove the file."""
        self._database.close()


def _contact(address: str, rows: Iterator[Taken]) -> dict[str, Any]:
    """One contact out of its messages, oldest first; holds only counters and a few names."""
    names: dict[str, None] = {}
    counts, last = [0, 0], ["", ""]
    first = ""
    for row in rows:
        first = first or row.arrived
        counts[row.sent] += 1
        last[row.sent] = row.arrived
        if row.name:
            names.pop(row.name, None)
            names[row.name] = None  # newest last
            while len(names) > MAX_NAMES:
                del names[next(iter(names))]
    newest = list(reversed(names))
    return {
        "address": address,
        "name": newest[0] if newest else None,
        "names": newest,
        "first_contact": first or None,
        "last_contact": max(last) or None,
        "last_received": last[0] or None,
        "last_sent": last[1] or None,
        "messages": sum(counts),
        "received": counts[0],
        "sent": counts[1],
    }
