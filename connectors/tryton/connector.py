"""The Tryton connector: one database, the stream of its parties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

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
from connectors.errors import BadConfiguration
from connectors.tryton.batching import BatchWriter
from connectors.tryton.client import TrytonClient
from connectors.tryton.config import TrytonConfig
from connectors.tryton.parties import LOOKBACK, Parties

STREAM = "parties"
CAPABILITIES = frozenset({Capability.INCREMENTAL, Capability.IDS, Capability.WRITE})


class TrytonConnector(Connector[TrytonConfig]):
    """Parties with their contact mechanisms, identifiers, addresses and relations."""

    id: ClassVar[str] = "tryton"
    config_model: ClassVar[type[TrytonConfig]] = TrytonConfig

    def __init__(self, config: TrytonConfig, context: Context) -> None:
        super().__init__(config, context)
        self._client = TrytonClient(config, context)
        self._parties = Parties(self._client, config)
        self._writer = BatchWriter(self._client)

    def check(self) -> Checked:
        """Log in, read the definitions of the fields and count."""
        fields, count = len(self._parties.fields()), self._parties.count()
        version = self._client.version()
        details = {"version": version, "parties": str(count), "fields": str(fields)}
        return Checked(
            "Tryton {version}: {user} can read {count} parties of {database}.",
            details,
            {"version": version, "user": self.config.user, "count": count, "database": self.config.database},
        )

    def discover(self) -> Sequence[Stream]:
        """The one stream, with its fields as Tryton defines them."""
        return [
            Stream(
                STREAM,
                "Parties",
                capabilities=CAPABILITIES,
                deletes=Deletes.SWEEP,
                lookback=LOOKBACK,
                fields=self._parties.fields(),
                mapping="mapping.yaml",
            )
        ]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of parties."""
        _require(request.stream)
        return self._parties.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """The ids of all parties, archived ones included."""
        _require(stream)
        return self._parties.ids()

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update parties, several in one call where they go together."""
        _require(stream)
        return self._writer.write(batch)

    def close(self) -> None:
        """Give back the sockets."""
        self._client.close()


def _require(stream: str) -> None:
    if stream != STREAM:
        raise BadConfiguration(
            "Tryton has no stream {stream}. Allowed: {allowed}.", setting="stream", stream=stream, allowed=STREAM
        )
