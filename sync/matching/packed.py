"""What a version of the match model holds, as it stands in its row, and the matcher made from it.

A run loads its matcher from here. The rules need neither numpy nor anything else that models do, and do not load it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from mappings.contract import Matcher
from mappings.matching.rules import RuleMatcher

if TYPE_CHECKING:
    from mappings.matching.model import Kind, MatchModel

PROBABILITY, RULES = "probability", "rules"
KINDS: tuple[Kind, ...] = ("person", "organisation")


def packed(models: Mapping[Kind, MatchModel], accept_from: float, review_from: float) -> bytes:
    """A version's contents: its models by kind and both thresholds."""
    thresholds = {"accept_from": accept_from, "review_from": review_from}
    return zlib.compress(orjson.dumps({**{kind: one.to_json() for kind, one in models.items()}, **thresholds}), 6)


def unpacked(contents: bytes) -> dict[str, Any]:
    """The JSON of a version: models by kind, ``accept_from`` and ``review_from``."""
    return dict(orjson.loads(zlib.decompress(contents)))


def models_of(contents: bytes) -> dict[Kind, MatchModel]:
    """The models of a version by kind."""
    from mappings.matching.model import read_model

    data = unpacked(contents)
    return {kind: read_model(data[kind]) for kind in KINDS}


def compiled(family: str, contents: bytes | None) -> Matcher:
    """The matcher of a version's row."""
    if family == RULES or contents is None:
        return RuleMatcher()
    data = unpacked(contents)
    return probabilistic(models_of(contents), data["accept_from"], data["review_from"])


def probabilistic(models: Mapping[Kind, MatchModel], accept_from: float, review_from: float) -> Matcher:
    """The matcher of such models; its ``version`` is their fingerprint."""
    from mappings.matching.probabilistic import FellegiSunterMatcher

    return FellegiSunterMatcher(
        models["person"], models["organisation"], accept_from=accept_from, review_from=review_from
    )
