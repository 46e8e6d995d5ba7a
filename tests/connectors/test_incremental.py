from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Cursor, Mode, Read
from connectors.errors import CursorExpired
from connectors.incremental import Mark, Scan, first_stamp, iso, parse_stamp

T0 = datetime(2026, 1, 1, tzinfo=UTC)
INCREMENTAL = Read("customers", Mode.INCREMENTAL)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


# --- stamps


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02T03:04:05.123+0000", "2026-01-02T03:04:05.123000Z"),
        ("2026-01-02T11:04:05.123456789+08:00", "2026-01-02T03:04:05.123456Z"),
        ("2026-01-02 11:04:05", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02 11:04:05 +0800", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02 03:04:05 UTC", "2026-01-02T03:04:05.000000Z"),
        ("2026/1/2 11:04:05", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02", "2026-01-01T16:00:00.000000Z"),
        (1767323045, "2026-01-02T03:04:05.000000Z"),
        (1767323045123, "2026-01-02T03:04:05.123000Z"),
        ("1767323045", "2026-01-02T03:04:05.000000Z"),
        ("/Date(1767323045123)/", "2026-01-02T03:04:05.123000Z"),
        ("/Date(1767323045123+0800)/", "2026-01-02T03:04:05.123000Z"),
        (datetime(2026, 1, 2, 11, 4, 5), "2026-01-02T03:04:05.000000Z"),  # noqa: DTZ001 - a naive one is meant
    ],
)
def test_stamps_of_all_kinds_become_utc(value: Any, expected: str) -> None:
    stamp = parse_stamp(value, zone=ZoneInfo("Asia/Shanghai"))
    assert stamp is not None
    assert iso(stamp) == expected


@pytest.mark.parametrize(
    "value",
    [None, "", " ", 0, "0000-00-00 00:00:00", "0001-01-01T00:00:00", "yesterday", True, [], {}, float("nan"), "x" * 99,
     1e300, float("inf"), -1e300, "9" * 60],
)  # fmt: skip
def test_what_is_no_stamp_is_none(value: Any) -> None:
    assert parse_stamp(value) is None


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers(), st.none(), st.booleans(), st.datetimes()))
def test_no_value_crashes_the_reading_of_stamps(value: Any) -> None:
    stamp = parse_stamp(value, zone=timezone(timedelta(hours=14)))
    assert stamp is None or len(iso(stamp)) == 27


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_stamps_as_text_sort_as_times(one: datetime, other: datetime) -> None:
    assert (iso(one) < iso(other)) == (one < other)
    assert datetime.fromisoformat(iso(one)) == one


def test_a_null_change_stamp_falls_back_to_the_next() -> None:
    assert first_stamp(None, "", "2026-01-01T00:00:00Z") == T0
    assert first_stamp(None, 0) is None


# --- one scan


def test_a_first_read_asks_for_everything_and_ends_at_the_highest_value() -> None:
    scan = Scan(INCREMENTAL, began=at(100))
    assert scan.since is None
    scan.page([Mark(iso(at(7)), "a"), Mark(iso(at(3)), "b")])
    assert scan.end() == {"value": iso(at(7)), "key": ""}


def test_the_cursor_never_passes_the_start_of_the_scan() -> None:
    scan = Scan(INCREMENTAL, began=at(5))
    scan.page([Mark(iso(at(9)), "changed while we were reading")])
    assert scan.end()["value"] == iso(at(5))


def test_an_unordered_scan_keeps_its_old_value_until_its_end_and_resumes_at_its_page() -> None:
    old = {"value": iso(at(5)), "key": ""}
    scan = Scan(replace(INCREMENTAL, cursor=old), began=at(100))
    middle = scan.page([Mark(iso(at(50)), "x")], position="page 2")
    assert middle["value"] == old["value"]
    again = Scan(replace(INCREMENTAL, cursor=middle, resumed=True), began=at(200))
    assert (again.resume, again.since, again.after) == ("page 2", at(5), None)
    again.page([Mark(iso(at(20)), "y")])
    assert again.end()["value"] == iso(at(50)), "what the first half saw is remembered"
    fresh = Scan(replace(INCREMENTAL, cursor=middle), began=at(200))
    assert (fresh.resume, fresh.since) == (None, at(5)), "a new run starts its scan anew"


