"""The SQL conditions of Splink models, compiled to functions that answer as DuckDB does.

A condition compares two records: ``"name_l" = "name_r"``, ``jaro_winkler_similarity("name_l", "name_r") >=
0.92``. The grammar is the part of SQL that Splink's comparison library writes: comparisons, AND, OR, NOT,
IS [NOT] NULL, arithmetic, literals and the functions of ``sql_functions``. Anything else is refused with
its place, never guessed.

Records are sequences of column values. Logic has three values: None is NULL, and a condition that is NULL
does not hold.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from mappings.errors import SpecError
from mappings.matching.sql_functions import FUNCTIONS

Row = Sequence[Any]
Term = Callable[[Row, Row], Any]
"""A compiled expression: left and right record → value."""

MAX_CONDITION = 4_000
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?) |
    '(?P<text>(?:[^']|'')*)' |
    "(?P<quoted>(?:[^"]|"")+)" |
    (?P<word>[A-Za-z_]\w*) |
    (?P<sign><=|>=|<>|!=|\|\||[=<>()+\-*/,])
    )""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<>": operator.ne, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "||": operator.add,
}  # fmt: skip
_KEYWORDS = frozenset({"and", "or", "not", "is", "null", "true", "false"})


def compile_condition(condition: str, columns: Mapping[str, int]) -> Term:
    """A function of two records that is True, False or None (NULL) as the condition is in DuckDB.

    ``columns`` gives the place of each column in a record. Raises ``SpecError`` for an unknown column or
    function, or text outside the grammar.
    """
    return parse(condition, columns, Closures())


T = TypeVar("T")


class Builder(Protocol[T]):
    """What a condition is turned into: the parser calls these bottom-up."""

    def constant(self, value: Any) -> T:
        """A literal."""

    def column(self, place: int, right: bool) -> T:
        """A column of the left or the right record."""

    def call(self, function: Callable[..., Any], arguments: Sequence[T], strict: bool = True) -> T:
        """A function of values; a strict one is NULL if an argument is."""

    def is_null(self, term: T, negated: bool) -> T:
        """IS NULL, or IS NOT NULL."""

    def negation(self, term: T) -> T:
        """NOT."""

    def conjunction(self, terms: Sequence[T]) -> T:
        """AND of several."""

    def disjunction(self, terms: Sequence[T]) -> T:
        """OR of several."""


def parse(condition: str, columns: Mapping[str, int], builder: Builder[T]) -> T:
    """A condition as the builder builds it. Raises ``SpecError`` as ``compile_condition`` does."""
    return _Parser(condition, columns, builder).condition()


def columns_of(condition: str, columns: Mapping[str, int]) -> set[int]:
    """The places of the columns that a condition names."""
    return {columns[word[:-2]] for word in re.findall(r"\w+", condition) if word[:-2] in columns}


class _Parser(Generic[T]):
    """Recursive descent over the tokens of one condition."""

    def __init__(self, condition: str, columns: Mapping[str, int], build: Builder[T]) -> None:
        self._condition, self._columns, self._build = condition, columns, build
        self._tokens = self._split(condition)
        self._at = 0
        self._depth = 0

    def condition(self) -> T:
        term = self._or()
        if self._at != len(self._tokens):
            raise self._error("unexpected {found}", found=self._tokens[self._at][1])
        return term

    def _split(self, condition: str) -> list[tuple[str, str]]:
        tokens, position = [], 0
        text = condition[:MAX_CONDITION].rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None or len(condition) > MAX_CONDITION:
                raise self._error("cannot be read at {found}", found=text[position : position + 20])
            kind = str(found.lastgroup)
            tokens.append((kind, found.group(kind)))
            position = found.end()
        return tokens

    def _error(self, template: str, **params: str) -> SpecError:
        return SpecError(
            "the condition {condition} " + template,
            condition=self._condition[:200],
            remedy="Use a level of Splink's comparison library on columns that the model has.",
            **params,
        )

    def _peek(self) -> str:
        """The next word in lower case or sign; "" at the end and before literals and quoted names."""
        if self._at < len(self._tokens):
            kind, value = self._tokens[self._at]
            if kind in ("word", "sign"):
                return value.lower()
        return ""

    def _take(self, *expected: str) -> bool:
        if self._peek() in expected:
            self._at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._error("lacks {found}", found=sign)

    def _or(self) -> T:
        self._depth += 1
        if self._depth > 50:
            raise self._error("is nested too deep at {found}", found=str(self._at))
        terms = [self._and()]
        while self._take("or"):
            terms.append(self._and())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else self._build.disjunction(terms)

    def _and(self) -> T:
        terms = [self._not()]
        while self._take("and"):
            terms.append(self._not())
        return terms[0] if len(terms) == 1 else self._build.conjunction(terms)

    def _not(self) -> T:
        if self._take("not"):
            return self._build.negation(self._not())
        return self._comparison()

    def _comparison(self) -> T:
        left = self._sum()
        if self._take("is"):
            negated = self._take("not")
            self._need("null")
            return self._build.is_null(left, negated)
        sign = self._peek()
        if sign in _COMPARE:
            self._at += 1
            return self._build.call(_COMPARE[sign], [left, self._sum()])
        return left

    def _sum(self) -> T:
        left = self._factor()
        while (sign := self._peek()) in _ARITHMETIC:
            self._at += 1
            left = self._build.call(_ARITHMETIC[sign], [left, self._factor()])
        return left

    def _factor(self) -> T:
        if self._take("("):
            inner = self._or()
            self._need(")")
            return inner
        if self._take("-"):
            return self._build.call(operator.neg, [self._factor()])
        if self._at >= len(self._tokens):
            raise self._error("ends too early{found}", found="")
        kind, value = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return self._build.constant(float(value) if set(value) & set(".eE") else int(value))
        if kind == "text":
            return self._build.constant(value.replace("''", "'"))
        if kind == "word":
            return self._word(value)
        if kind == "quoted":
            return self._column(value)
        raise self._error("unexpected {found}", found=value)

    def _word(self, word: str) -> T:
        lower = word.lower()
        if lower in _KEYWORDS:
            return self._build.constant({"null": None, "true": True, "false": False}.get(lower))
        if not self._take("("):
            return self._column(word)
        arguments: list[T] = []
        while not self._take(")"):
            if arguments:
                self._need(",")
            arguments.append(self._or())
        function = FUNCTIONS.get(lower)
        if function is None:
            raise self._error("uses the function {found}, which is not supported", found=word)
        return self._build.call(function, arguments, strict=lower not in ("coalesce", "nullif"))

    def _column(self, name: str) -> T:
        base, side = name[:-2], name[-2:].lower()
        place = self._columns.get(base)
        if place is None or side not in ("_l", "_r"):
            known = ", ".join(sorted(self._columns))
            raise self._error("names the unknown column {found}; known are {known}", found=name, known=known)
        return self._build.column(place, right=side == "_r")


class Closures:
    """Builds functions of two records."""

    def constant(self, value: Any) -> Term:
        """A literal."""
        return _Constant(value)

    def column(self, place: int, right: bool) -> Term:
        """A column of the left or the right record."""
        return _RightColumn(place) if right else _LeftColumn(place)

    def call(self, function: Callable[..., Any], arguments: Sequence[Term], strict: bool = True) -> Term:
        """A function of values; a strict one is NULL if an argument is."""
        if strict:
            return _strict(function, arguments)
        return lambda left, right: function(*[term(left, right) for term in arguments])

    def is_null(self, term: Term, negated: bool) -> Term:
        """IS NULL, or IS NOT NULL."""
        if negated:
            return lambda left, right: term(left, right) is not None
        return lambda left, right: term(left, right) is None

    def negation(self, term: Term) -> Term:
        """NOT."""
        return lambda left, right: None if (value := term(left, right)) is None else not value

    def conjunction(self, terms: Sequence[Term]) -> Term:
        """AND of several."""
        return _all_of(terms)

    def disjunction(self, terms: Sequence[Term]) -> Term:
        """OR of several."""
        return _any_of(terms)


class _LeftColumn:
    """The value of a column of the left record."""

    def __init__(self, place: int) -> None:
        self.place = place

    def __call__(self, left: Row, right: Row) -> Any:
        return left[self.place]


class _RightColumn(_LeftColumn):
    """The value of a column of the right record."""

    def __call__(self, left: Row, right: Row) -> Any:
        return right[self.place]


class _Constant:
    """A literal."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, left: Row, right: Row) -> Any:
        return self.value


