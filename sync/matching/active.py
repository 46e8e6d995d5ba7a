"""The version in force, as LAND and RESOLVE ask for it: read in their transaction, compiled once and kept."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

from mappings.matching.rules import RuleMatcher
from sync.errors import NotFound
from sync.master.bulk import Bulk
from sync.master.inforce import InForce
from sync.matching import store

_STATE = (
    "SELECT s.active, s.epoch, s.stage, s.cursor, s.last, b.key, b.action, b.revision FROM match_state s "
    "LEFT JOIN match_block b ON b.version = s.active AND b.revision > ? WHERE s.id = 1"
)
_NO_VERSION = -1


class ActiveVersion:
    """A ``MatcherSource`` on the tables. One for a process; its threads share the compiled matcher and what it has
    remembered of comparisons.
    """

    def __init__(self) -> None:
        self._known: tuple[int, InForce] | None = None
        self._loading = Lock()

    def in_force(self, bulk: Bulk, keep: bool = True) -> InForce:
        """What is in force in this transaction. ``keep``: the transaction has recorded no blocks itself.

        Raises NotFound before the project's first registration.
        """
        epoch, known = self._known or (0, InForce(RuleMatcher(), _NO_VERSION))
        rows = bulk.fetch(_STATE, known.revision)
        if not rows:
            raise NotFound("No match model is in force yet.", remedy="Run `kehu sync run` once.")
        number, now, stage, cursor, last = rows[0][:5]
        if (number, now) != (known.number, epoch):
            known = self._load(bulk, number)
            rows = bulk.fetch(_STATE, known.revision)
        known = _with_blocks(known, [(key, action, revision) for *_, key, action, revision in rows if key is not None])
        if keep:
            self._known = (now, known)
        underived = range(cursor + 1, last + 1) if stage == "keys" else range(0)
        return replace(known, stage=stage, underived=underived)

    def _load(self, bulk: Bulk, number: int) -> InForce:
        with self._loading:
            family, contents, cap = bulk.fetch(
                "SELECT family, contents, block_cap FROM match_model WHERE id = ?", number
            )[0]
            return InForce(store.compiled(family, contents), number, cap)


def _with_blocks(known: InForce, rows: list[tuple[int, str, int]]) -> InForce:
    if not rows:
        return known
    refined = frozenset(key for key, action, _ in rows if action == "refined")
    linked = frozenset(key for key, action, _ in rows if action == "linked")
    return known.recording(refined, linked, max(row[2] for row in rows))

