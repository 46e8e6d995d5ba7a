"""A match model: Splink 5's JSON (Fellegi–Sunter parameters by comparison and level) with frozen term
frequencies.

Splink keeps no term-frequency tables in its JSON; without them a weight depends on which records have
arrived. Here they are part of the model, as are the contacts known to be shared and the blocks known to be
too large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeGuard

from mappings.errors import SpecError
from mappings.matching.sql import Term, columns_of, compile_condition

Kind = Literal["person", "organisation"]


@dataclass(frozen=True)
class Level:
    """One outcome of a comparison: its condition, and log2(m/u) (0 for the null level).

    For levels with term frequencies, ``tf_place`` is the column whose value's frequency replaces u.
    """

    label: str
    condition: Term | None
    weight: float
    is_null: bool = False
    tf_column: str | None = None
    tf_place: int = -1
    tf_weight: float = 1.0
    tf_minimum_u: float = 0.0
    exact_u: float = 1.0


@dataclass(frozen=True)
class Comparison:
    """A field of the comparison: its levels, of which the first that holds counts, and the columns they look at."""

    name: str
    levels: tuple[Level, ...]
    places: tuple[int, ...]


@dataclass(frozen=True)
class MatchModel:
    """A compiled model. ``settings`` is the Splink JSON it was read from; ``columns`` the order of a
    record's values; ``related`` the share of pairs of relatives, ``alike`` of namesakes and of twins among those,
    ``sites`` the share of pairs of sites of one company.
    """

    kind: Kind
    columns: tuple[str, ...]
    prior: float
    comparisons: tuple[Comparison, ...]
    settings: Mapping[str, Any]
    term_frequencies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    words: Mapping[str, float] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    oversized: frozenset[int] = frozenset()
    related: float = 0.0
    alike: float = 0.0
    sites: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Splink's JSON under "splink", what it does not hold beside it."""
        return {
            "kind": self.kind,
            "columns": list(self.columns),
            "splink": dict(self.settings),
            "term_frequencies": {name: dict(sorted(t.items())) for name, t in self.term_frequencies.items()},
            "words": dict(sorted(self.words.items())),
            "shared": sorted(self.shared),
            "oversized": sorted(self.oversized),
            "related": self.related,
            "alike": self.alike,
            "sites": self.sites,
        }


def read_model(data: Mapping[str, Any]) -> MatchModel:
    """The model of ``MatchModel.to_json``. Raises ``SpecError`` naming the place and what is expected
    there.
    """
    kind = data.get("kind")
    if kind not in ("person", "organisation"):
        raise _error("kind", "person or organisation", kind)
    columns, settings = data.get("columns"), data.get("splink")
    if not isinstance(columns, Sequence) or isinstance(columns, str) or not columns:
        raise _error("columns", "a list of column names", columns)
    if not isinstance(settings, Mapping):
        raise _error("splink", "the settings that Splink's save_model_to_json writes", settings)
    compiled = compile_model(kind, tuple(columns), settings, data.get("term_frequencies", {}))
    return replace(
        compiled,
        words=data.get("words", {}),
        shared=frozenset(data.get("shared", ())),
        related=float(data.get("related", 0.0)),
        alike=float(data.get("alike", 0.0)),
        sites=float(data.get("sites", 0.0)),
        oversized=frozenset(data.get("oversized", ())),
    )


def compile_model(
    kind: Kind,
    columns: Sequence[str],
    settings: Mapping[str, Any],
    term_frequencies: Mapping[str, Mapping[str, float]] | None = None,
) -> MatchModel:
    """A model from Splink's settings for records with these columns. Raises ``SpecError``."""
    dialect = settings.get("sql_dialect", "duckdb")
    if dialect != "duckdb":
        raise _error("splink.sql_dialect", "duckdb (a model trained with Splink on DuckDB)", dialect)
    lam = settings.get("probability_two_random_records_match")
    if not _is_probability(lam):
        raise _error("splink.probability_two_random_records_match", "a number between 0 and 1", lam)
    found = settings.get("comparisons")
    if not isinstance(found, Sequence) or isinstance(found, str) or not found:
        raise _error("splink.comparisons", "a list of at least one comparison", found)
    places = {name: place for place, name in enumerate(columns)}
    comparisons = tuple(_comparison(c, f"splink.comparisons[{i}]", places) for i, c in enumerate(found))
    return MatchModel(kind, tuple(columns), math.log2(lam / (1 - lam)), comparisons, settings, term_frequencies or {})


