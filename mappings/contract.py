"""What the engine asks of a mapping and of a matcher. Everything behind these interfaces is a pure function."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

Canonical = Dict[str, Any]
"""A customer as JSON-safe, normalised data in the shape of ``mappings.customer.Customer``; absent keys are unknown.

Keys without a value are left out (never None, "" or []), lists keep their order, so equal customers are equal JSON.
"""

RecordKey = tuple[int, int, str, str]
"""Identifies a record everywhere and ranks it by seniority: (connection's number, stream's number, source id, part).

Connections and streams are numbered in the order in which they were first configured, so that the senior record of a
cluster (the smallest by ``seniority``) does not change when systems are added later.
"""

Features = tuple[Any, ...]
"""What comparison needs of a customer: a flat, JSON-safe tuple made by the matcher, stored beside the crosswalk."""


class Mapped(NamedTuple):
    """One canonical customer out of a source record.

    ``part`` is "" for the record itself and names further customers found inside it, e.g. ``contact:7`` for a
    company's contact person. Parts of one record are stable across versions of the record.
    """

    part: str
    customer: Canonical


class CompiledMapping(Protocol):
    """A mapping file compiled to functions. Calling it is pure and thread-safe."""

    fingerprint: str
    """Changes whenever the same record could map to something else."""

    @property
    def paths(self) -> frozenset[str]:
        """The source paths the mapping reads (``a.b`` for nested, ``items[].x`` inside lists), for drift detection."""

    def __call__(self, record: Dict[str, Any]) -> list[Mapped]:
        """The canonical customers of one raw record; may be empty (filtered out). Raises ``RecordInvalid``."""


class Evidence(NamedTuple):
    """Why two records are one customer (weight > 0) or are not (weight < 0), in log2 odds, and the rule's name."""

    weight: float
    rule: str


class Member(NamedTuple):
    """A record as clustering sees it. ``id`` is the engine's number for it and must not influence the answer."""

    id: int
    key: RecordKey
    features: Features


class Decision(NamedTuple):
    """A steward's word on a pair of records: the same customer (must-link) or not (cannot-link)."""

    left: RecordKey
    right: RecordKey
    same: bool


class Matcher(Protocol):
    """A match model of one version: everything it learnt from data is frozen in ``version``."""

    @property
    def version(self) -> str:
        """Changes whenever the same records could be compared otherwise."""

    def features(self, customer: Canonical) -> Features:
        """The comparison features of one customer."""

    def keys(self, features: Features) -> list[int]:
        """Blocking keys as signed 64-bit integers, without repeats: records are compared if they share one."""

    def compare(self, left: Features, right: Features) -> Evidence | None:
        """The evidence of one pair; None when it says too little to keep. Symmetric."""

    def cluster(self, members: Sequence[Member], decisions: Sequence[Decision]) -> list[list[int]]:
        """The customers among the members of one connected component, as lists of ``Member.id``.

        A deterministic function of keys, features and decisions: neither the order of ``members`` nor their ids
        matter. Each group is sorted by seniority, groups by their first member's seniority.
        """


def seniority(key: RecordKey) -> tuple[int, int, int, str, str]:
    """Sort key of records: systems first configured first, then short source ids before long ones (so 9 < 10)."""
    connection, stream, source_id, part = key
    return (connection, stream, len(source_id), source_id, part)
