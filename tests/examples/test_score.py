"""Accuracy by pairs of records."""

from __future__ import annotations

import pytest

from examples.nanyang.score import Score, score
from examples.nanyang.truth import Sighting

TRUTH = [Sighting("erp", "customers", str(number), "", customer) for number, customer in enumerate("aaabbc")]


def found(groups: str) -> dict[tuple[str, str, str, str], str]:
    """A customer for each record of the truth."""
    return {sighting[:4]: group for sighting, group in zip(TRUTH, groups, strict=True)}


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("xxxyyz", Score(4, 4, 4)),
        ("123456", Score(0, 4, 0)),
        ("xxxxxx", Score(15, 4, 4)),
        ("xx1yyz", Score(2, 4, 2)),
        ("xxyyzz", Score(3, 4, 1)),
    ],
)
def test_pairs_are_counted(groups: str, expected: Score) -> None:
    assert score(TRUTH, found(groups)) == expected


def test_places_that_the_truth_does_not_know_do_not_count() -> None:
    assert score(TRUTH, {("mailbox", "contacts", "x", ""): 1, **found("xxxyyz")}) == Score(4, 4, 4)


def test_the_shares_are_whole_where_there_is_nothing_to_find() -> None:
    nothing = score([], {})
    assert (nothing.precision, nothing.recall, nothing.f1) == (1.0, 1.0, 1.0)
    assert Score(0, 4, 0).f1 == 0.0