def test_an_ordered_scan_follows_its_rows_and_resumes_after_value_and_key() -> None:
    scan = Scan(INCREMENTAL, began=at(100), ordered=True)
    cursor = scan.page([Mark(iso(at(5)), "a"), Mark(iso(at(5)), "b")])
    again = Scan(replace(INCREMENTAL, cursor=cursor, resumed=True), began=at(200), lookback=60, ordered=True)
    assert again.after == Mark(iso(at(5)), "b")
    assert again.since == at(5), "a resumed read takes no look-back"
    later = Scan(replace(INCREMENTAL, cursor=cursor), began=at(200), lookback=60, ordered=True)
    assert (later.after, later.since) == (None, at(-55))


def test_what_changed_behind_a_scan_that_was_interrupted_is_read_by_the_next() -> None:
    scan = Scan(replace(INCREMENTAL, cursor={"value": iso(at(3)), "key": ""}), began=at(5), ordered=True)
    cursor = scan.page([Mark(iso(at(4)), "a"), Mark(iso(at(9)), "changed while we were reading")])
    resumed = Scan(replace(INCREMENTAL, cursor=cursor, resumed=True), began=at(200), ordered=True)
    assert resumed.since == at(9)
    assert resumed.end()["value"] == iso(at(5))
    assert Scan(replace(INCREMENTAL, cursor=cursor), began=at(200), ordered=True).since == at(5)


def test_rows_that_come_back_below_the_cursor_after_a_resume_are_no_disorder() -> None:
    cursor = {"value": iso(at(5)), "key": "m", "began": iso(at(100)), "high": iso(at(5)), "from": None}
    scan = Scan(replace(INCREMENTAL, cursor=cursor, resumed=True), began=at(200), ordered=True)
    assert scan.page([Mark(iso(at(5)), "a")])["key"] == "m"
    assert scan.page([Mark(iso(at(6)), "a")])["value"] == iso(at(6))


def test_a_source_that_breaks_its_promised_order_falls_back_to_the_end_of_the_scan() -> None:
    scan = Scan(INCREMENTAL, began=at(100), ordered=True)
    scan.page([Mark(iso(at(5)), "a")])
    cursor = scan.page([Mark(iso(at(4)), "b"), Mark(iso(at(9)), "c")], position=2)
    assert "value" not in cursor
    assert scan.end()["value"] == iso(at(9))


def test_coarse_stamps_are_asked_for_from_the_start_of_their_unit() -> None:
    cursor = {"value": iso(at(5.7)), "key": ""}
    assert Scan(replace(INCREMENTAL, cursor=cursor), began=at(9), coarse=1).since == at(5)
    assert Scan(replace(INCREMENTAL, cursor=cursor), began=at(9), coarse=60, lookback=10).since == at(-60)
    resumed = Scan(replace(INCREMENTAL, cursor=cursor, resumed=True), began=at(9), coarse=1, ordered=True)
    assert resumed.since == at(5)


def test_rows_without_a_stamp_and_empty_reads_keep_the_cursor() -> None:
    old = {"value": iso(at(5)), "key": ""}
    scan = Scan(replace(INCREMENTAL, cursor=old), began=at(100))
    scan.page([])
    assert scan.end() == old
    first = Scan(INCREMENTAL, began=at(100))
    first.page([])
    assert first.end() == {}


def test_a_cursor_never_goes_back() -> None:
    old = {"value": iso(at(50)), "key": ""}
    scan = Scan(replace(INCREMENTAL, cursor=old), began=at(100), lookback=30)
    scan.page([Mark(iso(at(25)), "a")])
    assert scan.end()["value"] == iso(at(50))


def test_a_backfill_is_bounded_by_its_range() -> None:
    request = replace(INCREMENTAL, cursor={"value": iso(at(50)), "key": ""}, since=at(1), until=at(9))
    scan = Scan(request, began=at(100))
    assert (scan.since, scan.until) == (at(1), at(9))


