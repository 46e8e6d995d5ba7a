"""Tryton's tagged values and errors, without a server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import (
    BadCredentials,
    ConnectorError,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WriteConflict,
)
from connectors.tryton.client import fault
from connectors.tryton.values import plain, stamp_of, tagged

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_stamp_survives_the_way_there_and_back(moment: datetime) -> None:
    stamp = moment.isoformat(timespec="microseconds")
    assert stamp_of(tagged(stamp)) == stamp


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_stamps_sort_as_text_like_times(one: datetime, other: datetime) -> None:
    first, second = (stamp_of(tagged(moment.isoformat())) or "" for moment in (one, other))
    assert (first < second) == (one < other)


@given(
    JSON
    | st.fixed_dictionaries(
        {"__class__": st.text() | st.just("datetime") | st.just("Decimal")}, optional={"year": JSON}
    )
)
def test_any_answer_becomes_plain_json_without_a_crash(value: Any) -> None:
    plain(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"__class__": "Decimal", "decimal": "12.50"}, "12.50"),
        ({"__class__": "date", "year": 2026, "month": 2, "day": 3}, "2026-02-03"),
        ({"__class__": "timedelta", "seconds": 60}, 60),
        ({"__class__": "bytes", "base64": "aGk=\n"}, "aGk="),
        ({"__class__": "unknown", "x": 1}, {"__class__": "unknown", "x": 1}),
        ({"lang": 3, "lang.": {"id": 3, "code": "zh_CN"}}, {"lang": {"id": 3, "code": "zh_CN"}}),
        ({"active": 1}, {"active": True}),
    ],
)
def test_tagged_values_are_decoded(value: Any, expected: Any) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("error", "write", "kind"),
    [
        (["UserError", ["The code must be unique", "", None]], True, RecordRejected),
        (["UserError", ["You are not allowed to read", "", None]], False, PermissionMissing),
        (["UserWarning", ["key", "Are you sure?", ""]], True, RecordRejected),
        (["ConcurrencyException", "Records were modified"], True, WriteConflict),
        (["LoginException", ["sms", "Code", "char"]], False, BadCredentials),
        (["database is locked", "Traceback"], False, RetryLater),
        (["'no_such_field'", "Traceback"], False, StreamBroken),
        (["'no_such_field'", "Traceback"], True, RecordRejected),
        ("403: Forbidden", False, StreamBroken),
        ([], False, StreamBroken),
        ([["odd"]], True, RecordRejected),
    ],
)
def test_every_error_says_what_to_do_next(error: Any, write: bool, kind: type[ConnectorError]) -> None:
    found = fault(error, connection="erp", method="model.party.party.read", write=write)
    assert type(found) is kind
    assert "Traceback" not in str(found)
