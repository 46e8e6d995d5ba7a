"""Keeping secrets out of texts: known values are masked wherever they stand, unknown ones by the name before them.

Two nets, because each has holes. A ``Redactor`` knows the secrets of one connection and masks them in every spelling
they travel in (plain, percent-encoded, base64). The patterns catch what nobody told us about: a token in an answer's
body, a key in a link the vendor made.
"""

from __future__ import annotations

import base64
import re
from collections import OrderedDict
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

MASK = "***"
SHORTEST = 4
"""Shorter secrets are not masked by value: they would blot out ordinary words."""
MOST = 256
"""How many values one redactor remembers; tokens come and go, the oldest is forgotten first."""

# every repetition is bounded, so that hostile text costs no more than its length
_NAME = (
    r"(?:[\w.-]{0,40}(?:secret|passw(?:or)?d|token|api[_-]?key|apikey|access[_-]?key|app[_-]?key|signature|credential"
    r"|authorization|session[_-]?id)[\w.-]{0,40}|sign|sig|pwd|auth|sid|key|code|x-amz-[\w-]{1,40})"
)
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
_SCHEME = re.compile(r"\b(Bearer|Basic|Token|Session|Digest)\s+[A-Za-z0-9._~+/=:-]{6,}", re.IGNORECASE)
_QUOTED = re.compile(r'(["\']' + _NAME + r'["\']\s*:\s*)(["\'])(?:\\.|(?!\2).){1,4000}\2?', re.IGNORECASE)
_PAIR = re.compile(r"((?:^|[?&;\s])" + _NAME + r"=)[^&;\s\"'<>]+", re.IGNORECASE)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)[^/\s@]{1,400}@", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_DIGITS = re.compile(r"\+?\d(?:[ -]?\d){9,}")


def is_secret_name(name: str) -> bool:
    """Whether a parameter or field of this name usually holds a secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def mask_url(url: str) -> str:
    """The URL without user and password, and with the values of secret-looking parameters masked."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        return MASK
    query = urlencode([(n, MASK if is_secret_name(n) else v) for n, v in pairs], safe="*")
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def mask_text(text: str) -> str:
    """The text with everything masked that looks like a secret: authorisation values, tokens, passwords in URLs."""
    text = _USERINFO.sub(rf"\1{MASK}@", text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    text = _QUOTED.sub(rf"\1\2{MASK}\2", text)
    return _PAIR.sub(rf"\1{MASK}", text)


def mask_personal(text: str) -> str:
    """The text with e-mail addresses and long numbers (phones, cards, ids of people) masked."""
    return _DIGITS.sub(MASK, _EMAIL.sub(MASK, text))


class Redactor:
    """Masks one connection's secrets in any text. Tokens obtained later are added as they come."""

    def __init__(self, secrets: Iterable[SecretStr | str] = ()) -> None:
        self._values: OrderedDict[str, None] = OrderedDict()
        self._pattern: re.Pattern[str] | None = None
        self.add(*secrets)

    def __repr__(self) -> str:
        return f"Redactor({len(self._values)} values)"

    def add(self, *secrets: SecretStr | str) -> None:
        """Remember more values to mask."""
        for secret in secrets:
            value = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
            for spelling in _spellings(value):
                self._values[spelling] = None
                self._values.move_to_end(spelling)
        while len(self._values) > MOST:
            self._values.popitem(last=False)
        longest_first = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """The text with every known value and everything that looks like a secret masked."""
        return mask_text(self._known(text))

    def url(self, url: str) -> str:
        """The URL with every known value and every secret-looking parameter masked."""
        return self._known(mask_url(url))

    def excerpt(self, body: bytes, length: int = 160) -> str:
        """A short, single-line, masked piece of a body, fit for an error message. Personal data is masked too."""
        text = body[: length * 8].decode("utf-8", errors="replace")
        text = "".join(c if c.isprintable() else " " for c in text)
        text = " ".join(mask_personal(self.text(text)).split())
        return text if len(text) <= length else text[: length - 1] + "…"

    def _known(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text


def _spellings(value: str) -> set[str]:
    """The value as it may stand in a URL, a form, a JSON text or a header."""
    if len(value) < SHORTEST:
        return set()
    encoded = base64.b64encode(value.encode()).decode()
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return {value, quote(value, safe=""), quote_plus(value), encoded, encoded.rstrip("="), escaped}
