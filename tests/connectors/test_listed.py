"""What the connectors to listed systems have in common: numbered pages that lose nothing, rows made into records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Mode, Read, Write, WriteResult
from connectors.errors import CursorExpired, EndlessPages, ListingIncomplete, RecordRejected, RetryLater
from connectors.listed.numbered import Numbered, numbered_pages, whole_number
from connectors.listed.stream import Found, Listed, Row
from connectors.listed.writing import KeyedWriter

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class List:
    """A numbered list of keys; ``gone[n]`` keys vanish from its front before the n-th call."""

    def __init__(self, keys: Sequence[int], size: int, gone: Sequence[int] = (), *, counts: bool = True) -> None:
        self.keys, self.size, self.gone, self.counts, self.calls = list(keys), size, list(gone), counts, 0

    def ask(self, number: int) -> Numbered:
        if self.calls < len(self.gone):
            del self.keys[: self.gone[self.calls]]
        self.calls += 1
        rows = self.keys[(number - 1) * self.size : number * self.size]
        total = len(self.keys) if self.counts else None
        return Numbered(rows, NOW, total, -(-len(self.keys) // self.size) if self.counts else None)


def all_of(pages: Iterator[Found]) -> list[Any]:
    return [row for found in pages for row in found.rows]


@given(st.integers(0, 30), st.integers(1, 7), st.lists(st.integers(0, 3), max_size=6))
def test_no_row_is_passed_by_whatever_is_deleted_meanwhile(count: int, size: int, gone: list[int]) -> None:
    numbered = List(range(count), size, gone)
    try:
        seen = set(all_of(numbered_pages(numbered.ask)))
    except RetryLater:
        return
    assert set(numbered.keys) <= seen


@given(st.integers(1, 30), st.integers(1, 7), st.data())
def test_a_stored_position_continues_where_it_was(count: int, size: int, data: st.DataObject) -> None:
    numbered = List(range(count), size)
    pages = list(numbered_pages(numbered.ask))
    number = data.draw(st.integers(0, len(pages) - 1))
    if pages[number].next is not None:
        rest = all_of(numbered_pages(numbered.ask, pages[number].next))
        assert all_of(iter(pages[: number + 1])) + rest == list(range(count))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 6])
def test_a_list_that_counts_nothing_ends_at_an_empty_page(count: int) -> None:
    assert all_of(numbered_pages(List(range(count), 3, counts=False).ask)) == list(range(count))


def test_a_list_that_comes_up_short_in_the_same_way_twice_ends_and_says_so() -> None:
    pages = list(numbered_pages(lambda number: Numbered([1, 2], NOW, 5, 1)))
    assert [found.short for found in pages] == [False, True]


def test_a_list_that_never_holds_still_is_given_up_for_now() -> None:
    totals = iter(range(100, 0, -1))
    with pytest.raises(RetryLater):
        list(numbered_pages(lambda number: Numbered([number], NOW, next(totals), 9)))


def test_a_page_that_comes_again_is_noticed() -> None:
    with pytest.raises(EndlessPages):
        list(numbered_pages(lambda number: Numbered([1, 2], NOW, 6, 3)))


@pytest.mark.parametrize("start", [{}, {"page": "x", "seen": 0, "total": 1}, [], 7, "page"])
def test_a_position_of_another_kind_starts_anew(start: Any) -> None:
    with pytest.raises(CursorExpired):
        list(numbered_pages(List([1], 1).ask, start))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("57", 57),
        (" 57 ", 57),
        (57, 57),
        ("", None),
        (None, None),
        (True, None),
        ("1" * 20, None),
        ("٣", None),
        (1.5, None),
    ],
)
def test_counts_may_be_written_as_text(value: Any, number: int | None) -> None:
    assert whole_number(value) == number


class Names(Listed):
    """A stream whose pages are given."""

    name, title, stamps = "names", "Names", ("at",)

    def __init__(self, *pages: Found) -> None:
        self._pages = pages

    def pages(self, size: int, since: datetime | None, start: Any = None) -> Iterator[Found]:
        return iter(self._pages)

    def key(self, row: Row) -> str:
        if not row.get("id"):
            raise RecordRejected("The record has no key at {path}.", path="id")
        return str(row["id"])


@pytest.mark.parametrize("odd", [{}, "text", None, 7, [], {"id": "1", "deep": 2**70}])
def test_what_is_no_record_is_set_apart_and_nothing_is_deleted_after_it(odd: Any) -> None:
    stream = Names(Found([{"id": "1", "at": "2026-01-01 08:00:00"}, odd], NOW))
    (page,) = stream.read(Read("names"))
    assert [record.key for record in page.records] == ["1"]
    assert [rejected.identified for rejected in page.rejected] == [False]


def test_keys_are_not_listed_where_one_is_missing_or_the_list_is_short() -> None:
    for found in (Found([{"id": ""}], NOW), Found([{"id": "1"}], NOW, short=True, total=2)):
        with pytest.raises(ListingIncomplete):
            list(Names(found).keys())


def test_a_backfill_leaves_out_what_was_changed_later() -> None:
    rows = [{"id": "1", "at": "2026-01-01"}, {"id": "2", "at": "2026-01-05"}, {"id": "3"}]
    request = Read("names", Mode.INCREMENTAL, since=datetime(2026, 1, 1, tzinfo=UTC), until=NOW)
    (page,) = Names(Found(rows, NOW)).read(request)
    assert [record.key for record in page.records] == ["1", "3"]


def test_an_empty_list_has_no_sample() -> None:
    assert Names().sample(5) == []


class Notes(KeyedWriter):
    """A writer to a dictionary."""

    number, longest = "no", 8

    def __init__(self, prefix: str = "") -> None:
        super().__init__(prefix)
        self.rows: dict[str, Row] = {"K1": {"no": "A", "name": "old"}}

    def by_key(self, key: str) -> Row | None:
        return self.rows.get(key)

    def by_number(self, number: str, write: Write) -> Row | None:
        return next((row for row in self.rows.values() if row["no"] == number), None)

    def key(self, row: Row) -> str:
        return next(key for key, one in self.rows.items() if one is row)

    def changed(self, row: Row) -> datetime | None:
        return NOW

    def create(self, write: Write, body: Row) -> WriteResult:
        self.rows[f"K{len(self.rows) + 1}"] = dict(body)
        return WriteResult(f"K{len(self.rows)}", created=True)

    def update(self, key: str, there: Row, changed: Row) -> None:
        self.rows[key] |= changed


def test_a_made_number_is_the_same_for_every_try_and_fits() -> None:
    notes = Notes("K-")
    one, two = (notes.write([Write({"name": "x"}, "w1")])[0] for _ in range(2))
    (other,) = notes.write([Write({"name": "x"}, "w2")])
    assert (one.key, one.created, two.created) == (two.key, True, False)
    assert other.key != one.key
    assert all(len(row["no"]) <= Notes.longest for row in notes.rows.values())


def test_a_known_number_updates_what_is_there() -> None:
    notes = Notes()
    (result,) = notes.write([Write({"no": " A ", "name": "new"}, "w1")])
    assert (result.key, result.created, notes.rows["K1"]["name"]) == ("K1", False, "new")
