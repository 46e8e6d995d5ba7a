from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadConfiguration, EndlessPages, StreamBroken
from connectors.paging import (
    Limits,
    cursor_pages,
    keyset_pages,
    link_pages,
    numbered_pages,
    offset_pages,
    url_pages,
    window_cap,
)
from connectors.response import Response, headers_of

Rows = Sequence[Any]
sizes = st.integers(1, 7)
counts = st.integers(0, 40)


class Source:
    """A list of rows served by every kind of paging, with the quirks asked for. Counts its calls."""

    def __init__(self, count: int, cap: int = 1000) -> None:
        self.rows = [{"id": n, "name": f"row {n}"} for n in range(1, count + 1)]
        self.cap, self.calls = cap, 0

    def offset(self, params: dict[str, Any]) -> tuple[Rows, dict[str, Any]]:
        self.calls += 1
        size = min(params["limit"], self.cap)
        return self.rows[params["offset"] :][:size], {"total": len(self.rows)}

    def number(self, params: dict[str, Any]) -> tuple[Rows, dict[str, Any]]:
        self.calls += 1
        size = params.get("per_page", 3)
        start = (params["page"] - 1) * size
        return self.rows[start:][:size], {"pages": -(-len(self.rows) // size)}

    def cursor(self, size: int) -> Callable[[dict[str, Any]], tuple[Rows, dict[str, Any]]]:
        def fetch(params: dict[str, Any]) -> tuple[Rows, dict[str, Any]]:
            self.calls += 1
            start = int(params.get("cursor", "c0")[1:])
            end = start + size
            return self.rows[start:end], {"next": f"c{end}" if end < len(self.rows) else None}

        return fetch

    def keyset(self, size: int) -> Callable[[dict[str, Any]], tuple[Rows, None]]:
        def fetch(params: dict[str, Any]) -> tuple[Rows, None]:
            self.calls += 1
            return [r for r in self.rows if r["id"] > params.get("after", 0)][:size], None

        return fetch


def rows_of(batches: Any) -> list[Any]:
    return [item for batch in batches for item in batch.items]


@given(counts, sizes)
def test_every_pager_gives_every_row_once(count: int, size: int) -> None:
    source = Source(count)
    pagers = [
        cursor_pages(source.cursor(size), lambda r: r["next"]),
        offset_pages(source.offset, limit=size),
        offset_pages(source.offset, limit=size, total=lambda r: r["total"]),
        offset_pages(source.offset, limit=size, short_ends=True),
        numbered_pages(source.number, size=size),
        numbered_pages(source.number, size=size, pages=lambda r: r["pages"]),
        numbered_pages(source.number, size=size, short_ends=True),
        keyset_pages(source.keyset(size), lambda r: r["id"]),
        keyset_pages(source.keyset(size), lambda r: r["id"], size=size, short_ends=True),
    ]
    for pager in pagers:
        assert rows_of(pager) == source.rows


@given(st.integers(1, 40), sizes, st.integers(0, 50))
def test_every_pager_goes_on_from_where_a_batch_says(count: int, size: int, stop: int) -> None:
    source = Source(count)
    makers: list[Callable[[Any], Any]] = [
        lambda start: cursor_pages(source.cursor(size), lambda r: r["next"], start=start),
        lambda start: offset_pages(source.offset, limit=size, start=start or 0),
        lambda start: numbered_pages(source.number, size=size, start=start),
        lambda start: keyset_pages(source.keyset(size), lambda r: r["id"], start=start),
    ]
    for make in makers:
        got: list[Any] = []
        position: Any = None
        for number, batch in enumerate(make(None)):
            got += batch.items
            position = batch.next
            if number == stop:
                break
        if position is not None:
            got += rows_of(make(position))
        assert got == source.rows


@given(st.integers(1, 60), st.integers(1, 9))
def test_a_system_that_silently_caps_the_limit_loses_no_row(count: int, cap: int) -> None:
    source = Source(count, cap=cap)
    assert rows_of(offset_pages(source.offset, limit=1000)) == source.rows


def test_a_known_total_saves_the_empty_call() -> None:
    source = Source(6)
    list(offset_pages(source.offset, limit=3, total=lambda r: r["total"]))
    assert source.calls == 2


def test_a_system_that_filters_after_paging_is_read_by_fixed_steps() -> None:
    rows = [n for n in range(100) if n % 7 == 0]

    def fetch(params: dict[str, Any]) -> tuple[Rows, dict[str, int]]:
        low = params["offset"]
        return [n for n in rows if low <= n < low + params["limit"]], {"total": 100}

    assert rows_of(offset_pages(fetch, limit=5, step=5, total=lambda r: r["total"])) == rows


def test_a_keyset_of_several_parts_is_sent_as_several_parameters() -> None:
    asked: list[dict[str, Any]] = []

    def fetch(params: dict[str, Any]) -> tuple[Rows, None]:
        asked.append(params)
        return ([{"t": 5, "id": 9}] if len(asked) == 1 else []), None

    list(keyset_pages(fetch, lambda r: {"since": r["t"], "since_id": r["id"]}))
    assert asked == [{}, {"since": 5, "since_id": 9}]


def test_empty_pages_with_a_cursor_are_followed_but_not_for_ever() -> None:
    def fetch(params: dict[str, Any]) -> tuple[Rows, int]:
        number = params.get("cursor", 0)
        return (["last"] if number == 5 else []), number

    assert rows_of(cursor_pages(fetch, lambda n: n + 1 if n < 5 else None)) == ["last"]
    with pytest.raises(EndlessPages, match="empty"):
        list(cursor_pages(lambda p: ([], p.get("cursor", 0)), lambda n: n + 1, limits=Limits(empty=4)))


@pytest.mark.parametrize("end", [None, ""])
def test_a_cursor_ends_with_none_or_an_empty_text(end: Any) -> None:
    assert len(list(cursor_pages(lambda p: ([1], None), lambda _: end))) == 1


def test_a_repeated_cursor_is_noticed_even_in_a_longer_circle() -> None:
    count = iter(range(1000))
    circle = {"a": "b", "b": "c", "c": "a"}
    with pytest.raises(EndlessPages, match="same place"):
        list(cursor_pages(lambda p: ([next(count)], p.get("cursor", "a")), lambda c: circle[c]))


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: msgspec.Raw(msgspec.json.encode(x))])
def test_a_system_that_ignores_the_paging_is_noticed_on_its_second_page(wrap: Callable[[Any], Any]) -> None:
    calls: list[dict[str, Any]] = []

    def fetch(params: dict[str, Any]) -> tuple[Rows, None]:
        calls.append(params)
        return [wrap({"id": n}) for n in range(3)], None

    for pager in (
        offset_pages(fetch, limit=3),
        numbered_pages(fetch),
        keyset_pages(fetch, lambda r: len(calls)),
        cursor_pages(fetch, lambda _: len(calls)),
    ):
        calls.clear()
        with pytest.raises(EndlessPages):
            list(pager)
        assert len(calls) == 2


