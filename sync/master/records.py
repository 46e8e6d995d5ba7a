"""Source records in memory, as they are stored and matched."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from mappings.contract import Features, RecordKey


class LandedRecord(NamedTuple):
    """One stored record (or part) as the resolver needs it. Without a customer, features are None.

    ``features_version`` is the version since which it has these features. Evidence names it, so that it stands when
    only what nobody compares has changed.
    """

    id: int
    version: int
    features_version: int
    stream_id: int
    source_id: str
    part: str
    canonical: bytes | None
    features: Features | None
    keys: Sequence[int]

    def key(self, connection_id: int) -> RecordKey:
        """The record's key, which also ranks it."""
        return (connection_id, self.stream_id, self.source_id, self.part)


def pack_ids(ids: Iterable[int]) -> bytes:
    """Record ids as little-endian int64, for one-row-per-page columns."""
    packed = array("q", ids)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack_ids(packed: bytes) -> array[int]:
    """The inverse of ``pack_ids``."""
    ids = array("q", packed)
    if sys.byteorder == "big":
        ids.byteswap()
    return ids


def features_text(features: Features | None) -> str | None:
    """Features as they are stored."""
    return None if features is None else orjson.dumps(features).decode()


def features_of(text: str | None) -> Features | None:
    """The inverse of ``features_text``. Lists inside stay lists: matchers accept both."""
    return None if text is None else tuple(orjson.loads(text))
