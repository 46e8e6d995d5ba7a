"""Texts of the program in the caller's language."""

from __future__ import annotations

from fastapi import Request

from dashboard.api.problems import language_of
from sync import language
from sync.runs.wording import Wording


def told(request: Request, wording: Wording | None) -> str | None:
    """A stored text with its places filled; None for none."""
    if wording is None:
        return None
    return language.text(wording.template, wording.params, language_of(request.scope))
