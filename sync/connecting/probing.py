"""A connection tried out before anything is stored: the test, its streams, some records and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson

from connectors.contract import Checked, Connector, Mode, Page, Read, Record, Stream
from connectors.errors import RecordRejected
from mappings.contract import CompiledMapping, Mapped
from mappings.preview import absent, preview
from mappings.suggest import suggest_mapping
from sync.connecting.drafts import write_text
from sync.master.deriving import unforeseen
from sync.project import Project
from sync.runs.wording import Failure, failure

PREVIEW = 20
LOOKED_AT = 50
"""So many records are searched for the fields that a mapping reads, and for a draft of one."""
PATIENCE = 20.0


class Sample(NamedTuple):
    """The first records of a stream; ``total`` as the system tells it; ``whole``: there are no more."""

    records: list[Record]
    rejected: int
    total: int | None
    whole: bool


class PreviewRow(NamedTuple):
    """A record, and the customers it becomes, or why it becomes none."""

    key: str
    source: Any
    mapped: tuple[Mapped, ...]
    failure: Failure | None


class Preview(NamedTuple):
    """Some records mapped. ``absent``: paths that the mapping reads and no record has, with the nearest there is."""

    rows: list[PreviewRow]
    total: int | None
    absent: list[tuple[str, str]]


@contextmanager
def opened(project: Project, name: str) -> Iterator[Connector[Any]]:
    """A connector of the connection, closed at the end."""
    connector = project.open(name)
    try:
        yield connector
    finally:
        connector.close()


def check(project: Project, name: str) -> Checked:
    """Log in and read a little. Raises ConnectorError."""
    with opened(project, name) as connector:
        return connector.check()


def discover(project: Project, name: str) -> list[Stream]:
    """What the system offers. Raises ConnectorError."""
    with opened(project, name) as connector:
        return list(connector.discover())


def sample(project: Project, name: str, stream: str, limit: int, *, patience: float = PATIENCE) -> Sample:
    """The first records of a stream, as many as come in ``patience`` seconds. Raises ConnectorError."""
    with opened(project, name) as connector:
        pages = connector.read(Read(stream, mode=Mode.FULL, page_size=min(max(limit, 10), 1000)))
        return _gathered(pages, limit, time.monotonic() + patience)


def mapped(project: Project, name: str, stream: str, limit: int = PREVIEW) -> Preview:
    """The first records with what the stream's mapping makes of them. Raises ConnectorError, MappingError."""
    mapping = project.mapping(name, stream)
    found = sample(project, name, stream, max(limit, LOOKED_AT))
    objects = [one for one in map(as_object, found.records) if one is not None]
    return Preview([_row(mapping, record) for record in found.records[:limit]], found.total, absent(mapping, objects))


def draft_mapping(project: Project, name: str, stream: str) -> bool:
    """Write a first mapping for a stream that has none, guessed from its records. False if it has one."""
    if project.has_mapping(name, stream):
        return False
    found = sample(project, name, stream, LOOKED_AT)
    text = suggest_mapping([one for one in map(as_object, found.records) if one is not None])
    write_text(project.own_mapping_path(name, stream), text.encode())
    return True


def as_object(record: Record) -> Mapping[str, Any] | None:
    """A record's body; None for what is no JSON object."""
    try:
        body = orjson.loads(record.body)
    except (orjson.JSONDecodeError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _gathered(pages: Iterator[Page], limit: int, deadline: float) -> Sample:
    records: list[Record] = []
    rejected, total = 0, None
    for page in pages:
        records += page.records
        rejected += len(page.rejected)
        total = page.total if page.total is not None else total
        if len(records) >= limit or time.monotonic() > deadline:
            more = len(records) > limit
            return Sample(records[:limit], rejected, total, whole=not more and total == len(records) + rejected)
    return Sample(records[:limit], rejected, total, whole=True)


def row_of(mapping: CompiledMapping, key: str, source: Mapping[str, Any]) -> PreviewRow:
    """What a mapping makes of one record."""
    try:
        row = next(preview(mapping, [source]))
    except Exception as error:  # a bug that one record meets must not take its neighbours along
        return PreviewRow(key, source, (), failure(unforeseen(error)))
    return PreviewRow(key, source, row.mapped, None if row.error is None else failure(row.error))


def _row(mapping: CompiledMapping, record: Record) -> PreviewRow:
    source = as_object(record)
    if source is None:
        bad = RecordRejected("The record is not one JSON object in UTF-8.", rule="json")
        return PreviewRow(record.key, record.body[:200].decode(errors="replace"), (), failure(bad))
    return row_of(mapping, record.key, source)
