"""Which connections need somebody, and why: the one question an operator has in the morning.

A connection needs somebody when a fault has paused it, when its newest run has failed and nothing goes on by itself,
when it is late although nothing works on it, or when its system has been out of reach for so long that it is late.
What waits, works or was paused on purpose needs nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from connectors.errors import RetryLater
from sync.overview import StreamOverview
from sync.runs.pauses import ON_PURPOSE
from sync.runs.states import ENDED, Status
from sync.runs.wording import Wording


class Standing(StrEnum):
    """How a stream or a connection stands, the most urgent first."""

    NEEDS_YOU = "needs_you"
    WAITING = "waiting"
    WORKING = "working"
    PAUSED = "paused"
    NEW = "new"
    GOOD = "good"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class StreamStanding:
    """A stream, how it stands, and why, where there is something to say."""

    stream: StreamOverview
    standing: Standing
    reason: Wording | None = None
    remedy: Wording | None = None


@dataclass(frozen=True, slots=True)
class ConnectionStanding:
    """A connection as its most urgent stream stands. ``fresh_seconds`` is that of its stalest stream."""

    name: str
    connector: str
    standing: Standing
    streams: tuple[StreamStanding, ...]

    @property
    def worst(self) -> StreamStanding:
        """The stream that says most about it."""
        return self.streams[0]

    @property
    def records(self) -> int:
        """Live records of all its streams."""
        return sum(one.stream.records for one in self.streams)

    @property
    def quarantined(self) -> int:
        """Records of all its streams that stand in quarantine."""
        return sum(one.stream.quarantined for one in self.streams)

    @property
    def fresh_seconds(self) -> float | None:
        """Seconds since the last good sync of the stalest stream; None if one was never synced."""
        ages = [one.stream.fresh_seconds for one in self.streams]
        known = [age for age in ages if age is not None]
        return None if len(known) < len(ages) or not known else max(known)

    @property
    def every_seconds(self) -> float | None:
        """How fresh it is meant to be: the shortest of its streams' intervals; None: by hand."""
        found = [one.stream.every_seconds for one in self.streams if one.stream.every_seconds is not None]
        return min(found) if found else None


def connections(streams: Sequence[StreamOverview]) -> list[ConnectionStanding]:
    """The connections in the order of ``streams``."""
    found = []
    for (name, connector), group in groupby(streams, lambda one: (one.connection, one.connector)):
        judged = sorted(map(_judged, group), key=lambda one: list(Standing).index(one.standing))
        found.append(ConnectionStanding(name, connector, judged[0].standing, tuple(judged)))
    return found


def _judged(stream: StreamOverview) -> StreamStanding:
    if stream.removed or stream.reason_code == "removed_from_configuration":
        return StreamStanding(stream, Standing.REMOVED)
    if stream.paused:
        return _paused(stream)
    run = stream.run
    if run is None:
        return StreamStanding(stream, Standing.NEW)
    params = run.error.params if run.error else {}
    remedy = Wording(run.remedy, params) if run.remedy else None
    if run.error_code == RetryLater.code and run.status in _TRYING and stream.every_seconds:
        return _out_of_reach(stream, run.error, remedy)
    if run.status == Status.FAILED:
        return StreamStanding(stream, Standing.NEEDS_YOU, run.error, remedy)
    if run.status == Status.WAITING:
        return StreamStanding(stream, Standing.WAITING, run.error, remedy)
    if run.status not in ENDED:
        return StreamStanding(stream, Standing.WORKING)
    if stream.late:
        return _late(stream)
    return StreamStanding(stream, Standing.GOOD)


_TRYING = (Status.FAILED, Status.WAITING, Status.QUEUED, Status.RUNNING)
"""With a passing fault: between two tries, or in one."""


def _paused(stream: StreamOverview) -> StreamStanding:
    params = stream.reason.params if stream.reason else {}
    remedy = Wording(stream.remedy, params) if stream.remedy else None
    on_purpose = stream.reason_code in ON_PURPOSE
    return StreamStanding(stream, Standing.PAUSED if on_purpose else Standing.NEEDS_YOU, stream.reason, remedy)


def _out_of_reach(stream: StreamOverview, reason: Wording | None, remedy: Wording | None) -> StreamStanding:
    """A passing fault of a stream that its schedule tries again: nothing to do, until it no longer passes."""
    if not stream.late:
        return StreamStanding(stream, Standing.WAITING, reason, remedy)
    template = (
        "It has been so for longer than three of its intervals. See to the system and the way to it; "
        "kehu goes on trying by itself."
    )
    return StreamStanding(stream, Standing.NEEDS_YOU, reason, Wording(template, {}))


def _late(stream: StreamOverview) -> StreamStanding:
    return StreamStanding(
        stream,
        Standing.NEEDS_YOU,
        Wording("Nothing works on it, and it has not been synced for longer than three of its intervals.", {}),
        Wording("See whether workers run: `kehu doctor`.", {}),
    )
