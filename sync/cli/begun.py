"""A connection that begins with a file: its stream, what the file was recognised as, else a drafted mapping."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import orjson

from connectors.contract import Context, Read
from connectors.files.config import FilesConfig
from connectors.files.connector import FilesConnector
from connectors.files.exports import recognise
from mappings.suggest import suggest_mapping
from sync.recognition import SAMPLE, sentence, tell


class Begun(NamedTuple):
    """One file as the first of a connection. ``draft`` is a mapping for columns that were not recognised."""

    path: Path
    stream: str
    recognised: str | None
    draft: str | None

    def settings(self, folder: Path) -> dict[str, object]:
        """The settings of the connection in a project in ``folder``."""
        if self.path.is_relative_to(folder.resolve()):
            return {"path": self.path.relative_to(folder.resolve()).as_posix()}
        return {"path": Path(os.path.relpath(self.path, folder.resolve())).as_posix(), "outside": True}


def begin_with(file: Path) -> Begun:
    """Look at a file's columns and first rows. Raises the errors of the files connector."""
    path = file.resolve()
    settings = FilesConfig.model_validate({"path": path.name})
    connector = FilesConnector(settings, Context("new", folder=path.parent))
    (stream,) = connector.discover()
    export = recognise(field.path for field in stream.fields)
    if export is not None:
        return Begun(path, stream.name, sentence(export), None)
    connector.check()  # tells why a file without columns cannot be read
    pages = connector.read(Read(stream.name, page_size=SAMPLE))
    rows = islice((orjson.loads(record.body) for page in pages for record in page.records), SAMPLE)
    return Begun(path, stream.name, None, suggest_mapping(list(rows), tell=tell))
