"""The review queue: pairs of records that the matcher compared and left in different customers.

One entry for each pair of customers, by its strongest pair of records; a pair that a steward has a word on, be it
"undecided", is out of the queue. Those come first whose decision would change most.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from mappings.contract import Matcher, seniority
from sync.master import streams
from sync.master.bulk import bulk_for
from sync.master.identity import public_id
from sync.master.inforce import MatcherSource, reading_with
from sync.matching.active import plain
from sync.stewardship.records import address

_PAIRS = """
SELECT e.left_id, e.right_id, e.weight, e.rule, l.customer_id AS one, r.customer_id AS other,
  count(*) OVER w AS pairs,
  row_number() OVER (w ORDER BY e.weight DESC, e.left_id, e.right_id) AS place
FROM match_edge e
JOIN crosswalk l ON l.record_id = e.left_id AND coalesce(l.features_version, l.version) = e.left_version
JOIN crosswalk r ON r.record_id = e.right_id AND coalesce(r.features_version, r.version) = e.right_version
WHERE l.customer_id <> r.customer_id AND e.weight >= ? AND e.weight < ?
WINDOW w AS (PARTITION BY
  CASE WHEN l.customer_id < r.customer_id THEN l.customer_id ELSE r.customer_id END,
  CASE WHEN l.customer_id < r.customer_id THEN r.customer_id ELSE l.customer_id END)
"""
_SAID = """
SELECT 1 FROM steward_anchor a
JOIN steward_decision d ON d.id = a.decision_id AND d.undone_by IS NULL AND d.verdict IS NOT NULL
JOIN steward_anchor b ON b.decision_id = a.decision_id AND b.side <> a.side AND b.undone_by IS NULL
JOIN crosswalk y ON y.record_id = b.record_id AND y.customer_id = p.other
JOIN crosswalk x ON x.record_id = a.record_id
WHERE x.customer_id = p.one AND a.undone_by IS NULL
"""
_VETOED = -50.0
"""Below all that is weighed: the weight of a veto. What a rule forbids comes after all that nothing forbids."""
_FORBIDDEN = f"CASE WHEN p.weight < {_VETOED} THEN 1 ELSE 0 END"
_QUEUE = f"""
SELECT q.*, s.stream_id, s.source_id, s.part, t.stream_id, t.source_id, t.part
FROM (
  SELECT p.left_id, p.right_id, p.weight, p.rule, p.one, p.other, p.pairs,
    c.name AS one_name, c.members AS one_members, d.name AS other_name, d.members AS other_members
  FROM ({_PAIRS}) p
  JOIN customer c ON c.id = p.one JOIN customer d ON d.id = p.other
  WHERE p.place = 1 AND NOT EXISTS ({_SAID}) AND {{after}}
  ORDER BY {_FORBIDDEN}, c.members + d.members DESC, p.weight DESC, p.left_id, p.right_id
  LIMIT ?
) q
JOIN source_record s ON s.id = q.left_id JOIN source_record t ON t.id = q.right_id
ORDER BY {_FORBIDDEN.replace("p.", "q.")}, q.one_members + q.other_members DESC, q.weight DESC, q.left_id, q.right_id
"""  # noqa: S608 - fixed parts


_AFTER = (
    f"({_FORBIDDEN} > ? OR {_FORBIDDEN} = ? AND "
    "(c.members + d.members < ? OR c.members + d.members = ? AND (p.weight < ? OR p.weight = ? AND "
    "(p.left_id > ? OR p.left_id = ? AND p.right_id > ?))))"
)


class Place(NamedTuple):
    """Where a pair stands in the queue: how many records it touches, its weight, its records by number."""

    records: int
    weight: float
    left: int
    right: int


class Side(NamedTuple):
    """A record of a pair, and the customer it is in."""

    record: str
    customer: str
    name: str | None
    members: int


class Candidate(NamedTuple):
    """Two customers that may be one: their strongest pair of records (the senior left), its evidence, all pairs."""

    left: Side
    right: Side
    weight: float
    rule: str
    pairs: int
    place: Place | None = None

    @property
    def records(self) -> int:
        """How many source records a decision would touch."""
        return self.left.members + self.right.members


def thresholds(matcher: Matcher) -> tuple[float, float]:
    """Weights from and below which a pair is to be reviewed: what the matcher says, else all weights."""
    known = plain(matcher)
    low, high = getattr(known, "review_from", None), getattr(known, "accept_from", None)
    return (float("-inf") if low is None else low, float("inf") if high is None else high)


def queue(
    connection: Connection, matcher: Matcher | MatcherSource, limit: int = 50, after: Place | None = None
) -> list[Candidate]:
    """The pairs to review, those first whose decision would touch most records; last what a rule forbids.

    ``after`` is the place of the pair to go on after.
    """
    directory = streams.load(connection)
    low, high = thresholds(reading_with(matcher, bulk_for(connection)).matcher)
    where, values = "true", []
    if after is not None:
        where = _AFTER
        forbidden = int(after.weight < _VETOED)
        values = [
            forbidden,
            forbidden,
            after.records,
            after.records,
            after.weight,
            after.weight,
            after.left,
            after.left,
            after.right,
        ]
    statement = _QUEUE.format(after=where)
    rows = bulk_for(connection).fetch(statement, max(low, -1e300), min(high, 1e300), *values, limit)
    found = []
    for row in rows:
        one, other = directory[row[11]], directory[row[14]]
        place = Place(row[8] + row[10], row[2], row[0], row[1])
        sides = [
            (one.key(*row[12:14]), Side(address(one, *row[12:14]), public_id(row[4]), row[7], row[8])),
            (other.key(*row[15:17]), Side(address(other, *row[15:17]), public_id(row[5]), row[9], row[10])),
        ]
        sides.sort(key=lambda side: seniority(side[0]))  # the numbers of records tell only who came first
        found.append(Candidate(sides[0][1], sides[1][1], row[2], row[3], row[6], place))
    return found
