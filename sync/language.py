"""English and Chinese: the English text is the key, ``locale/zh.yaml`` holds the Chinese one.

Whole sentences with ``{named}`` places are translated, never parts glued together. Texts whose translation is missing
are shown in English; a test makes sure that none is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import yaml

from connectors.wording import Phrase as Phrase  # everybody above asks here

LANGUAGES = ("en", "zh")
CATALOGUES = Path(__file__).parent / "locale"

_current: ContextVar[str] = ContextVar("kehu_language", default="en")


class Checked(Protocol):
    """What a connector answers when its check passed (``connectors.contract.Checked``)."""

    @property
    def message(self) -> str:
        """A sentence, with places if there are parameters."""

    @property
    def params(self) -> Mapping[str, Any]:
        """What fills the places."""


class Told(Protocol):
    """An error that can be told in the user's language: all three families of errors are of this shape."""

    template: str
    remedy: str
    params: dict[str, Any]


def choose(*candidates: str | None) -> str:
    """The first candidate that names a language of ours (``zh``, ``zh_CN.UTF-8``, ``en-GB``); English if none does."""
    return next((code for code in map(_code, candidates) if code in LANGUAGES), "en")


def known(candidate: str) -> bool:
    """Whether it names a language of ours."""
    return _code(candidate) in LANGUAGES


def _code(candidate: str | None) -> str:
    return (candidate or "").strip().lower().replace("_", "-").partition(".")[0].partition("-")[0]


def from_locale() -> str | None:
    """What the terminal's locale says, by the order POSIX prescribes."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def use(language: str) -> None:
    """From now on ``_`` and ``text`` speak this language in this context."""
    _current.set(choose(language))


def current() -> str:
    """The language in use: ``en`` or ``zh``."""
    return _current.get()


def text(template: str, params: Mapping[str, Any] | None = None, language: str | None = None) -> str:
    """The template in the language, with its places filled."""
    chosen = language or _current.get()
    translated = template if chosen == "en" else catalogue(chosen).get(template, template)
    shown = {name: _shown(name, value, chosen) for name, value in (params or {}).items()}
    return translated.format_map(_Places(shown))


def _(template: str, **params: Any) -> str:
    """The text of the program itself in the language in use. The template must be a literal, to be collected."""
    return text(template, params)


def told(error: Exception, language: str | None = None) -> tuple[str, str]:
    """An error's message and remedy in the language; for foreign exceptions their text and no remedy."""
    template = getattr(error, "template", None)
    if not isinstance(template, str):
        return str(error) or type(error).__name__, ""
    params = getattr(error, "params", {})
    return text(template, params, language), text(getattr(error, "remedy", ""), params, language)


def passed(checked: Checked) -> str:
    """What a passed check says, in the language in use. A message without places is taken as it is."""
    if checked.params:
        return text(checked.message, checked.params)
    return catalogue(_current.get()).get(checked.message, checked.message)


@cache
def catalogue(language: str) -> dict[str, str]:
    """English template to translation; empty for English."""
    path = CATALOGUES / f"{language}.yaml"
    if language == "en" or not path.is_file():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader
    return {str(key): str(value) for key, value in (loaded or {}).items()}


class _Places(dict[str, Any]):
    """What nobody filled reads like the placeholders of a command's usage: `kehu connection test CONNECTION`."""

    def __missing__(self, key: str) -> str:
        return key.upper()


_NAMING = frozenset({"port", "line", "run", "record", "status", "id", "decision", "seq"})
"""Places whose numbers are names, not counts: they are written without separators."""


def _shown(name: str, value: object, language: str) -> object:
    if isinstance(value, Phrase):
        return text(value.template, value.params, language)
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    if isinstance(value, int) and not isinstance(value, bool) and name not in _NAMING:
        return f"{value:,}"
    return value
