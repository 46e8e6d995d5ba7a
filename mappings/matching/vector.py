"""The conditions of Splink models over many pairs at once: the same answers as ``sql`` gives pair by pair.

Functions of one side are worked out once for each distinct value; equality compares numbers; similarities go to
rapidfuzz in bulk; anything else is asked once for each distinct pair of values.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mappings.matching import sql_functions
from mappings.matching.lists import ListPools
from mappings.matching.similarities import IN_BULK, in_bulk, units
from mappings.matching.sql import parse
from mappings.matching.table import Coded, Codes, Table, renumbered

Truths = NDArray[np.bool_]
_DENSE = 1 << 22
_SPARSE = 16
"""Up to so many possible pairs of values, and so many for each that is asked for, those that occur are looked up in a
table of all."""
_NUMERIC = frozenset({
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
    operator.add, operator.sub, operator.mul, operator.neg,
})  # fmt: skip


class Plain(NamedTuple):
    """Numbers or truths, one per pair; where ``null``, NULL."""

    values: NDArray[Any]
    null: Truths


Vector = Coded | Plain


class Block:
    """Pairs of records of a table, by number, with what was worked out about them."""

    def __init__(self, table: Table, left: Codes, right: Codes) -> None:
        self.table, self.left, self.right = table, left, right
        self._known: dict[int, Vector] = {}

    def __len__(self) -> int:
        return len(self.left)

    def narrow(self, kept: Codes) -> Block:
        """Some of the pairs, by their places."""
        block = Block(self.table, self.left[kept], self.right[kept])
        for key, found in self._known.items():
            if isinstance(found, Coded):
                block._known[key] = Coded(found.codes[kept], found.pool)
            else:
                block._known[key] = Plain(found.values[kept], found.null[kept])
        return block

    def remembered(self, key: int, work: Callable[[], Vector]) -> Vector:
        """The vector of a term, worked out once."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = work()
        return found


class Term:
    """A compiled expression over blocks."""

    size: Callable[[Block], Plain] | None = None
    """For lists: how long each is, where that is known without making them."""

    def __init__(self, work: Callable[[Block], Vector], constant: Any = None, is_constant: bool = False) -> None:
        self._work, self.value, self.is_constant = work, constant, is_constant

    def __call__(self, block: Block) -> Vector:
        """The vector of a block."""
        return self._work(block)

    def holds(self, block: Block) -> Truths:
        """Where the condition is TRUE (not NULL)."""
        found = plain(self(block))
        truths: Truths = found.values.astype(bool) & ~found.null
        return truths


