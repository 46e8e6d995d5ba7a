"""Texts kept apart from the errors that tell them: still to be filled and translated."""

from __future__ import annotations

from typing import Any, NamedTuple

from connectors.errors import ConnectorError, fill


class Wording(NamedTuple):
    """An English template with ``{named}`` places, and the remedy where it is not the error's own."""

    template: str
    remedy: str | None = None


class Phrase(str):
    """A text of the program that fills a place of another, e.g. a reason: translated with it."""

    def __new__(cls, template: str, **params: Any) -> Phrase:
        """The English text, which stands for itself wherever nobody translates."""
        made = super().__new__(cls, fill(template, params))
        made.template, made.params = template, params
        return made

    template: str
    params: dict[str, Any]


def phrase_of(error: ConnectorError) -> Phrase:
    """What an error tells, to fill a place of another error's text."""
    return Phrase(error.template, **error.params)
