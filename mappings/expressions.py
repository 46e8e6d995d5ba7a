"""JSONata behind one thin adapter (``jsonata-rs``).

What the adapter is for, each seen with version 0.1.4:

- a compiled expression may only be used by the thread that made it (else it panics), so each thread has its own;
- objects nested over some thousand levels end the process, integers over 64 bits and lone surrogates raise foreign
  errors: ``check_record`` refuses such records before any expression sees them;
- time and recursion are bounded per evaluation, results by size; ``$eval`` would run code out of the data: refused.
"""

from __future__ import annotations

import re
import threading
from typing import Any

import jsonata
import orjson

from mappings.errors import RecordInvalid
from mappings.values import excerpt

MAX_EXPRESSION = 10_000
TIME_LIMIT_MS = 500
MAX_RECURSION = 200
MAX_RECORD, MAX_RESULT = 8_000_000, 1_000_000
_MAX_KEPT = 2_000

_threads = threading.local()

_LITERAL = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|/\*.*?\*/", re.DOTALL)
_CHAIN = re.compile(r"(?<![\w$.`\]])((?:`[^`]+`|[^\W\d]\w*)(?:\.(?:`[^`]+`|[^\W\d]\w*))*)(?!\w*\s*[(`])", re.UNICODE)
_WORDS = frozenset({"and", "or", "in", "true", "false", "null", "function"})


class ExpressionError(ValueError):
    """An expression that cannot be compiled: what is wrong, and at which character."""


class Expression:
    """A compiled JSONata expression; safe to share between threads."""

    __slots__ = ("source",)

    def __init__(self, source: str) -> None:
        if len(source) > MAX_EXPRESSION:
            raise ExpressionError("an expression may have at most 10,000 characters")
        if re.search(r"\$eval\b", _LITERAL.sub("''", source)):
            raise ExpressionError("$eval is not allowed: it would run what stands in the data")
        self.source = source
        self._compiled()

    def __call__(self, item: Any, root: Any) -> Any:
        """The value of the expression over ``item``, None for nothing; ``$record`` is the whole record.

        The record must have passed ``check_record``. Raises ``RecordInvalid`` with rule ``expression``.
        """
        try:
            value = self._compiled().evaluate(item, {"record": root})
        except jsonata.JsonataError as error:
            raise _failed(self.source, str(error)) from None
        except (ValueError, TypeError, OverflowError, UnicodeError, RecursionError, MemoryError) as error:
            raise _failed(self.source, type(error).__name__) from None
        if isinstance(value, str | list | dict) and _too_large(value):
            raise _failed(self.source, "the result is larger than 1 MB")
        return value

    def _compiled(self) -> Any:
        kept: dict[str, Any] = _threads.__dict__.setdefault("kept", {})
        compiled = kept.get(self.source)
        if compiled is None:
            if len(kept) >= _MAX_KEPT:
                kept.clear()
            compiled = kept[self.source] = _compile(self.source)
        return compiled


def check_record(record: dict[str, Any]) -> None:
    """Refuse what no JSON can carry: depth, integers over 64 bits, broken Unicode, size. Raises ``RecordInvalid``."""
    try:
        size = len(orjson.dumps(record))
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordInvalid(
            "{path}: the record holds something that expressions cannot read: {reason}",
            path="@",
            rule="json",
            value="",
            reason=excerpt(str(error)),
        ) from None
    if size > MAX_RECORD:
        raise RecordInvalid(
            "{path}: the record has {size} bytes, expressions read up to {limit}",
            path="@",
            rule="size",
            value="",
            size=size,
            limit=MAX_RECORD,
        )


def fields_read(source: str) -> list[str]:
    """The fields an expression may read, from its text: a superset is fine, since drift looks only at known fields."""
    bare = _LITERAL.sub(" ", source)
    chains = (match[1] for match in _CHAIN.finditer(bare))
    return sorted({chain.replace("`", "'") for chain in chains if chain not in _WORDS})


def _compile(source: str) -> Any:
    try:
        compiled = jsonata.Jsonata(source)
    except jsonata.JsonataError as error:
        raise ExpressionError(f"{error} (character {getattr(error, 'position', -1)})") from None
    compiled.set_runtime_bounds(TIME_LIMIT_MS, MAX_RECURSION)
    return compiled


def _too_large(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > MAX_RESULT
    try:
        return len(orjson.dumps(value)) > MAX_RESULT
    except (TypeError, ValueError, RecursionError):
        return True


def _failed(source: str, reason: str) -> RecordInvalid:
    return RecordInvalid(
        "{path}: the expression fails on this record: {reason}",
        path="=" + source[:80],
        rule="expression",
        value="",
        reason=excerpt(reason),
        remedy="Try it with `kehu mapping preview`, and guard it against missing values.",
    )
