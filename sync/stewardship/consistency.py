"""Whether decisions agree: nothing that is said to be one customer may be kept apart, directly or through others.

Checked over the decisions in force around some records, gone records included: they may come back.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from sync.master import decisions
from sync.master.bulk import bulk_for
from sync.master.decisions import Verdict
from sync.stewardship import acts
from sync.stewardship.errors import Contradicted


class Conflict(NamedTuple):
    """A ``different`` that cannot hold, and the chain of ``same`` that it breaks."""

    apart: int
    together: tuple[int, ...]

    @property
    def decisions(self) -> set[int]:
        """The numbers of all decisions that take part."""
        return {self.apart, *self.together}


def around(connection: Connection, record_ids: Iterable[int]) -> dict[int, Verdict]:
    """The decisions in force on the records and on whatever must be in one customer with them."""
    bulk = bulk_for(connection)
    found: dict[int, Verdict] = {}
    seen: set[int] = set()
    frontier = set(record_ids)
    while frontier:
        seen |= frontier
        read = decisions.read(bulk, frontier).verdicts
        found |= read
        frontier = {record for verdict in read.values() if verdict.same for record in verdict.sides} - seen
    return found


def conflicts(verdicts: Iterable[Verdict]) -> list[Conflict]:
    """All contradictions among decisions, by the number of the ``different``."""
    known = sorted(verdicts, key=lambda verdict: verdict.id)
    together = _Together(verdict for verdict in known if verdict.same)
    chains = ((verdict.id, together.chain(verdict.sides)) for verdict in known if not verdict.same)
    return [Conflict(number, chain) for number, chain in chains if chain]


def chain(verdicts: Iterable[Verdict], sides: Mapping[int, int]) -> tuple[int, ...]:
    """The decisions that bring two of the sides together; empty if none do."""
    return _Together(verdict for verdict in verdicts if verdict.same).chain(sides)


def require(connection: Connection, record_ids: Iterable[int], new: Collection[int]) -> None:
    """Raises Contradicted, naming the decisions other than the ``new`` ones, if there is a contradiction around."""
    found = conflicts(around(connection, record_ids).values())
    if found:
        raise contradicted(connection, sorted({number for one in found for number in one.decisions} - set(new)))


def contradicted(connection: Connection, numbers: Collection[int]) -> Contradicted:
    """The error that names these earlier decisions: the latest in the sentence, the others by number."""
    last = acts.load(connection, max(numbers))
    others = ", ".join(str(number) for number in sorted(numbers) if number != last.id)
    if others:
        return Contradicted(
            "This contradicts decision {decision} ({verdict}) of {by} on {at}, together with {others}.",
            decisions=sorted(numbers),
            decision=last.id,
            verdict=last.verdict or last.act,
            by=last.by,
            at=f"{last.at:%Y-%m-%d}",
            others=others,
        )
    return Contradicted(
        "This contradicts decision {decision} ({verdict}) of {by} on {at}.",
        decisions=[last.id],
        decision=last.id,
        verdict=last.verdict or last.act,
        by=last.by,
        at=f"{last.at:%Y-%m-%d}",
    )


class _Together:
    """What must be one customer by some ``same`` decisions."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self._by_record: dict[int, list[Verdict]] = defaultdict(list)
        for verdict in verdicts:
            for record in verdict.sides:
                self._by_record[record].append(verdict)

    def chain(self, sides: Mapping[int, int]) -> tuple[int, ...]:
        """The decisions on a shortest way from a record of one side to one of another; empty if there is none."""
        done: set[int] = set()
        for start in sorted(sides):
            if start not in done:
                way, reached = self._way(start, sides)
                if way:
                    return way
                done |= reached
        return ()

    def _way(self, start: int, sides: Mapping[int, int]) -> tuple[tuple[int, ...], set[int]]:
        """Breadth first; each decision is followed once."""
        ways: dict[int, tuple[int, ...]] = {start: ()}
        followed: set[int] = set()
        queue = deque([start])
        while queue:
            record = queue.popleft()
            for verdict in self._by_record.get(record, ()):
                if verdict.id in followed:
                    continue
                followed.add(verdict.id)
                for other in sorted(verdict.sides.keys() - ways.keys()):
                    ways[other] = (*ways[record], verdict.id)
                    queue.append(other)
                    if sides.get(other, sides[start]) != sides[start]:
                        return tuple(sorted(ways[other])), set()
        return (), set(ways)
