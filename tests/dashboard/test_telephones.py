"""Phone numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.telephones import readable


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+8613812345678", "+86 138 1234 5678"),
        ("+861059692613", "+86 10 5969 2613"),
        ("+442079460958", "+44 20 7946 0958"),
        ("+86138****5678", "+86138****5678"),
        ("***", "***"),
        ("12345", "12345"),
        ("+999999999999999999", "+999999999999999999"),
        ("", ""),
    ],
)
def test_an_international_number_is_shown_in_groups_and_anything_else_as_it_is(number: str, shown: str) -> None:
    assert readable(number) == shown


@given(st.text(max_size=30) | st.from_regex(r"\+[0-9]{2,16}", fullmatch=True))
def test_no_text_is_refused_and_no_digit_lost(text: str) -> None:
    assert [c for c in readable(text) if c.isdecimal()] == [c for c in text if c.isdecimal()]
