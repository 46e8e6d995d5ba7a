"""One-time links into the dashboard: whoever may read the project's private key file may make one.

A link's token is ``expiry.nonce.signature`` (HMAC-SHA-256). It works once: using it leaves a mark in the state
folder, so that it stays used when the web process is restarted.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from sync.keyfile import load_key

LINK_SECONDS = 12 * 3600.0


class Access:
    """Makes and checks links of one project. ``folder`` is its private state folder."""

    def __init__(self, folder: Path) -> None:
        self._used = folder / "used-links"
        self._key = load_key(folder / "web.key")

    def link_token(self, now: float | None = None) -> str:
        """A token that opens the dashboard once, within the next hours."""
        return self._signed("link", _after(LINK_SECONDS, now), secrets.token_urlsafe(16))

    def use(self, token: str, now: float | None = None) -> bool:
        """Whether the token is good; it is not good a second time."""
        nonce = self._checked("link", token, now)
        if nonce is None:
            return False
        self._used.mkdir(mode=0o700, exist_ok=True)
        self._forget_old(now)
        try:
            os.close(os.open(self._used / nonce, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def sign_on_token(self, seconds: float, now: float | None = None) -> str:
        """A token that binds an attempt of single sign-on to a browser."""
        return self._signed("sign-on", _after(seconds, now), secrets.token_urlsafe(32))

    def knows_sign_on(self, token: str, now: float | None = None) -> bool:
        """Whether such a token is ours and not too old."""
        return self._checked("sign-on", token, now) is not None

    def _signed(self, kind: str, expiry: int, nonce: str) -> str:
        return f"{expiry}.{nonce}.{self._signature(kind, expiry, nonce)}"

    def _signature(self, kind: str, expiry: int, nonce: str) -> str:
        return hmac.new(self._key, f"{kind}.{expiry}.{nonce}".encode(), hashlib.sha256).hexdigest()

    def _checked(self, kind: str, token: str, now: float | None) -> str | None:
        expiry, _, rest = token[:200].partition(".")
        nonce, _, signature = rest.partition(".")
        if not (expiry.isascii() and expiry.isdigit() and len(expiry) <= 12 and signature.isascii()):
            return None
        if not hmac.compare_digest(signature.encode(), self._signature(kind, int(expiry), nonce).encode()):
            return None
        return nonce if int(expiry) > (time.time() if now is None else now) else None

    def _forget_old(self, now: float | None) -> None:
        limit = (time.time() if now is None else now) - 2 * LINK_SECONDS
        for mark in self._used.iterdir():
            with suppress(FileNotFoundError):
                if mark.stat().st_mtime < limit:
                    mark.unlink()


def _after(seconds: float, now: float | None) -> int:
    return int((time.time() if now is None else now) + seconds)
