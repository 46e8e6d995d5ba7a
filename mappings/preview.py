"""Mappings tried out: what records become, what a changed mapping would change, and what looks wrong in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from mappings.compile import Mapper, MappingDefaults, compile_mapping
from mappings.contract import CompiledMapping, Mapped
from mappings.drift import observe
from mappings.errors import Doubt, RecordInvalid, SpecError
from mappings.language import CustomerSpec, MappingSpec, Source
from mappings.spec import load_spec

Record = Mapping[str, Any]


class Row(NamedTuple):
    """One source record and what becomes of it: customers (and notes of what was left out), or an error."""

    source: Record
    mapped: tuple[Mapped, ...]
    error: RecordInvalid | None
    notes: tuple[RecordInvalid, ...] = ()


class Change(NamedTuple):
    """A field of a part that two mappings fill differently; None is "no value". ``field`` "" is the whole customer."""

    part: str
    field: str
    before: Any
    after: Any


class Changed(NamedTuple):
    """One source record on which two mappings differ."""

    position: int
    source: Record
    changes: tuple[Change, ...]
    error_before: RecordInvalid | None
    error_after: RecordInvalid | None


@dataclass(frozen=True)
class Checked:
    """A checked mapping: the mapper if it compiles, else the error; and what is allowed but seldom meant."""

    mapper: Mapper | None
    error: SpecError | None
    doubts: tuple[Doubt, ...] = ()


def preview(mapping: CompiledMapping, records: Iterable[Record]) -> Iterator[Row]:
    """What each record becomes."""
    for record in records:
        try:
            if isinstance(mapping, Mapper):
                explained = mapping.explain(record)
                yield Row(record, tuple(explained.mapped), None, tuple(explained.notes))
            else:
                yield Row(record, tuple(mapping(record)), None)
        except RecordInvalid as error:
            yield Row(record, (), error)


def absent(mapping: CompiledMapping, records: Sequence[Record]) -> list[tuple[str, str]]:
    """The paths that a mapping reads and no record has, each with the nearest path there is ("" for none).

    Misspelt names look like this, but so do fields that a source leaves out where they are empty.
    """
    fields = observe(records, mapping.paths).fields
    there = [path for path, seen in fields.items() if seen.present]
    gone = [path for path, seen in fields.items() if not seen.present and seen.possible]
    return [(path, next(iter(get_close_matches(path, there, n=1)), "")) for path in gone]


def diff(before: CompiledMapping, after: CompiledMapping, records: Iterable[Record]) -> Iterator[Changed]:
    """The records that ``after`` maps differently than ``before``, field by field."""
    kept = list(records)
    pairs = zip(preview(before, kept), preview(after, kept), strict=True)
    for position, (old, new) in enumerate(pairs):
        changes = tuple(_changes(old.mapped, new.mapped))
        if changes or str(old.error or "") != str(new.error or ""):
            yield Changed(position, old.source, changes, old.error, new.error)


def check(source: Path | str, *, default: Path | str | None = None, defaults: MappingDefaults | None = None) -> Checked:
    """Load and compile a mapping file, and look for what is allowed but seldom meant."""
    try:
        spec = load_spec(source, default=default)
        mapper = compile_mapping(spec, defaults=defaults)
    except SpecError as error:
        return Checked(None, error)
    return Checked(mapper, None, tuple(_doubts(spec)))


def _changes(before: Iterable[Mapped], after: Iterable[Mapped]) -> Iterator[Change]:
    old = {mapped.part: mapped.customer for mapped in before}
    new = {mapped.part: mapped.customer for mapped in after}
    for part in sorted(old.keys() | new.keys()):
        if part not in new or part not in old:
            yield Change(part, "", old.get(part), new.get(part))
            continue
        left, right = old[part], new[part]
        for field in sorted(left.keys() | right.keys()):
            if left.get(field) != right.get(field):
                yield Change(part, field, left.get(field), right.get(field))


def _doubts(spec: MappingSpec) -> Iterator[Doubt]:
    used = set(_tables_used(spec))
    yield from (Doubt("The table {table} is not used.", table=name) for name in sorted(spec.tables.keys() - used))
    for entry in spec.customers:
        yield from _doubts_of(entry)


def _doubts_of(entry: CustomerSpec) -> Iterator[Doubt]:
    part = entry.part or "-"
    if not (entry.name or entry.legal_name or entry.native_name or entry.family_name or entry.given_name):
        yield Doubt("The customer has no name (part: {part}).", part=part)
    if entry.part is None and entry.source_changed_at is None:
        yield Doubt("source_changed_at is not set: “most recent” cannot be decided for this source.")
    if entry.credit_limit is not None and entry.currency is None:
        yield Doubt("The customer has a credit_limit without a currency (part: {part}).", part=part)
    for field, path in _twice(entry):
        yield Doubt("{path} is read twice by {field} (part: {part}).", path=path, field=field, part=part)


def _twice(entry: CustomerSpec) -> Iterator[tuple[str, str]]:
    for field in ("emails", "phones", "identifiers"):
        seen: set[tuple[str, str]] = set()
        for source in getattr(entry, field):
            key = (source.each or "", source.path or "")
            if source.path is not None and source.when is None and key in seen:
                yield field, source.path
            seen.add(key)


def _tables_used(value: Any) -> Iterator[str]:
    """The names of tables that any source or `lookup` transform of the spec refers to."""
    if isinstance(value, Source):
        names = [call.args.get("table", call.main) for call in value.do if call.name == "lookup"]
        yield from (name for name in [value.table, *names] if isinstance(name, str))
    members: Iterable[Any] = ()
    if isinstance(value, BaseModel):
        members = [getattr(value, field) for field in value.model_fields_set]
    elif isinstance(value, list | dict):
        members = value.values() if isinstance(value, dict) else value
    for member in members:
        yield from _tables_used(member)
