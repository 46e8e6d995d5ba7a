"""Many records in little memory: every column as numbers of its distinct values.

A million customers are some fifty megabytes of numbers beside each distinct text once; as tuples of texts they are
gigabytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mappings.matching.columns import Values

Codes = NDArray[np.int64]


class Coded(NamedTuple):
    """Values by number: record n has ``pool[codes[n]]``, None where the number is −1. The pool repeats nothing."""

    codes: Codes
    pool: Sequence[Any]

    def at(self, rows: Codes) -> Coded:
        """The values of some records."""
        return Coded(self.codes[rows], self.pool)

    def mapped(self, function: Callable[[Any], Any]) -> Coded:
        """A function of every value, worked out once for each; None leads to None."""
        numbers, pool = renumbered([function(value) for value in self.pool])
        return Coded(np.where(self.codes >= 0, np.append(numbers, -1)[self.codes], -1), pool)


class Table:
    """Records as numbered columns. Append first, read afterwards."""

    def __init__(self, columns: Sequence[str], records: Iterable[Values] = ()) -> None:
        self.columns = tuple(columns)
        self._numbers = [array("i") for _ in columns]
        self._pools: list[list[Any]] = [[] for _ in columns]
        self._known: list[dict[Any, int]] | None = [{} for _ in columns]
        self._coded: dict[int, Coded] = {}
        for values in records:
            self.append(values)

    @classmethod
    def of(cls, columns: Sequence[str], coded: Sequence[Coded]) -> Table:
        """A table of columns that are numbered already. It does not grow."""
        table = cls(columns)
        table._known = None
        table._numbers = [array("i", column.codes.astype(np.int32).tobytes()) for column in coded]
        table._pools = [list(column.pool) for column in coded]
        return table

    @classmethod
    def of_records(cls, columns: Sequence[str], records: Iterable[Values]) -> Table:
        """A table of records that are there already, in a fifth of the time. It does not grow."""
        rows = list(records)
        values: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else ([] for _ in columns)
        return cls.of(columns, [Coded(*renumbered(column)) for column in values])

    def append(self, values: Values) -> None:
        """Add a record."""
        if self._known is None:
            raise ValueError("a table that is read does not grow")
        for numbers, pool, known, value in zip(self._numbers, self._pools, self._known, values, strict=True):
            if value is None:
                numbers.append(-1)
                continue
            key = tuple(value) if isinstance(value, list) else value
            number = known.get(key)
            if number is None:
                number = known[key] = len(pool)
                pool.append(value)
            numbers.append(number)

    def extend(self, records: Iterable[Values]) -> None:
        """Add many records, in a quarter of the time."""
        if self._known is None:
            raise ValueError("a table that is read does not grow")
        for place, values in enumerate(zip(*records, strict=True)):
            known, pool = self._known[place], self._pools[place]
            lists = list in set(map(type, values))
            keys = [tuple(v) if type(v) is list else v for v in values] if lists else values
            first = dict(zip(reversed(keys), reversed(values), strict=True)) if lists else dict.fromkeys(keys)
            for key, value in first.items():
                if key is not None and key not in known:
                    known[key] = len(pool)
                    pool.append(value if lists else key)
            numbers = {None: -1} | {key: known[key] for key in first if key is not None}
            self._numbers[place].extend(map(numbers.__getitem__, keys))

    def close(self) -> None:
        """Nothing is added any more: the way from values to numbers, as large as all the rest, is let go."""
        self._known = None

    def __len__(self) -> int:
        return len(self._numbers[0]) if self._numbers else 0

    def __getitem__(self, record: int) -> Values:
        found = zip(self._numbers, self._pools, strict=True)
        return tuple(None if (number := numbers[record]) < 0 else pool[number] for numbers, pool in found)

    def __iter__(self) -> Iterator[Values]:
        found = zip(self._numbers, self._pools, strict=True)
        return zip(*[map([*pool, None].__getitem__, numbers) for numbers, pool in found], strict=True)  # -1 is None

    def at(self, rows: Codes) -> Table:
        """A table of some of the records, in this order; one may come several times."""
        return Table.of(self.columns, [self.coded(place).at(rows) for place in range(len(self.columns))])

    def coded(self, place: int) -> Coded:
        """A column by its place."""
        self.close()
        found = self._coded.get(place)
        if found is None:
            codes = np.frombuffer(self._numbers[place], dtype=np.int32) if len(self) else np.empty(0, np.int32)
            found = self._coded[place] = Coded(codes, self._pools[place])  # type: ignore[arg-type]
        return found

    def column(self, name: str) -> Coded:
        """A column by its name."""
        return self.coded(self.columns.index(name))


def renumbered(values: Sequence[Any]) -> tuple[Codes, list[Any]]:
    """Numbers of values in a pool without repeats; −1 for None."""
    if list in set(map(type, values)):
        return _renumbered_lists(values)
    known = dict.fromkeys(values)
    known.pop(None, None)
    pool = list(known)
    numbers: dict[Any, int] = dict(zip(pool, range(len(pool)), strict=True))
    numbers[None] = -1
    return np.fromiter(map(numbers.__getitem__, values), dtype=np.int64, count=len(values)), pool


def _renumbered_lists(values: Sequence[Any]) -> tuple[Codes, list[Any]]:
    found, pool = renumbered([tuple(value) if type(value) is list else value for value in values])
    first = np.empty(len(pool), dtype=np.int64)
    there = np.flatnonzero(found >= 0)[::-1]
    first[found[there]] = there  # of several the last one written stays
    return found, [values[place] for place in first.tolist()]


def combined(parts: Sequence[Coded]) -> tuple[Codes, Codes]:
    """For every record the number of its combination of values, and for every number the first record that has it."""
    codes = np.zeros(len(parts[0].codes), dtype=np.int64)
    for part in parts:
        codes = codes * (len(part.pool) + 1) + part.codes + 1
        if len(part.pool) and codes.max(initial=0) > 2**31:  # keep room for the next part
            codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    size, count = int(codes.max(initial=-1)) + 1, len(codes)
    if size <= 8 * count + 1_000:  # few enough possible combinations to look up instead of sorting
        first = np.full(size, -1, dtype=np.int64)
        first[codes[::-1]] = np.arange(count - 1, -1, -1)  # of several records the last one written stays
        return (np.cumsum(first >= 0) - 1)[codes], first[first >= 0]
    _found, examples, numbers = np.unique(codes, return_index=True, return_inverse=True)
    return numbers.astype(np.int64), examples
