"""The mapping of a job: the user's file, that of a known export, or one proposed by the columns' names and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from connectors.files.exports import recognise
from mappings.compile import Mapper, MappingDefaults, compile_mapping
from mappings.guessing import MAX_RECORDS
from mappings.spec import load_spec
from mappings.suggest import suggest_mapping
from sync.dedupe.reading import Input, sample
from sync.dedupe.store import Store
from sync.recognition import sentence, tell


class Chosen(NamedTuple):
    """The compiled mapping, its text if it is not the user's own, and what the files were recognised as."""

    mapper: Mapper
    proposal: str | None
    recognised: str | None = None


def choose_mapping(
    file: Path | None, store: Store, found: Input, truth: str | None, kind: str | None, region: str
) -> Chosen:
    """The mapping in ``file``, else that of the export all files are, else a proposal. Raises SpecError.

    A proposal never looks at the truth; ``kind`` asks for one, whatever the files are.
    """
    defaults = MappingDefaults(region=region)
    if file is not None:
        return Chosen(compile_mapping(load_spec(file), defaults=defaults), None)
    export = recognise(found.columns) if kind is None else None
    if export is not None:
        spec = load_spec(export.mapping)
        text = export.mapping.read_text(encoding="utf-8")
        return Chosen(compile_mapping(spec, defaults=defaults), text, sentence(export))
    rows: list[dict[str, Any]] = sample(store, len(found.files), MAX_RECORDS)
    for row in rows:
        row.pop(truth or "", None)
    text = suggest_mapping(rows, kind=kind, tell=tell)
    return Chosen(compile_mapping(load_spec(text, name="mapping.yaml"), defaults=defaults), text)
