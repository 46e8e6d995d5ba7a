"""Source paths: every spelling reads what it says, a step into nothing gives nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.paths import PathError, compile_path, parse_path, quoted, spelled

RECORD = {
    "name": "n",
    "客户名称": "甲",
    "Customer Name": "c",
    "a.b": "dotted",
    "quo'te": "q",
    "x[0]": "bracket",
    "deep": {"er": {"est": 1}},
    "items": [{"t": "e", "v": 1, "tags": ["p", "q"]}, {"t": "f", "v": 2, "tags": []}, {"n": 3}],
    "nested": [[{"x": 1}], [{"x": 2}, {"x": 3}]],
    "keyed": {"7": {"v": 1}, "8": {"v": 2}},
    "lone": {"v": 9},
    "texts": ["a", "b"],
    "null": None,
}


def read(path: str, item: Any = RECORD, root: Any = RECORD) -> Any:
    return compile_path(parse_path(path))(item, root)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name", "n"),
        ("客户名称", "甲"),
        ("Customer Name", "c"),
        ("'a.b'", "dotted"),
        ('"a.b"', "dotted"),
        ("`a.b`", "dotted"),
        (r"a\.b", "dotted"),
        ("['a.b']", "dotted"),
        (r"'quo\'te'", "q"),
        ("`x[0]`", "bracket"),
        ("deep.er.est", 1),
        ("deep . er", {"est": 1}),
        ("items[0].v", 1),
        ("items[-1].n", 3),
        ("items[9].v", None),
        ("items[].v", [1, 2]),
        ("items[t=e].v", [1]),
        ("items[t!=e].v", [2]),
        ("items[v=2].t", ["f"]),
        ("items['t'='e'].v", [1]),
        ("items[].tags[]", ["p", "q"]),
        ("nested[][].x", [1, 2, 3]),
        ("keyed[].v", [1, 2]),
        ("lone[].v", [9]),
        ("texts[]", ["a", "b"]),
        ("texts", ["a", "b"]),
        ("@", RECORD),
        ("$.name", "n"),
        ("$", RECORD),
        ("$['a.b']", "dotted"),
        ("null.x", None),
        ("name.x", None),
        ("name[0]", None),
        ("name[]", None),
        ("missing[].x", None),
        ("deep.er.est.more", None),
        ("items.v", None),
    ],
)
def test_paths_read_what_they_say(path: str, expected: object) -> None:
    assert read(path) == expected


def test_inside_an_item_plain_paths_are_relative_and_rooted_ones_are_not() -> None:
    item = {"name": "inner"}
    assert (read("name", item), read("$.name", item), read("@", item)) == ("inner", "n", item)
    assert read("name", "text") is None
    assert read("@", "text") == "text"


@pytest.mark.parametrize(
    "path", ["", "a.", ".a", "a..b", "a[", "a[]b", "'a", "a[x=", "x" * 501, "a" + ".b" * 60, "a[1", "''"]
)
def test_unreadable_paths_are_refused(path: str) -> None:
    if path == "''":
        assert read(path, {"": 1}) == 1
        return
    with pytest.raises(PathError):
        parse_path(path)


@pytest.mark.parametrize(
    ("path", "prefix", "names"),
    [
        ("a.b", "", ["a.b"]),
        ("items[0].x", "", ["items[].x"]),
        ("items[t=e].v", "", ["items[].t", "items[].v"]),
        ("a", "list[]", ["list[].a"]),
        ("$.a", "list[]", ["a"]),
        ("@", "list[]", ["list[]"]),
        ("@", "", []),
        ("'a.b'.c", "", ["'a.b'.c"]),
    ],
)
def test_paths_are_spelled_as_drift_detection_knows_them(path: str, prefix: str, names: list[str]) -> None:
    assert list(spelled(parse_path(path), prefix)) == names


@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_every_field_name_can_be_written_as_a_path(outer: str, inner: str) -> None:
    assert read(quoted(outer), {outer: 1}) == 1
    assert read(f"{quoted(outer)}.{quoted(inner)}", {outer: {inner: 2}}) == 2


@given(st.text(max_size=60))
def test_any_text_is_a_path_or_an_error(text: str) -> None:
    try:
        path = parse_path(text)
    except PathError:
        return
    compile_path(path)({"a": [1]}, {})
    list(spelled(path, "p"))
