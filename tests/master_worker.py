"""One writer of a concurrency test, as a process of its own: ``python -m tests.master_worker URL STREAM SEED [EDITS]``.

It lands and resolves records about the same few hot customers as its fellows, edits them and deletes some, in an
order of its own. What it leaves behind depends on the seed alone.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from connectors.contract import Record
from sync.database import Database
from tests.master_kit import land, record, resolve

HOT = 50
EDITS = 150


def edits(stream: int, seed: int) -> Iterator[tuple[Sequence[Record], Sequence[str]]]:
    """Pages of one to five records of the stream, or deletes."""
    rng = random.Random(f"{seed}-{stream}")
    for _ in range(EDITS):
        keys = [str(rng.randrange(HOT)) for _ in range(rng.randint(1, 5))]
        if rng.random() < 0.15:
            yield (), keys
            continue
        yield [record(key, **_content(rng, key)) for key in dict.fromkeys(keys)], ()


def _content(rng: random.Random, key: str) -> dict[str, object]:
    tags = [f"hot{key}"] if rng.random() < 0.97 else [f"hot{key}", f"hot{rng.randrange(HOT)}"]
    return {"name": rng.choice(["Ann", "Bob", "张伟"]), "tags": tags, "owner": rng.choice([None] * 8 + ["x", "y"])}


def write(database: Database, stream: int, seed: int, most: int = EDITS) -> None:
    """The edits of one stream, each landed and resolved before the next."""
    for records, deleted in islice(edits(stream, seed), most):
        resolve(database, land(database, stream, records, deleted))


if __name__ == "__main__":
    url, stream_id, seed_text, *most = sys.argv[1:]
    own = Database(url)
    write(own, int(stream_id), int(seed_text), *map(int, most))
    own.dispose()
