"""Evaluation, by examples that can be checked by hand, and what people give as truth."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import language
from sync.errors import Misused
from sync.matching import truth
from sync.matching.evaluating import Link, Listed, Population, by_entities, by_list, entities_of

WEIGHTS = {(0, 1): 9.0, (0, 2): 3.0, (1, 2): 5.0, (2, 3): -0.5, (0, 3): -8.0, (1, 3): -math.inf}
"""Of five records; 4 was compared with nobody."""


@pytest.fixture(autouse=True)
def _english() -> None:
    language.use("en")


def weigh(left: int, right: int) -> float:
    return WEIGHTS.get((min(left, right), max(left, right)), -20.0)


def population(cluster: list[object]) -> Population:
    links = [Link([a], [b], weight) for (a, b), weight in WEIGHTS.items() if weight >= -1]
    return Population(
        [f"r{n}" for n in range(5)], cluster, lambda: links, weigh, lambda a, b: (min(a, b), max(a, b)) in WEIGHTS
    )


def test_pairs_clusters_and_confusion_are_counted() -> None:
    found = by_entities(population([1, 1, 1, 2, 3]), ["a", "a", "b", "b", "c"])
    assert found.confusion == (1, 2, 1, 6)
    assert found.pairs == pytest.approx((1 / 3, 1 / 2, 0.4))
    assert found.clusters == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert (found.records, found.left_out) == (5, 0)


def test_the_surest_of_the_wrong_pairs_come_first() -> None:
    found = by_entities(population([1, 1, 1, 2, 3]), ["a", "a", "b", "b", "b"])
    assert [(p.left, p.right, p.weight) for p in found.false_same] == [("r1", "r2", 5.0), ("r0", "r2", 3.0)]
    assert [(p.left, p.right, p.weight) for p in found.false_different] == [
        ("r2", "r4", -20.0),
        ("r3", "r4", -20.0),
        ("r2", "r3", -0.5),
    ]
    assert [p.compared for p in found.false_different] == [False, False, True]


def test_thresholds_take_compared_pairs_alone() -> None:
    found = by_entities(population([1, 1, 1, 2, 3]), ["a", "a", "b", "b", "c"])
    at = {one.weight: one.score for one in found.thresholds}
    assert at[-1.0] == pytest.approx((2 / 4, 1.0, 2 / 3))
    assert at[6.0] == pytest.approx((1.0, 1 / 2, 2 / 3))
    assert at[20.0].recall == 0.0


def test_equal_records_count_as_the_pairs_they_are() -> None:
    group = [0, 1, 2]
    found = Population(["x"] * 5, [0] * 5, lambda: [Link(group, group, 7.0), Link(group, [3, 4], 1.0)], weigh,
                       lambda a, b: True)  # fmt: skip
    at = {one.weight: one.score for one in by_entities(found, ["a", "a", "b", "b", None]).thresholds}
    assert at[0.0] == pytest.approx((2 / 6, 1.0, 0.5))  # 3 pairs within, 3 to the fourth; the fifth has no truth
    assert at[6.0] == pytest.approx((1 / 3, 1 / 2, 0.4))


def test_records_without_truth_are_left_out() -> None:
    found = by_entities(population([1, 1, 1, 2, 3]), ["a", None, "a", None, "c"])
    assert (found.records, found.left_out) == (3, 2)
    assert found.pairs == (1.0, 1.0, 1.0)


def test_of_listed_pairs_only_these_count() -> None:
    pairs = [Listed(0, 1, True), Listed(1, 2, False), Listed(2, 3, True), Listed(3, 4, False)]
    found = by_list(population([1, 1, 1, 2, 3]), pairs)
    assert found.confusion == (1, 1, 1, 1)
    assert found.pairs == pytest.approx((0.5, 0.5, 0.5))
    assert found.clusters is None
    assert [p.left for p in found.false_same] == ["r1"]
    assert [p.left for p in found.false_different] == ["r2"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12))
def test_the_confusion_is_what_counting_every_pair_gives(labels: list[tuple[int, int]]) -> None:
    found = Population(["x"] * len(labels), [c for c, _ in labels], list, lambda a, b: 0.0, lambda a, b: True)
    result = by_entities(found, [str(e) for _, e in labels])
    pairs = list(combinations(labels, 2))
    assert result.confusion == (
        sum(a == b for a, b in pairs),
        sum(a[0] == b[0] and a[1] != b[1] for a, b in pairs),
        sum(a[0] != b[0] and a[1] == b[1] for a, b in pairs),
        sum(a[0] != b[0] and a[1] != b[1] for a, b in pairs),
    )


def test_a_complete_list_makes_entities_of_what_it_connects() -> None:
    assert entities_of(5, [(3, 1), (4, 3)]) == ["0", "1", "2", "1", "1"]


def pair_file(folder: Path, content: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_pair_file_without_verdicts_is_a_complete_list(tmp_path: Path) -> None:
    found = truth.read_pairs(pair_file(tmp_path, "a,b\n1,2\n3,4\n"))
    assert found.complete
    assert found.pairs == [("1", "2", True), ("3", "4", True)]


def test_a_pair_file_may_judge_in_many_words(tmp_path: Path) -> None:
    found = truth.read_pairs(pair_file(tmp_path, "a,b,v\n1,2,Same\n3,4,不同\n5,6,0\n7,8,match\n"))
    assert not found.complete
    assert [pair.same for pair in found.pairs] == [True, False, False, True]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "a,b,v\n1,2,perhaps\n",
            "row 2: expected the ids of two records and then same or different, found 1, 2, perhaps",
        ),
        ("a,b\n1,\n", "row 2: expected"),
        ("a,b,v\n", "There is no pair in pairs.csv"),
    ],
)
def test_a_faulty_pair_file_is_told_by_its_row(tmp_path: Path, content: str, expected: str) -> None:
    with pytest.raises(Misused, match=expected):
        truth.read_pairs(pair_file(tmp_path, content))


def test_the_column_of_the_ids_is_found_by_their_values() -> None:
    judged = truth.PairFile([truth.NamedPair("7", "8", True)], True)
    rows = [{"name": "x", "no": 7}, {"name": "y", "no": 8}]
    assert truth.id_column(rows, judged, None, ["name", "no"]) == "no"
    with pytest.raises(Misused, match="No column of the files holds the ids"):
        truth.id_column([{"no": 9}], judged, None, ["no"])
    with pytest.raises(Misused, match="Did you mean no"):
        truth.id_column(rows, judged, "No", ["name", "no"])


def test_pairs_of_unknown_records_are_counted_and_none_at_all_is_refused() -> None:
    named = [truth.NamedPair("a", "b", True), truth.NamedPair("a", "z", True)]
    assert truth.locate(named, {"a": 0, "b": 1}.get) == ([Listed(0, 1, True)], 1)
    with pytest.raises(Misused, match="for example z"):
        truth.locate([truth.NamedPair("z", "y", True)], {}.get)
