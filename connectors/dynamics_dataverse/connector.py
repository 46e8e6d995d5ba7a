"""The Dataverse connector: one environment, the streams of its accounts and contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.contract import Checked, Context
from connectors.dynamics_dataverse.config import DataverseConfig
from connectors.dynamics_dataverse.streams import KEYS, tracked_set
from connectors.dynamics_dataverse.writing import DataverseWriter
from connectors.errors import BadConfiguration, PermissionMissing, StreamBroken, WriteConflict
from connectors.http import Client
from connectors.odata.batching import MultipartForm
from connectors.odata.client import Codes, ODataClient
from connectors.odata.entra import entra
from connectors.odata.tracked_connector import TrackedConnector
from connectors.odata.tracking import TrackedReader

CODES: Codes = {
    "0x80040220": PermissionMissing,  # a privilege is missing
    "0x80060882": WriteConflict,  # the row's version does not match
    "0x80040237": WriteConflict,  # a row with this key exists
    "0x80040333": WriteConflict,  # duplicate detection
}
EXTRA = {"accounts": "account_fields", "contacts": "contact_fields"}
"""The settings that name further columns."""
_VERSION = {"OData-MaxVersion": "4.0", "OData-Version": "4.0"}


class DataverseConnector(TrackedConnector[DataverseConfig]):
    """Accounts and contacts of one Dataverse environment."""

    id: ClassVar[str] = "dynamics_dataverse"
    config_model: ClassVar[type[DataverseConfig]] = DataverseConfig
    titles: ClassVar[Mapping[str, str]] = {"accounts": "Accounts", "contacts": "Contacts"}

    def __init__(self, config: DataverseConfig, context: Context) -> None:
        super().__init__(config, context)
        address = config.base_url.rstrip("/")
        login = entra(config.login_url, config.tenant, config.client_id, config.client_secret, f"{address}/.default")
        base_url = f"{address}/api/data/{config.api_version}/"
        http = Client(context, base_url, auth=login, headers=_VERSION)
        self.client = ODataClient(http, base_url, codes=CODES, address="base_url, api_version")
        self._currencies: dict[str, str] | None = None

    def check(self) -> Checked:
        """Log in, ask who we are and read a row of each table."""
        with self.logged_in():
            who = self.client.one("WhoAmI()")
            tracking = self.tracking()
        if who is None:
            raise BadConfiguration(
                "{connection}: there is no Dataverse Web API at this address.",
                setting="base_url",
                connection=self.context.connection,
            )
        user = str(who.get("UserId", ""))
        return Checked(
            "Dataverse lets us read accounts and contacts as the user {user}.",
            {"user": user, **tracking},
            {"user": user},
        )

    def tracking(self) -> dict[str, str]:
        """As everywhere; columns in the settings that there are not are told as such."""
        try:
            return super().tracking()
        except StreamBroken as error:
            for stream in self.titles:
                self._ensure_columns(stream, error)
            raise

    def _ensure_columns(self, stream: str, error: StreamBroken) -> None:
        """Tell of further columns in the settings, where the table can be read without them only."""
        setting = EXTRA[stream]
        if not getattr(self.config, setting):
            return
        try:
            self.reader(stream).sample(1)
        except StreamBroken:
            self._reader(stream, ()).sample(1)
            raise BadConfiguration(
                "{connection}: the table {table} has not all columns that {setting} names: {reason}",
                setting=setting,
                connection=self.context.connection,
                table=stream,
                reason=str(error.params.get("reason", error)),
                remedy="Write the logical names of columns, as Power Apps shows them, or take them out of `{setting}`.",
            ) from error

    def reader(self, stream: str) -> TrackedReader:
        """The reader of one table."""
        return self._reader(stream, getattr(self.config, EXTRA[stream]))

    def _reader(self, stream: str, extra: Sequence[str]) -> TrackedReader:
        entity = tracked_set(stream, extra, tracked=self.config.change_tracking)
        return TrackedReader(self.client, entity, self._finish)

    def writer(self, stream: str) -> DataverseWriter:
        """The writer of one table; the alternate key is one of accounts."""
        alternate = self.config.alternate_key if stream == "accounts" else None
        form = MultipartForm(f"/api/data/{self.config.api_version}/")
        return DataverseWriter(self.client, stream, KEYS[stream], alternate, form)

    def credentials(self) -> str:
        """The settings of the login."""
        return "client_secret, client_id, tenant"

    def _finish(self, row: dict[str, Any]) -> None:
        """Add the ISO code of the row's currency, which Dataverse gives by id."""
        currency = row.get("_transactioncurrencyid_value")
        if isinstance(currency, str):
            row["transactioncurrency_code"] = self._codes().get(currency.lower())

    def _codes(self) -> dict[str, str]:
        """ISO codes by the currencies' ids; none where we may not read them."""
        if self._currencies is None:
            params = {"$select": "transactioncurrencyid,isocurrencycode"}
            try:
                rows = self.client.page("transactioncurrencies", params).rows
            except (PermissionMissing, StreamBroken, BadConfiguration):
                rows = []
            self._currencies = {
                str(row.get("transactioncurrencyid")).lower(): str(row.get("isocurrencycode")) for row in rows
            }
        return self._currencies
