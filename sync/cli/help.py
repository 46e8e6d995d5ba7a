"""Help pages wholly in the user's language: what the library that parses the command line says by itself, too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sync.language import _

_DEFAULT = re.compile(r"\[default: (.*)\]$")
_REQUIRED = re.compile(r"\[required\]$")


def translate(command: Any) -> None:
    """Have the pages of a command, and of all below it, say their own words by the catalogue."""
    context = _context(command.context_class)
    for one in _all(command):
        one.context_class = context


def _all(command: Any) -> list[Any]:
    return [command, *(one for child in getattr(command, "commands", {}).values() for one in _all(child))]


def _context(known: Any) -> Any:
    """The class of contexts, with a formatter of ours: made of the library's own, which has no public name."""

    class Formatter(known.formatter_class):  # type: ignore[misc]
        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            super().write_usage(prog, args, prefix or f"{_('Usage:')} ")

        def write_heading(self, heading: str) -> None:
            super().write_heading(_heading(heading))

        def write_dl(self, rows: Sequence[tuple[str, str]], *layout: int, **named: int) -> None:
            super().write_dl([(term, _told(text)) for term, text in rows], *layout, **named)

    class Context(known):  # type: ignore[misc]
        formatter_class = Formatter

    return Context


def _heading(heading: str) -> str:
    words = {"Options": _("Options"), "Arguments": _("Arguments"), "Commands": _("Commands")}
    return words.get(heading, heading)


def _told(text: str) -> str:
    said = {
        "Show this message and exit.": _("Show this message and exit."),
        "Install completion for the current shell.": _("Install completion for the current shell."),
        "Show completion for the current shell, to copy it or customize the installation.": _(
            "Show completion for the current shell, to copy it or customize the installation."
        ),
    }
    text = _DEFAULT.sub(lambda found: "[" + _("default: {value}", value=found[1]) + "]", said.get(text, text))
    return _REQUIRED.sub(lambda _found: "[" + _("required") + "]", text)
