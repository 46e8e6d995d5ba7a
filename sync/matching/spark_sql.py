"""A model's conditions in Spark's SQL, and the functions that Spark lacks, or computes otherwise than DuckDB.

Similarities work on the bytes of UTF-8 as DuckDB's do (Spark's own count characters, and the jar that comes with Splink
has another Jaro–Winkler). They run as Arrow functions in Spark's Python workers, so these need kehu, rapidfuzz and
PyArrow.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from mappings.errors import SpecError
from mappings.matching import sql_functions
from mappings.matching.model import MatchModel
from mappings.matching.similarities import in_bulk, units
from mappings.matching.sql import parse
from sync.matching.splinking import LISTS

_SIGNS: Mapping[Any, str] = {
    operator.eq: "=", operator.ne: "<>", operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=",
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/",
}  # fmt: skip
_OURS: Mapping[Any, str] = {
    sql_functions.jaro_winkler_similarity: "kehu_jaro_winkler",
    sql_functions.jaro_similarity: "kehu_jaro",
    sql_functions.levenshtein: "kehu_levenshtein",
    sql_functions.damerau_levenshtein: "kehu_damerau_levenshtein",
}
_THEIRS: Mapping[Any, str] = {
    sql_functions.list_intersect: "array_intersect",
    sql_functions.regexp_extract: "regexp_extract",
    sql_functions.substr: "substr",
    sql_functions.nullif: "nullif",
    sql_functions.coalesce: "coalesce",
    str.lower: "lower",
    abs: "abs",
}


class Text(NamedTuple):
    """A piece of SQL, and whether it is a list."""

    sql: str
    is_list: bool = False


class SparkSql:
    """Builds Spark's SQL of a condition. Raises ``SpecError`` for a function that Spark does not have."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns

    def constant(self, value: Any) -> Text:
        """A literal."""
        if value is None or isinstance(value, bool):
            return Text({None: "NULL", True: "TRUE", False: "FALSE"}[value])
        if isinstance(value, str):
            return Text("'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'")
        return Text(f"{value!r}D" if isinstance(value, float) else repr(value))

    def column(self, place: int, right: bool) -> Text:
        """A column of the left or the right record."""
        name = self._columns[place]
        return Text(f"`{name}_{'r' if right else 'l'}`", name in LISTS)

    def call(self, function: Callable[..., Any], arguments: Sequence[Text], strict: bool = True) -> Text:
        """A function of values."""
        if function in _SIGNS and len(arguments) == 2:
            return Text(f"({arguments[0].sql} {_SIGNS[function]} {arguments[1].sql})")
        if function is operator.neg:
            return Text(f"(-{arguments[0].sql})")
        name = _OURS.get(function) or _THEIRS.get(function)
        if function is len:
            name = "size" if arguments[0].is_list else "length"
        if name is None:
            raise SpecError(
                "a condition of the match model uses the function {name}, which Spark does not have",
                name=getattr(function, "__name__", str(function)),
                remedy="Use --engine duckdb.",
            )
        return Text(f"{name}({', '.join(a.sql for a in arguments)})", function is sql_functions.list_intersect)

    def is_null(self, term: Text, negated: bool) -> Text:
        """IS NULL, or IS NOT NULL."""
        return Text(f"({term.sql} IS {'NOT ' if negated else ''}NULL)")

    def negation(self, term: Text) -> Text:
        """NOT."""
        return Text(f"(NOT {term.sql})")

    def conjunction(self, terms: Sequence[Text]) -> Text:
        """AND of several."""
        return Text("(" + " AND ".join(term.sql for term in terms) + ")")

    def disjunction(self, terms: Sequence[Text]) -> Text:
        """OR of several."""
        return Text("(" + " OR ".join(term.sql for term in terms) + ")")


def translated(model: MatchModel) -> dict[str, Any]:
    """The model's settings in Spark's dialect. Raises ``SpecError``."""
    settings = copy.deepcopy(dict(model.settings))
    settings["sql_dialect"] = "spark"
    places = {name: place for place, name in enumerate(model.columns)}
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if level["sql_condition"].strip().upper() != "ELSE":
                level["sql_condition"] = parse(level["sql_condition"], places, SparkSql(model.columns)).sql
    return settings


def register(session: Any) -> None:
    """Make the similarities known to a Spark session."""
    functions: Any = import_module("pyspark.sql.functions")
    for function, name in _OURS.items():
        made = functions.arrow_udf(_FUNCTIONS[function], "double", functions.ArrowUDFType.SCALAR)
        session.udf.register(name, made)


def _jaro_winkler(left: Any, right: Any) -> Any:
    return _similarity(sql_functions.jaro_winkler_similarity, left, right)


def _jaro(left: Any, right: Any) -> Any:
    return _similarity(sql_functions.jaro_similarity, left, right)


def _levenshtein(left: Any, right: Any) -> Any:
    return _similarity(sql_functions.levenshtein, left, right)


def _damerau_levenshtein(left: Any, right: Any) -> Any:
    return _similarity(sql_functions.damerau_levenshtein, left, right)


_FUNCTIONS: Mapping[Any, Callable[[Any, Any], Any]] = {
    sql_functions.jaro_winkler_similarity: _jaro_winkler,
    sql_functions.jaro_similarity: _jaro,
    sql_functions.levenshtein: _levenshtein,
    sql_functions.damerau_levenshtein: _damerau_levenshtein,
}
"""Functions with a name in this module: Spark's workers find them by it."""


def _similarity(function: Callable[..., Any], left: Any, right: Any) -> Any:
    """Of two Arrow columns of texts, NULL where one is NULL."""
    import pyarrow as pa

    ones, others = left.to_pylist(), right.to_pylist()
    known = np.array([a is not None and b is not None for a, b in zip(ones, others, strict=True)], dtype=bool)
    values, places = np.zeros(len(known)), np.flatnonzero(known)
    if len(places):
        texts = [units(["" if value is None else value for value in column]) for column in (ones, others)]
        values[places] = in_bulk(function, texts[0], texts[1], places, places)
    return pa.array(values, pa.float64(), mask=~known)
