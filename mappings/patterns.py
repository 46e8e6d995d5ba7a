"""Regular expressions of mapping files, by RE2: linear in the text's length, so no pattern can hang a worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MAX_PATTERN, MAX_SUBJECT = 1_000, 100_000
_MEMORY = 1 << 22

Search = Callable[[str], Any]


class PatternError(ValueError):
    """A pattern that RE2 does not accept, e.g. look-around or back-references."""


def compile_pattern(pattern: str) -> Any:
    """A compiled pattern with ``search`` and ``sub``. Raises ``PatternError``."""
    import re2  # few mappings have patterns

    if len(pattern) > MAX_PATTERN:
        raise PatternError("a pattern may have at most 1,000 characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        raise PatternError(_reason(error)) from None


def subject(text: str) -> str:
    """``text`` as RE2 can take it: capped, without lone surrogates."""
    return text[:MAX_SUBJECT].encode("utf-8", "replace").decode()


def _reason(error: Exception) -> str:
    detail = error.args[0] if error.args else ""
    return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
