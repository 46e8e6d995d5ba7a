"""A model for who merges at even odds and asks nobody: where families are many, relatives count more than they are."""

from __future__ import annotations

from dataclasses import replace

from mappings.matching.model import MatchModel

MOST = 3.0
"""Relatives count at most so many times."""
_FEW, _MANY = 1 / 40, MOST / 40
"""Relatives per match up to which they count once, and from which they count ``MOST`` times."""


def with_caution(model: MatchModel) -> MatchModel:
    """The model with relatives weighed up.

    Records with a surname, an address and perhaps a phone, but no given name and no birth date, fit everybody of a
    household; of two such records it is about even whether they are one person. Whoever merges from one to two on
    would merge all of them, and each draws others with it. A master asks for four to one, and needs no caution besides.
    """
    matches = 2.0**model.prior / (1 + 2.0**model.prior)
    times = min(max(model.related / matches / _FEW, 1.0), _MANY / _FEW)
    return replace(model, related=min(model.related * times, 1.0))