class _Pools:
    """What is worked out once for a pool of values, or for two."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, ...], tuple[tuple[Sequence[Any], ...], Any]] = {}
        self._derived: dict[tuple[Any, ...], Callable[[Sequence[Any]], tuple[Codes, list[Any]]]] = {}

    def of(self, what: Callable[..., Any], *pools: Sequence[Any]) -> Any:
        """``what`` of the pools, which are kept, so that their ids stay theirs."""
        key = (id(what), *map(id, pools))
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = (pools, what(*pools))
        return found[1]

    def derived(
        self, function: Callable[..., Any], arguments: Sequence[Term], pool: Sequence[Any]
    ) -> tuple[Codes, list[Any]]:
        """A function of every value of a pool and of literals: each one's number (last, that of no value), and the
        values. Both sides of a pair have one pool: what is worked out for the left one serves the right one.
        """
        key = (function, *((type(a.value), a.value) if a.is_constant else None for a in arguments))
        work = self._derived.setdefault(key, lambda values: _derived(function, arguments, values))
        found: tuple[Codes, list[Any]] = self.of(work, pool)
        return found


class Vectors:
    """Builds terms over blocks. Equal calls are one term, so that three thresholds of one similarity cost one."""

    def __init__(self) -> None:
        self._terms: dict[tuple[Any, ...], Term] = {}
        self._pools = _Pools()

    def constant(self, value: Any) -> Term:
        """A literal."""
        return self._same(("constant", type(value), value), lambda: Term(
            lambda block: Coded(np.full(len(block), -1 if value is None else 0, dtype=np.int64), [value]), value, True
        ))  # fmt: skip

    def column(self, place: int, right: bool) -> Term:
        """A column of the left or the right record."""
        return self._same(("column", place, right), lambda: Term(
            lambda block: block.table.coded(place).at(block.right if right else block.left)
        ))  # fmt: skip

    def call(self, function: Callable[..., Any], arguments: Sequence[Term], strict: bool = True) -> Term:
        """A function of values; a strict one is NULL if an argument is."""
        key = ("call", function, strict, *map(id, arguments))
        return self._same(key, lambda: _call(function, list(arguments), strict, self._pools))

    def is_null(self, term: Term, negated: bool) -> Term:
        """IS NULL, or IS NOT NULL."""

        def work(block: Block) -> Plain:
            null = _null(term(block))
            return Plain(~null if negated else null, np.zeros(len(block), dtype=bool))

        return Term(work)

    def negation(self, term: Term) -> Term:
        """NOT."""

        def work(block: Block) -> Plain:
            found = plain(term(block))
            return Plain(~found.values.astype(bool), found.null)

        return Term(work)

    def conjunction(self, terms: Sequence[Term]) -> Term:
        """AND of several."""

        def work(block: Block) -> Plain:
            false, null = np.zeros(len(block), dtype=bool), np.zeros(len(block), dtype=bool)
            for term in terms:
                found = plain(term(block))
                false |= ~found.values.astype(bool) & ~found.null
                null |= found.null
            return Plain(~false & ~null, null & ~false)

        return Term(work)

    def disjunction(self, terms: Sequence[Term]) -> Term:
        """OR of several."""

        def work(block: Block) -> Plain:
            true, null = np.zeros(len(block), dtype=bool), np.zeros(len(block), dtype=bool)
            for term in terms:
                found = plain(term(block))
                true |= found.values.astype(bool) & ~found.null
                null |= found.null
            return Plain(true, null & ~true)

        return Term(work)

    def _same(self, key: tuple[Any, ...], make: Callable[[], Term]) -> Term:
        found = self._terms.get(key)
        if found is None:
            found = self._terms[key] = make()
        return found


def compile_vector(condition: str, columns: Mapping[str, int], build: Vectors) -> Term:
    """A condition over blocks. Raises ``SpecError`` as ``sql.compile_condition`` does."""
    return parse(condition, columns, build)


def plain(found: Vector) -> Plain:
    """Numbers or truths of any vector."""
    if isinstance(found, Plain):
        return found
    null = found.codes < 0
    pool = np.array([*found.pool, 0]) if found.pool and found.pool != [None] else np.zeros(1)
    return Plain(pool[np.where(null, len(pool) - 1, found.codes)], null)


def _call(function: Callable[..., Any], arguments: list[Term], strict: bool, pools: _Pools) -> Term:
    varying = [argument for argument in arguments if not argument.is_constant]
    if strict and any(argument.is_constant and argument.value is None for argument in arguments):
        return Term(lambda block: Coded(np.full(len(block), -1, dtype=np.int64), [None]))
    if function is len and arguments[0].size is not None:
        return Term(arguments[0].size)
    if strict and len(varying) == 1:
        return _unary(function, arguments, varying[0], pools)
    if strict and len(arguments) == 2 and len(varying) == 2:
        return _binary(function, arguments[0], arguments[1], pools)
    return _general(function, arguments, strict)


def _unary(function: Callable[..., Any], arguments: list[Term], varying: Term, pools: _Pools) -> Term:
    """Of one vector and literals: once for each distinct value, or in numpy for numbers."""

    def work(block: Block) -> Vector:
        found = varying(block)
        if isinstance(found, Plain):
            return _of_numbers(function, [found if a is varying else a.value for a in arguments], found.null)
        numbers, pool = pools.derived(function, arguments, found.pool)
        return Coded(numbers[found.codes], pool)

    return Term(work)


def _derived(function: Callable[..., Any], arguments: Sequence[Term], values: Sequence[Any]) -> tuple[Codes, list[Any]]:
    if len(arguments) == 1:
        worked = [None if value is None else function(value) for value in values]
    else:
        rows = zip(*[[a.value] * len(values) if a.is_constant else values for a in arguments], strict=True)
        worked = [None if value is None else function(*row) for value, row in zip(values, rows, strict=True)]
    numbers, pool = renumbered(worked)
    return np.append(numbers, -1), pool


def _binary(function: Callable[..., Any], first: Term, second: Term, pools: _Pools) -> Term:
    term: Term

    def work(block: Block) -> Vector:
        return block.remembered(id(term), lambda: _pairwise(function, first(block), second(block), pools))

    term = Term(work)
    if function is sql_functions.list_intersect:
        term.size = _sizes(first, second, pools)
    return term


def _sizes(first: Term, second: Term, pools: _Pools) -> Callable[[Block], Plain]:
    """How many values two lists have in common."""

    def work(block: Block) -> Plain:
        one, other = first(block), second(block)
        null = _null(one) | _null(other)
        if isinstance(one, Coded) and isinstance(other, Coded):
            numbered = pools.of(ListPools.of, one.pool, other.pool)
            if numbered is not None:
                return Plain(numbered.common(one.codes, other.codes, null), null)
        lists = _pairwise(sql_functions.list_intersect, one, other, pools)
        return Plain(np.array([0 if found is None else len(found) for found in _listed(lists)], dtype=np.int64), null)

    def size(block: Block) -> Plain:
        return plain(block.remembered(id(size), lambda: work(block)))

    return size


def _pairwise(function: Callable[..., Any], one: Vector, other: Vector, pools: _Pools) -> Vector:
    null = _null(one) | _null(other)
    if function in _NUMERIC and (isinstance(one, Plain) or isinstance(other, Plain)):
        return _of_numbers(function, [plain(one), plain(other)], null)
    if isinstance(one, Plain) or isinstance(other, Plain):
        return _one_by_one(function, [one, other], null)
    if function in (operator.eq, operator.ne):
        same = one.codes == (
            other.codes if one.pool is other.pool else pools.of(_translation, other.pool, one.pool)[other.codes]
        )
        return Plain(same if function is operator.eq else ~same, null)
    return _by_distinct(function, one, other, null, pools)


def _translation(other: Sequence[Any], one: Sequence[Any]) -> Codes:
    """For every value of ``other`` its number in ``one``; −2 for those that are not in it. Last, −1 for no value."""
    known = {_key(value): number for number, value in enumerate(one)}
    return np.array([known.get(_key(value), -2) for value in other] + [-1], dtype=np.int64)


def _by_distinct(function: Callable[..., Any], one: Coded, other: Coded, null: Truths, pools: _Pools) -> Vector:
    """Once for each distinct pair of values, if there are notably fewer of these than pairs."""
    if function is sql_functions.list_intersect:
        return _intersections(one, other, null, pools)
    at = np.flatnonzero(~null)
    width = max(len(other.pool), 1)
    codes = one.codes[at].astype(np.int64) * width + other.codes[at]
    if len(one.pool) * width <= min(_DENSE, _SPARSE * len(at)):
        met = np.zeros(len(one.pool) * width, dtype=bool)
        met[codes] = True
        distinct = np.flatnonzero(met)
        numbers = (np.cumsum(met) - 1)[codes]
    elif function in IN_BULK and len(one.pool) > len(at) // 8:
        distinct, numbers = codes, np.arange(len(codes))
    else:
        distinct, numbers = np.unique(codes, return_inverse=True)
    lefts, rights = distinct // width, distinct % width
    if function in IN_BULK:
        values = np.zeros(len(null))
        values[at] = in_bulk(function, pools.of(units, one.pool), pools.of(units, other.pool), lefts, rights)[numbers]
        return Plain(values, null)
    worked = [function(one.pool[a], other.pool[b]) for a, b in zip(lefts.tolist(), rights.tolist(), strict=True)]
    found, pool = renumbered(worked)
    result = np.full(len(null), -1, dtype=np.int64)
    result[at] = found[numbers]
    return Coded(result, pool)


def _intersections(one: Coded, other: Coded, null: Truths, pools: _Pools) -> Coded:
    """What two lists have in common. Most hold one value: then it is all or nothing."""
    codes = np.where(null, -1, 0)
    mine, theirs = pools.of(_only, one.pool)[one.codes], pools.of(_only, other.pool)[other.codes]
    if one.pool is not other.pool:
        theirs = pools.of(_translation_of_only, other.pool, one.pool)[other.codes]
    rest = np.flatnonzero(~null & ((mine < 0) | (theirs < 0) | (mine == theirs)))
    worked = [
        sql_functions.list_intersect(one.pool[a], other.pool[b])
        for a, b in zip(one.codes[rest].tolist(), other.codes[rest].tolist(), strict=True)
    ]
    numbers, pool = renumbered([[], *worked])
    codes[rest] = numbers[1:]
    return Coded(codes, pool)


def _only(pool: Sequence[Any]) -> Codes:
    """For every list its number if it holds one value that is there, else −1."""
    found = [number if len(values) == 1 and values[0] is not None else -1 for number, values in enumerate(pool)]
    return np.array([*found, -1], dtype=np.int64)


def _translation_of_only(other: Sequence[Any], one: Sequence[Any]) -> Codes:
    """The same for ``other``, by the numbers of ``one``; −1 also for lists that ``one`` does not have."""
    translated = _translation(other, one)
    return np.where((_only(other) >= 0) & (translated >= 0), translated, -1)


def _of_numbers(function: Callable[..., Any], arguments: list[Any], null: Truths) -> Plain:
    values = [a.values if isinstance(a, Plain) else a for a in arguments]
    if function in _NUMERIC or function is abs:
        return Plain(np.asarray(function(*values)), null)
    rows = zip(*[v.tolist() if isinstance(v, np.ndarray) else [v] * len(null) for v in values], strict=True)
    worked = [None if gone else function(*row) for gone, row in zip(null.tolist(), rows, strict=True)]
    return Plain(np.array([0 if v is None else v for v in worked]), null | np.array([v is None for v in worked], bool))


def _one_by_one(function: Callable[..., Any], vectors: Sequence[Vector], null: Truths) -> Vector:
    rows = zip(*map(_listed, vectors), strict=True)
    codes, pool = renumbered([None if gone else function(*row) for gone, row in zip(null.tolist(), rows, strict=True)])
    return Coded(codes, pool)


def _general(function: Callable[..., Any], arguments: list[Term], strict: bool) -> Term:
    def work(block: Block) -> Vector:
        vectors = [argument(block) for argument in arguments]
        null = np.zeros(len(block), dtype=bool)
        for vector in vectors if strict else ():
            null |= _null(vector)
        return _one_by_one(function, vectors, null)

    return Term(work)


def _listed(found: Vector) -> list[Any]:
    if isinstance(found, Plain):
        return [None if gone else v for v, gone in zip(found.values.tolist(), found.null.tolist(), strict=True)]
    return [found.pool[code] if code >= 0 else None for code in found.codes.tolist()]


def _null(found: Vector) -> Truths:
    return found.null if isinstance(found, Plain) else found.codes < 0


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
