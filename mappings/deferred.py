"""A mapping that is made when the first record needs it.

What maps (phone numbers, official numbers, scripts) takes longer to load than a run takes that finds nothing changed.
The matcher does the same: ``sync.matching.active``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from mappings.contract import CompiledMapping, Mapped
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
