"""From pydantic's findings to faults that say file, line, key, what is allowed and the nearest spelling.

``connectors.documents.validate`` does this for one file and its first fault; a configuration is told all its
faults at once, and a connector's settings are checked in their place inside kehu.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connectors.documents import Document, Place, allowed_keys, nearest, spelling
from connectors.errors import BadConfiguration
from sync.language import Phrase

REASONS = {
    "int_parsing": Phrase("a whole number is wanted"),
    "int_type": Phrase("a whole number is wanted"),
    "int_from_float": Phrase("a whole number is wanted"),
    "float_parsing": Phrase("a number is wanted"),
    "float_type": Phrase("a number is wanted"),
    "bool_parsing": Phrase("true or false is wanted"),
    "bool_type": Phrase("true or false is wanted"),
    "string_type": Phrase("a text is wanted; numbers and dates become texts in quotes"),
    "dict_type": Phrase("a block of settings is wanted"),
    "model_type": Phrase("a block of settings is wanted"),
    "model_attributes_type": Phrase("a block of settings is wanted"),
    "list_type": Phrase("a list is wanted"),
    **dict.fromkeys(
        ("datetime_parsing", "datetime_from_date_parsing", "datetime_type", "timezone_aware"),
        Phrase("a moment with its time zone is wanted, like 2026-05-01T08:00:00Z"),
    ),
}
"""What pydantic finds, by its type, where the finding has no limit to name."""

REMEDY = "Correct this place, then run `kehu doctor`."


def faults_of(
    model: type[BaseModel],
    error: ValidationError,
    document: Document,
    inside: Place = (),
    connection: str = "",
) -> list[BadConfiguration]:
    """One fault per finding, in the file's order. ``inside`` is where the data stands in the document."""
    every = error.errors(include_url=False)
    found = [details for details in every if not _is_other_member(details, every)]
    placed = [(document.line((*inside, *details["loc"])), details) for details in found]
    placed.sort(key=lambda item: item[0])
    faults: dict[tuple[str, str], BadConfiguration] = {}
    for line, details in placed:
        fault = _fault(model, details, document, inside, line)
        if connection:
            fault.params["connection"] = connection
        # a union reports one finding per member: the first says enough
        faults.setdefault((str(fault.setting), details["type"]), fault)
    return list(faults.values())


def line_of(document: Document, place: Place) -> Phrase:
    """Where something stands, to fill a place of a message: ``kehu.yaml, line 7``."""
    return Phrase("{file}, line {line}", file=document.path.name, line=document.line(place))


def _is_other_member(details: ErrorDetails, every: list[ErrorDetails]) -> bool:
    """Whether it only says that a union's other member was not meant: one that got deeper into the data was."""
    above = details["loc"][:-1]
    return details["type"].endswith("_type") and any(
        other["loc"][: len(above)] == above and len(other["loc"]) > len(details["loc"]) for other in every
    )


def _fault(
    model: type[BaseModel], details: ErrorDetails, document: Document, inside: Place, line: int
) -> BadConfiguration:
    place = details["loc"]
    key = spelling((*inside, *place), document)
    common: dict[str, Any] = {"setting": key, "file": document.path.name, "line": line, "key": key, "remedy": REMEDY}
    kind = details["type"]
    if place and place[-1] == "[key]" and not isinstance(details["input"], str):
        return BadConfiguration(
            "{file}, line {line}: YAML reads the name {name} as something else than text; put it into quotes.",
            name=str(details["input"])[:60],
            **common,
        )
    if kind == "extra_forbidden":
        return _unknown(str(place[-1]), sorted(allowed_keys(model, place[:-1])), common)
    if kind == "missing":
        return BadConfiguration("{file}, line {line}: the setting {key} is missing.", **common)
    if details["input"] is None and kind.endswith("_type"):
        return BadConfiguration("{file}, line {line}: the setting {key} is empty: write its value after it.", **common)
    if kind in ("literal_error", "enum"):
        return _not_allowed(details, common)
    return BadConfiguration("{file}, line {line}: {key} is not right: {reason}.", reason=reason(details), **common)


def _unknown(name: str, allowed: list[str], common: dict[str, Any]) -> BadConfiguration:
    meant = nearest(name, allowed)
    names = ", ".join(allowed) or "-"
    if meant is None:
        return BadConfiguration(
            "{file}, line {line}: unknown setting {key}. Allowed: {allowed}.", allowed=names, **common
        )
    return BadConfiguration(
        "{file}, line {line}: unknown setting {key}. Did you mean {nearest}? Allowed: {allowed}.",
        allowed=names,
        nearest=meant,
        **common,
    )


def _not_allowed(details: ErrorDetails, common: dict[str, Any]) -> BadConfiguration:
    expected = str(details.get("ctx", {}).get("expected", ""))
    allowed = [item.strip().strip("'") for item in expected.replace(" or ", ", ").split(",")]
    value = str(details["input"])[:60]
    return BadConfiguration(
        "{file}, line {line}: {key} cannot be {value}. Allowed: {allowed}. Nearest: {nearest}.",
        value=value,
        allowed=", ".join(allowed),
        nearest=nearest(value, allowed) or allowed[0],
        **common,
    )


def reason(details: Mapping[str, Any]) -> str:
    """What is wrong with a value, from one of pydantic's findings."""
    kind, limits = details["type"], details.get("ctx", {})
    if kind in REASONS:
        return REASONS[kind]
    for limit in ("le", "lt"):
        if limit in limits:
            return Phrase("it must not be above {limit}", limit=limits[limit])
    for limit in ("ge", "gt"):
        if limit in limits:
            return Phrase("it must not be below {limit}", limit=limits[limit])
    if "max_length" in limits:
        return Phrase("it must not be longer than {limit}", limit=limits["max_length"])
    if "pattern" in limits:
        return Phrase("it must be of the form {pattern}", pattern=limits["pattern"])
    if kind in ("literal_error", "enum"):
        return Phrase("it must be one of {choices}", choices=_choices(limits))
    text = details["msg"].removeprefix("Value error, ").rstrip(".")
    text = text[:1].lower() + text[1:]
    return text if "{" in text or "}" in text else Phrase(text)  # a literal of ours may have a translation


def _choices(limits: Mapping[str, Any]) -> str:
    """As pydantic lists them, without quotes."""
    return ", ".join(part.strip(" '") for part in str(limits.get("expected", "")).replace(" or ", ", ").split(","))
