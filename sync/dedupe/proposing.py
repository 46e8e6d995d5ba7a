"""The mapping of a job: the user's file, or one proposed by the columns' names and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mappings.compile import Mapper, MappingDefaults, compile_mapping
from mappings.spec import load_spec
from mappings.suggest import MAX_RECORDS, suggest_mapping
from sync.dedupe.reading import Input, sample
from sync.dedupe.store import Store


class Chosen(NamedTuple):
    """The compiled mapping, and its text if it is a proposal."""

    mapper: Mapper
    proposal: str | None


def choose_mapping(
    file: Path | None, store: Store, found: Input, truth: str | None, kind: str | None, region: str
) -> Chosen:
    """The mapping in ``file``, else a proposal that never looks at the truth. Raises SpecError."""
    defaults = MappingDefaults(region=region)
    if file is not None:
        return Chosen(compile_mapping(load_spec(file), defaults=defaults), None)
    rows: list[dict[str, Any]] = sample(store, len(found.files), MAX_RECORDS)
    for row in rows:
        row.pop(truth or "", None)
    text = suggest_mapping(rows, kind=kind)
    return Chosen(compile_mapping(load_spec(text, name="mapping.yaml"), defaults=defaults), text)
