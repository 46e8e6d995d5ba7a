"""Arrays are packed as PostgreSQL's own client library for Python packs them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.array import ListBinaryDumper

from sync.master.packing import Unpackable, packed_array, spread

LARGE = st.integers(2**31, 2**62)  # smaller ones the driver sends as another type, the very largest too
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FROM, TO = datetime(1900, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - hypothesis adds the zones
MOMENTS = st.datetimes(FROM, TO, timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]))
FLOATS = st.floats(allow_nan=False)


def of_the_driver(values: list[Any]) -> bytes:
    transformer = Transformer()
    dumper = transformer.get_dumper(values, PyFormat.BINARY)
    assert isinstance(dumper, ListBinaryDumper)
    packed = dumper.dump(values)
    assert packed is not None
    return bytes(packed)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", TEXTS),
        ("bytea", st.binary(max_size=20)),
        ("float8", FLOATS),
        ("timestamptz", MOMENTS),
    ],
)
@given(data=st.data())
def test_values_and_nulls_are_packed_as_the_driver_does(data: st.DataObject, kind: str, values: Any) -> None:
    column = data.draw(st.lists(st.none() | values, min_size=1, max_size=8).filter(any))
    assert packed_array(kind, column) == of_the_driver(column)


@given(st.lists(LARGE | LARGE.map(lambda number: -number - 1), min_size=1))
def test_large_numbers_are_packed_as_the_driver_does(column: list[int]) -> None:
    assert packed_array("int8", column) == of_the_driver(column)


@given(st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), min_size=1).filter(lambda found: found != [None]))
def test_small_numbers_and_nulls_are_packed_one_after_the_other(column: list[int | None]) -> None:
    fields = [b"\xff\xff\xff\xff" if one is None else pack(">ii", 4, one) for one in column]
    assert packed_array("int4", column) == pack(">iiIii", 1, None in column, 23, len(column), 1) + b"".join(fields)


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))))
def test_numbers_are_spread_over_rows(pairs: list[tuple[int, int]]) -> None:
    rows = bytearray(pack(">hqbq", 7, 0, 9, 0)) * len(pairs)
    spread(rows, 19, 2, [first for first, _ in pairs])
    spread(rows, 19, 11, [second for _, second in pairs])
    assert bytes(rows) == b"".join(pack(">hqbq", 7, first, 9, second) for first, second in pairs)


@pytest.mark.parametrize(
    ("kind", "values"),
    [("int4", [2**31]), ("int8", [2**63]), ("int8", ["7"]), ("text", [7]), ("timestamptz", [FROM]), ("json", ["{}"])],
)
def test_what_does_not_fit_its_type_is_left_to_the_driver(kind: str, values: list[Any]) -> None:
    with pytest.raises(Unpackable):
        packed_array(kind, values)
