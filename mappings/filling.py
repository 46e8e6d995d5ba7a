"""Fields filled one after the other: the hot loop of mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, NamedTuple

from mappings.errors import RecordInvalid
from mappings.paths import Getter
from mappings.values import Convert, TextUpTo

Notes = list[RecordInvalid]
"""What was left out of a record that was mapped all the same, as the errors they would have been."""

Fail = Callable[[RecordInvalid, Any, Notes], Any]
"""(error, raw value, notes) -> what stands for a value that does not fit, None for nothing; or it raises the error."""


class Field(NamedTuple):
    """One target: its name, and how to get, convert and, if that fails, replace its value; ``nested`` as of a value."""

    name: str
    key: str | None
    get: Getter | None
    convert: Convert
    fail: Fail
    nested: tuple[str, str] | None = None


Step = tuple[str, str | None, Getter | None, int | None, Convert, Fail]
"""A field as ``fill`` takes it: a real tuple, which a loop takes apart twice as fast as a named one. The number is how
long a text may be, None where the field is no text.
"""

Filling = tuple[tuple[str | None, tuple[Step, ...]], ...]
"""Fields in order, those side by side that are read from one object of the item under its name."""


def filling(fields: Iterable[Field]) -> Filling:
    """The fields made ready for ``fill``."""
    found: list[tuple[str | None, tuple[Step, ...]]] = []
    for outer, neighbours in groupby(fields, lambda field: field.nested and field.nested[0]):
        group = list(neighbours)
        if outer is not None and len(group) > 1:
            found.append((outer, tuple(_step(one._replace(key=_inner(one), get=None)) for one in group)))
            continue
        steps = tuple(map(_step, group))
        if found and found[-1][0] is None:
            steps = found.pop()[1] + steps
        found.append((None, steps))
    return tuple(found)


def _step(field: Field) -> Step:
    limit = field.convert.limit if isinstance(field.convert, TextUpTo) else None
    return field.name, field.key, field.get, limit, field.convert, field.fail


def _inner(field: Field) -> str | None:
    return field.nested and field.nested[1]


def fill(filling: Filling, item: Any, root: Any, out: dict[str, Any], notes: Notes) -> None:
    """Set every field of the item that has a value. The hot loop of mapping: a plain field costs one look-up and
    one call, plain text not even that (``TextUpTo`` would say the same of it).
    """
    for outer, steps in filling:
        fetch = item.get if item.__class__ is dict else _nothing
        if outer is not None:
            inner = fetch(outer)
            fetch = inner.get if inner.__class__ is dict else _nothing
        for name, key, get, limit, convert, fail in steps:
            value: Any = None  # what `get` fails at is not the value before it
            try:
                value = fetch(key) if get is None else get(item, root)
                if value is None:
                    continue
                if limit is None or value.__class__ is not str or len(value) > limit:
                    value = convert(value)
                elif value.isprintable() and "  " not in value:
                    value = value.strip() or None
                else:
                    value = convert(value)
            except RecordInvalid as error:
                value = fail(error, value, notes)
            if value is not None:
                out[name] = value


def _nothing(key: Any) -> None:
    return None
