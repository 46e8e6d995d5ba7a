"""The U8 connector: one ledger, the stream of its customers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from connectors.contract import Checked, Context
from connectors.listed.connector import ListedConnector
from connectors.yonyou_u8.client import U8Client
from connectors.yonyou_u8.config import U8Config
from connectors.yonyou_u8.customers import Customers
from connectors.yonyou_u8.writing import CustomerWriter


class U8Connector(ListedConnector[U8Config]):
    """Customers of one ledger of U8."""

    id: ClassVar[str] = "yonyou_u8"
    config_model: ClassVar[type[U8Config]] = U8Config

    def __init__(self, config: U8Config, context: Context) -> None:
        super().__init__(config, context)
        self._client = U8Client(config, context)
        self._customers = Customers(self._client, config)
        self._writer = CustomerWriter(self._client, self._customers, config)

    def streams(self) -> Mapping[str, Customers]:
        """The one stream."""
        return {self._customers.name: self._customers}

    def writer(self, stream: str) -> CustomerWriter:
        """The writer of customers."""
        return self._writer

    def credentials(self) -> str:
        """The settings of the login."""
        return "app_secret, app_key, from_account"

    def check(self) -> Checked:
        """Log in and read a customer of the ledger."""
        with self.logged_in():
            self._customers.sample(1)
        ledger = str(self.config.ds_sequence)
        return Checked(
            "U8 lets us read the customers of {account} in the data source {ledger}.",
            {"address": self.config.base_url},
            {"account": self.config.to_account, "ledger": ledger},
        )

    def close(self) -> None:
        """Give back the sockets."""
        self._client.http.close()
