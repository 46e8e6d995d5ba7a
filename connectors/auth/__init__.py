"""Ways of logging in, for ``connectors.http.Client(auth=…)``.

Static: ``ApiKey``, ``Basic``, ``Bearer``. Tokens that expire: ``ClientCredentials``, ``RefreshToken`` (OAuth2),
``SessionLogin``. Signed requests: ``HmacSignature`` with a ``SigningRecipe``. A system with its own way subclasses
``Auth``: two methods, ``apply`` and ``renew``.
"""

from connectors.auth.base import Auth, Outgoing, Wire
from connectors.auth.oauth2 import ClientCredentials, RefreshToken
from connectors.auth.session import SessionLogin
from connectors.auth.signing import HmacSignature, SigningRecipe
from connectors.auth.static import ApiKey, Basic, Bearer
from connectors.auth.tokens import Token, TokenAuth

__all__ = [
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "ClientCredentials",
    "HmacSignature",
    "Outgoing",
    "RefreshToken",
    "SessionLogin",
    "SigningRecipe",
    "Token",
    "TokenAuth",
    "Wire",
]
