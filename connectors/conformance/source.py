"""What a plugin author tells of the system under test, and what the engine would hold after reading it."""

# ruff: noqa: S101 - assertions are what this module is for

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import orjson

from connectors.contract import Connector, Context, Cursor, Inbound, Mode, Page, Read, Write
from connectors.documents import validate
from connectors.manifest import MANIFEST_NAME

MAX_PAGES = 2_000
"""A read of a test source that takes more pages is taken for endless."""

MAX_CURSOR_BYTES = 65_536


class Unsupported(Exception):
    """The system cannot do this; say why. The tests that need it are skipped with the reason."""


class Source(ABC):
    """The system behind the connector, driven as its own users would: records come, change and go.

    ``folder`` holds manifest.yaml and quality.yaml. ``page_size`` should be small, so that a few records make
    several pages. Keys are those of ``Record.key``.
    """

    connector: type[Connector[Any]]
    stream: str
    folder: Path
    page_size: ClassVar[int] = 3

    @property
    def manifest(self) -> Path:
        """The connector's manifest file."""
        return self.folder / MANIFEST_NAME

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Settings with which the connector works, as they would stand in kehu.yaml."""

    @abstractmethod
    def keys(self) -> set[str]:
        """The keys of all records that exist now."""

    @abstractmethod
    def add(self) -> str:
        """Create one record; its key."""

    @abstractmethod
    def update(self, key: str) -> None:
        """Change something in a record that its body shows."""

    def delete(self, key: str) -> None:
        """Delete a record."""
        raise Unsupported("the source cannot delete")

    def tie(self, keys: Sequence[str]) -> None:
        """Change these records, all with one and the same change stamp."""
        raise Unsupported("the source cannot set change stamps")

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        """Settings with a wrong secret, and the name of the setting that is wrong."""
        raise Unsupported("the source needs no credentials")

    def unreachable(self) -> dict[str, Any]:
        """Settings that lead where nothing answers."""
        raise Unsupported("the source is always there")

    def body(self, number: int) -> dict[str, Any]:
        """A record to write, a different one for each number."""
        raise Unsupported("the connector does not write")

    def conflict(self) -> Write:
        """A write that the target must refuse because of what it already holds."""
        raise Unsupported("the target refuses no write for a conflict")

    def webhook(self, key: str) -> Inbound:
        """What the system sends now that this record has changed."""
        raise Unsupported("the source sends no webhooks")

    def context(self) -> Context:
        """What the engine would give; override to set ``folder`` or more allowed addresses."""
        return Context(connection="conformance", allow_private=["127.0.0.0/8", "::1/128"])

    def connect(self, settings: Mapping[str, Any] | None = None) -> Connector[Any]:
        """A new connector, with the working settings by default."""
        given = self.settings() if settings is None else settings
        return self.connector(validate(self.connector.config_model, dict(given)), self.context())


class Copy:
    """What the engine would hold after reading: every record's newest body, every partition's cursor."""

    def __init__(self, connector: Connector[Any], source: Source) -> None:
        self.connector, self.source = connector, source
        self.bodies: dict[str, Any] = {}
        self.changed: set[str] = set()
        self.deleted: set[str] = set()
        self.cursors: dict[str, Cursor] = {}

    def full(self, midway: Callable[[], None] | None = None) -> Copy:
        """Read everything; ``midway`` is called once, after the first page."""
        for partition in self.connector.partitions(self.source.stream):
            for page in self.pages(partition, Mode.FULL):
                self.apply(page, partition)
                if midway is not None:
                    call, midway = midway, None
                    call()
        return self

    def incremental(self) -> Copy:
        """Read what changed since; ``changed`` and ``deleted`` then hold what this read said."""
        self.changed, self.deleted = set(), set()
        for partition in self.connector.partitions(self.source.stream):
            for page in self.pages(partition, Mode.INCREMENTAL, self.cursors.get(partition)):
                self.apply(page, partition)
        return self

    def incremental_reads(self) -> list[tuple[str, Mode, Cursor]]:
        """What would be read next of each partition, to be given to ``pages``."""
        return [(partition, Mode.INCREMENTAL, cursor) for partition, cursor in self.cursors.items()]

    def pages(
        self,
        partition: str,
        mode: Mode,
        cursor: Cursor | None = None,
        *,
        resumed: bool = False,
        lookback: int | None = None,
    ) -> Iterator[Page]:
        """The pages of one read; fails when there is no end."""
        size = self.source.page_size
        request = Read(self.source.stream, mode, cursor, partition, resumed, page_size=size, lookback=lookback)
        for number, page in enumerate(self.connector.read(request)):
            assert number < MAX_PAGES, "the read does not end"
            yield page

    def apply(self, page: Page, partition: str) -> None:
        """Store one page."""
        for record in page.records:
            self.bodies[record.key] = orjson.loads(record.body)
            self.changed.add(record.key)
        for key in page.deleted:
            self.bodies.pop(key, None)
            self.deleted.add(key)
        self.cursors[partition] = stored(page.cursor)


def stored(cursor: Cursor) -> Cursor:
    """The cursor as it comes back from the engine's database."""
    text = json.dumps(dict(cursor), allow_nan=False)
    assert len(text) <= MAX_CURSOR_BYTES, "the cursor is too large to be stored with every page"
    back: Cursor = json.loads(text)
    return back
