"""JSON Web Tokens (RFC 7519) signed with RS256 (RFC 7518): the assertions of OAuth's JWT bearer grant (RFC 7523)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import SecretStr

BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def signed(claims: Mapping[str, Any], private_key: SecretStr, **header: str) -> str:
    """A token with these claims. Raises ``ValueError`` for a key that is no unlocked RSA key in PEM form."""
    try:
        key = serialization.load_pem_private_key(private_key.get_secret_value().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("no RSA key in PEM form") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("no RSA key in PEM form")
    content = f"{_part({'alg': 'RS256', 'typ': 'JWT', **header})}.{_part(claims)}"
    return f"{content}.{_base64url(key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _part(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
