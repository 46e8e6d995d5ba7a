"""The Kingdee connector: one data centre, the stream of its customers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from connectors.contract import Checked, Context
from connectors.errors import BadConfiguration, ConnectorError
from connectors.kingdee.batching import BatchWriter
from connectors.kingdee.client import KingdeeClient
from connectors.kingdee.config import KingdeeConfig
from connectors.kingdee.customers import Customers
from connectors.listed.connector import ListedConnector

SETTINGS = {
    "password": "password, user, acct_id",
    "app_secret": "app_secret, app_id, user, acct_id",
    "signature": "app_secret, app_id, user, lcid",
}


class KingdeeConnector(ListedConnector[KingdeeConfig]):
    """Customers of one data centre of K/3 Cloud."""

    id: ClassVar[str] = "kingdee"
    config_model: ClassVar[type[KingdeeConfig]] = KingdeeConfig

    def __init__(self, config: KingdeeConfig, context: Context) -> None:
        super().__init__(config, context)
        self._client = KingdeeClient(config, context)
        self._customers = Customers(self._client, config)

    def streams(self) -> Mapping[str, Customers]:
        """The one stream."""
        return {self._customers.name: self._customers}

    def writer(self, stream: str) -> BatchWriter:
        """The writer of customers."""
        return BatchWriter(self._client, self._customers, self.config)

    def credentials(self) -> str:
        """The settings of the login that is used."""
        return SETTINGS[self.config.login]

    def check(self) -> Checked:
        """Log in and read a customer with all its fields; what fails is looked for among the data centres first."""
        try:
            with self.logged_in():
                self._customers.sample(1)
        except ConnectorError as error:
            self._ensure_centre(error)
            raise
        return Checked(
            "Kingdee lets us read customers as {user} in the data centre {centre}.",
            {"address": self.config.address},
            {"user": self.config.user, "centre": self.config.acct_id},
        )

    def close(self) -> None:
        """Close the session and give back the sockets."""
        self._client.close()

    def _ensure_centre(self, error: ConnectorError) -> None:
        """Tell of a data centre that there is not: what the server answers then names nothing."""
        if isinstance(error, BadConfiguration):
            return
        centres = self._client.centres()
        if centres and self.config.acct_id not in centres:
            raise BadConfiguration(
                "{connection}: there is no data centre {centre} on this server. There are: {centres}.",
                setting="acct_id",
                connection=self.context.connection,
                centre=self.config.acct_id,
                centres=", ".join(f"{id_} ({name})" for id_, name in list(centres.items())[:10]),
                remedy="Correct `acct_id`.",
            ) from error
