"""The Youzan connector: one shop, the stream of its customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import unquote_plus

import msgspec

from connectors.auth.naming import naming_address
from connectors.contract import Capability, Checked, Context, Hint, Inbound, Page
from connectors.inbound import ensure_signed, header, md5_enclosed, payload
from connectors.listed.connector import ListedConnector
from connectors.listed.stream import Listed
from connectors.youzan.client import YouzanClient
from connectors.youzan.config import YouzanConfig
from connectors.youzan.customers import Customers
from connectors.youzan.writing import CustomerWriter

ABOUT_CUSTOMERS = frozenset(
    {"SCRM_CUSTOMER_EVENT", "OPEN_PUSH_SCRM_MEMBER_MERGE", "OPEN_PUSH_SCRM_MEMBER_MOBILE_CHANGE"}
)
"""Types of messages that are about customers: created or changed, merged, another mobile number."""


class YouzanConnector(ListedConnector[YouzanConfig]):
    """The customers of one shop."""

    id: ClassVar[str] = "youzan"
    config_model: ClassVar[type[YouzanConfig]] = YouzanConfig
    acknowledgement: ClassVar[bytes] = b'{"code":0,"msg":"success"}'
    abilities = frozenset({Capability.IDS, Capability.WRITE, Capability.WEBHOOK})

    def __init__(self, config: YouzanConfig, context: Context) -> None:
        super().__init__(config, context)
        self.client = YouzanClient(config, context)
        self._customers = Customers(self.client)

    def check(self) -> Checked:
        """Log in and read one customer."""
        with self.logged_in(), naming_address(self.context.connection, "base_url"):
            self._customers.sample(1)
        shop = self.config.kdt_id
        return Checked("Logged in to the Youzan shop {shop}.", {"address": self.config.base_url}, {"shop": shop})

    def streams(self) -> Mapping[str, Listed]:
        """The customers."""
        return {"customers": self._customers}

    def writer(self, stream: str) -> CustomerWriter:
        """The writer of customers."""
        return CustomerWriter(self.client, self._customers)

    def credentials(self) -> str:
        """The settings of the login."""
        return "client_secret, client_id, kdt_id"

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """Single customers as they are now; those whose account was closed are gone."""
        self.known(stream)
        with self.logged_in():
            return self._customers.fetch(keys)

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """A message signed with the app's secret; one about a customer of this shop is a hint."""
        connection = self.context.connection
        expected = md5_enclosed(self.config.client_id, request.body, self.config.client_secret)
        ensure_signed(request, "Event-Sign", expected, connection=connection, setting="client_secret")
        message = payload(request, connection=connection)
        if not isinstance(message, Mapping) or message.get("test") is True or not self._ours(message):
            return []
        kind = header(request, "Event-Type") or str(message.get("type", ""))
        if kind not in ABOUT_CUSTOMERS:
            return []
        delivery = message.get("msg_id")
        return [Hint("customers", _customer(message.get("msg")), str(delivery) if delivery else None)]

    def close(self) -> None:
        """Give back the sockets."""
        self.client.close()

    def _ours(self, message: Mapping[str, Any]) -> bool:
        """Whether a message is about this shop, or a branch of it."""
        shops = {str(message[name]) for name in ("kdt_id", "root_kdt_id") if message.get(name)}
        return not shops or self.config.kdt_id in shops


def _customer(message: Any) -> str | None:
    """The customer that a message is about; None where it does not tell, or of a merge, which is about two."""
    if isinstance(message, str):
        try:
            message = msgspec.json.decode(unquote_plus(message) if message[:1] != "{" else message)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
    key = message.get("yz_open_id") if isinstance(message, Mapping) else None
    return key if isinstance(key, str) and 0 < len(key) <= 500 else None
