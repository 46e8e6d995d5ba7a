"""Who a request comes from, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from sync.identity.errors import Forbidden
from sync.identity.permissions import Permission, Role


@dataclass(frozen=True, slots=True)
class Principal:
    """A user in a session, or an API key. ``session`` is the session's id, None for a key."""

    user_id: int
    user: str
    role: Role
    permissions: frozenset[Permission]
    key: str | None = None
    session: bytes | None = None

    @property
    def actor(self) -> str:
        """How the audit log names them."""
        return f"user:{self.user}" if self.key is None else f"key:{self.key}"

    def may(self, permission: Permission) -> bool:
        """Whether they have the permission."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises Forbidden unless they have the permission."""
        if permission not in self.permissions:
            raise Forbidden("This needs the permission {permission}.", permission=permission.value)


def digest(token: str) -> bytes:
    """What is stored of a token of 256 random bits: a plain hash cannot be guessed back."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
