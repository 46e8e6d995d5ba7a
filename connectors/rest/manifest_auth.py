"""The ``auth`` part of REST manifests: one model per way of logging in of ``connectors.auth``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.auth import SigningRecipe
from connectors.manifest import Part

Params = dict[str, Any]


class ApiKeyAuth(Part):
    """A key in a header or in the query, with an optional prefix before it."""

    kind: Literal["api_key"]
    key: str
    name: str = "X-API-Key"
    place: Literal["header", "query"] = "header"
    prefix: str = ""


class BasicAuth(Part):
    """HTTP Basic."""

    kind: Literal["basic"]
    username: str
    password: str = ""


class BearerAuth(Part):
    """A token that does not expire."""

    kind: Literal["bearer"]
    token: str


class ClientCredentialsAuth(Part):
    """OAuth2 client credentials."""

    kind: Literal["client_credentials"]
    token_url: str
    client_id: str
    client_secret: str
    client_auth: Literal["basic", "body"] = "basic"
    scope: str = ""
    extra: dict[str, str] = Field(default_factory=dict)


class RefreshTokenAuth(ClientCredentialsAuth):
    """OAuth2 with a refresh token."""

    kind: Literal["refresh_token"]  # type: ignore[assignment]
    refresh_token: str


class SessionAuth(Part):
    """A login call whose answer holds a token or cookie for the following calls (``connectors.auth.SessionLogin``)."""

    kind: Literal["session"]
    path: str
    body: Params = Field(default_factory=dict)
    method: Literal["GET", "POST"] = "POST"
    encoding: Literal["json", "form", "query"] = "json"
    token: str = ""
    token_header: str = ""
    cookie: str = ""
    place: Literal["header", "query"] = "header"
    header: str = "Authorization"
    template: str = "Bearer {token}"
    expect: Params = Field(default_factory=dict)
    lifetime: float | None = None
    lifetime_path: str = ""


class SignatureAuth(Part):
    """Signed requests; ``recipe`` is described in ``connectors.auth.signing``."""

    kind: Literal["signature"]
    recipe: SigningRecipe
    secret: str
    key: str = ""


Auth = Annotated[
    ApiKeyAuth | BasicAuth | BearerAuth | ClientCredentialsAuth | RefreshTokenAuth | SessionAuth | SignatureAuth,
    Field(discriminator="kind"),
]
