"""The parts of the REST connector that are pure: slicing pages, change stamps, templates, samples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import RetryLater, StreamBroken
from connectors.incremental import iso
from connectors.rest.sampling import fields_of
from connectors.rest.slicing import Opener, Slicer, find
from connectors.rest.stamps import reader, unit, writer, zone
from connectors.rest.templates import fill, fill_path, places

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
records = st.lists(
    st.dictionaries(st.sampled_from(["id", "a", "b", "名称", "updated_at"]), json_values, max_size=5) | json_values,
    max_size=6,
)


def cut(body: bytes, key=("id",), stamps=("updated_at",), path="data.items"):
    return Slicer(key, stamps, reader("iso")).slice(Opener(path).open(body))


@given(records, json_values)
def test_every_row_becomes_one_record_or_one_rejection_and_bodies_are_kept(rows, beside):
    body = orjson.dumps({"data": {"items": rows, "beside": beside}, "code": 0})
    result = cut(body)
    assert len(result.records) + len(result.rejected) == len(result.rows) == len(rows)
    told = [orjson.loads(record.body) for record in result.records] + [orjson.loads(r.body) for r in result.rejected]
    assert sorted(map(repr, told)) == sorted(map(repr, rows))
    for record in result.records:
        assert record.key == str(orjson.loads(record.body)["id"])


@given(records)
def test_the_quick_way_and_the_careful_way_agree(rows):
    body = orjson.dumps({"data": {"items": rows}})
    slicer = Slicer(["id"], ["updated_at"], reader("iso"))
    quick = slicer.slice(Opener("data.items").open(body))
    slicer._fast = None
    careful = slicer.slice(Opener("data.items").open(body))
    assert (quick.records, [r.body for r in quick.rejected]) == (careful.records, [r.body for r in careful.rejected])


@given(st.binary(max_size=300))
def test_no_answer_makes_it_crash(body):
    try:
        cut(body)
    except (RetryLater, StreamBroken):
        return


@pytest.mark.parametrize(
    "bad",
    [
        b'{"id":2,"x":"\\ud800"}',
        b'{"id":2,"x":NaN}',
        b'{"id":2,"x":"\xff"}',
        b'{"id":null}',
        b'{"x":1}',
        b'{"id":{}}',
        b"[]",
        b"7",
        b'{"id":true}',
        b'{"id":""}',
    ],
)
def test_one_bad_record_leaves_its_neighbours(bad):
    result = cut(b'{"data":{"items":[{"id":1},' + bad + b',{"id":3}]}}')
    assert [record.key for record in result.records] == ["1", "3"]
    assert len(result.rejected) == 1


@pytest.mark.parametrize("body", [b'{"data":{"items":[{"id":1},', b"<html>", b"", b"\x00"])
def test_an_answer_cut_short_is_tried_again(body):
    with pytest.raises(RetryLater):
        cut(body)


def test_depth_bombs_break_the_stream_not_the_program():
    with pytest.raises((StreamBroken, RetryLater)):
        cut(b'{"data":{"items":' + b"[" * 200_000 + b"]" * 200_000 + b"}}")


@pytest.mark.parametrize("body", [b'{"data":{"items":3}}', b'{"data":{"items":{"id":1}}}', b'{"data":{"items":"x"}}'])
def test_no_list_where_one_is_expected_breaks_the_stream(body):
    with pytest.raises(StreamBroken):
        cut(body)


def test_odd_paths_take_the_careful_way():
    assert (
        cut(b'[[{"id":1,"s":[{"t":"2026-01-01"}]}]]', stamps=("s[0].t",), path="[0]").records[0].changed_at
        == "2026-01-01T00:00:00.000000Z"
    )
    assert cut(b'{"data":{}}').records == ()
    assert find({"a": [{"b": 5}]}, "a[0].b") == 5


def test_a_stamp_that_cannot_be_read_leaves_a_record_without_one():
    result = cut(b'{"data":{"items":[{"id":1,"updated_at":"soon"},{"id":2,"updated_at":"2026-99-99T00:00:00Z"}]}}')
    assert [record.changed_at for record in result.records] == [None, None]


instants = st.datetimes(datetime(1971, 1, 2), datetime(9990, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    instants,
    st.sampled_from(["epoch", "epoch_ms", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d", "iso"]),
    st.booleans(),
)
def test_a_filter_value_is_never_later_than_the_stamp_and_loses_at_most_two_units(instant, notation, strict):
    said = writer(notation, strict=strict)(instant)
    back = reader(notation)(said)
    assert back <= iso(instant)
    assert instant - datetime.fromisoformat(back) < 2 * unit(notation)


@given(instants, instants)
def test_stamps_sort_as_instants_do(one, other):
    read = reader("iso")
    assert (read(one.isoformat()) < read(other.isoformat())) == (one < other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678000Z"),
        ("2026-01-02T03:04:05+08:00", "2026-01-01T19:04:05.000000Z"),
        ("2026-01-02T03:04:05", "2026-01-01T19:04:05.000000Z"),
        ("2026-01-02 03:04:05.123456", "2026-01-01T19:04:05.123456Z"),
        (None, None),
        ("", None),
    ],
)
def test_iso_stamps_in_their_usual_forms(text, expected):
    assert reader("iso", zone("Asia/Shanghai"))(text) == expected


def test_local_time_is_read_and_asked_for_in_its_zone():
    shanghai = ZoneInfo("Asia/Shanghai")
    read, say = reader("%Y-%m-%d %H:%M:%S", shanghai), writer("%Y-%m-%d %H:%M:%S", shanghai)
    assert read("2026-01-02 08:00:00") == "2026-01-02T00:00:00.000000Z"
    assert say(datetime(2026, 1, 2, tzinfo=UTC) + timedelta(milliseconds=900)) == "2026-01-02 08:00:00"


def test_templates_substitute_and_never_evaluate():
    values = {"config.a": "x", "cursor.value": 5, "key": "a/b"}
    assert fill({"n": "{cursor.value}", "t": "v={cursor.value}", "gone": "{missing}"}, values) == {"n": 5, "t": "v=5"}
    assert fill("{__class__} {config.a.__class__} {0} {{}}", values) == "  {0} {{}}"
    assert fill_path("/c/{key}", values) == "/c/a%2Fb"
    assert fill("{config.a}", {"config.a": "{key}", "key": "k"}) == "{key}"
    assert set(places({"a": ["{x.y}", {"{k}": "1"}]})) == {"x.y", "k"}


def test_a_sample_shows_fields_with_their_types():
    fields = fields_of([b'{"a":1,"b":{"c":null},"d":[1]}', b'{"a":"x","b":{"c":"y"},"e":true}'])
    assert {field.path: field.type for field in fields} == {
        "a": "any", "b": "object", "b.c": "string", "d": "array", "e": "boolean"
    }  # fmt: skip
