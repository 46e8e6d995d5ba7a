"""Clustering everything at once gives what clustering each component gives."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.matching.bulk_cluster import Links, cluster_all, component_of, groups_of
from mappings.matching.cluster import MERGE_AT, average_link, weight_matrix

EDGES = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)).filter(lambda e: e[0] != e[1]), max_size=30)
WEIGHTS = st.sampled_from([-np.inf, -9.0, -1.5, -1.0, -0.5, 0.5, 2.0, 3.7, 12.0])


def links(edges: list[tuple[int, int]]) -> Links:
    return Links(np.array([a for a, _ in edges], dtype=np.int64), np.array([b for _, b in edges], dtype=np.int64))


def by_hand(count: int, edges: list[tuple[int, int]]) -> list[int]:
    label = list(range(count))
    for _ in range(count):
        for a, b in edges:
            label[a] = label[b] = min(label[a], label[b])
    return label


@given(EDGES)
def test_components_are_labelled_by_their_lowest_record(edges: list[tuple[int, int]]) -> None:
    assert component_of(15, links(edges)).tolist() == by_hand(15, edges)


def test_a_long_chain_is_one_component() -> None:
    path = np.random.default_rng(1).permutation(20_000)
    assert set(component_of(20_000, Links(path[:-1], path[1:])).tolist()) == {0}


@given(st.lists(st.integers(0, 4), max_size=12))
def test_groups_hold_every_record_once(labels: list[int]) -> None:
    found = groups_of(np.array(labels, dtype=np.int64))
    parts = [found.members[a : a + n].tolist() for a, n in zip(found.starts, found.sizes, strict=True)]
    expected: dict[int, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        expected[label].append(number)
    assert parts == [expected[label] for label in sorted(expected)]


@settings(max_examples=300, deadline=None)
@given(data=st.data(), count=st.integers(1, 9))
def test_clusters_are_those_of_average_link(data: st.DataObject, count: int) -> None:
    pairs = list(combinations(range(count), 2))
    weight = dict(zip(pairs, data.draw(st.lists(WEIGHTS, min_size=len(pairs), max_size=len(pairs))), strict=True))
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    edges = [pair for pair in pairs if weight[pair] >= MERGE_AT]

    def weigh(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.array([weight[min(a, b), max(a, b)] for a, b in zip(left.tolist(), right.tolist(), strict=True)])

    found, left_over = cluster_all(count, links(edges), np.array(sizes), np.zeros(count, dtype=bool), weigh)
    assert left_over == []
    expected = list(range(count))
    for root in set(labels := by_hand(count, edges)):
        members = [n for n in range(count) if labels[n] == root]
        matrix = weight_matrix(len(members), lambda a, b, m=members: weight[m[a], m[b]])
        for group in average_link(matrix, [sizes[m] for m in members]):
            for place in group:
                expected[members[place]] = members[group[0]]
    assert found.tolist() == expected


def test_records_that_do_not_prove_themselves_are_left_with_their_component() -> None:
    odd = np.array([False, True, False, True, False])
    found, left_over = cluster_all(5, links([(0, 1)]), np.ones(5, dtype=np.int64), odd, lambda a, b: np.zeros(len(a)))
    assert found.tolist() == [0, 1, 2, 3, 4]
    assert sorted(left_over) == [[0, 1], [3]]
