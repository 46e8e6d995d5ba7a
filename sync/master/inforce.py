"""What matching works with in one transaction: the matcher in force and the blocks known to be crowded.

LAND and RESOLVE read it first thing, under a shared lock that a change of it takes exclusively, so that whatever they
commit was derived by what is in force at the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol, cast, runtime_checkable

from mappings.contract import Features, Matcher
from sync.master import tombstones
from sync.master.bulk import Bulk, Question

DEFAULT_CAP = 100
"""A block of more records is refined, where the match model's version says nothing else."""
UNVERSIONED = 0
"""The number of a matcher that is not a version in the database."""

_SWITCHING = 0x6B6D6F64  # an advisory lock of our own: shared by whoever matches, exclusive to change the version
_RECORDING = 0x6B626C6B  # and another: shared by whoever lands, exclusive to record crowded blocks
_SHARING = "SELECT pg_advisory_xact_lock_shared(?)"
_LAND = "SELECT pg_advisory_xact_lock_shared(?), pg_advisory_xact_lock_shared(?)"
_RECORDED = "SELECT key, action, revision FROM match_block WHERE version = ? AND revision > ?"
_LAND_PAGE = f"{_LAND}, pg_advisory_xact_lock_shared(?), set_config('synchronous_commit', 'off', true)"
_PAGE_LOCKS: tuple[str, int, int, int] = (_LAND_PAGE, tombstones.LOCK, _SWITCHING, _RECORDING)


class MayNotRecord(Exception):
    """A crowded block was met where none may be recorded. The transaction is to be tried again, not ``lasting``."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A matcher with the blocks recorded for it.

    ``refined`` keys are not used any more, finer ones are; ``linked`` ones are proof by themselves and link their
    records as a star. ``underived`` are the records that an unfinished switch has still to derive keys for.
    ``lasting``: nobody records blocks until the transaction ends, this one neither.
    """

    matcher: Matcher
    number: int = UNVERSIONED
    cap: int = DEFAULT_CAP
    refined: frozenset[int] = frozenset()
    linked: frozenset[int] = frozenset()
    revision: int = 0
    stage: str | None = None
    underived: range = range(0)
    lasting: bool = False

    def keys(self, features: Features) -> list[int]:
        """The blocking keys of a record."""
        return self.matcher.keys(features)

    def recording(self, refined: frozenset[int], linked: frozenset[int], revision: int) -> InForce:
        """The same with further crowded blocks."""
        known = self.refined | refined
        return replace(
            self,
            matcher=without_blocks(self.matcher, known) if refined else self.matcher,
            refined=known,
            linked=self.linked | linked,
            revision=revision,
        )


@runtime_checkable
class MatcherSource(Protocol):
    """Gives the matcher that is in force in a transaction; ``sync.matching.active`` reads it from the database."""

    def in_force(self, bulk: Bulk, keep: bool = True) -> InForce:
        """What to match with until the transaction ends. The caller holds the lock.

        ``keep``: it may be remembered for the next transaction, because this one has recorded no blocks itself.
        """

    def asking(self) -> Question:
        """What ``in_force`` will most probably ask."""

    def remembered(self) -> InForce | None:
        """What was in force in an earlier transaction, if that is known."""

    def at_hand(self) -> Matcher | None:
        """The matcher of then, if it can be used outside of any transaction."""


@runtime_checkable
class Refinable(Protocol):
    """A matcher that knows finer keys for blocks that are crowded, and which keys are proof by themselves."""

    def without_blocks(self, keys: frozenset[int]) -> Matcher:
        """The same matcher that uses none of these keys."""

    def is_proof(self, key: int) -> bool:
        """Whether records that share the key are one customer by that alone, but for a veto."""

    def block(self, features: Features, key: int) -> tuple[str, str]:
        """What a key of a record asks, and the value: ("family", "smith")."""


@runtime_checkable
class Sifting(Protocol):
    """A matcher that tells many strangers apart at once."""

    def promising(self, sides: Sequence[Features], left: Sequence[int], right: Sequence[int]) -> list[bool]:
        """For pairs of sides, by number: whether ``compare`` may find evidence. False: it finds none."""


def landing_with(source: Matcher | MatcherSource, bulk: Bulk) -> InForce:
    """What LAND works with. Nobody changes it, nor records crowded blocks, until the transaction ends."""
    _lock(bulk, _LAND, _SWITCHING, _RECORDING)
    return _in_force(source, bulk)


