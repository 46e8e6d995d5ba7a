"""A mapping and a matcher that are made when the first record needs them.

What maps and compares (phone numbers, official numbers, scripts) takes longer to load than a run takes that finds
nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from mappings.contract import Canonical, CompiledMapping, Decision, Evidence, Features, Mapped, Matcher, Member
from mappings.fingerprint import MappingDefaults, fingerprint
from mappings.language import MappingSpec


class DeferredMapping:
    """A mapping (``mappings.contract.CompiledMapping``) that is known to compile, for it did under its fingerprint."""

    def __init__(self, spec: MappingSpec, defaults: MappingDefaults) -> None:
        self.spec = spec
        self.fingerprint = fingerprint(spec, defaults)
        self._defaults = defaults

    @cached_property
    def paths(self) -> frozenset[str]:
        """The source paths it reads."""
        return self._compiled.paths

    def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
        """The canonical customers of one raw record."""
        return self._compiled(record)

    @cached_property
    def _compiled(self) -> CompiledMapping:
        from mappings.compile import compile_mapping

        return compile_mapping(self.spec, defaults=self._defaults)


class DeferredMatcher:
    """The matcher (``mappings.contract.Matcher``) that ``make`` answers."""

    def __init__(self, make: Callable[[], Matcher]) -> None:
        self._make = make

    @cached_property
    def version(self) -> str:
        """Its version."""
        return self._made.version

    def features(self, customer: Canonical) -> Features:
        """The comparison features of one customer."""
        return self._made.features(customer)

    def keys(self, features: Features) -> list[int]:
        """Blocking keys."""
        return self._made.keys(features)

    def compare(self, left: Features, right: Features) -> Evidence | None:
        """The evidence of one pair."""
        return self._made.compare(left, right)

    def cluster(self, members: Sequence[Member], decisions: Sequence[Decision]) -> list[list[int]]:
        """The customers among some members."""
        return self._made.cluster(members, decisions)

    @cached_property
    def _made(self) -> Matcher:
        return self._make()
