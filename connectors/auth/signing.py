"""Signed requests: a message made from the request, a keyed hash of it, and where the result goes.

Vendors differ in every detail, so the recipe is data. Its texts are templates with these places:

``{method}`` ``{host}`` ``{path}`` ``{query}`` (encoded, as sent, without what comes after signing) ``{body}``
``{body_hash}`` (hex, same hash) ``{content_md5}`` (base64) ``{timestamp}`` ``{nonce}`` ``{key}`` (the public key id)
``{secret}`` ``{api}`` (the path with dots for slashes: a method's name) ``{sorted}`` (parameters by name, name and
value joined without separators) ``{sorted_query}`` (the same as ``name=value&…``, unencoded), and in ``headers`` and
``params`` also ``{signature}``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.auth.base import Auth, Outgoing, Wire

_PLACE = re.compile(r"\{(\w+)\}")


class SigningRecipe(BaseModel):
    """How one vendor wants requests signed.

    ``keyed`` false means a plain hash over a message that holds ``{secret}`` itself. ``encoding`` ``hex-base64`` is
    base64 of the hexadecimal text. ``key_template`` is the HMAC key, e.g. ``{secret}&``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    message: str
    algorithm: Literal["md5", "sha1", "sha256", "sha512"] = "sha256"
    keyed: bool = True
    key_template: str = "{secret}"
    encoding: Literal["hex", "HEX", "base64", "hex-base64"] = "hex"
    timestamp: Literal["seconds", "milliseconds", "iso", "http"] = "seconds"
    headers: Mapping[str, str] = {}
    params: Mapping[str, str] = {}


class HmacSignature(Auth):
    """Signs every request by a recipe. ``clock`` (epoch seconds) and ``nonce`` are replaced by tests."""

    def __init__(
        self,
        recipe: SigningRecipe,
        secret: SecretStr,
        key: str = "",
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._recipe, self._secret, self._key = recipe, secret, key
        self._clock, self._nonce = clock, nonce

    def secrets(self) -> Sequence[SecretStr]:
        """The secrets known beforehand."""
        return (self._secret,)

    def apply(self, outgoing: Outgoing, wire: Wire) -> None:
        """Add the credentials."""
        recipe, places = self._recipe, self._places()
        later: list[tuple[str, str]] = []
        for name, template in recipe.params.items():
            if "{signature}" in template:
                later.append((name, template))
            else:
                outgoing.params.append((name, _fill(template, places)))
        places |= self._request_places(outgoing)
        places["signature"] = self._sign(_fill(recipe.message, places), places)
        outgoing.params += [(name, _fill(template, places)) for name, template in later]
        outgoing.headers |= {name: _fill(template, places) for name, template in recipe.headers.items()}

    def _places(self) -> dict[str, str]:
        return {
            "timestamp": _stamp(self._clock(), self._recipe.timestamp),
            "nonce": self._nonce(),
            "key": self._key,
            "secret": self._secret.get_secret_value(),
        }

    def _request_places(self, outgoing: Outgoing) -> dict[str, str]:
        parts, body = urlsplit(outgoing.url), outgoing.body or b""
        ordered = sorted(outgoing.params)
        return {
            "method": outgoing.method,
            "host": parts.netloc,
            "path": parts.path,
            "api": parts.path.strip("/").replace("/", "."),
            "query": urlencode(outgoing.params),
            "sorted": "".join(f"{name}{value}" for name, value in ordered),
            "sorted_query": "&".join(f"{name}={value}" for name, value in ordered),
            "body": body.decode("utf-8", errors="replace"),
            "body_hash": hashlib.new(self._recipe.algorithm, body).hexdigest(),
            "content_md5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
        }

    def _sign(self, message: str, places: Mapping[str, str]) -> str:
        recipe = self._recipe
        if recipe.keyed:
            key = _fill(recipe.key_template, places).encode()
            digest = hmac.new(key, message.encode(), recipe.algorithm).digest()
        else:
            digest = hashlib.new(recipe.algorithm, message.encode()).digest()
        if recipe.encoding == "base64":
            return base64.b64encode(digest).decode()
        if recipe.encoding == "hex-base64":
            return base64.b64encode(digest.hex().encode()).decode()
        return digest.hex().upper() if recipe.encoding == "HEX" else digest.hex()


def _fill(template: str, places: Mapping[str, str]) -> str:
    """One pass over the template: a value that looks like a place is not filled again."""
    return _PLACE.sub(lambda m: places.get(m[1], m[0]), template)


def _stamp(now: float, form: str) -> str:
    if form == "milliseconds":
        return str(int(now * 1000))
    if form == "iso":
        return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if form == "http":
        return datetime.fromtimestamp(now, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    return str(int(now))