def _comparison(data: Any, path: str, places: Mapping[str, int]) -> Comparison:
    levels = data.get("comparison_levels") if isinstance(data, Mapping) else None
    if not isinstance(levels, Sequence) or isinstance(levels, str) or len(levels) < 2:
        raise _error(f"{path}.comparison_levels", "a list of at least two levels", levels)
    exact = {column: v.get("u_probability") for v in levels if (column := _exact_column(v))}
    compiled = [_level(v, f"{path}.comparison_levels[{i}]", places, exact) for i, v in enumerate(levels)]
    if compiled[-1].condition is not None:
        raise _error(
            f"{path}.comparison_levels[{len(levels) - 1}].sql_condition", "ELSE", levels[-1].get("sql_condition")
        )
    used = {place for v in levels for place in columns_of(v["sql_condition"], places)}
    used |= {level.tf_place for level in compiled if level.tf_column}
    return Comparison(str(data.get("output_column_name", path)), tuple(compiled), tuple(sorted(used)))


def _level(data: Any, path: str, places: Mapping[str, int], exact: Mapping[str, Any]) -> Level:
    if not isinstance(data, Mapping) or not isinstance(data.get("sql_condition"), str):
        raise _error(f"{path}.sql_condition", "a condition in SQL", data)
    condition = _condition(data["sql_condition"], f"{path}.sql_condition", places)
    label = str(data.get("label_for_charts", data["sql_condition"]))
    if data.get("is_null_level"):
        return Level(label, condition, 0.0, is_null=True)
    m, u = data.get("m_probability"), data.get("u_probability")
    if not _is_positive(m) or not _is_positive(u):
        raise _error(path, "m_probability and u_probability, both trained, above 0 and at most 1", {"m": m, "u": u})
    column = data.get("tf_adjustment_column")
    if column is None:
        return Level(label, condition, math.log2(m / u))
    if column not in places:
        raise _error(f"{path}.tf_adjustment_column", "one of " + ", ".join(sorted(places)), column)
    return Level(
        label, condition, math.log2(m / u), False, column, places[column],
        float(data.get("tf_adjustment_weight", 1.0)), float(data.get("tf_minimum_u_value", 0.0) or 0.0),
        float(exact.get(column) or u),
    )  # fmt: skip


def _condition(text: str, path: str, places: Mapping[str, int]) -> Term | None:
    if text.strip().upper() == "ELSE":
        return None
    try:
        return compile_condition(text, places)
    except SpecError as error:
        raise SpecError("{path}: " + error.template, path=path, remedy=error.remedy, **error.params) from error


def _exact_column(level: Any) -> str:
    """The column of an exact-match level, in Splink's sense: plain equality of one column; "" for other
    levels.
    """
    text = level.get("sql_condition", "") if isinstance(level, Mapping) else ""
    left, equals, right = str(text).replace('"', "").replace(" ", "").partition("=")
    return left[:-2] if equals and left.endswith("_l") and right == left[:-2] + "_r" else ""


def _is_probability(value: Any) -> TypeGuard[float]:
    return _is_positive(value) and value < 1


def _is_positive(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1


def _error(path: str, expected: str, found: object) -> SpecError:
    return SpecError(
        "the match model is wrong at {path}: expected {expected}, found {found}",
        path=path,
        expected=expected,
        found=str(found)[:100],
        remedy="Export the model again with `kehu match export`, or save it from Splink 5.",
    )
