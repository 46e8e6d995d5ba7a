"""Accuracy, cells and the weakest bridge, by examples that can be checked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.dedupe.accuracy import by_cluster, by_pair
from sync.dedupe.cells import safe
from sync.dedupe.matching import BIN, HIGHEST_BIN, LOWEST_BIN, bin_of
from sync.dedupe.risk import _bottleneck

LABELS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30)


def test_pairs_are_counted_within_clusters_and_entities() -> None:
    labels = [(1, "a"), (1, "a"), (1, "b"), (2, "b"), (3, "c")]
    score = by_pair(labels)  # found: 3 pairs; true: a-a and b-b; right: a-a
    assert score.precision == pytest.approx(1 / 3)
    assert score.recall == pytest.approx(1 / 2)
    assert score.f1 == pytest.approx(0.4)


def test_a_cluster_is_right_only_if_it_is_exactly_one_entity() -> None:
    score = by_cluster([(1, "a"), (1, "a"), (1, "b"), (2, "b"), (3, "c")])
    assert score.precision == pytest.approx(1 / 3)
    assert score.recall == pytest.approx(1 / 3)


def test_nothing_found_where_nothing_is_to_be_found_is_right() -> None:
    assert by_pair([(1, "a"), (2, "b")]).f1 == 1.0
    assert by_pair([(1, "a"), (2, "a")]).f1 == 0.0


@given(LABELS)
def test_pairs_agree_with_counting_them_one_by_one(labels: list[tuple[int, int]]) -> None:
    pairs = [(a, b) for i, a in enumerate(labels) for b in labels[i + 1 :]]
    found, true = (sum(a[side] == b[side] for a, b in pairs) for side in (0, 1))
    right = sum(a == b for a, b in pairs)
    score = by_pair(labels)
    assert score.precision == pytest.approx(right / found if found else 1)
    assert score.recall == pytest.approx(right / true if true else 1)


@given(LABELS)
def test_the_truth_against_itself_is_perfect(labels: list[tuple[int, int]]) -> None:
    same = [(cluster, cluster) for cluster, _ in labels]
    assert by_pair(same).f1 == by_cluster(same).f1 == 1.0


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1", "'=1"),
        (" @x", "' @x"),
        ("-5", "-5"),
        ("+3.25", "+3.25"),
        ("+86 138", "'+86 138"),
        ("a\0b", "ab"),
        ("\0=1", "'=1"),
        (None, ""),
        (True, "true"),
        (-4, "-4"),
        ({"b": [1], "a": "="}, '{"a":"=","b":[1]}'),
        ("plain", "plain"),
    ],
)
def test_cells_are_data(value: object, cell: str) -> None:
    assert safe(value) == cell


def test_the_weakest_bridge_is_the_last_pair_needed() -> None:
    pairs = [(9.0, 1, 2), (8.0, 3, 4), (2.0, 2, 3), (1.0, 1, 4), (-7.0, 1, 3)]
    assert _bottleneck(pairs) == (2.0, 2, 3)


@given(st.integers(-20_000, 20_000).map(lambda n: n / 100))
def test_every_weight_has_a_bin(weight: float) -> None:
    edge = bin_of(weight)
    assert LOWEST_BIN <= edge <= HIGHEST_BIN
    assert edge == LOWEST_BIN or edge <= weight
    assert edge == HIGHEST_BIN or weight < edge + BIN
