"""What connectors to a version 4 service with change tracking have in common: streams, reading, checking."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import orjson

from connectors.contract import (
    Capability,
    ConfigT,
    Connector,
    Deletes,
    Page,
    Read,
    Stream,
    Write,
    WriteResult,
)
from connectors.errors import PermissionMissing
from connectors.naming import ensure_known
from connectors.odata.client import ODataClient
from connectors.odata.entra import naming_entra_settings
from connectors.odata.tracking import LOOKBACK, TrackedReader
from connectors.odata.writing import Writer
from connectors.rest.sampling import SAMPLE, fields_of

ABILITIES = frozenset({Capability.INCREMENTAL, Capability.IDS, Capability.WRITE})


class TrackedConnector(Connector[ConfigT]):
    """Subclasses give the client, a reader and a writer per stream, and the settings that hold credentials.

    Deletes are told by change tracking and, because nothing promises that without a gap, looked for by a sweep too.
    """

    titles: ClassVar[Mapping[str, str]]
    client: ODataClient

    @abstractmethod
    def reader(self, stream: str) -> TrackedReader:
        """The reader of a known stream."""

    @abstractmethod
    def writer(self, stream: str) -> Writer:
        """The writer of a known stream."""

    @abstractmethod
    def credentials(self) -> str:
        """The settings that are wrong when the login is refused, separated by commas."""

    def discover(self) -> Sequence[Stream]:
        """The streams, with their fields as a sample shows them; without fields where we may not read one."""
        with self.logged_in():
            return [self._described(name) for name in self.titles]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; see ``connectors.odata.tracking``."""
        self.known(request.stream)
        with self.logged_in():
            yield from self.reader(request.stream).read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys, page by page."""
        self.known(stream)
        with self.logged_in():
            yield from self.reader(stream).keys()

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update, after a look at the state of what is there; many records in a request where that goes."""
        self.known(stream)
        with self.logged_in():
            return self.writer(stream).write(batch)

    def tracking(self) -> dict[str, str]:
        """For each stream how its changes become known, tried out: the proof that it can be read."""
        words = {True: "change tracking", False: "change stamps"}
        return {name: words[self.reader(name).tracks()] for name in self.titles}

    def known(self, stream: str) -> None:
        """Raise ``BadConfiguration`` for a stream that there is not."""
        ensure_known(stream, self.titles, self.context.connection)

    def logged_in(self) -> AbstractContextManager[None]:
        """Refused credentials name the settings to correct."""
        return naming_entra_settings(self.context.connection, self.credentials())

    def close(self) -> None:
        """Give back the sockets."""
        self.client.close()

    def _described(self, name: str) -> Stream:
        try:
            sample: Sequence[dict[str, Any]] = self.reader(name).sample(SAMPLE)
        except PermissionMissing:
            sample = ()
        return Stream(
            name,
            self.titles[name],
            ABILITIES,
            Deletes.SWEEP,
            LOOKBACK,
            fields=fields_of(orjson.dumps(row) for row in sample),
            mapping=f"mapping_{name}.yaml" if len(self.titles) > 1 else "mapping.yaml",
        )
