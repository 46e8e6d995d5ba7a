"""Texts in the database: the English template with its parameters, so that everybody reads their own language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from connectors.errors import ConnectorError, fill
from mappings.errors import MappingError
from sync.errors import SyncError
from sync.language import Phrase

_PHRASE = "phrase"
"""Marks a parameter that is a text of the program itself and translated with the whole."""
LONGEST = 1_000
"""No parameter is stored longer than this many characters."""


class Wording(NamedTuple):
    """A template and what its places are filled with."""

    template: str
    params: dict[str, Any]

    def __str__(self) -> str:
        return fill(self.template, self.params)


class Failure(NamedTuple):
    """Why something stopped, as it is stored on its row."""

    code: str
    message: Wording
    remedy: str


def storable(value: str, limit: int = LONGEST) -> str:
    """The text as both databases can hold it: no NUL, no lone surrogates, not too long."""
    shortened = value if len(value) <= limit else value[: limit - 1] + "…"
    return shortened.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def packed(template: str, params: Mapping[str, Any]) -> str:
    """Template and parameters as JSON."""
    safe = {name: _plain(value) for name, value in params.items()}
    return orjson.dumps({"template": template, "params": safe}).decode()


def unpacked(stored: str | None) -> Wording | None:
    """The inverse of ``packed``."""
    if stored is None:
        return None
    data = orjson.loads(stored)
    return Wording(data["template"], {name: _phrase(value) for name, value in data["params"].items()})


def failure(error: BaseException) -> Failure:
    """What users read of an error. Of an unexpected one only its kind: its text may hold anything."""
    if isinstance(error, ConnectorError | MappingError | SyncError):
        return Failure(error.code, Wording(error.template, dict(error.params)), error.remedy)
    return Failure(
        "internal_error",
        Wording("An unexpected error stopped this: {kind}.", {"kind": type(error).__name__}),
        "Look into the worker's log; if it happens again, report it.",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Phrase):
        return {_PHRASE: value.template, "params": {name: _plain(one) for name, one in value.params.items()}}
    if value is None or isinstance(value, bool | int | float):
        return value
    return storable(str(value))


def _phrase(stored: Any) -> Any:
    """The inverse of ``_plain``."""
    if not isinstance(stored, dict):
        return stored
    return Phrase(stored[_PHRASE], **{name: _phrase(value) for name, value in stored["params"].items()})
