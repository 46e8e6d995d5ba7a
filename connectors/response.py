"""One answer of a server: status, headers, body as bytes, and a careful way to JSON."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any

import msgspec
from requests.structures import CaseInsensitiveDict
from requests.utils import parse_header_links

from connectors.errors import ConnectorError, RetryLater, StreamBroken
from connectors.redaction import Redactor
from connectors.retry_after import http_date

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PAGES = ("text/html", "application/xhtml+xml")
_UTF8 = ("utf-8", "ascii")
_NOT_MEANT = {"punycode", "idna", "unicode-escape", "raw-unicode-escape", "utf-7", "undefined"}
"""Python codecs that are no character set of the web; some take quadratic time."""
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252"}
"""Labels in common use and the superset that is meant (as the WHATWG Encoding Standard reads them)."""


@dataclass(slots=True)
class Response:
    """A whole answer. ``body`` is decompressed; ``url`` is masked and fit for messages; ``elapsed`` is seconds."""

    connection: str
    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Mapping[str, str] = field(default_factory=dict)
    elapsed: float = 0.0
    redactor: Redactor = field(default_factory=Redactor, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def path(self) -> str:
        """The path of the URL that answered, without the query."""
        return re.sub(r"^[a-z]+://[^/]*", "", self.url).partition("?")[0] or "/"

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def date(self) -> datetime | None:
        """The server's own clock (``Date`` header), aware, to the second; None where it does not tell."""
        return http_date(self.headers.get("Date", ""))

    def link(self, rel: str = "next") -> str | None:
        """The URL of the ``Link`` header (RFC 8288) with this relation, as the server wrote it, or None."""
        links = parse_header_links(self.headers.get("Link", ""))
        return next((str(e["url"]) for e in links if rel in str(e.get("rel", "")).lower().split()), None)

    def utf8(self) -> bytes:
        """The body in UTF-8 without byte order mark, whatever character set the server declared.

        A body already in UTF-8 is returned as it is, unchecked. Raises ``RetryLater`` when the bytes do not fit the
        declared character set.
        """
        charset, start = self._charset()
        if charset in _UTF8:
            return self.body[start:] if start else self.body
        try:
            return self.body[start:].decode(charset).encode()
        except (UnicodeError, LookupError) as error:
            raise self._wrong_charset(charset) from error

    def text(self) -> str:
        """The body as text. Raises ``RetryLater`` when the bytes do not fit the declared character set."""
        try:
            return self.utf8().decode()
        except UnicodeError as error:
            raise self._wrong_charset(self._charset()[0]) from error

    def json(self, *, lenient: bool = False) -> Any:
        """The body as JSON.

        Of duplicate keys the last wins. NaN, Infinity, lone surrogates and raw control characters are not JSON and
        refused, unless ``lenient``: then such numbers become the strings "NaN" and "Infinity" (so that the mapping
        rejects the field and not the page) and such characters the replacement character. Integers of any length
        stay exact. Raises ``RetryLater`` for an answer that is cut short, is a web page or does not fit its
        character set, and ``StreamBroken`` for one that is whole and still no JSON, or is nested too deeply.
        """
        return self.parse(lambda body: self._decode(body, lenient))

    def parse(self, decode: Callable[[bytes], Any]) -> Any:
        """``decode(body in UTF-8)`` with its msgspec or JSON errors turned into connector errors, as ``json`` does.

        For callers with a typed decoder: ``response.parse(msgspec.json.Decoder(Page).decode)``.
        """
        body = self.utf8()
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise StreamBroken(
                "{connection}: the answer of {method} {path} has not the expected form ({reason}).",
                reason=str(error),
                **self._where(),
            ) from error
        except UnicodeDecodeError as error:
            raise self._wrong_charset(self._charset()[0]) from error
        except RecursionError:
            raise StreamBroken(
                "{connection}: the answer of {method} {path} is nested too deeply.", **self._where()
            ) from None
        except (msgspec.DecodeError, ValueError) as error:
            raise self._not_json(str(error)) from error

    def plausible(self) -> None:
        """Raise ``RetryLater`` when an answer that should be JSON is evidently a web page or cut short.

        Looks at the first and last byte only; a cut that happens to end well is found when the body is parsed.
        """
        body = self.body
        if not body or self.status == 204:
            return
        if self._is_page():
            raise self._not_json("")
        first, last = _first(body), _last(body)
        if (first == b"{" and last != b"}") or (first == b"[" and last != b"]"):
            raise self._cut_short()

    def excerpt(self) -> str:
        """A short masked piece of the body for messages: empty, or beginning with a colon."""
        if self._is_page():
            return ": (a web page)"
        text = self.redactor.excerpt(self.body)
        return f": {text}" if text else ""

    def _decode(self, body: bytes, lenient: bool) -> Any:
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if not lenient:
                raise
        text = body.decode("utf-8", errors="replace")
        return _storable(json.loads(text, strict=False, parse_constant=str))

    def _charset(self) -> tuple[str, int]:
        """The character set, and how many bytes of byte order mark to skip."""
        for mark, name in _BOMS:
            if self.body.startswith(mark):
                return name, len(mark)
        declared = _CHARSET.search(self.headers.get("Content-Type", ""))
        if declared is None:
            return "utf-8", 0
        try:
            name = codecs.lookup(declared[1]).name
        except LookupError:
            return "utf-8", 0
        return ("utf-8" if name.replace("_", "-") in _NOT_MEANT else _WIDER.get(name, name)), 0

    def _is_page(self) -> bool:
        first = _first(self.body)
        if first == b"<":
            return b"<html" in self.body[:1024].lower() or self.content_type in _PAGES
        return self.content_type in _PAGES and first not in (b"{", b"[")  # many send JSON labelled as HTML

    def _not_json(self, reason: str) -> ConnectorError:
        if self._is_page():
            return RetryLater(
                "{connection}: {method} {path} answered a web page instead of data (status {status}).",
                **self._where(),
                remedy="It is tried again by itself. If it persists, check the address: it may point at the login "
                "page, a proxy or a maintenance page instead of the API.",
            )
        if _last(self.body) not in (b"}", b"]"):
            return self._cut_short()
        return StreamBroken(
            "{connection}: the answer of {method} {path} is not valid JSON ({reason}).",
            reason=self.redactor.text(reason),
            **self._where(),
        )

    def _cut_short(self) -> RetryLater:
        return RetryLater("{connection}: the answer of {method} {path} is cut short or is no JSON.", **self._where())

    def _wrong_charset(self, charset: str) -> RetryLater:
        return RetryLater(
            "{connection}: the answer of {method} {path} is not in the character set {charset} it claims.",
            charset=charset,
            remedy="It is tried again by itself. If it persists, set the connection's `charset` to what the system "
            "really sends, e.g. gb18030.",
            **self._where(),
        )

    def _where(self) -> dict[str, Any]:
        return {"connection": self.connection, "method": self.method, "path": self.path, "status": self.status}


def headers_of(pairs: Mapping[str, str]) -> Mapping[str, str]:
    """Headers that are found in any case."""
    return CaseInsensitiveDict(pairs)


def cookies_of(lines: list[str]) -> dict[str, str]:
    """Names and values of ``Set-Cookie`` lines; a line that is none is skipped."""
    found: dict[str, str] = {}
    for line in lines:
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(line)
        except CookieError:
            continue
        found.update({name: morsel.value for name, morsel in jar.items()})
    return found


def _first(body: bytes) -> bytes:
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]


def _last(body: bytes) -> bytes:
    return body[-64:].rstrip()[-1:]


def _storable(value: Any) -> Any:
    """The value with lone surrogates, which no UTF-8 can hold, replaced."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value
