"""One writer of a concurrency test: ``python -m tests.matching_worker URL NUMBER SEED``.

Lands and resolves records about the same few customers as its fellows, matched by the version in force, in an order of
its own. What it leaves behind depends on number and seed alone: its keys are nobody else's.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

from connectors.contract import Record
from sync.database import Database
from sync.matching.active import ActiveVersion
from tests.master_kit import record
from tests.matching_kit import customer, land, resolve

WORKERS = 4
EDITS = 40
KEYS = 12


def pages(number: int, seed: int) -> Iterator[tuple[int, list[Record], list[str]]]:
    """All edits of one worker: the stream, records, and deleted keys."""
    chance, stream = random.Random(f"{seed}-{number}"), 1 + number % 2
    for _ in range(EDITS):
        keys = [f"{number}-{chance.randrange(KEYS)}" for _ in range(chance.randint(1, 4))]
        if chance.random() < 0.15:
            yield stream, [], keys
        else:
            yield stream, [record(key, **customer(chance)) for key in dict.fromkeys(keys)], []


def final(number: int, seed: int) -> dict[int, list[Record]]:
    """What is left of a worker's edits, by stream."""
    state: dict[tuple[int, str], Record] = {}
    for stream, records, deleted in pages(number, seed):
        for key in deleted:
            state.pop((stream, key), None)
        state |= {(stream, one.key): one for one in records}
    left: dict[int, list[Record]] = {}
    for (stream, _), one in state.items():
        left.setdefault(stream, []).append(one)
    return left


def write(database: Database, number: int, seed: int) -> None:
    """All edits of one worker, each landed and resolved before the next."""
    source = ActiveVersion()
    for stream, records, deleted in pages(number, seed):
        resolve(database, land(database, stream, records, deleted, source), source)


if __name__ == "__main__":
    url, number_text, seed_text = sys.argv[1:]
    own = Database(url)
    write(own, int(number_text), int(seed_text))
    own.dispose()
