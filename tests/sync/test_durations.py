"""Durations as they are written in the settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.durations import seconds, written


@given(st.floats(min_value=0, max_value=1e6, allow_nan=False), st.sampled_from("smhdw"))
def test_durations_are_numbers_with_a_unit(number: float, unit: str) -> None:
    text = f"{number:.3f}{unit}"
    factor = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[unit]
    assert seconds(text) == pytest.approx(float(f"{number:.3f}") * factor)


@given(st.integers(0, 31_536_000))
def test_a_duration_is_written_as_it_is_read(number: int) -> None:
    assert seconds(written(float(number))) == number
    assert seconds(written(None)) is None


@given(st.text(max_size=30))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        value = seconds(text)
    except ValueError:
        return
    assert value is None or isinstance(value, float)
