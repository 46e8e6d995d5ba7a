"""The Salesforce connector: one org, the streams of its accounts, contacts and leads."""

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
from connectors.errors import PermissionMissing
from connectors.naming import ensure_known
from connectors.salesforce.bulk import BulkQuery
from connectors.salesforce.client import SalesforceClient
from connectors.salesforce.config import SalesforceConfig
from connectors.salesforce.objects import KINDS, SalesObject
from connectors.salesforce.reading import LOOKBACK, ObjectReader
from connectors.salesforce.writing import ObjectWriter

ABILITIES = frozenset({Capability.INCREMENTAL, Capability.IDS, Capability.WRITE})


class SalesforceConnector(Connector[SalesforceConfig]):
    """Accounts, contacts and leads of one org.

    Deletes are told among the changes and, because their log may be cut short, looked for by a sweep too.
    """

    id: ClassVar[str] = "salesforce"
    config_model: ClassVar[type[SalesforceConfig]] = SalesforceConfig

    def __init__(self, config: SalesforceConfig, context: Context) -> None:
        super().__init__(config, context)
        self.client = SalesforceClient(config, context)
        self.bulk = BulkQuery(self.client)
        extra = {"accounts": config.account_fields, "contacts": config.contact_fields, "leads": config.lead_fields}
        self._objects = {name: SalesObject(self.client, kind, extra[name]) for name, kind in KINDS.items()}

    def check(self) -> Checked:
        """Log in and read a row of each object; those that the user may not read are named in the details."""
        readable: dict[str, str] = {}
        with self._logged_in():
            for name in KINDS:
                try:
                    self._reader(name).probe()
                    readable[name] = "readable"
                except PermissionMissing as error:
                    readable[name], refused = "not allowed", error
        if "readable" not in readable.values():
            raise refused
        streams = ", ".join(name for name, said in readable.items() if said == "readable")
        usage = self.client.usage or "?"
        return Checked(
            "Salesforce lets us read {streams}; {usage} of today's API calls are used.",
            {**readable, "usage": usage},
            {"streams": streams, "usage": usage},
        )

    def discover(self) -> Sequence[Stream]:
        """The streams, with the fields that the user may see; without, where the whole object is hidden."""
        with self._logged_in():
            return [self._described(name) for name in KINDS]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in the order of the ids, or of a bulk job's results."""
        self._known(request.stream)
        with self._logged_in():
            yield from self._reader(request.stream).read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys, page by page."""
        self._known(stream)
        with self._logged_in():
            yield from self._reader(stream).ids()

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update, up to 200 records in one call."""
        self._known(stream)
        external, strict = self.config.external_id_field, self.config.strict_lock
        with self._logged_in():
            return ObjectWriter(self.client, self._objects[stream], external, strict=strict).write(batch)

    def close(self) -> None:
        """Give back the sockets."""
        self.client.close()

    def _reader(self, stream: str) -> ObjectReader:
        return ObjectReader(self.client, self._objects[stream], self.bulk, self.config.bulk_from)

    def _described(self, name: str) -> Stream:
        kind = self._objects[name].kind
        try:
            fields = self._objects[name].fields()
        except PermissionMissing:
            fields = ()
        return Stream(name, kind.title, ABILITIES, Deletes.SWEEP, LOOKBACK, fields, f"mapping_{name}.yaml")

    def _known(self, stream: str) -> None:
        ensure_known(stream, KINDS, self.context.connection)

    def _logged_in(self) -> AbstractContextManager[None]:
        given = {"private_key": self.config.private_key, "refresh_token": self.config.refresh_token,
                 "client_secret": self.config.client_secret}  # fmt: skip
        names = [name for name, value in given.items() if value is not None]
        return naming_settings(self.context.connection, ", ".join([*names, "client_id", "base_url"]))
