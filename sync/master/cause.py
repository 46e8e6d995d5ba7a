"""Why customers change: said by whoever makes RESOLVE run, written beside each change by PUBLISH.

Kinds: ``sync`` (connection, stream, run), ``replay`` (a quarantined record fits now), ``decision`` (the number of a
steward's act), ``resume`` (what an interrupted run, or a switch of the match model, had left over).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import orjson

_current: ContextVar[str | None] = ContextVar("kehu_cause", default=None)


@contextmanager
def caused_by(kind: str, **details: str | int) -> Iterator[None]:
    """Changes that are published while the block runs, in this thread, have this cause."""
    token = _current.set(orjson.dumps({"kind": kind, **details}).decode())
    try:
        yield
    finally:
        _current.reset(token)


def current() -> str | None:
    """The cause in force as JSON; None if nobody said."""
    return _current.get()
