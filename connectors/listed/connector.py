"""A connector over streams that are listed: the contract's calls, each handed to the stream or its writer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from connectors.auth.naming import naming_settings
from connectors.contract import Capability, ConfigT, Connector, Deletes, Page, Read, Stream, Write, WriteResult
from connectors.errors import PermissionMissing
from connectors.listed.stream import Listed
from connectors.naming import ensure_known
from connectors.rest.sampling import SAMPLE, fields_of
from connectors.writing import RecordWriter


class ListedConnector(Connector[ConfigT]):
    """Subclasses give the streams, a writer for each that can be written, and the settings that hold credentials."""

    abilities = frozenset({Capability.INCREMENTAL, Capability.IDS, Capability.WRITE})

    @abstractmethod
    def streams(self) -> Mapping[str, Listed]:
        """The streams by their names."""

    @abstractmethod
    def writer(self, stream: str) -> RecordWriter:
        """The writer of a stream."""

    @abstractmethod
    def credentials(self) -> str:
        """The settings that are wrong when the login is refused, separated by commas."""

    def discover(self) -> Sequence[Stream]:
        """The streams, with their fields as a sample shows them; without fields where we may not read one."""
        with self.logged_in():
            return [self._described(stream) for stream in self.streams().values()]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; see ``connectors.listed.stream``."""
        stream = self.known(request.stream)
        with self.logged_in():
            yield from stream.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys, page by page."""
        listed = self.known(stream)
        with self.logged_in():
            yield from listed.keys()

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update, one record after the other."""
        self.known(stream)
        with self.logged_in():
            return self.writer(stream).write(batch)

    def known(self, stream: str) -> Listed:
        """The stream of this name. Raises ``BadConfiguration`` where there is none."""
        streams = self.streams()
        ensure_known(stream, streams, self.context.connection)
        return streams[stream]

    def logged_in(self) -> AbstractContextManager[None]:
        """Refused credentials name the settings to correct."""
        return naming_settings(self.context.connection, self.credentials())

    def _described(self, stream: Listed) -> Stream:
        try:
            fields = fields_of(stream.sample(SAMPLE))
        except PermissionMissing:
            fields = ()
        return Stream(stream.name, stream.title, self.abilities, Deletes.SWEEP, stream.lookback, fields, stream.mapping)
