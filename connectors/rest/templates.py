"""Plain substitution of ``{name}`` places in manifests. Nothing is ever evaluated.

Known names are ``config.<field>``, ``cursor.value`` and ``cursor.until`` (the bounds of an incremental read, in
the stream's stamp format), ``key`` (of the record), ``partition`` and ``size`` (of a page). A text that is one
place and nothing else keeps the value's type, so that a number stays a number in a JSON body. ``{name:text}`` makes
it text, ``{name:json}`` writes it as JSON (quoted and escaped), for filters that are JSON or a query language inside
a text. A place that is a list, standing in a list, is spliced in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson

PLACE = re.compile(r"\{([a-z_][\w.]*)(?::(text|json))?\}", re.IGNORECASE)

Values = Mapping[str, Any]


def places(template: Any) -> Iterator[str]:
    """The names of all places in a template: a text, or any nesting of lists and mappings of texts."""
    if isinstance(template, str):
        yield from (match[1] for match in PLACE.finditer(template))
    elif isinstance(template, Mapping):
        for key, value in template.items():
            yield from places(key)
            yield from places(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from places(value)


def fill(template: Any, values: Values) -> Any:
    """The template with its places filled; entries of mappings that come to None are left out."""
    if isinstance(template, str):
        return _fill_text(template, values)
    if isinstance(template, Mapping):
        filled = ((key, fill(value, values)) for key, value in template.items())
        return {str(_fill_text(key, values)): value for key, value in filled if value is not None}
    if isinstance(template, list | tuple):
        return list(_spliced(template, values))
    return template


def fill_path(template: str, values: Values) -> str:
    """A URL path with its places filled; what is filled in is percent-encoded, except settings."""

    def one(match: re.Match[str]) -> str:
        text = str(_value(match, values, ""))
        return text if match[1].startswith("config.") else quote(text, safe="")

    return PLACE.sub(one, template)


def fill_headers(templates: Mapping[str, str], values: Values) -> dict[str, str]:
    """Headers with their places filled; one with a place that has no value is left out."""
    return {
        name: str(_fill_text(text, values))
        for name, text in templates.items()
        if all(values.get(place) is not None for place in places(text))
    }


def _fill_text(template: str, values: Values) -> Any:
    whole = PLACE.fullmatch(template)
    if whole is not None:
        return _value(whole, values, None)
    return PLACE.sub(lambda match: str(_value(match, values, "")), template)


def _value(match: re.Match[str], values: Values, absent: Any) -> Any:
    """What stands for a place; ``absent`` where there is nothing."""
    value = values.get(match[1])
    if value is None:
        return absent
    if match[2] == "json":
        return orjson.dumps(value).decode()
    return str(value) if match[2] == "text" else value


def _spliced(template: Sequence[Any], values: Values) -> Iterator[Any]:
    for item in template:
        value = fill(item, values)
        if isinstance(item, str) and isinstance(value, list):
            yield from value
        else:
            yield value
