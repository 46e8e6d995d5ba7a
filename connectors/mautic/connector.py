"""The Mautic connector: one stream of contacts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

from connectors.auth.naming import naming_address, naming_settings
from connectors.contract import (
    Capability,
    Checked,
    Connector,
    Context,
    Deletes,
    Hint,
    Inbound,
    Page,
    Read,
    Stream,
    Write,
    WriteResult,
)
from connectors.errors import PermissionMissing
from connectors.mautic.batches import fetched
from connectors.mautic.client import MauticClient
from connectors.mautic.config import MauticConfig
from connectors.mautic.contacts import LOOKBACK, Contacts
from connectors.mautic.webhooks import hints
from connectors.mautic.writing import ContactWriter
from connectors.naming import ensure_known
from connectors.rest.sampling import SAMPLE, fields_of

STREAM = "contacts"
ABILITIES = frozenset({Capability.INCREMENTAL, Capability.IDS, Capability.WRITE, Capability.WEBHOOK})


class MauticConnector(Connector[MauticConfig]):
    """The identified contacts of one Mautic."""

    id: ClassVar[str] = "mautic"
    config_model: ClassVar[type[MauticConfig]] = MauticConfig

    def __init__(self, config: MauticConfig, context: Context) -> None:
        super().__init__(config, context)
        self.client = MauticClient(config, context)

    def check(self) -> Checked:
        """Log in and read one contact."""
        with self._logged_in(), naming_address(self.context.connection, "base_url"):
            next(iter(Contacts(self.client).read(Read(STREAM, page_size=1))))
        address = self.config.base_url
        return Checked("Mautic at {address} lets us read contacts.", {"address": address}, {"address": address})

    def discover(self) -> Sequence[Stream]:
        """The one stream, with fields as a sample shows them; without, where we may not read one."""
        with self._logged_in():
            try:
                page = next(iter(Contacts(self.client).read(Read(STREAM, page_size=SAMPLE))))
                fields = fields_of(record.body for record in page.records)
            except PermissionMissing:
                fields = ()
        return [Stream(STREAM, "Contacts", ABILITIES, Deletes.SWEEP, LOOKBACK, fields, "mapping.yaml")]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in the order of the ids."""
        self._known(request.stream)
        with self._logged_in():
            yield from Contacts(self.client).read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys, page by page."""
        self._known(stream)
        with self._logged_in():
            yield from Contacts(self.client).ids()

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create one by one, or update several at once."""
        self._known(stream)
        with self._logged_in():
            return ContactWriter(self.client).write(batch)

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """Single contacts as they are now."""
        self._known(stream)
        with self._logged_in():
            return fetched(self.client, keys)

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """The contacts that a signed webhook names."""
        return hints(request, self.config.webhook_secret, connection=self.context.connection, stream=STREAM)

    def close(self) -> None:
        """Give back the sockets."""
        self.client.close()

    def _known(self, stream: str) -> None:
        ensure_known(stream, (STREAM,), self.context.connection)

    def _logged_in(self) -> AbstractContextManager[None]:
        oauth = self.config.client_id and self.config.client_secret
        return naming_settings(self.context.connection, "client_id, client_secret" if oauth else "username, password")
