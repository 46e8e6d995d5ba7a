"""The SAP S/4HANA connector: one system, the stream of its business partners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

from pydantic import SecretStr

from connectors.auth import ApiKey, Auth, Basic, ClientCredentials
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
from connectors.errors import BadConfiguration, StreamBroken
from connectors.http import Client
from connectors.naming import ensure_known
from connectors.odata.answers import answer_v2
from connectors.odata.client import Codes, ODataClient
from connectors.odata.entra import naming_settings
from connectors.rest.sampling import SAMPLE, fields_of
from connectors.sap_s4hana.config import SapConfig
from connectors.sap_s4hana.partners import LOOKBACK, Partners
from connectors.sap_s4hana.writing import PartnerWriter

STREAM = "business_partners"
SERVICE = "sap/opu/odata/sap/API_BUSINESS_PARTNER/"
CODES: Codes = {
    "/IWFND/MED/170": BadConfiguration,  # no such service, or not activated; comes with status 403
}
ABILITIES = frozenset({Capability.INCREMENTAL, Capability.IDS, Capability.WRITE})


class SapConnector(Connector[SapConfig]):
    """Business partners with their addresses, emails, phones and tax numbers."""

    id: ClassVar[str] = "sap_s4hana"
    config_model: ClassVar[type[SapConfig]] = SapConfig

    def __init__(self, config: SapConfig, context: Context) -> None:
        super().__init__(config, context)
        base_url = f"{config.base_url.rstrip('/')}/{SERVICE}"
        headers = {"sap-client": config.client} if config.client else {}
        http = Client(context, base_url, auth=_login(config), headers=headers)
        self._client = ODataClient(http, base_url, parse=answer_v2, codes=CODES, address="base_url")
        self._partners = Partners(self._client, config)
        self._writer = PartnerWriter(self._client, self._partners, config.identification_type)

    def check(self) -> Checked:
        """Log in, count and read one partner with everything that is to be read with it."""
        with self._logged_in():
            count = self._partners.count()
            self._sampled()
        number = "?" if count is None else str(count)
        return Checked("SAP lets us read {count} business partners.", {"business_partners": number}, {"count": number})

    def discover(self) -> Sequence[Stream]:
        """The one stream, with its fields as a sample shows them."""
        with self._logged_in():
            fields = fields_of(self._partners.sample(SAMPLE))
        return [Stream(STREAM, "Business partners", ABILITIES, Deletes.SWEEP, LOOKBACK, fields, "mapping.yaml")]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; see ``connectors.sap_s4hana.partners``."""
        self._known(request.stream)
        with self._logged_in():
            yield from self._partners.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys, page by page."""
        self._known(stream)
        with self._logged_in():
            yield from self._partners.keys()

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update business partners."""
        self._known(stream)
        with self._logged_in():
            return self._writer.write(batch)

    def close(self) -> None:
        """Give back the sockets."""
        self._client.close()

    def _sampled(self) -> None:
        """Read one partner with what is to be read along. The partners alone have just been read."""
        try:
            self._partners.sample(1)
        except StreamBroken as error:
            raise BadConfiguration(
                "{connection}: SAP refuses what is to be read with a business partner: {reason}",
                setting="expand",
                connection=self.context.connection,
                reason=str(error.params.get("reason", error)),
                remedy="Take out of `expand` what your release does not have.",
            ) from error

    def _known(self, stream: str) -> None:
        ensure_known(stream, (STREAM,), self.context.connection)

    def _logged_in(self) -> AbstractContextManager[None]:
        config = self.config
        names = "password, user" if config.user else "api_key" if config.api_key else "client_secret, client_id"
        names += ", client" if config.client else ""  # SAP looks for the user in that client only
        return naming_settings(self.context.connection, names)


def _login(config: SapConfig) -> Auth:
    if config.api_key is not None:
        return ApiKey(config.api_key, "APIKey")
    if config.user:
        return Basic(config.user, config.password or SecretStr(""))
    return ClientCredentials(config.token_url, config.client_id, config.client_secret)
