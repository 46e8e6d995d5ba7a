"""How a made-up export comes about: groups of entities that share things, each entity in one or more rows."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

Row = dict[str, str]
Entity = TypeVar("Entity")


class Key(NamedTuple):
    """The column that numbers the rows, how a number is written, and the first one."""

    column: str
    form: str
    first: int = 0


@dataclass(frozen=True)
class Export(Generic[Entity]):
    """A kind of file.

    ``truth`` is the column that says who is who, ``prefix`` what its values begin with, ``region`` the country of the
    phone numbers. ``group`` makes entities that share something (a household, a company with its branches) one by one;
    ``copies`` weighs in how many rows an entity stands; ``row`` writes one of them, with errors if it is not the first.
    """

    size: int
    region: str
    truth: str
    prefix: str
    key: Key | None
    copies: Mapping[int, int]
    group: Callable[[random.Random], Iterable[Entity]]
    row: Callable[[random.Random, Entity, bool], Row]

    def rows(self, chance: random.Random) -> list[Row]:
        """``size`` rows, those of an entity one after the other."""
        rows: list[Row] = []
        entities = 0
        while len(rows) < self.size:
            for entity in self.group(chance):
                entities += 1
                for copy in range(weighed(chance, self.copies)):
                    row = self.row(chance, entity, copy > 0)
                    rows.append({**self._numbered(len(rows)), **row, self.truth: f"{self.prefix}{entities}"})
        return rows[: self.size]

    def _numbered(self, number: int) -> Row:
        return {} if self.key is None else {self.key.column: self.key.form.format(self.key.first + number)}


def weighed(chance: random.Random, weights: Mapping[int, int]) -> int:
    """One of the numbers, as often as its weight says."""
    return chance.choices(tuple(weights), tuple(weights.values()))[0]


def day_between(chance: random.Random, first: int, last: int) -> datetime.date:
    """A day of the years from ``first`` to ``last``, never later in a month than the 28th."""
    return datetime.date(chance.randint(first, last), chance.randint(1, 12), chance.randint(1, 28))
