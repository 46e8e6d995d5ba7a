"""The Shopify connector: one shop, the stream of its customers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar
from urllib.parse import urlsplit

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
from connectors.errors import BadConfiguration, BadCredentials
from connectors.inbound import ensure_signed, header, hmac_base64, payload
from connectors.naming import ensure_known
from connectors.rest.sampling import SAMPLE, fields_of
from connectors.rest.slicing import find
from connectors.shopify.bulk import Bulk
from connectors.shopify.client import VERSION_HEADER, credentials, graphql
from connectors.shopify.config import ShopifyConfig
from connectors.shopify.documents import SHOP, fields, listing, several
from connectors.shopify.pages import Pages, named
from connectors.shopify.reading import LOOKBACK, CustomerReader
from connectors.shopify.writing import CustomerWriter

ABILITIES = frozenset({Capability.INCREMENTAL, Capability.IDS, Capability.WRITE, Capability.WEBHOOK})
_ABOUT_A_CUSTOMER = ("customers/", "customers_", "customer.")


class ShopifyConnector(Connector[ShopifyConfig]):
    """The customers of one shop."""

    id: ClassVar[str] = "shopify"
    config_model: ClassVar[type[ShopifyConfig]] = ShopifyConfig

    def __init__(self, config: ShopifyConfig, context: Context) -> None:
        super().__init__(config, context)
        self.graph = graphql(config, context)
        self._selection = fields(config.external_id)
        self._pages = Pages(self.graph, listing(self._selection))

    def check(self) -> Checked:
        """Log in, ask for the shop's name and read a few customers."""
        with self._logged_in(), naming_address(self.context.connection, "base_url"):
            reply = self.graph.ask(SHOP)
            next(iter(self._pages.steps(SAMPLE, None, None, None)))
        name = str(find(reply.data, "shop.name") or "")[:200]
        version = reply.response.headers.get(VERSION_HEADER) or self.config.api_version
        return Checked(
            "Logged in to the Shopify shop {shop}.",
            {"address": self.config.base_url, "api_version": version},
            {"shop": name},
        )

    def discover(self) -> Sequence[Stream]:
        """The customers, with their fields as a sample shows them."""
        with self._logged_in():
            sample = next(iter(self._pages.steps(SAMPLE, None, None, None))).cut
        found = fields_of(record.body for record in sample.records)
        return [
            Stream("customers", "Customers", ABILITIES, Deletes.SWEEP, LOOKBACK, found, "mapping.yaml"),
        ]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; see ``connectors.shopify.reading``."""
        self._known(request.stream)
        bulk = Bulk(self.graph, self._selection) if self.config.bulk else None
        with self._logged_in():
            yield from CustomerReader(self._pages, bulk, self.context.now).read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys, page by page."""
        self._known(stream)
        with self._logged_in():
            yield from self._pages.ids()

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """Single customers as they are now; those that are not there are gone, deleted or merged into others."""
        self._known(stream)
        with self._logged_in():
            cut = named(self.graph, several(self._selection), keys)
        there = {record.key for record in cut.records}
        return Page(cut.records, {}, [key for key in keys if key not in there], cut.rejected)

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update, one call per record and one to look at its state before an update."""
        self._known(stream)
        with self._logged_in():
            return CustomerWriter(self.graph, self._selection, self.config.external_id).write(batch)

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """A webhook signed with the app's client secret; those about customers are hints."""
        connection, secret = self.context.connection, self.config.client_secret
        if secret is None:
            raise BadConfiguration(
                "{connection}: webhooks cannot be verified without the app's client secret.",
                setting="client_secret",
                connection=connection,
            )
        expected = hmac_base64(secret, request.body)
        ensure_signed(request, "X-Shopify-Hmac-Sha256", expected, connection=connection, setting="client_secret")
        self._ours(header(request, "X-Shopify-Shop-Domain"))
        topic = header(request, "X-Shopify-Topic")
        if not topic.startswith(_ABOUT_A_CUSTOMER):
            return []
        delivery = header(request, "X-Shopify-Event-Id") or header(request, "X-Shopify-Webhook-Id") or None
        return [Hint("customers", _key(payload(request, connection=connection)), delivery)]

    def close(self) -> None:
        """Give back the sockets."""
        self.graph.close()

    def _ours(self, domain: str) -> None:
        """Refuse a webhook of another shop that the same app is installed in."""
        host = urlsplit(self.config.base_url).hostname or ""
        if domain.endswith(".myshopify.com") and host.endswith(".myshopify.com") and domain.lower() != host:
            raise BadCredentials(
                "{connection}: a webhook came from another shop ({shop}).",
                remedy="Give each shop's connection an address of its own for webhooks.",
                connection=self.context.connection,
                shop=domain[:100],
            )

    def _known(self, stream: str) -> None:
        ensure_known(stream, ("customers",), self.context.connection)

    def _logged_in(self) -> AbstractContextManager[None]:
        """Refused credentials name the settings to correct."""
        return naming_settings(self.context.connection, credentials(self.config))


def _key(body: Any) -> str | None:
    """The customer that a webhook is about, as the interface names it; None where it does not tell."""
    named, number = find(body, "admin_graphql_api_id"), find(body, "id")
    if isinstance(named, str) and named.startswith("gid://shopify/Customer/"):
        return named
    number = find(body, "customer.id") if number is None else number
    return f"gid://shopify/Customer/{number}" if isinstance(number, int) else None
