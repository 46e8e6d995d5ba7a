"""Single sign-on by OpenID Connect: the authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0,
RFC 7636, RFC 9700); the issuer in the answer is checked where the provider sends it (RFC 9207).

Nothing is kept on our side between the two requests: one random token in a cookie of the browser gives state, nonce and
code verifier by HMAC, each of which is useless without it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
import requests
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sync.errors import Misused, Refused
from sync.identity.errors import Forbidden
from sync.identity.permissions import Role
from sync.settings import SignOnSettings

TIMEOUT = 10.0
LARGEST = 1_000_000
KEPT = 600.0
"""Seconds for which the provider's discovery document and keys are believed."""
LEEWAY = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a private key only; `none`, and secrets as keys, are never accepted."""


class SignOnFailed(Refused):
    """The provider's answer cannot be believed, or it does not answer."""

    code = "sign_on_failed"
    default_remedy = "Begin again; if it happens again, ask your administrator."


class Person(NamedTuple):
    """Who the provider says it is."""

    issuer: str
    subject: str
    name: str
    role: Role


class Begun(NamedTuple):
    """What one attempt is bound to; a function of the browser's token."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def by(cls, token: str) -> Begun:
        """The three values of a token."""
        return cls(*(_derived(token, what) for what in ("state", "nonce", "verifier")))


@dataclass(slots=True)
class Provider:
    """A provider as the settings name it. Safe to use from several threads."""

    settings: SignOnSettings
    secret: str | None
    callback: str
    _known: dict[str, tuple[float, Any]] = field(default_factory=dict)

    def address(self, token: str) -> str:
        """Where the browser is sent. Raises SignOnFailed."""
        begun = Begun.by(token)
        found, _state = self._session().create_authorization_url(
            str(self._discovered("authorization_endpoint")),
            state=begun.state,
            nonce=begun.nonce,
            code_verifier=begun.verifier,
        )
        return str(found)

    def person(self, token: str, answer: Mapping[str, str]) -> Person:
        """Who came back with an answer. Raises SignOnFailed, Forbidden for who has no role here."""
        begun = Begun.by(token)
        if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise SignOnFailed("The answer does not belong to this browser.")
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:
            raise SignOnFailed("The answer comes from another provider.")
        if "code" not in answer:
            raise SignOnFailed("The provider refused: {reason}.", reason=answer.get("error", "-")[:100])
        tokens = self._exchanged(answer["code"], begun)
        claims = self._checked(str(tokens.get("id_token", "")), begun)
        return self._person(self._completed(claims, str(tokens.get("access_token", ""))))

    def _session(self) -> OAuth2Session:
        made = OAuth2Session(
            self.settings.client_id,
            self.secret,
            scope=self.settings.scope,
            redirect_uri=self.callback,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self.secret else "none",
            default_timeout=TIMEOUT,
        )
        made.max_redirects = 0
        return made

    def _exchanged(self, code: str, begun: Begun) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = self._session().fetch_token(
                str(self._discovered("token_endpoint")),
                code=code[:4_000],
                code_verifier=begun.verifier,
                timeout=TIMEOUT,
            )
        except SignOnFailed:
            raise
        except Exception as error:  # authlib has many kinds; their texts may hold tokens
            raise SignOnFailed("The provider did not give a token: {kind}.", kind=type(error).__name__) from None
        return found

    def _checked(self, id_token: str, begun: Begun) -> dict[str, Any]:
        try:
            claims = self._decoded(id_token)
        except (JoseError, ValueError):
            self._known.pop("keys", None)  # it may have new ones
            try:
                claims = self._decoded(id_token)
            except (JoseError, ValueError):
                raise SignOnFailed("The provider's token is not signed as it should be.") from None
        audience = claims.get("aud")
        ours = self.settings.client_id in (audience if isinstance(audience, list) else [audience])
        party = claims.get("azp", self.settings.client_id)
        now, expires = time.time(), claims.get("exp")
        right = (
            claims.get("iss") == self.settings.issuer
            and ours
            and party == self.settings.client_id
            and isinstance(expires, int | float)
            and expires > now - LEEWAY
            and isinstance(claims.get("sub"), str)
            and 1 <= len(claims["sub"]) <= 255
            and hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode())
        )
        if not right:
            raise SignOnFailed("The provider's token is not for us, or out of date.")
        return claims

    def _decoded(self, id_token: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(self._fetched("keys", str(self._discovered("jwks_uri"))))
        return dict(jwt.decode(id_token[:100_000], keys, algorithms=ALGORITHMS).claims)

    def _completed(self, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
        """With what the provider tells of the user beside the token. It must be the same user."""
        wanted = {self.settings.name_claim, self.settings.role_claim}
        place = self._document().get("userinfo_endpoint")
        if wanted <= claims.keys() or not place or not access_token:
            return claims
        headers = {"Authorization": f"Bearer {access_token}"}
        more = _fetched(str(place), headers)
        if more.get("sub") != claims["sub"]:
            raise SignOnFailed("The provider's token is not for us, or out of date.")
        return {**more, **claims}

    def _person(self, claims: Mapping[str, Any]) -> Person:
        name = str(claims.get(self.settings.name_claim) or claims.get("email") or claims["sub"])
        role = self._role(claims.get(self.settings.role_claim))
        if role is None:
            raise Forbidden("{name} has no role here.", name=name[:80], remedy="Ask your administrator for one.")
        return Person(self.settings.issuer, claims["sub"], name, role)

    def _role(self, claimed: Any) -> Role | None:
        held = {claimed} if isinstance(claimed, str) else set(map(str, claimed)) if isinstance(claimed, list) else set()
        for claim, role in self.settings.roles.items():
            if claim in held:
                return Role(role)
        return None if self.settings.default_role is None else Role(self.settings.default_role)

    def _discovered(self, name: str) -> Any:
        try:
            return self._document()[name]
        except KeyError:
            raise SignOnFailed("The provider's description lacks {name}.", name=name) from None

    def _document(self) -> dict[str, Any]:
        found: dict[str, Any] = self._fetched(
            "document", f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        )
        if found.get("issuer") != self.settings.issuer:
            raise SignOnFailed("The answer comes from another provider.")
        return found

    def _fetched(self, name: str, address: str) -> Any:
        known = self._known.get(name)
        if known is None or known[0] < time.monotonic():
            known = self._known[name] = (time.monotonic() + KEPT, _fetched(address))
        return known[1]


def require_https(settings: SignOnSettings) -> None:
    """Raises Misused for an issuer that is asked without encryption, unless it is this machine."""
    parts = urlsplit(settings.issuer)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Misused(
            "The issuer of single sign-on must begin with https://.", remedy="Correct `web: sign_on: issuer:`."
        )


def _fetched(address: str, headers: Mapping[str, str] | None = None) -> Any:
    try:
        with requests.get(address, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            answer.raise_for_status()
            data = answer.raw.read(LARGEST + 1, decode_content=True)
        if answer.status_code != 200 or len(data) > LARGEST:
            raise ValueError
        found = orjson.loads(data)
        if not isinstance(found, dict):
            raise ValueError
        return found
    except (requests.RequestException, ValueError, OSError) as error:
        kind = type(error).__name__
        raise SignOnFailed("The provider of single sign-on does not answer: {kind}.", kind=kind) from None


def _derived(token: str, what: str) -> str:
    digest = hmac.new(token.encode(), what.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
