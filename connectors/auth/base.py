"""What every way of logging in promises to the HTTP client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import SecretStr

if TYPE_CHECKING:
    from connectors.redaction import Redactor
    from connectors.response import Response


@dataclass(slots=True)
class Outgoing:
    """A request about to be sent, for an ``Auth`` to add to. ``body`` is final: what is signed is what is sent.

    ``credential`` is for the auth's own use: it marks which token was used, so that a refused request does not
    renew a token that another thread has renewed already.
    """

    method: str
    url: str
    params: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    credential: object = None


class Wire(Protocol):
    """What an ``Auth`` needs of the client to fetch a token: requests without credentials, guarded like any other."""

    connection: str
    redactor: Redactor

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        read: bool | None = None,
        idempotent: bool | None = None,
        allow: Sequence[int] = (),
        authenticated: bool = True,
    ) -> Response:
        """One call; ``authenticated=False`` leaves out this auth and may go to any guarded origin."""


class Auth(ABC):
    """One way of logging in. Thread-safe; used by every call of one client."""

    def secrets(self) -> Sequence[SecretStr]:
        """The secrets known beforehand, to be masked in every message."""
        return ()

    @abstractmethod
    def apply(self, outgoing: Outgoing, wire: Wire) -> None:
        """Add the credentials; fetch or renew a token first where one is needed."""

    def renew(self, outgoing: Outgoing, wire: Wire) -> bool:
        """The system refused ``outgoing`` as unauthenticated: get new credentials. False: there are none to get."""
        return False
