"""The wire to one shop: its login, and its GraphQL endpoint with the meanings of its error codes."""

from __future__ import annotations

from functools import partial

from connectors.auth import ApiKey, ClientCredentials, Outgoing, Token
from connectors.auth.base import Auth
from connectors.contract import Context
from connectors.errors import BadConfiguration, NeedsHuman
from connectors.graphql import GraphQL, Kinds
from connectors.shopify.config import ShopifyConfig

TOKEN_HEADER = "X-Shopify-Access-Token"  # noqa: S105 - a header's name
VERSION_HEADER = "X-Shopify-API-Version"
_OTHER_VERSION = partial(
    BadConfiguration,
    setting="api_version",
    remedy="This version of the interface lacks something that is asked for: set `api_version` to a current version.",
)
KINDS: Kinds = {
    "SHOP_INACTIVE": NeedsHuman,
    "undefinedField": _OTHER_VERSION,
    "undefinedType": _OTHER_VERSION,
    "argumentNotAccepted": _OTHER_VERSION,
}


class AppLogin(ClientCredentials):
    """Client credentials (RFC 6749, section 4.4) whose token, good for a day, goes into Shopify's own header."""

    def place(self, outgoing: Outgoing, token: Token) -> None:
        """Put the token into the request."""
        outgoing.headers[TOKEN_HEADER] = token.value.get_secret_value()


def graphql(config: ShopifyConfig, context: Context) -> GraphQL:
    """The endpoint of the configured version."""
    address = config.base_url.rstrip("/")
    return GraphQL(
        context, address, f"/admin/api/{config.api_version}/graphql.json", kinds=KINDS, auth=_login(config, address)
    )


def credentials(config: ShopifyConfig) -> str:
    """The settings of the login in use."""
    return "access_token" if config.access_token else "client_secret, client_id"


def _login(config: ShopifyConfig, address: str) -> Auth:
    if config.access_token is not None:
        return ApiKey(config.access_token, TOKEN_HEADER)
    return AppLogin(
        f"{address}/admin/oauth/access_token", config.client_id or "", config.client_secret, client_auth="body"
    )
