"""Blocks that grow past the cap: recorded with the version, and their members moved to finer keys.

A block is crowded when more live records share its key than the version's cap. Which blocks are is a function of the
records alone: a key's block can only grow past the cap if its coarser key's has (finer keys have fewer members), and
recorded blocks stay recorded. Keys that are proof by themselves have no finer ones: their records are linked as a star
instead, each with one other holder, so that a crowd costs no more than its size.

Recording takes a lock that LAND shares, so that ``match_key`` holds exactly the keys that the recorded blocks leave to
every record, always.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from mappings.contract import Features
from sync.master.bulk import Bulk
from sync.master.inforce import InForce, Refinable
from sync.master.records import features_of

REFINED, LINKED = "refined", "linked"
CHUNK = 2_000
"""Members that are moved at a time."""


class Crowd(NamedTuple):
    """The matcher without the crowded blocks, and the records whose edges were found through them alone."""

    force: InForce
    loosened: set[int]


def shared(bulk: Bulk, keys: Iterable[int]) -> dict[int, list[int]]:
    """The members of each of the keys that two or more records share, by ascending id."""
    wanted = sorted(keys)
    if not wanted:
        return {}
    rows = bulk.fetch(_SHARED, wanted)
    blocks: dict[int, list[int]] = {}
    for key, record_id in rows:
        blocks.setdefault(key, []).append(record_id)
    return blocks


def holder(bulk: Bulk, key: int, count: int = 2) -> list[int]:
    """The first records that have a key."""
    rows = bulk.fetch("SELECT record_id FROM match_key WHERE key = ? ORDER BY record_id LIMIT ?", key, count)
    return [row[0] for row in rows]


def crowded(force: InForce, blocks: Mapping[int, Sequence[int]]) -> dict[int, Sequence[int]]:
    """The blocks past the cap."""
    return {key: members for key, members in blocks.items() if len(members) > force.cap}


def record(bulk: Bulk, force: InForce, blocks: Mapping[int, Sequence[int]], *, any_edges: bool = True) -> Crowd:
    """Record crowded blocks for the version in force, and move their members to finer keys.

    The caller holds ``inforce.lock_for_recording`` and has read the blocks under it. ``any_edges``: False where none
    has been found yet, so that none has to be forgotten.
    """
    linked = {key for key in blocks if _is_proof(force, key)}
    refined = blocks.keys() - linked
    revisions = bulk.numbers("match_block", len(blocks))
    after = force.recording(frozenset(refined), frozenset(linked), revisions[-1])
    _write(bulk, force, blocks, linked, revisions, datetime.now(UTC))
    keys: dict[int, list[int]] = {}
    members = sorted({record_id for key in refined for record_id in blocks[key]})
    for start in range(0, len(members), CHUNK):
        moved = _moved(bulk, members[start : start + CHUNK], after)
        keys |= moved if any_edges else {}
    bulk.run("DELETE FROM match_key WHERE key {ints}", sorted(refined))
    return Crowd(after, _loosen(bulk, keys) if keys else set())


def _is_proof(force: InForce, key: int) -> bool:
    """A matcher without finer keys gets stars for all of its crowds."""
    return not isinstance(force.matcher, Refinable) or force.matcher.is_proof(key)


def _write(
    bulk: Bulk,
    force: InForce,
    blocks: Mapping[int, Sequence[int]],
    linked: set[int],
    revisions: Sequence[int],
    now: datetime,
) -> None:
    rows = []
    examples = load_features(bulk, sorted({members[0] for members in blocks.values()}))
    for revision, (key, members) in zip(revisions, sorted(blocks.items()), strict=True):
        question, value = _in_words(force, key, examples.get(members[0]))
        size = len(members)
        pairs = size * (size - 1) // 2
        action = LINKED if key in linked else REFINED
        rows.append((force.number, key, revision, action, question, value[:500], size, pairs, bulk.instant(now)))
    bulk.run_many(
        "INSERT INTO match_block (version, key, revision, action, question, value, size, pairs, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def _in_words(force: InForce, key: int, features: Features | None) -> tuple[str, str]:
    """What a key asks, told by the features of a record that has it."""
    if not isinstance(force.matcher, Refinable):
        return "", ""
    question, value = force.matcher.block(features, key) if features else ("", "")
    return question[:40], value.replace("\x00", "").encode(errors="replace").decode()


def _moved(bulk: Bulk, members: Sequence[int], after: InForce) -> dict[int, list[int]]:
    """Give records the keys they have now; answers these."""
    keys = {record_id: after.keys(features) for record_id, features in load_features(bulk, members).items()}
    insert_missing(bulk, [(key, record_id) for record_id, held in keys.items() for key in held])
    return keys


def _loosen(bulk: Bulk, keys: Mapping[int, Sequence[int]]) -> set[int]:
    """Forget the edges between members that share no key any more; answers the records at their ends."""
    rows = bulk.fetch("SELECT left_id, right_id FROM match_edge WHERE left_id {ints}", sorted(keys))
    held = {record_id: frozenset(found) for record_id, found in keys.items()}
    loose = [(left, right) for left, right in rows if right in held and held[left].isdisjoint(held[right])]
    bulk.apply(
        "DELETE FROM match_edge WHERE (left_id, right_id) IN (SELECT left_id, right_id FROM {rows} r)",
        (("left_id", "int8"), ("right_id", "int8")),
        sorted(loose),
    )
    return {end for pair in loose for end in pair}


def insert_missing(bulk: Bulk, pairs: Iterable[tuple[int, int]]) -> None:
    """Key rows of which some may exist."""
    bulk.apply(
        "INSERT INTO match_key (key, record_id) SELECT key, record_id FROM {rows} r WHERE true ON CONFLICT DO NOTHING",
        _KEYS,
        sorted(pairs),
    )


def load_features(bulk: Bulk, record_ids: Sequence[int]) -> dict[int, Features]:
    """The features of live records."""
    rows = bulk.fetch(
        "SELECT id, features FROM source_record WHERE id {ints} AND deleted_at IS NULL AND features IS NOT NULL",
        list(record_ids),
    )
    return {row[0]: features_of(row[1]) or () for row in rows}


_SHARED = (
    "SELECT m.key, m.record_id FROM match_key m JOIN ("
    "SELECT key FROM match_key WHERE key {ints} GROUP BY key HAVING count(*) > 1) shared ON shared.key = m.key "
    "ORDER BY m.key, m.record_id"
)
_KEYS = (("key", "int8"), ("record_id", "int8"))
