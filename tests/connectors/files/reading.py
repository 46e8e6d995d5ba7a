"""Reading a file with the connector, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from connectors.contract import Context, Mode, Page, Read
from connectors.documents import validate
from connectors.files.config import FilesConfig
from connectors.files.connector import FilesConnector


def connect(folder: Path, **settings: Any) -> FilesConnector:
    """A connector on ``folder`` that does not wait for files to settle."""
    given = {"settle_seconds": 0, **settings}
    return FilesConnector(validate(FilesConfig, given), Context("test", folder=folder))


def one(folder: Path, path: str, **stream: Any) -> FilesConnector:
    """A connector with one stream ``s``."""
    return connect(folder, streams={"s": {"path": path, **stream}})


def pages(connector: FilesConnector, mode: Mode = Mode.FULL, cursor: Any = None, **request: Any) -> Iterator[Page]:
    """The pages of stream ``s``."""
    return connector.read(Read("s", mode, cursor, **request))


def read(connector: FilesConnector, **request: Any) -> tuple[dict[str, Any], list[Any]]:
    """All bodies by key, and all rejected rows."""
    found = list(pages(connector, **request))
    bodies = {record.key: orjson.loads(record.body) for page in found for record in page.records}
    return bodies, [rejected for page in found for rejected in page.rejected]


def rows_of(folder: Path, name: str, content: bytes, **stream: Any) -> list[dict[str, Any]]:
    """The rows of one file with this content, nothing rejected."""
    (folder / name).write_bytes(content)
    bodies, rejected = read(one(folder, name, **stream))
    assert rejected == []
    return list(bodies.values())