def test_a_full_read_asks_for_everything() -> None:
    scan = Scan(Read("x", Mode.FULL), began=at(1))
    assert scan.since is None
    cursor = scan.page([Mark(iso(at(0)), "a")], position=7)
    resumed = Scan(Read("x", Mode.FULL, cursor=cursor, resumed=True), began=at(2))
    assert (resumed.since, resumed.resume) == (None, 7)


def test_numbers_serve_as_values_too() -> None:
    scan = Scan(replace(INCREMENTAL, cursor={"value": 50, "key": ""}), began=90, lookback=5)
    assert scan.since == 45
    scan.page([Mark(120, "a"), Mark(70, "b")])
    assert scan.end() == {"value": 90, "key": ""}


@pytest.mark.parametrize("value", ["yesterday", 1.5, [], {"a": 1}, "2026-01-01T00:00:00"])
def test_a_cursor_of_another_make_asks_for_a_full_read(value: Any) -> None:
    with pytest.raises(CursorExpired):
        Scan(replace(INCREMENTAL, cursor={"value": value}), began=T0)


def test_a_source_that_turns_from_numbers_to_times_asks_for_a_full_read() -> None:
    scan = Scan(replace(INCREMENTAL, cursor={"value": 5}), began=T0)
    scan.page([Mark(iso(T0), "a")])
    with pytest.raises(CursorExpired):
        scan.end()


# --- against a source that changes while it is read


@dataclass
class Table:
    """Rows of (stamp in seconds, version) by key, changed between the pages of a read; stamps are whole seconds."""

    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    clock: int = 0
    version: int = 0

    def touch(self, keys: Iterable[int], tick: int) -> None:
        self.clock += tick
        for key in keys:
            self.version += 1
            self.rows[f"k{key:02}"] = (self.clock, self.version)

    def query(self, since: datetime | int | None, ordered: bool) -> list[tuple[str, int, int]]:
        low = -1 if since is None else (since - T0).total_seconds()  # type: ignore[operator]
        found = [(key, stamp, version) for key, (stamp, version) in self.rows.items() if stamp >= low]
        return (
            sorted(found, key=lambda r: (r[1], r[0]))
            if ordered
            else sorted(found, key=lambda r: (int(r[0][1:]) * 7) % 13)
        )


changes = st.lists(st.tuples(st.lists(st.integers(0, 12), max_size=6), st.integers(0, 2)), max_size=25)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(changes, st.booleans(), st.integers(1, 4), st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=6))
def test_no_row_is_ever_missed_whatever_changes_crashes_and_ties_there_are(
    steps: list[tuple[list[int], int]], ordered: bool, size: int, crashes: list[tuple[int, bool]]
) -> None:
    """Equal stamps across page edges, changes while reading, crashes between pages: the copy ends equal."""
    table, copy = Table(), dict[str, int]()
    todo, crash = iter(steps), iter(crashes)
    cursor: Cursor | None = None
    resumed = False

    def change() -> None:
        keys, tick = next(todo, ([], 0))
        table.touch(keys, tick)

    for run in range(40):
        change()
        request = replace(INCREMENTAL, cursor=cursor, resumed=resumed)
        scan = Scan(request, began=at(table.clock), coarse=1, ordered=ordered)
        rows = table.query(scan.since, ordered)
        stop, same_run = next(crash, (None, False))
        position = 0
        resumed = False
        while True:
            page = rows[position : position + size]
            copy.update({key: version for key, _, version in page})
            position += size
            stored = json.dumps(scan.page(Mark(iso(at(stamp)), key) for key, stamp, _ in page))
            change()
            if stop is not None and position > stop * size and position < len(rows):
                cursor, resumed = (
                    json.loads(stored),
                    ordered and same_run,
                )  # here, an unordered list cannot be paged again
                break
            if position >= len(rows):
                cursor = scan.end()
                break
            if ordered:  # the source answers each page from its newest state, from the last row on
                last = rows[position - 1] if position else None
                seen = rows[:position]
                rest = [r for r in table.query(scan.since, True) if last and (r[1], r[0]) > (last[1], last[0])]
                rows = [*seen, *rest]
        if run > len(steps) + len(crashes):
            break
    assert copy == {key: version for key, (_, version) in table.rows.items()}
