"""Personal data as it is shown to whoever may read customers but not personal data.

What is left tells customers apart and can be counted; it reaches nobody. Which fields are personal stands in
``mappings.sensitivity``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mappings.sensitivity import is_personal

HIDDEN = "***"
_DEEPEST = 40
_ADDRESSES = ("joined", "left")
_PLACES = ("label", "country", "region", "city")


def masked(golden: Mapping[str, Any], personal: bool = False, *, kind: str | None = None) -> dict[str, Any]:
    """A golden record, or some fields of one, as somebody sees it; ``personal``: who may read personal data.

    ``kind`` tells whether it is a person where the fields themselves do not.
    """
    if personal:
        return dict(golden)
    whose = str(golden.get("kind") or kind or "person")
    found: dict[str, Any] = {}
    for name, value in golden.items():
        if not is_personal(whose, name):
            found[name] = value
        elif name in _MASKS:
            found[name] = masked_value(whose, name, value)
    return found


def masked_value(kind: str, field: str, value: Any) -> Any:
    """One value of a field; ``***`` for what has no masked form, or not the shape that its field has."""
    if value is None or not is_personal(kind, field):
        return value
    try:
        return _MASKS[field](value)
    except (KeyError, TypeError, AttributeError):
        return HIDDEN


def masked_name(kind: str, name: str | None) -> str | None:
    """The name that lists show; where a customer has none, it is an email, phone or number."""
    if name is None or kind == "organisation":
        return name
    return _email(name) if "@" in name else _name(name)


def masked_body(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The body of a change: its golden record or changed fields masked, and the ids of source records."""
    found = without_ids(body)
    return found | {name: masked(found[name], kind=kind) for name in ("golden", "set") if name in found}


def without_ids(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a change with the source records that joined and left, but not their ids."""
    return dict(body) | {name: list(map(masked_address, body[name])) for name in _ADDRESSES if name in body}


def masked_address(address: Sequence[str]) -> list[str]:
    """A source record as ``[connection, stream, id, part]``: its system may call a person by an email or a number."""
    connection, stream, source_id, part = address
    return [connection, stream, masked_id(source_id), masked_part(part)]


def masked_id(source_id: str) -> str:
    """The id of a source record."""
    return _number(source_id)


def masked_part(part: str) -> str:
    """The part of a source record: what it is stays, its key goes."""
    name, colon, key = part.partition(":")
    return f"{name}:{_number(key)}" if colon else part


def hidden(value: Any, depth: int = 0) -> Any:
    """Any JSON document with its shape alone: every value hidden, the names of fields kept."""
    if isinstance(value, dict) and depth < _DEEPEST:
        return {name: hidden(part, depth + 1) for name, part in value.items()}
    if isinstance(value, list) and depth < _DEEPEST:
        return [hidden(part, depth + 1) for part in value]
    return value if value is None or isinstance(value, bool) else HIDDEN


def _name(value: str) -> str:
    return value[:1] + HIDDEN


def _email(value: str) -> str:
    account, _, domain = value.rpartition("@")
    return f"{account[:1]}{HIDDEN}@{domain}"


def _number(value: str) -> str:
    return HIDDEN + value[-2:] if len(value) > 4 else HIDDEN


def _entries(mask: Callable[[str], str]) -> Callable[[Any], Any]:
    def each(entries: Any) -> Any:
        return [{**entry, "value": mask(str(entry["value"]))} for entry in entries]

    return each


def _phones(entries: Any) -> Any:
    kept = ({name: part for name, part in entry.items() if name != "extension"} for entry in entries)
    return _entries(_number)(kept)


def _addresses(entries: Any) -> Any:
    return [{name: entry[name] for name in _PLACES if name in entry} for entry in entries]


_MASKS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("name", "legal_name", "trading_name", "native_name", "latin_name"), _name),
    **dict.fromkeys(("given_name", "family_name"), _name),
    "emails": _entries(_email),
    "phones": _phones,
    "identifiers": _entries(_number),
    "addresses": _addresses,
}