def _strict(function: Callable[..., Any], terms: Sequence[Term]) -> Term:
    """A function that is NULL if one of its arguments is, as almost all SQL functions are.

    Two columns, and a term with a literal, are by far the most frequent arguments and have closures of their own.
    """
    if len(terms) != 2:
        return lambda left, right: _call(function, [term(left, right) for term in terms])
    first, second = terms
    if type(first) is _LeftColumn and type(second) is _RightColumn:
        return _of_columns(function, first.place, second.place)
    if isinstance(second, _Constant) and second.value is not None:
        return _with_literal(function, first, second.value)

    def both(left: Row, right: Row) -> Any:
        one, other = first(left, right), second(left, right)
        return None if one is None or other is None else function(one, other)

    return both


def _of_columns(function: Callable[..., Any], left_place: int, right_place: int) -> Term:
    def columns(left: Row, right: Row) -> Any:
        one, other = left[left_place], right[right_place]
        return None if one is None or other is None else function(one, other)

    return columns


def _with_literal(function: Callable[..., Any], term: Term, literal: Any) -> Term:
    def against(left: Row, right: Row) -> Any:
        value = term(left, right)
        return None if value is None else function(value, literal)

    return against


def _call(function: Callable[..., Any], arguments: list[Any]) -> Any:
    return None if None in arguments else function(*arguments)


def _all_of(terms: Sequence[Term]) -> Term:
    def conjunction(left: Row, right: Row) -> bool | None:
        known: bool | None = True
        for term in terms:
            value = term(left, right)
            if value is None:
                known = None
            elif not value:
                return False
        return known

    return conjunction


def _any_of(terms: Sequence[Term]) -> Term:
    def disjunction(left: Row, right: Row) -> bool | None:
        known: bool | None = False
        for term in terms:
            value = term(left, right)
            if value:
                return True
            if value is None:
                known = None
        return known

    return disjunction
