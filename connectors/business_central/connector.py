"""The Business Central connector: one company, the stream of its customers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import SecretStr

from connectors.auth import Auth, Basic
from connectors.business_central.companies import Company
from connectors.business_central.config import BusinessCentralConfig
from connectors.business_central.writing import CustomerWriter
from connectors.contract import Checked, Context
from connectors.errors import BadConfiguration, WriteConflict
from connectors.http import Client
from connectors.odata.client import Codes, ODataClient
from connectors.odata.entra import entra
from connectors.odata.tracked_connector import TrackedConnector
from connectors.odata.tracking import TrackedReader, TrackedSet

SCOPE = "https://api.businesscentral.dynamics.com/.default"
CODES: Codes = {
    "Internal_EntityWithSameKeyExists": WriteConflict,
    "Request_EntityChanged": WriteConflict,
    "Internal_CompanyNotFound": BadConfiguration,
}
LARGEST_PAGE = 20_000


class BusinessCentralConnector(TrackedConnector[BusinessCentralConfig]):
    """Customers of one company."""

    id: ClassVar[str] = "business_central"
    config_model: ClassVar[type[BusinessCentralConfig]] = BusinessCentralConfig
    titles: ClassVar[Mapping[str, str]] = {"customers": "Customers"}

    def __init__(self, config: BusinessCentralConfig, context: Context) -> None:
        super().__init__(config, context)
        base_url = config.base_url.rstrip("/") + "/"
        http = Client(context, base_url, auth=_login(config))
        self.client = ODataClient(http, base_url, codes=CODES, address="base_url, company")
        self._company = Company(self.client, config.company)

    def check(self) -> Checked:
        """Log in, find the company and read a customer."""
        with self.logged_in():
            name = self._company.name
            tracking = self.tracking()
        details = {"company": name, **tracking}
        return Checked("Business Central lets us read the customers of {company}.", details, {"company": name})

    def reader(self, stream: str) -> TrackedReader:
        """The reader of the customers. All fields are read, so that those of extensions are there."""
        entity = TrackedSet(
            path=self._company.path(stream),
            key="id",
            stamp="lastModifiedDateTime",
            params={},
            largest=LARGEST_PAGE,
            timespec="milliseconds",
            tracked=self.config.change_tracking,
        )
        return TrackedReader(self.client, entity)

    def writer(self, stream: str) -> CustomerWriter:
        """The writer of the customers."""
        return CustomerWriter(self.client, self._company.path(stream), self.config.number_prefix)

    def credentials(self) -> str:
        """The settings of the login."""
        return "access_key, user" if self.config.user else "client_secret, client_id, tenant"


def _login(config: BusinessCentralConfig) -> Auth:
    if config.user:
        return Basic(config.user, config.access_key or SecretStr(""))
    secret = config.client_secret or SecretStr("")
    return entra(config.login_url, config.tenant, config.client_id, secret, SCOPE)
