"""Multi-valued fields of several source records united: each entry once, with the records that have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mappings.contract import Canonical, RecordKey
from mappings.customer import Address, Email, Identifier, Phone
from mappings.normalise.emails import fold_email

LISTS = ("identifiers", "emails", "phones", "addresses", "tags", "consents")
"""Multi-valued fields: united from all sources, each entry once."""
DICTS = ("external_ids", "attributes")
"""Maps: united key by key."""
_CAPS = {"tags": 200}
_CAP = 50
_KEYS = tuple(dict.fromkeys(key for part in (Identifier, Email, Phone, Address) for key in part.model_fields))
"""So that an entry joined from several sources is the same JSON whoever came first."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class Source(NamedTuple):
    """One record of the customer: its key, its canonical customer, the priority of its source (lower wins)."""

    key: RecordKey
    customer: Canonical
    priority: int


def united(sources: Sequence[Source], name: str, validated_first: bool) -> list[tuple[Any, list[RecordKey]]]:
    """The entries of all sources, best source first, equal ones once (gaps filled, flags raised), with
    their sources.
    """
    identify = _IDENTITIES[name]
    found: dict[Any, tuple[Any, list[RecordKey]]] = {}
    for source in sources:
        own: list[Any] = []
        for entry in source.customer.get(name, ()):
            key = same = identify(entry)
            if same in own:  # a source's own repeats stay as they are
                key = (same, own.count(same))
            own.append(same)
            if key in found:
                known, keys = found[key]
                keys.append(source.key)  # in place: thousands of sources may have one entry
                found[key] = (_joined(name, known, entry), keys)
            else:
                found[key] = (entry, [source.key])
    entries = list(found.values())
    if validated_first and len(sources) > 1:
        entries.sort(key=lambda item: not is_validated(item[0]))
    return entries[: _CAPS.get(name, _CAP)]


def united_map(sources: Sequence[Source], name: str) -> dict[str, tuple[Any, list[RecordKey]]]:
    """Each key's value from the best source that has the key, and the sources with that value; keys sorted."""
    found: dict[str, tuple[Any, list[RecordKey]]] = {}
    for source in sources:
        for key, value in source.customer.get(name, {}).items():
            if key not in found:
                found[key] = (value, [source.key])
            elif found[key][0] == value:
                found[key][1].append(source.key)
    return dict(sorted(found.items()))


def is_validated(entry: Any) -> bool:
    """Whether an entry of a list is a verified contact or a valid number."""
    return not isinstance(entry, str) and bool(entry.get("valid") or entry.get("verified"))


def instant(text: str | None) -> datetime:
    """The instant of an ISO 8601 text, without offset read as UTC; the earliest possible for none or
    nonsense.
    """
    if not text:
        return _NEVER
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return _NEVER
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _joined(name: str, known: Any, other: Any) -> Any:
    if isinstance(known, str) or known == other:
        return known
    if name == "consents":
        return _later_consent(known, other)
    joined = {**other, **known}
    for flag in ("verified", "valid"):
        if other.get(flag):
            joined[flag] = True
    return {key: joined[key] for key in _KEYS if key in joined}


def _later_consent(known: Any, other: Any) -> Any:
    """The later word counts; of two at one time (or undated ones) the withdrawal."""
    order = (instant(known.get("at")), not known.get("granted")), (instant(other.get("at")), not other.get("granted"))
    return known if order[0] >= order[1] else other


def _email_identity(entry: Any) -> str:
    return fold_email(entry["value"])


def _phone_identity(entry: Any) -> tuple[str, str | None]:
    return entry["value"], entry.get("extension")


def _address_identity(entry: Any) -> str:
    where = entry["street"] + "|" + entry.get("city", "") if "street" in entry else entry.get("text", "")
    text = f"{entry.get('country', '')}|{entry.get('postcode', '')}|{where}"
    return "".join(text.casefold().split())


_IDENTITIES: dict[str, Callable[[Any], Any]] = {
    "identifiers": lambda entry: (entry["scheme"], entry["value"]),
    "emails": _email_identity,
    "phones": _phone_identity,
    "addresses": _address_identity,
    "tags": str.casefold,
    "consents": lambda entry: (entry["channel"], entry.get("purpose", "marketing")),
}
