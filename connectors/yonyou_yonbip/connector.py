"""The YonBIP connector: one tenant, the stream of its customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from connectors.contract import Capability, Checked, Context, Hint, Inbound, Page
from connectors.listed.connector import ListedConnector
from connectors.yonyou_yonbip.batching import BatchWriter
from connectors.yonyou_yonbip.client import YonBipClient
from connectors.yonyou_yonbip.config import YonBipConfig
from connectors.yonyou_yonbip.customers import Customers
from connectors.yonyou_yonbip.events import Events


class YonBipConnector(ListedConnector[YonBipConfig]):
    """Customers of one tenant of YonBIP or YonSuite."""

    id: ClassVar[str] = "yonyou_yonbip"
    config_model: ClassVar[type[YonBipConfig]] = YonBipConfig
    abilities = ListedConnector.abilities | {Capability.WEBHOOK}

    def __init__(self, config: YonBipConfig, context: Context) -> None:
        super().__init__(config, context)
        self._client = YonBipClient(config, context)
        self._customers = Customers(self._client, config)
        self._events = Events(context.connection, config)

    def streams(self) -> Mapping[str, Customers]:
        """The one stream."""
        return {self._customers.name: self._customers}

    def writer(self, stream: str) -> BatchWriter:
        """The writer of customers."""
        return BatchWriter(self._client, self._customers, self.config)

    def credentials(self) -> str:
        """The settings of the login."""
        return "app_secret, app_key"

    def check(self) -> Checked:
        """Find the data centre, log in and read a customer with its details."""
        with self.logged_in():
            self._customers.sample(1)
        return Checked(
            "YonBIP lets us read the customers of the tenant {tenant}.",
            {"address": self.config.base_url},
            {"tenant": self.config.tenant_id},
        )

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """The customer that an event push is about."""
        return self._events.hints(request, self._customers.name)

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """The customers with these keys as they are now."""
        self.known(stream)
        with self.logged_in():
            return self._customers.fetched(keys)

    def close(self) -> None:
        """Give back the sockets."""
        self._client.close()