def test_pages_are_capped() -> None:
    count = iter(range(1000))
    with pytest.raises(EndlessPages, match="more than 5 pages"):
        list(numbered_pages(lambda p: ([next(count)], None), limits=Limits(pages=5)))
    with pytest.raises(BadConfiguration):
        list(numbered_pages(lambda p: ([], None), limits=Limits(pages=0)))


# --- URLs


def answer(url: str, link: str = "") -> Response:
    return Response("x", "GET", url, 200, headers_of({"Link": link} if link else {}), b"[]")


def test_link_headers_are_followed_relative_or_whole() -> None:
    base = "https://x.example/api/items"
    links = {
        "items": '<?page=2>; rel="next"',
        f"{base}?page=2": '</api/items?page=3>; rel="next", </api/items?page=1>; rel="first"',
        f"{base}?page=3": f'<{base}?page=4>; rel="next"',
        f"{base}?page=4": f'<{base}?page=1>; rel="first"',
    }
    asked: list[str] = []

    def fetch(url: str) -> tuple[Rows, Response]:
        asked.append(url)
        return [url], answer(base if url == "items" else url, links[url])

    batches = list(link_pages(fetch, "items"))
    assert asked == list(links)
    assert [b.next for b in batches] == [*list(links)[1:], None]
    asked.clear()
    assert rows_of(link_pages(fetch, "items", start=batches[1].next)) == list(links)[2:]


def test_a_next_url_in_the_body_that_names_itself_ends_the_read() -> None:
    count = iter(range(100))
    url = "https://x.example/a"
    with pytest.raises(EndlessPages):
        list(url_pages(lambda u: ([next(count)], None), url, lambda _: url))


def test_a_next_url_that_is_none_is_told() -> None:
    with pytest.raises(StreamBroken, match="not a valid URL"):
        list(url_pages(lambda u: ([u], None), "https://x.example/a", lambda _: "https://[::1/b"))


# --- windows under a cap


@given(st.lists(st.integers(0, 200), max_size=150), st.integers(2, 30))
def test_windows_cover_everything_once_in_order_and_under_the_cap(values: list[int], cap: int) -> None:
    def total(low: int, high: int) -> int:
        return min(sum(low <= v < high for v in values), cap)  # stops counting at its cap, like many systems

    most = max((values.count(v) for v in values), default=0)
    if most >= cap:
        with pytest.raises(StreamBroken, match="share the one value"):
            list(window_cap(total, 0, 201, cap=cap))
        return
    windows = list(window_cap(total, 0, 201, cap=cap))
    assert windows == sorted(windows)
    assert all(one[1] <= other[0] for one, other in pairwise(windows))
    assert sum(sum(low <= v < high for v in values) for low, high in windows) == len(values)
    assert all(total(low, high) < cap for low, high in windows)


def test_times_are_split_down_to_the_second_and_no_further() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    batch = [start + timedelta(hours=5)] * 60 + [start + timedelta(minutes=n) for n in range(50)]

    def total(low: datetime, high: datetime) -> int:
        return sum(low <= v < high for v in batch)

    end = start + timedelta(days=1)
    windows = list(window_cap(total, start, end, cap=61))
    assert sum(total(*w) for w in windows) == 110
    assert all(low.microsecond == 0 and high.microsecond == 0 for low, high in windows)
    with pytest.raises(StreamBroken, match="2026-01-01T05:00:00"):
        list(window_cap(total, start, end, cap=60))


def test_windows_ask_little_when_little_is_there() -> None:
    asked: list[tuple[int, int]] = []

    def total(low: int, high: int) -> int:
        asked.append((low, high))
        return 5

    assert list(window_cap(total, 0, 1_000_000, cap=100)) == [(0, 1_000_000)]
    assert len(asked) == 1
    assert list(window_cap(total, 7, 7, cap=100)) == []
