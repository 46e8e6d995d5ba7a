"""A text of an error kept in a table: the same template and remedy an error is raised with."""

from __future__ import annotations

from typing import NamedTuple


class Wording(NamedTuple):
    """An English template with ``{named}`` places, and the remedy where it is not the error's own."""

    template: str
    remedy: str | None = None
