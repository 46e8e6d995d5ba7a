"""Streams of files that are exports of well-known systems: recognised by columns, mapped without configuration."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from connectors.contract import Mode, Read, Stream
from connectors.errors import ConnectorError
from connectors.files.exports import Export, recognise
from sync import language
from sync.language import _

if TYPE_CHECKING:
    from mappings.guessing import Phrase
    from sync.project import Project

SAMPLE = 50
"""So many records of a stream without a mapping are looked at for a proposal."""
KIND = "files"
"""Only files are looked into: other systems declare what they ship a mapping for."""


def shipped_for(project: Project, name: str, stream: str) -> Path | None:
    """The mapping shipped for the export that a stream's first file is; None for other files, or where none is."""
    info = project.connector_info(name)
    if info.kind != KIND:
        return None
    found = next((one for one in _offered(project, name) if one.name == stream), None)
    return None if found is None or found.mapping is None else (info.folder / found.mapping).resolve()


class MappedBy(NamedTuple):
    """How a stream comes by a mapping: what it was recognised as, or a proposal; both None where it has one."""

    recognised: str | None = None
    proposal: str | None = None


def mapping_of(project: Project, name: str, stream: Stream) -> MappedBy:
    """What is to be told of a discovered stream's mapping. A proposal reads a few of its records.

    Only files are read for a proposal: other systems have streams by the hundred, and none is read unasked.
    """
    export = recognise(field.path for field in stream.fields) if stream.mapping is not None else None
    if export is not None and project.connector_info(name).kind == KIND:
        return MappedBy(recognised=sentence(export))
    if project.connector_info(name).kind != KIND or not stream.fields or project.has_mapping(name, stream.name):
        return MappedBy()
    from mappings.suggest import suggest_mapping

    return MappedBy(proposal=suggest_mapping(_records(project, name, stream.name), tell=tell))


def _records(project: Project, name: str, stream: str) -> list[dict[str, Any]]:
    """The first records of a stream."""
    connector = project.open(name)
    try:
        pages = connector.read(Read(stream, mode=Mode.FULL, page_size=SAMPLE))
        records = islice((record for page in pages for record in page.records), SAMPLE)
        return [orjson.loads(record.body) for record in records]
    finally:
        connector.close()


def sentence(export: Export) -> str:
    """What was recognised, in the user's language."""
    return _("Recognised as {export}: its mapping is shipped.", export=export.title.to(language.current()))


def tell(phrase: Phrase) -> str:
    """What a drafted mapping says of itself, in the user's language."""
    return language.text(phrase.template, phrase.params)


def _offered(project: Project, name: str) -> list[Stream]:
    """What the connection offers; nothing while it cannot be opened, which its check tells better."""
    with suppress(ConnectorError):
        connector = project.open(name)
        try:
            return list(connector.discover())
        finally:
            connector.close()
    return []
