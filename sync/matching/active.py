"""The version in force, as LAND and RESOLVE ask for it: read in their transaction, compiled once and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from threading import Lock, local

from mappings.contract import Canonical, Decision, Evidence, Features, Matcher, Member
from sync.errors import NotFound
from sync.master.bulk import Bulk, Question
from sync.master.inforce import InForce, Refinable, Sifting, recorded, without_blocks

_STATE = (
    "SELECT s.active, s.epoch, s.stage, s.cursor, s.last, EXISTS ("
    "SELECT 1 FROM match_block b WHERE b.version = s.active AND b.revision > ?) FROM match_state s WHERE s.id = 1"
)


class ActiveVersion:
    """A ``MatcherSource`` on the tables. One for a process; its threads share the compiled matcher and what it has
    remembered of comparisons.
    """

    def __init__(self) -> None:
        self._known: tuple[int, _Stored, InForce] | None = None

    def asking(self) -> Question:
        """What ``in_force`` asks, unless a switch has come in between."""
        known = self._known
        return _STATE, known[2].revision if known else 0

    def remembered(self) -> InForce | None:
        """What was in force when it was last asked for."""
        return self._known[2] if self._known else None

    def at_hand(self) -> Matcher | None:
        """The matcher of then, if it is compiled."""
        matcher = self._known[2].matcher if self._known else None
        return None if isinstance(matcher, _Stored) and "_compiled" not in matcher.__dict__ else matcher

    def in_force(self, bulk: Bulk, keep: bool = True) -> InForce:
        """What is in force in this transaction. ``keep``: the transaction has recorded no blocks itself.

        Raises NotFound before the project's first registration.
        """
        known = self._known
        rows = bulk.fetch(_STATE, known[2].revision if known else 0)  # as ``asking`` says
        if not rows:
            raise NotFound("No match model is in force yet.", remedy="Run `kehu sync run` once.")
        number, epoch, stage, cursor, last, has_more = rows[0]
        if known is None or (known[2].number, known[0]) != (number, epoch):
            stored, has_more = _Stored(number), True
            cap = bulk.fetch("SELECT block_cap FROM match_model WHERE id = ?", number)[0][0]
            known = (epoch, stored, InForce(stored, number, cap))
        known[1].read_by(bulk)
        if has_more:
            known = (*known[:2], recorded(bulk, known[2]))
        if keep:
            self._known = known
        if stage is None:
            return known[2]
        underived = range(cursor + 1, last + 1) if stage == "keys" else range(0)
        return replace(known[2], stage=stage, underived=underived)


class _Stored:
    """The matcher of a version, read and compiled when the first record needs it: a run that finds nothing changed
    needs none.
    """

    def __init__(self, number: int) -> None:
        self._number, self._reading, self._loading = number, local(), Lock()

    def read_by(self, bulk: Bulk) -> None:
        """The transaction of this thread, in which the version can be read."""
        self._reading.bulk = bulk

    @property
    def version(self) -> str:
        """The fingerprint of what decides."""
        return self.compiled.version

    @property
    def features(self) -> Callable[[Canonical], Features]:
        """The comparison features of one customer: the compiled matcher's own way, asked of every record of a page."""
        return self.compiled.features

    @property
    def keys(self) -> Callable[[Features], list[int]]:
        """Blocking keys, likewise."""
        return self.compiled.keys

    def compare(self, left: Features, right: Features) -> Evidence | None:
        """The evidence of one pair."""
        return self.compiled.compare(left, right)

    def cluster(self, members: Sequence[Member], decisions: Sequence[Decision]) -> list[list[int]]:
        """The customers among some members."""
        return self.compiled.cluster(members, decisions)

    def promising(self, sides: Sequence[Features], left: Sequence[int], right: Sequence[int]) -> list[bool]:
        """Which pairs may have evidence."""
        return self.compiled.promising(sides, left, right) if isinstance(self.compiled, Sifting) else [True] * len(left)

    def without_blocks(self, keys: frozenset[int]) -> Matcher:
        """The matcher without these blocks."""
        return without_blocks(self.compiled, keys)

    def is_proof(self, key: int) -> bool:
        """Whether the key is proof by itself."""
        return not isinstance(self.compiled, Refinable) or self.compiled.is_proof(key)

    def block(self, features: Features, key: int) -> tuple[str, str]:
        """What a key asks, and the value."""
        return self.compiled.block(features, key) if isinstance(self.compiled, Refinable) else ("", "")

    @property
    def compiled(self) -> Matcher:
        """The matcher itself, once for all threads."""
        known: Matcher | None = self.__dict__.get("_compiled")
        if known is None:
            with self._loading:
                known = self._compiled
        return known

    @cached_property
    def _compiled(self) -> Matcher:
        from sync.matching.packed import compiled

        rows = self._reading.bulk.fetch("SELECT family, contents FROM match_model WHERE id = ?", self._number)
        return compiled(*rows[0])


def plain(matcher: Matcher) -> Matcher:
    """The compiled matcher behind one that ``ActiveVersion`` gave."""
    return matcher.compiled if isinstance(matcher, _Stored) else matcher
