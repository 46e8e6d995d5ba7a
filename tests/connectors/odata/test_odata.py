"""Literals, answers and errors of OData, without a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Write
from connectors.errors import StreamBroken, WriteConflict
from connectors.odata.answers import LONGEST_REASON, answer_v2, answer_v4, deleted_key, is_deleted, refusal
from connectors.odata.literals import path_text, plain_v2, text, url, v2_moment, v2_stamp, v4_stamp
from connectors.odata.writing import differing, ensure_seen
from connectors.response import Response, headers_of

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def answered(body: Any, status: int = 200) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response("erp", "GET", "https://erp.example/api/customers", status, headers_of({}), content)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_cannot_leave_its_quotes(value: str) -> None:
    literal = text(value)
    assert literal[1:-1].replace("''", "").count("'") == 0
    assert literal[1:-1].replace("''", "'") == value
    assert unquote(path_text(value)) == literal
    assert not set(path_text(value)) & set("/?#& ")


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(min_size=1)))
def test_options_arrive_as_they_were_meant_and_without_a_plus_for_a_blank(params: dict[str, str]) -> None:
    params = {name: value for name, value in params.items() if value.isprintable() and name.isprintable()}
    made = url("customers", params)
    assert "+" not in made
    assert dict(parse_qsl(urlsplit(made).query, keep_blank_values=True)) == params


@given(st.integers(40_000_000, 4_000_000_000))
def test_dates_of_version_2_survive(seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    date, clock = f"/Date({int(midnight.timestamp() * 1000)})/", f"PT{moment:%HH%MM%SS}"
    assert v2_moment(date, clock) == moment
    assert v2_moment(date.replace(")", "+0000)"), clock) == moment
    assert plain_v2(clock) == f"{moment:%H:%M:%S}"


def test_stamps_are_written_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC) + timedelta(0)
    assert v2_stamp(moment) == "datetime'2026-01-02T03:04:05'"
    assert v4_stamp(moment) == "2026-01-02T03:04:05Z"
    assert v4_stamp(moment, "milliseconds") == "2026-01-02T03:04:05.678Z"


@given(JSON)
def test_any_value_of_version_2_becomes_plain_json_without_a_crash(value: Any) -> None:
    json.dumps(plain_v2(value))


@pytest.mark.parametrize(
    "value", ["/Date(99999999999999999999)/", "/Date(-62135596800001)/", "PT99H00M00S", "PT", "/Date(x)/"]
)
def test_odd_times_do_no_harm(value: str) -> None:
    assert plain_v2({"a": value})["a"] in (None, value)


@given(JSON)
def test_an_answer_that_is_no_page_breaks_the_stream_and_nothing_else(value: Any) -> None:
    for parse in (answer_v2, answer_v4):
        try:
            assert isinstance(parse(answered(value)).rows, list)
        except StreamBroken:
            continue


def test_pages_of_both_versions_are_understood() -> None:
    two = answer_v2(answered({"d": {"results": [{"a": 1}], "__count": "7", "__next": "x?$skiptoken=1"}}))
    assert (two.rows, two.total, two.next) == ([{"a": 1}], 7, "x?$skiptoken=1")
    assert answer_v2(answered({"d": [{"a": 1}]})).rows == [{"a": 1}]
    four = answer_v4(answered({"value": [], "@odata.deltaLink": "d"}))
    assert (four.rows, four.next, four.delta) == ([], None, "d")


@given(JSON)
def test_any_error_body_gives_a_short_reason(value: Any) -> None:
    told = refusal(answered(value, 400))
    assert told.reason
    assert len(told.reason) <= LONGEST_REASON


def test_the_reason_is_the_services_own_with_its_details_and_without_its_tail() -> None:
    two = {"code": "R11/124", "message": {"lang": "en", "value": "Postal code 123 must have the length 5"}}
    details = [
        {"message": "Postal code 123 must have the length 5", "severity": "error"},
        {"message": "Region is missing", "severity": "error"},
        {"message": "Only a warning", "severity": "warning"},
    ]
    told = refusal(answered({"error": {**two, "innererror": {"errordetails": details}}}, 400))
    assert (told.code, told.reason) == ("R11/124", "Postal code 123 must have the length 5 Region is missing")
    four = {"error": {"code": "X", "message": "Not found.  CorrelationId:  00000000-0000-0000-0000-000000000009."}}
    assert refusal(answered(four, 404)).reason == "Not found."
    assert refusal(answered(b"quota exceeded", 403)).reason == "quota exceeded"


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"@odata.context": "x#accounts/$deletedEntity", "id": "k"}, "k"),
        ({"@removed": {}, "@odata.id": "accounts(k)"}, "k"),
        ({"@removed": {}, "@id": "https://x/accounts('k')"}, "k"),
        ({"@removed": {}}, None),
        ({"id": "k", "name": "there"}, None),
    ],
)
def test_a_deleted_entry_tells_its_key(row: dict[str, Any], key: str | None) -> None:
    assert deleted_key(row) == key
    assert is_deleted(row) == ("name" not in row)


@pytest.mark.parametrize(
    ("expected", "conflict"),
    [
        (None, False), ("W/1", False), ("W/0", True), ("2026-01-02T00:00:00Z", False), ("2026-01-01T00:00:00Z", True),
    ],
)  # fmt: skip
def test_what_was_seen_last_must_be_what_is_there(expected: str | None, conflict: bool) -> None:
    write = Write({}, "w", "k", expected)
    now = {"key": "k", "etag": "W/1", "stamp": datetime(2026, 1, 2, tzinfo=UTC)}
    if not conflict:
        ensure_seen(write, **now)  # type: ignore[arg-type]
        return
    with pytest.raises(WriteConflict):
        ensure_seen(write, **now)  # type: ignore[arg-type]


@given(*[st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3) | st.none())] * 2)
def test_what_differs_makes_the_entity_what_was_wanted(wanted: dict[str, Any], there: dict[str, Any]) -> None:
    changed = differing(wanted, there)
    after = {**there, **changed}
    assert all(after[name] == value for name, value in wanted.items())
    assert differing(wanted, after) == {}
