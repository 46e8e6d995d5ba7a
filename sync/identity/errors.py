"""What can go wrong when somebody signs in, or uses what they may not."""

from __future__ import annotations

from typing import Any

from sync.errors import Misused, SyncError


class NotSignedIn(SyncError):
    """There is no valid session or key."""

    code = "not_signed_in"
    default_remedy = "Sign in, or send an API key: `Authorization: Bearer kehu_...`."


class Forbidden(SyncError):
    """Signed in, but not allowed to do this."""

    code = "forbidden"
    default_remedy = "Ask an administrator for a role or an API key that allows it."


class WrongCredentials(NotSignedIn):
    """Name and password do not fit. Never says which of the two."""

    code = "wrong_credentials"
    default_remedy = "Check both; an administrator makes a new link with `kehu user reset NAME`."


class TooManyAttempts(SyncError):
    """Too many failed sign-ins; ``retry_after`` are the seconds to wait."""

    code = "too_many_attempts"
    default_remedy = "Wait, then try again; an administrator can reset the password."

    def __init__(self, template: str, *, retry_after: int, **params: Any) -> None:
        super().__init__(template, **params)
        self.retry_after = retry_after


class WeakPassword(Misused):
    """The password does not do."""

    code = "weak_password"
    default_remedy = "Use a few words in a row, or a password manager."
