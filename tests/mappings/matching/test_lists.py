"""Counting common values of many lists says what intersecting them one by one says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.matching.lists import ListPools
from mappings.matching.sql import compile_condition
from mappings.matching.sql_functions import list_intersect
from mappings.matching.table import Table
from mappings.matching.vector import Block, Vectors, compile_vector

WORDS = st.sampled_from([None, "", "a", "b", "acme", "é", "\ud800", *(f"w{number}" for number in range(70))])
LISTS = st.lists(WORDS, max_size=5)
POOLS = st.lists(LISTS, min_size=1, max_size=8)


@settings(deadline=None)
@given(one=POOLS, other=POOLS, same=st.booleans(), data=st.data())
def test_common_values_are_those_of_the_intersection(
    one: list[list[str | None]], other: list[list[str | None]], same: bool, data: st.DataObject
) -> None:
    right_pool = one if same else other
    rows = st.tuples(st.integers(0, len(one) - 1), st.integers(0, len(right_pool) - 1), st.booleans())
    pairs = data.draw(st.lists(rows, min_size=1, max_size=12))
    left, right = (np.array([pair[end] for pair in pairs], dtype=np.int64) for end in (0, 1))
    null = np.array([pair[2] for pair in pairs])
    pools = ListPools.of(one, right_pool)
    assert pools is not None
    expected = [0 if gone else len(list_intersect(one[a], right_pool[b])) for a, b, gone in pairs]
    assert pools.common(left, right, null).tolist() == expected


def test_lists_of_anything_but_texts_are_left_to_others() -> None:
    assert ListPools.of([["a"], [1]], [["a"]]) is None
    assert ListPools.of([["a"]], [[["a"]] and ["a", 2.5]]) is None


@settings(deadline=None)
@given(records=st.lists(st.tuples(st.none() | LISTS, st.none() | st.lists(st.integers(0, 3), max_size=3)), min_size=1))
def test_conditions_on_lists_hold_in_bulk_where_they_hold_alone(
    records: list[tuple[list[str | None] | None, list[int] | None]],
) -> None:
    columns = {"words": 0, "codes": 1}
    left, right = (found.ravel() for found in np.indices((len(records), len(records))))
    for column in columns:
        subset = f'len(list_intersect("{column}_l", "{column}_r"))'
        condition = f'{subset} >= 1 AND ({subset} = len("{column}_l") OR {subset} = len("{column}_r"))'
        alone, bulk = compile_condition(condition, columns), compile_vector(condition, columns, Vectors())
        holds = bulk.holds(Block(Table(list(columns), records), left, right)).tolist()
        assert holds == [alone(records[a], records[b]) is True for a, b in zip(left, right, strict=True)]
