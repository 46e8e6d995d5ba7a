"""Charts hold what they are given, whatever it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard import charts

COLUMNS = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=60)


@given(COLUMNS)
def test_every_bar_stays_in_the_box_and_what_is_there_is_seen(columns: list[tuple[int, int]]) -> None:
    top = charts.scale([sum(column) for column in columns]).top
    assert top >= max([sum(column) for column in columns], default=0)
    for column, bars in zip(columns, charts.stacked(columns, top), strict=True):
        assert [bar.height >= 1.5 for bar in bars] == [value > 0 for value in column]
        assert all(0 <= bar.x <= bar.x + bar.width <= charts.WIDTH + 0.2 for bar in bars)
        assert all(bar.y >= -3.1 and bar.y + bar.height <= charts.HEIGHT + 0.2 for bar in bars)
