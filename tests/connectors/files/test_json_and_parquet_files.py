"""JSON lines, JSON arrays and Parquet."""

from __future__ import annotations

import builtins
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import BadConfiguration, StreamBroken
from tests.connectors.files.reading import one, read, rows_of

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab[]{}",\\', max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text("abc", min_size=1, max_size=3), VALUES, min_size=1, max_size=4), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(objects=OBJECTS, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_arrays_and_lines_give_back_what_was_written(
    tmp_path: Path, objects: list[dict[str, Any]], indent: int | None, ascii_only: bool
) -> None:
    array = json.dumps(objects, indent=indent, ensure_ascii=ascii_only).encode()
    lines = "\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in objects).encode()
    key = sorted(json.dumps(row, sort_keys=True) for row in objects)
    for name, content in (("a.json", array), ("a.jsonl", lines)):
        rows = rows_of(tmp_path, name, content, key=[])
        assert sorted(json.dumps(row, sort_keys=True) for row in rows) == key


def test_an_array_larger_than_a_piece_is_cut_at_its_elements(tmp_path: Path) -> None:
    objects = [{"id": i, "note": 'x"\\],{' * 50, "deep": [{"a": [i]}]} for i in range(3000)]
    assert rows_of(tmp_path, "a.json", json.dumps(objects).encode()) == objects


def test_broken_lines_are_rejected_and_their_neighbours_read(tmp_path: Path) -> None:
    lines = [
        '{"id": 1}', "nonsense", '{"id": NaN}', '{"id": "\\ud800"}', "[" * 3000, '{"a":' * 400 + "1" + "}" * 400,
        '["no object"]', '{"id": 3, "n": "a\\u0000"}', '{"id": 4, "n": "\\\\u0000"}', '{"id": 5, "id": 6}', "",
        '{"id": 7, "n": "' + "x" * 1_000_001 + '"}', '{"id": 8}',
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    bodies, rejected = read(one(tmp_path, "a.jsonl", key="id"))
    assert set(bodies) == {"1", "4", "6", "8"}
    assert len(rejected) == 8
    assert all(len(bad.body) < 7000 for bad in rejected)


def test_broken_elements_are_rejected_and_their_neighbours_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"id":1}, {"id":,}, 5, {"id":NaN}, {"id":2}, {"id":3')
    bodies, rejected = read(one(tmp_path, "a.json", key="id"))
    assert set(bodies) == {"1", "2"}
    assert len(rejected) == 4


def test_a_single_object_counts_as_an_array_of_one(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "a.json", b'\xef\xbb\xbf {"id": 1}') == [{"id": 1}]


def test_json_that_is_no_array_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('"text"')
    with pytest.raises(StreamBroken, match=r"a\.json"):
        read(one(tmp_path, "a.json"))


def test_lines_in_gbk_are_read(tmp_path: Path) -> None:
    rows = [{"id": i, "名称": f"南洋贸易{i}号"} for i in range(3)]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert rows_of(tmp_path, "a.jsonl", text.encode("gbk")) == rows


def test_parquet_types_become_json(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": [1, 2],
            "credit": [Decimal("12.50"), None],
            "day": [date(2024, 5, 1), None],
            "at": [datetime.fromisoformat("2024-05-01T08:30"), None],
            "raw": [b"\x00\xff", None],
            "tags": [["a"], []],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    bodies, rejected = read(one(tmp_path, "a.parquet"))
    assert rejected == []
    assert bodies["1"] == {
        "id": 1, "credit": "12.50", "day": "2024-05-01", "at": "2024-05-01T08:30:00", "raw": "AP8=", "tags": ["a"]
    }  # fmt: skip


def test_a_damaged_parquet_file_is_refused_at_any_length(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": list(range(100))}), tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for length in range(0, len(whole), 61):
        (tmp_path / "a.parquet").write_bytes(whole[:length])
        with pytest.raises(BadConfiguration, match="damaged or no Parquet"):
            read(one(tmp_path, "a.parquet"))


def test_without_its_library_parquet_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    plain = builtins.__import__

    def no_pyarrow(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return plain(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", no_pyarrow)
    with pytest.raises(BadConfiguration) as caught:
        read(one(tmp_path, "a.parquet"))
    assert "kehu[parquet]" in caught.value.remedy
