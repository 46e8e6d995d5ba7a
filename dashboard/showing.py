"""Golden values as text, as somebody may see them: masked for who may not read personal data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request

from dashboard.permissions import Permission, principal_of
from sync.privacy.masking import masked, masked_name, masked_value


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

    def fields(self, kind: str, golden: Mapping[str, Any]) -> dict[str, Any]:
        """A golden record, or some fields of one."""
        return masked(golden, self.personal, kind=kind)


def eyes_of(request: Request) -> Eyes:
    """What the visitor of a request sees."""
    return Eyes(principal_of(request).may(Permission.PERSONAL_READ))


def plain(value: object, word: Callable[[str], str] = str) -> list[str]:
    """A golden value as lines of text: one for each entry of a list. ``word`` puts names of fields into words."""
    entries = value if isinstance(value, list) else [value]
    return [_line(entry, word) for entry in entries]


def pretty(value: object) -> str:
    """Nested data as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _line(entry: object, word: Callable[[str], str]) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    known = {key: value for key, value in entry.items() if value not in (None, "")}
    main = known.pop("value", None) or known.pop("text", None)
    rest = ", ".join(_part(key, value, word) for key, value in known.items())
    if main is None:
        return rest
    return f"{main} ({rest})" if rest else str(main)


def _part(key: str, value: object, word: Callable[[str], str]) -> str:
    if isinstance(value, bool):  # a refused consent must not look like a given one
        return word(key if value else f"not {key}")
    return f"{word(key)}: {value}"