def landing_page_with(source: Matcher | MatcherSource, bulk: Bulk) -> InForce:
    """The same for a page that is read, and nobody is erased until the transaction ends.

    What the transaction stores is read once more if it is lost together with the cursor it stores, so its commit does
    not wait for the disk. RESOLVE's does, and what was landed before it is on the disk by then.
    """
    _lock(bulk, *_PAGE_LOCKS)
    return _in_force(source, bulk)


def resolving_with(source: Matcher | MatcherSource, bulk: Bulk, *, keep: bool = True, lasting: bool = False) -> InForce:
    """What RESOLVE works with. The version stays until the transaction ends; crowded blocks may be recorded, unless it
    shall be ``lasting``: then nobody records any, which saves asking again.

    ``keep`` as in ``MatcherSource``.
    """
    if not lasting:
        _lock(bulk, _SHARING, _SWITCHING)
        return _in_force(source, bulk, keep=keep)
    _lock(bulk, _LAND, _SWITCHING, _RECORDING)
    return replace(_in_force(source, bulk, keep=keep), lasting=True)


def landing_ahead(source: Matcher | MatcherSource, bulk: Bulk) -> None:
    """What ``landing_page_with`` will ask (see ``Bulk.ahead``)."""
    bulk.ahead(_PAGE_LOCKS, *_asking(source))


def resolving_asks(source: Matcher | MatcherSource, *, lasting: bool) -> list[Question]:
    """What ``resolving_with`` will ask."""
    locks: Question = (_LAND, _SWITCHING, _RECORDING) if lasting else (_SHARING, _SWITCHING)
    return [locks, *_asking(source)]


def linked_before(source: Matcher | MatcherSource) -> frozenset[int]:
    """Blocks that were linked as a star in an earlier transaction."""
    remembered = cast(MatcherSource, source).remembered() if _gives_versions(type(source)) else None
    return frozenset() if remembered is None else remembered.linked


def matcher_before(source: Matcher | MatcherSource) -> Matcher | None:
    """The matcher of an earlier transaction, which is most probably in force in this one too."""
    return cast(MatcherSource, source).at_hand() if _gives_versions(type(source)) else cast(Matcher, source)


def reading_with(source: Matcher | MatcherSource, bulk: Bulk) -> InForce:
    """What is in force, to look at only."""
    return _in_force(source, bulk, keep=False)


def lock_for_switch(bulk: Bulk) -> None:
    """Until the transaction ends nobody lands or resolves; waits for those who do."""
    _lock(bulk, "SELECT pg_advisory_xact_lock(?)", _SWITCHING)


def lock_for_recording(bulk: Bulk) -> None:
    """Until the transaction ends nobody lands; all that was landed is visible to the next statement."""
    _lock(bulk, "SELECT pg_advisory_xact_lock(?)", _RECORDING)


def lock_against_recording(bulk: Bulk) -> None:
    """Until the transaction ends nobody records crowded blocks; waits for who does."""
    _lock(bulk, _SHARING, _RECORDING)


def without_blocks(matcher: Matcher, keys: frozenset[int]) -> Matcher:
    """The matcher without these blocks; one that cannot refine stays as it is."""
    return matcher.without_blocks(keys) if isinstance(matcher, Refinable) else matcher


@lru_cache(maxsize=64)
def _gives_versions(kind: type) -> bool:
    """Whether objects of a class are a ``MatcherSource``: asking a protocol takes longer than most statements."""
    return issubclass(kind, MatcherSource)


def recorded(bulk: Bulk, known: InForce) -> InForce:
    """With the blocks that were recorded for the version since."""
    rows = bulk.fetch(_RECORDED, known.number, known.revision)
    if not rows:
        return known
    refined = frozenset(key for key, action, _ in rows if action == "refined")
    linked = frozenset(key for key, action, _ in rows if action == "linked")
    return known.recording(refined, linked, max(row[2] for row in rows))


def _in_force(source: Matcher | MatcherSource, bulk: Bulk, *, keep: bool = True) -> InForce:
    if _gives_versions(type(source)):
        return cast(MatcherSource, source).in_force(bulk, keep)
    return recorded(bulk, InForce(cast(Matcher, source)))


def _asking(source: Matcher | MatcherSource) -> list[Question]:
    return [cast(MatcherSource, source).asking()] if _gives_versions(type(source)) else []


def _lock(bulk: Bulk, statement: str, *locks: int) -> None:
    """On SQLite a transaction that writes is alone anyway."""
    if bulk.is_postgres:
        bulk.fetch(statement, *locks)
