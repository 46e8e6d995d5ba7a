"""Golden values as text, as somebody may see them: masked for who may not read personal data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from fastapi import Request

from dashboard import postal
from dashboard.permissions import Permission, principal_of
from dashboard.telephones import readable
from sync.privacy.masking import masked, masked_id, masked_name, masked_value


@dataclass(frozen=True)
class Eyes:
    """What a visitor sees of customers. ``personal``: they may read personal data."""

    personal: bool

    def name(self, kind: str, name: str | None) -> str:
        """A customer's name; empty if there is none."""
        return (name if self.personal else masked_name(kind, name)) or ""

    def value(self, kind: str, field: str, value: Any) -> Any:
        """One value of a field."""
        return value if self.personal else masked_value(kind, field, value)

    def record(self, address: str | None) -> str:
        """A source record as one word, CONNECTION/STREAM/KEY: a system may call a person by an email or a number."""
        parts = (address or "").split("/", 2)
        return address or "" if self.personal or len(parts) < 3 else "/".join([*parts[:2], masked_id(parts[2])])

    def key(self, source_id: str) -> str:
        """The key of a source record in its system."""
        return source_id if self.personal else masked_id(source_id)

    def fields(self, kind: str, golden: Mapping[str, Any]) -> dict[str, Any]:
        """A golden record, or some fields of one."""
        return masked(golden, self.personal, kind=kind)


def eyes_of(request: Request) -> Eyes:
    """What the visitor of a request sees."""
    return Eyes(principal_of(request).may(Permission.PERSONAL_READ))


@dataclass(frozen=True)
class Voice:
    """How a visitor is told of values: codes in their words, moments as their pages show them, and the ``companies``
    that contact persons belong to by name instead of by the address of their record.
    """

    word: Callable[[str], str] = str
    moment: Callable[[datetime], str] = datetime.isoformat
    companies: Mapping[str, str] = field(default_factory=dict)

    def code(self, of: str, value: str) -> str | None:
        """A value that is one of our codes, e.g. a label, in words; None for any other."""
        asked = f"{of} {value}"
        told = self.word(asked)
        return None if told == asked else told

    def text(self, of: str, value: object) -> str:
        """A value of a field, or of a part of one."""
        told = self.code(of, value) if isinstance(value, str) else None
        if told is None and isinstance(value, str) and _MOMENT.fullmatch(value):
            with suppress(ValueError):
                told = self.moment(datetime.fromisoformat(value))
        return str(value) if told is None else told


PLAIN = Voice()
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d[0-9:.]*(Z|[+-]\d\d:\d\d)")
_BY_THEMSELVES = ("label", "scheme")
"""What these say is clear without their names."""


def plain(value: object, voice: Voice = PLAIN, field: str = "") -> list[str]:
    """A golden value as lines of text: one for each entry of a list."""
    entries = value if isinstance(value, list) else [value]
    return [_line(entry, voice, field) for entry in entries]


def pretty(value: object) -> str:
    """Nested data as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _line(entry: object, voice: Voice, field: str) -> str:
    if not isinstance(entry, dict):
        return voice.text(field, entry)
    known = {key: value for key, value in entry.items() if value not in (None, "")}
    main = _main(known, voice, field)
    rest = ", ".join(_part(key, value, voice) for key, value in known.items())
    if main is None:
        return rest
    return f"{main} ({rest})" if rest else str(main)


def _main(known: dict[str, Any], voice: Voice, field: str) -> object:
    """What an entry says before its remarks; what it is made of is taken out. None: it is all remarks."""
    if "source_id" in known:
        address = record_of(known)
        for name in _RECORD:
            known.pop(name, None)
        return voice.word("same record") if address.startswith("#") else voice.companies.get(address, address)
    if field == "addresses":
        line = postal.one_line(known)
        for name in postal.PARTS:
            known.pop(name, None)
        return line or None
    main = known.pop("value", None) or known.pop("text", None)
    return readable(main) if field == "phones" and isinstance(main, str) else main


def record_of(named: Mapping[str, Any]) -> str:
    """The source record that a value names, as one word: CONNECTION/STREAM/KEY, with #PART if it has one."""
    parts = [str(named[name]) for name in ("connection", "stream", "source_id") if named.get(name)]
    return "/".join(parts) + (f"#{named['part']}" if named.get("part") else "")


_RECORD = ("connection", "stream", "source_id", "part")


def _part(key: str, value: object, voice: Voice) -> str:
    if isinstance(value, bool):  # a refused consent must not look like a given one
        return voice.word(key if value else f"not {key}")
    if key in _BY_THEMSELVES and isinstance(value, str):
        told = voice.code(key, value)
        if told is not None:
            return told
    return f"{voice.word(key)}: {voice.text(key, value)}"
