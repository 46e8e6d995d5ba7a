"""From pydantic's findings to faults that say file, line, key, what is allowed and the nearest spelling.

``connectors.documents.validate`` does this for one file and its first fault; a configuration is told all its
faults at once, and a connector's settings are checked in their place inside kehu.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connectors.documents import Document, Place, allowed_keys, nearest
from connectors.errors import BadConfiguration

REMEDY = "Correct this place, then run `kehu doctor`."


def faults_of(
    model: type[BaseModel],
    error: ValidationError,
    document: Document,
    inside: Place = (),
    connection: str = "",
) -> list[BadConfiguration]:
    """One fault per finding, in the file's order. ``inside`` is where the data stands in the document."""
    found = error.errors(include_url=False)
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


def _fault(
    model: type[BaseModel], details: ErrorDetails, document: Document, inside: Place, line: int
) -> BadConfiguration:
    place = details["loc"]
    key = _spelling((*inside, *place), document)
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
    if kind in ("literal_error", "enum"):
        return _not_allowed(details, common)
    return BadConfiguration("{file}, line {line}: {key} is not right: {reason}.", reason=_reason(details), **common)


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


def _reason(details: ErrorDetails) -> str:
    text = details["msg"].removeprefix("Value error, ").rstrip(".")
    return text[:1].lower() + text[1:]


def _spelling(place: Place, document: Document) -> str:
    """The place as the user writes it, without pydantic's names of union members."""
    shown: list[str] = []
    data: Any = document.data
    for index, part in enumerate(place):
        last = index == len(place) - 1
        if isinstance(data, Mapping) and (part in data or last):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        shown.append(str(part))
    return ".".join(shown) or document.path.name
