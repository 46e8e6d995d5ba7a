"""Similarities of many pairs of texts at once, by rapidfuzz: the same numbers as ``sql_functions`` gives one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import DamerauLevenshtein, Jaro, JaroWinkler, Levenshtein
from rapidfuzz.process import cpdist

from mappings.matching import sql_functions
from mappings.matching.table import Codes

_EMPTY_IS_ZERO = frozenset({sql_functions.jaro_winkler_similarity, sql_functions.jaro_similarity})
IN_BULK: Mapping[Any, Any] = {
    sql_functions.jaro_winkler_similarity: JaroWinkler.similarity,
    sql_functions.jaro_similarity: Jaro.similarity,
    sql_functions.levenshtein: Levenshtein.distance,
    sql_functions.damerau_levenshtein: DamerauLevenshtein.distance,
}
"""What rapidfuzz computes for many pairs at once, by our function for one pair."""


def in_bulk(
    function: Callable[..., Any], one: NDArray[Any], other: NDArray[Any], lefts: Codes, rights: Codes
) -> NDArray[np.float64]:
    """A function of ``IN_BULK`` of pairs of texts (as ``units`` gives them), by their numbers."""
    left, right = one[lefts], other[rights]
    found = cpdist(left.tolist(), right.tolist(), scorer=IN_BULK[function], dtype=np.float64)
    values: NDArray[np.float64] = np.asarray(found, dtype=np.float64)
    if function in _EMPTY_IS_ZERO:
        values[~left.astype(bool) | ~right.astype(bool)] = 0.0
    return values


def units(pool: Sequence[Any]) -> NDArray[Any]:
    """Texts as DuckDB compares them: by bytes."""
    units = np.empty(len(pool), dtype=object)
    units[:] = [text if text.isascii() else text.encode("utf-8", "surrogatepass") for text in pool]
    return units
