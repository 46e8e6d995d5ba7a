"""Inbound webhooks of a REST manifest: proved before anything in them is read, then turned into hints."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import SecretStr

from connectors.contract import Context, Hint, Inbound
from connectors.errors import BadConfiguration, BadCredentials, RecordRejected
from connectors.inbound import LARGEST, ensure_shared, header, payload
from connectors.rest.manifest_webhooks import Delivery, HintRule, HmacProof, Proof, SharedProof, Webhook
from connectors.rest.slicing import MAX_KEY, find
from connectors.rest.templates import Values, fill, places

MOST_HINTS = 10_000
"""No vendor bundles more events in one call."""

MOST_FIELDS = 1_000
_PLACE = re.compile(r"\{(method|url|timestamp|body)\}")
_BRACKETED = re.compile(r"[^\[\]]+")


class Hooks:
    """Judges the calls of one connection. ``values`` are its settings as places, secrets in plain text."""

    def __init__(self, spec: Webhook, values: Values, context: Context) -> None:
        self._spec, self._values, self._context = spec, values, context

    def is_ping(self, request: Inbound) -> bool:
        """Whether the system only tests the address."""
        ping = self._spec.ping
        if ping.method and request.method.upper() == ping.method:
            return True
        return bool(ping.form) and len(request.body) < 200 and list(_fields(request.body)) == [ping.form]

    def hints(self, request: Inbound) -> list[Hint]:
        """What a call hints at, once each. Raises ``BadCredentials`` if it is not proved, ``RecordRejected`` if it is
        nothing that can be read, ``BadConfiguration`` if a setting it needs is not there.
        """
        self._prove(request)
        told = self._told(request)
        events = find(told, self._spec.events) if self._spec.events else told
        found = {
            hint: None
            for event in (events if isinstance(events, list) else [events])[:MOST_HINTS]
            if isinstance(event, Mapping)
            for rule in self._spec.hints
            if self._concerns(rule, request, event)
            for hint in self._of(rule, request, event)
        }
        return list(found)

    # --- is it authentic?

    def _prove(self, request: Inbound) -> None:
        proof = self._spec.proof
        secret = self._setting(proof.secret)
        if len(request.body) > LARGEST:
            raise RecordRejected("{connection}: a webhook is too large.", connection=self._context.connection)
        if isinstance(proof, SharedProof):
            expected = SecretStr(proof.prefix + secret), SecretStr(secret)
            given = (header(request, proof.header) if proof.header else ""), request.query.get(proof.query, "")
        else:
            expected = SecretStr(self._signature(proof, secret, request)), SecretStr("")
            given = header(request, proof.header), ""
        ensure_shared(given, expected, connection=self._context.connection, setting=_setting_of(proof))
        if isinstance(proof, HmacProof) and proof.sent_at is not None:
            self._ensure_fresh(header(request, proof.sent_at.header), proof.sent_at.tolerance)

    def _signature(self, proof: HmacProof, secret: str, request: Inbound) -> str:
        stamp = header(request, proof.sent_at.header) if proof.sent_at else ""
        url = self._setting(self._spec.url) if "{url}" in proof.message else ""
        known = {"method": request.method.upper(), "url": url, "timestamp": stamp}
        parts = _PLACE.split(proof.message)  # texts and names of places, in turn
        message = b"".join(
            part.encode()
            if number % 2 == 0
            else request.body
            if part == "body"
            else known[part].encode(errors="replace")
            for number, part in enumerate(parts)
        )
        digest = hmac.new(secret.encode(), message, proof.algorithm).digest()
        return proof.prefix + (digest.hex() if proof.encoding == "hex" else base64.b64encode(digest).decode())

    def _ensure_fresh(self, stamp: str, tolerance: int) -> None:
        sent = _instant(stamp)
        if sent is None or abs((self._context.now() - sent).total_seconds()) > tolerance:
            raise BadCredentials(
                "{connection}: a webhook is older or newer than {tolerance} seconds; it was ignored.",
                remedy="Check the clock of this machine.",
                connection=self._context.connection,
                tolerance=tolerance,
            )

    def _setting(self, template: str) -> str:
        """A filled text; raises ``BadConfiguration`` naming the setting that is empty."""
        found = fill(template, self._values)
        if found:
            return str(found)
        setting = next((name.removeprefix("config.") for name in places(template)), "")
        raise BadConfiguration(
            "{connection}: webhooks need the setting {setting}.", setting=setting, connection=self._context.connection
        )

    # --- what does it say?

    def _told(self, request: Inbound) -> Any:
        if self._spec.body == "json":
            return payload(request, connection=self._context.connection)
        return nested(_fields(request.body))

    def _concerns(self, rule: HintRule, request: Inbound, event: Mapping[str, Any]) -> bool:
        if not rule.path and not rule.header:
            return True
        value = find(event, rule.path) if rule.path else header(request, rule.header)
        if rule.equals is not None and value not in [fill(wanted, self._values) for wanted in rule.equals]:
            return False
        return str(value or "").startswith(rule.starts)

    def _of(self, rule: HintRule, request: Inbound, event: Mapping[str, Any]) -> Iterator[Hint]:
        delivery = delivery_id(self._spec.delivery, request, event)
        keys: list[str | None] = [key for path in rule.key for key in _keys(find(event, path))]
        for key in keys or [None]:
            yield Hint(rule.stream, key, delivery)


def delivery_id(spec: Delivery, request: Inbound, event: Mapping[str, Any]) -> str | None:
    """What a repetition of this event shares, in at most 64 letters; None where it cannot be told."""
    if spec.header:
        parts: Sequence[Any] = [header(request, spec.header) or None]
    elif spec.event:
        parts = [find(event, path) for path in spec.event]
    else:
        parts = [request.body.hex()] if spec.body else []
    if not parts or any(part is None for part in parts):
        return None
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def nested(fields: Mapping[str, str]) -> dict[str, Any]:
    """Form fields as an object: ``data[merges][FNAME]`` is FNAME in merges in data."""
    whole: dict[str, Any] = {}
    for name, value in fields.items():
        *way, last = _BRACKETED.findall(name)[:8] or [name]
        here = whole
        for step in way:
            inner = here.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            here = inner
        else:
            here.setdefault(last, value)
    return whole


def _fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}


def _keys(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str | int) and not isinstance(one, bool) and 0 < len(str(one)) <= MAX_KEY:
            yield str(one)


def _instant(stamp: str) -> datetime | None:
    """A time as headers tell it: seconds or milliseconds since 1970, ISO 8601, or as in e-mail; None for others."""
    try:
        if stamp.isascii() and stamp.isdecimal() and len(stamp) < 15:
            return datetime.fromtimestamp(int(stamp) / (1000 if len(stamp) > 11 else 1), UTC)
        found = parsedate_to_datetime(stamp) if "," in stamp else datetime.fromisoformat(stamp)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _setting_of(proof: Proof) -> str:
    return next((name.removeprefix("config.") for name in places(proof.secret)), "secret")
