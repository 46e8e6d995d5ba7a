"""The Odoo connector: one database, one stream of partners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

from connectors.auth.naming import naming_settings
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
from connectors.naming import ensure_known
from connectors.odoo.batching import BatchWriter
from connectors.odoo.client import OdooClient
from connectors.odoo.config import OdooConfig
from connectors.odoo.partners import LOOKBACK, Partners

STREAM = "partners"
ABILITIES = frozenset({Capability.INCREMENTAL, Capability.IDS, Capability.WRITE})


class OdooConnector(Connector[OdooConfig]):
    """Partners of one Odoo database."""

    id: ClassVar[str] = "odoo"
    config_model: ClassVar[type[OdooConfig]] = OdooConfig

    def __init__(self, config: OdooConfig, context: Context) -> None:
        super().__init__(config, context)
        self.client = OdooClient(config, context)
        self._partners = Partners(self.client, config)

    def check(self) -> Checked:
        """Log in, see that all fields are there and read one partner."""
        with self._logged_in():
            user = self.client.login()
            next(iter(self._partners.read(Read(STREAM, page_size=1))))
        protocol = "JSON-2" if self.client.json2 else "JSON-RPC"
        details = {"protocol": protocol, "version": self.client.version() or "?", "user": user}
        return Checked("Odoo lets us read partners as the user {user}, over {protocol}.", details, details)

    def discover(self) -> Sequence[Stream]:
        """The one stream, with the fields that this Odoo has and the user may see."""
        with self._logged_in():
            fields = self._partners.fields()
        return [Stream(STREAM, "Partners", ABILITIES, Deletes.SWEEP, LOOKBACK, fields, "mapping.yaml")]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in the order of the ids."""
        self._known(request.stream)
        with self._logged_in():
            yield from self._partners.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys, page by page."""
        self._known(stream)
        with self._logged_in():
            yield from self._partners.ids()

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update, after one look at all partners of a batch."""
        self._known(stream)
        with self._logged_in():
            return BatchWriter(self.client, self._partners.known, self._matching()).write(batch)

    def close(self) -> None:
        """Give back the sockets."""
        self.client.close()

    def _matching(self) -> str | None:
        name = self.config.match_field
        if name is not None and name not in self._partners.known:
            raise BadConfiguration(
                "{connection}: partners have no field {field}. Nearest: {nearest}.",
                setting="match_field",
                connection=self.context.connection,
                field=name,
                nearest="ref",
            )
        return name

    def _known(self, stream: str) -> None:
        ensure_known(stream, (STREAM,), self.context.connection)

    def _logged_in(self) -> AbstractContextManager[None]:
        return naming_settings(self.context.connection, "api_key, user, database")
