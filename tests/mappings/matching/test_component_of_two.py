"""Two records are clustered without matrices, and as matrices would."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mappings.contract import Decision, Member
from mappings.matching.cluster import average_link, weight_matrix
from mappings.matching.component import Component

NEVER = float("-inf")
WEIGHTS = st.one_of(st.floats(-40, 40), st.sampled_from([NEVER, -1.0, 2.0, 2.0000000001, -3.0, 10.0]))


def members(first: int, second: int) -> list[Member]:
    """So many records of one content and so many of another."""
    contents: list[Any] = [("p", [], [], "ann")] * first + [("p", [], [], "bob")] * second
    return [Member(number, (1, 1, f"{number}", ""), content) for number, content in enumerate(contents)]


@given(
    weight=WEIGHTS,
    first=st.integers(1, 4),
    second=st.integers(1, 4),
    proven=st.booleans(),
    merge_at=st.sampled_from([-1.0, 2.0, 0.1]),
)
def test_two_contents_end_as_by_average_link(
    weight: float, first: int, second: int, proven: bool, merge_at: float
) -> None:
    records = members(first, second)
    component = Component(
        records,
        (),
        lambda left, right: 20.0 if left == right else weight,
        lambda _: [],
        merge_at=merge_at,
        proofs=lambda _: ["number"] if proven else [],
    )
    matrix = weight_matrix(2, lambda left, right: weight)
    wanted = average_link(matrix, [first, second], (), [(0, 1)] if proven else (), merge_at=merge_at)
    assert len(component.customers()) == len(wanted)


@given(weight=WEIGHTS, same=st.booleans())
def test_a_decision_on_two_records_holds(weight: float, same: bool) -> None:
    records = members(1, 1)
    decision = Decision(records[0].key, records[1].key, same)
    found = Component(records, [decision], lambda left, right: weight, lambda _: []).customers()
    assert found == ([[0, 1]] if same else [[0], [1]])


def test_equal_records_whose_weight_is_too_low_stay_apart() -> None:
    """Such as two that hold nothing but a common name."""
    assert Component(members(3, 0), (), lambda left, right: -5.0, lambda _: []).customers() == [[0], [1], [2]]
    assert Component(members(3, 0), (), lambda left, right: 5.0, lambda _: []).customers() == [[0, 1, 2]]
