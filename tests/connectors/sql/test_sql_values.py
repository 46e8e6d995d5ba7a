"""Values on their way into JSON, keys and positions."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import RecordRejected
from connectors.sql.values import from_position, is_marked, key_of, step_back, to_position

VALUES = st.one_of(
    st.none(), st.integers(-(2**60), 2**60), st.text(max_size=20), st.datetimes(), st.datetimes(timezones=st.just(UTC)),
    st.dates(), st.decimals(allow_nan=False, allow_infinity=False), st.uuids(), st.binary(max_size=20),
)  # fmt: skip


@given(VALUES)
def test_a_position_comes_back_with_its_type(value: Any) -> None:
    back = from_position(json.loads(json.dumps(to_position(value))))
    assert (type(back), back) == (type(value), value)


@given(st.lists(st.text("ab|\\", min_size=1, max_size=5), min_size=2, max_size=2))
def test_joined_keys_are_distinct(parts: list[str]) -> None:
    from connectors.sql.writing import _split

    assert _split(key_of(parts), 2) == parts


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(0, 90_000), st.sampled_from(" T"))  # noqa: DTZ001
def test_a_stamp_kept_as_text_steps_back_in_its_own_form(when: datetime, seconds: int, sign: str) -> None:
    text = when.isoformat(sign)
    back = step_back(text, seconds)
    earlier = when - timedelta(seconds=seconds)
    assert len(back) == len(text)
    assert back <= earlier.isoformat(sign)
    assert datetime.fromisoformat(back) > earlier - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (100, 90),
        (Decimal("7.5"), Decimal("-2.5")),
        ("2024-05-01", "2024-04-30"),
        (date(2024, 5, 1), date(2024, 4, 30)),
        ("2024-05-01T00:00:05Z", "2024-04-30T23:59:55Z"),
        ("2024-05-01 00:00:05.120 +08:00", "2024-04-30 23:59:55.000 +08:00"),
        ("v7", "v7"),
        ("2024-99-99", "2024-99-99"),
        (None, None),
        (UUID(int=1), UUID(int=1)),
    ],
)
def test_other_cursors_step_back_as_far_as_they_can(value: Any, expected: Any) -> None:
    assert step_back(value, 10) == expected


@pytest.mark.parametrize(
    ("value", "marked"),
    [(None, False), (0, False), ("N", False), ("", False), ("否", False), (1, True), ("Y", True), ("2024-05-01", True)],
)
def test_marks_of_deleted_rows_are_understood(value: Any, marked: bool) -> None:
    assert is_marked(value) is marked


@pytest.mark.parametrize("values", [[None], [""], ["a", None], ["x" * 201]])
def test_keys_that_are_empty_or_too_long_are_rejected(values: list[Any]) -> None:
    with pytest.raises(RecordRejected):
        key_of(values)


def test_equal_numbers_are_equal_keys() -> None:
    assert key_of([Decimal("7.00")]) == key_of([7]) == key_of(["7"])
