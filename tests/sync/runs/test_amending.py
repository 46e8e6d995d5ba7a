"""Values corrected in quarantine keep their types; groups are what somebody saw; an "ignore" can be taken back."""

from __future__ import annotations

from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Misused
from sync.runs.amending import amended, checked, value_at

RECORD = orjson.dumps({"name": "x", "age": 3, "ok": True, "deep": {"list": [{"v": 1.5}]}, "客户": None})


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("name", "y", "y"),
        ("age", "4", 4),
        ("age", "many", "many"),
        ("ok", "false", False),
        ("name", "", None),
        ("name", "7", "7"),
        ("客户", "张伟", "张伟"),
        ("new", "here", "here"),
    ],
)
def test_a_value_keeps_the_type_it_had(path: str, value: str, found: object) -> None:
    assert orjson.loads(amended(RECORD, path, value))[path] == found


def test_a_deep_value_is_reached_by_names_and_indexes() -> None:
    changed = orjson.loads(amended(RECORD, "deep.list[0].v", "2.5"))
    assert changed["deep"]["list"] == [{"v": 2.5}]
    assert value_at(RECORD, "deep.list[0].v") == "1.5"


@pytest.mark.parametrize("path", ["deep.none.x", "deep.list[9].v", "items[].x", "a..b", "@"])
def test_a_path_that_leads_nowhere_is_told(path: str) -> None:
    with pytest.raises(Misused):
        amended(RECORD, path, "x")


def test_what_is_no_single_value_is_not_offered_for_editing() -> None:
    assert value_at(RECORD, "deep") is None
    assert value_at(b"no json", "name") is None
    assert value_at(RECORD, "客户") == ""


@given(st.text(max_size=60))
def test_any_text_is_a_record_or_told(text: str) -> None:
    with suppress(Misused):
        assert isinstance(orjson.loads(checked(text)), dict)
