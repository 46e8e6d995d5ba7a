"""The SQL connector: what the engine sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.contract import (
    Capability,
    Checked,
    Connector,
    Context,
    Deletes,
    Page,
    Read,
    Stream,
    Write,
    WriteResult,
)
from connectors.documents import nearest
from connectors.errors import BadConfiguration, PermissionMissing
from connectors.sql.config import SqlConfig, SqlStream
from connectors.sql.database import Database
from connectors.sql.origin import Origin, tables_with_keys
from connectors.sql.streams import SqlTable
from connectors.sql.values import Encoder
from connectors.sql.writing import write_rows

IDS_SIZE = 5000


SWEEP_EVERY = 3600
"""Seconds between looks for deletes: a database lists its keys cheaply."""


class SqlConnector(Connector[SqlConfig]):
    """Reads streams of records from a database and, where a table is declared writable, writes into it."""

    id = "sql"
    config_model = SqlConfig

    def __init__(self, config: SqlConfig, context: Context) -> None:
        super().__init__(config, context)
        self._database = Database(config, context)
        self._encoder = Encoder(config)

    def check(self) -> Checked:
        """Connect, and look at every stream's columns and first row."""
        streams = self._streams()
        details = {}
        for stream in streams.values():
            next(iter(stream.pages(Read(stream.name, page_size=1))), None)
            details[stream.name] = f"key: {', '.join(stream.origin().key)}"
        name = self._database.engine.dialect.name
        return Checked(
            "Connected to the {kind} database; streams that can be read: {streams}.",
            details,
            {"kind": name, "streams": len(streams)},
        )

    def discover(self) -> Sequence[Stream]:
        """The configured streams, or all tables with a primary key, with their columns."""
        return [self._describe(stream, stream.origin()) for stream in self._streams().values()]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of rows by key, or by cursor column and key."""
        return self._stream(request.stream).pages(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """The keys of all rows that are not marked as deleted."""
        return self._stream(stream).ids(IDS_SIZE)

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Insert or update rows of a writable table, in one transaction."""
        found = self._stream(stream)
        if not found.config.writable:
            raise PermissionMissing(
                "The stream {stream} is not writable.", remedy="Set `writable: true` for it.", stream=stream
            )
        origin = found.origin()
        with self._database.writing() as connection:
            return [write_rows(connection, origin, found.config, one) for one in batch]

    def close(self) -> None:
        """Give back all connections."""
        self._database.close()

    def _describe(self, stream: SqlTable, origin: Origin) -> Stream:
        config = stream.config
        deletes = Deletes.FEED if config.deleted and config.cursor else Deletes.SWEEP if config.sweep else Deletes.NONE
        capabilities = {Capability.IDS}
        if config.cursor:
            capabilities.add(Capability.INCREMENTAL)
        if config.writable:
            capabilities.add(Capability.WRITE)
        title = origin.comment or stream.name
        fields = [*origin.fields]
        return Stream(
            stream.name, title, frozenset(capabilities), deletes, config.lookback, fields, sweep_every=SWEEP_EVERY
        )

    def _streams(self) -> dict[str, SqlTable]:
        configured = {
            name: given if isinstance(given, SqlStream) else SqlStream.model_validate({"table": given})
            for name, given in self.config.streams.items()
        }
        if not configured:
            with self._database.reading() as connection:
                names = list(tables_with_keys(connection))
            configured = {name: SqlStream.model_validate({"table": name}) for name in names}
        return {name: SqlTable(name, one, self._database, self._encoder) for name, one in configured.items()}

    def _stream(self, name: str) -> SqlTable:
        streams = self._streams()
        if name in streams:
            return streams[name]
        raise BadConfiguration(
            "There is no stream {stream}. Nearest: {nearest}.",
            setting="streams",
            stream=name[:80],
            nearest=nearest(name, list(streams)) or ", ".join(streams)[:300] or "-",
        )
