"""From the ``auth`` part of a manifest to a way of logging in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from connectors import auth as ways
from connectors.rest.manifest import RestManifest
from connectors.rest.manifest_auth import (
    ApiKeyAuth,
    BasicAuth,
    BearerAuth,
    ClientCredentialsAuth,
    RefreshTokenAuth,
    SessionAuth,
    SignatureAuth,
)
from connectors.rest.templates import fill, places


def login(manifest: RestManifest, values: Mapping[str, Any]) -> ways.Auth | None:
    """The manifest's way of logging in with these settings; None where the system needs none."""
    spec = manifest.auth

    def text(template: str) -> str:
        value = fill(template, values)
        return "" if value is None else str(value)

    def secret(template: str) -> SecretStr:
        return SecretStr(text(template))

    if isinstance(spec, ApiKeyAuth):
        return ways.ApiKey(secret(spec.key), spec.name, place=spec.place, prefix=spec.prefix)
    if isinstance(spec, BasicAuth):
        return ways.Basic(text(spec.username), secret(spec.password))
    if isinstance(spec, BearerAuth):
        return ways.Bearer(secret(spec.token))
    if isinstance(spec, SignatureAuth):
        return ways.HmacSignature(spec.recipe, secret(spec.secret), text(spec.key))
    if isinstance(spec, SessionAuth):
        return _session(spec, values)
    if isinstance(spec, ClientCredentialsAuth):
        return _oauth2(spec, text)
    return None


def _oauth2(spec: ClientCredentialsAuth, text: Any) -> ways.Auth:
    url, client, secret = text(spec.token_url), text(spec.client_id), SecretStr(text(spec.client_secret))
    extra = {name: text(value) for name, value in spec.extra.items()}
    options: dict[str, Any] = {"client_auth": spec.client_auth, "scope": text(spec.scope), "extra": extra}
    if isinstance(spec, RefreshTokenAuth):
        return ways.RefreshToken(url, client, secret, SecretStr(text(spec.refresh_token)), **options)
    return ways.ClientCredentials(url, client, secret, **options)


def _session(spec: SessionAuth, values: Mapping[str, Any]) -> ways.Auth:
    options = spec.model_dump(exclude={"kind", "path", "body"})
    return ways.SessionLogin(str(fill(spec.path, values)), _hidden(fill(spec.body, values)), **options)


def _hidden(body: Any) -> Any:
    """Every text of a login request counts as secret: which of them are is the manifest's to know, not ours."""
    if isinstance(body, str):
        return SecretStr(body)
    if isinstance(body, dict):
        return {name: _hidden(value) for name, value in body.items()}
    return body


def credential_settings(manifest: RestManifest) -> list[str]:
    """The settings that hold credentials: those the login uses, secret ones first."""
    names = set(_settings(manifest, manifest.auth.model_dump() if manifest.auth else None))
    return sorted(names, key=lambda name: (not manifest.config[name].secret, name))


def address_settings(manifest: RestManifest) -> list[str]:
    """The settings of which the addresses of the calls are made that a check makes."""
    paths = [manifest.check.path] if manifest.check else []
    paths += [stream.path for stream in manifest.streams.values()]
    return list(dict.fromkeys(_settings(manifest, [manifest.base_url, *paths])))


def path_settings(manifest: RestManifest, stream: str) -> list[str]:
    """The settings that stand in the path of one stream."""
    return list(dict.fromkeys(_settings(manifest, manifest.streams[stream].path)))


def _settings(manifest: RestManifest, templates: Any) -> list[str]:
    names = (name.removeprefix("config.") for name in places(templates) if name.startswith("config."))
    return [name for name in names if name in manifest.config]
