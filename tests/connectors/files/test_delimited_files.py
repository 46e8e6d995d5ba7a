"""CSV and its relatives: encodings, delimiters, headers, broken rows."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadConfiguration
from connectors.files.dialect import detect_dialect
from connectors.files.header import column_names, find_header
from tests.connectors.files.reading import one, read, rows_of

SIMPLIFIED = "客户编号,名称,电话\n001,南洋贸易有限公司,13800138000\n002,张伟,020-8888\n003,李娜,x\n"
TRADITIONAL = "客戶編號,名稱,電話\n001,南洋貿易有限公司,1\n002,臺北國際股份有限公司,2\n003,李娜,x\n"
WESTERN = "id,name\n001,José García\n002,Müller & Söhne\n003,Zoë Lefèvre\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(SIMPLIFIED, e) for e in ("utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-32")]
    + [(TRADITIONAL, e) for e in ("utf-8", "big5", "gbk")]
    + [(WESTERN, e) for e in ("utf-8", "latin-1", "cp1252")],
)
def test_the_encoding_is_recognised(tmp_path: Path, text: str, encoding: str) -> None:
    rows = rows_of(tmp_path, "a.csv", text.encode(encoding))
    lines = text.splitlines()
    assert [list(row.values()) for row in rows] == [line.split(",") for line in lines[1:]]
    assert list(rows[0]) == lines[0].split(",")


def test_an_encoding_that_shows_only_late_in_the_file_is_recognised(tmp_path: Path) -> None:
    text = "id,name\n" + "".join(f"{i},plain\n" for i in range(200_000)) + "x,张伟\ny,王芳\n"
    (tmp_path / "a.csv").write_bytes(text.encode("gbk"))
    bodies, rejected = read(one(tmp_path, "a.csv", key="id"))
    assert bodies["x"] == {"id": "x", "name": "张伟"}
    assert rejected == []


def test_an_explicit_encoding_overrides_recognition(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "a.csv", "id,n\n1,é\n".encode("cp1250"), encoding="cp1250") == [{"id": "1", "n": "é"}]


def test_a_character_cut_in_half_costs_only_its_row(tmp_path: Path) -> None:
    rows = [f"{i},张伟{i}".encode("gbk") for i in range(50)]
    rows[7] = rows[7][:-2]
    (tmp_path / "a.csv").write_bytes(b"id,name\n" + b"\n".join(rows) + b"\n")
    bodies, rejected = read(one(tmp_path, "a.csv"))
    assert set(bodies) == {str(i) for i in range(50)} - {"7"}
    (bad,) = rejected
    assert (bad.key, bad.reason.path) == ("7", "name")
    assert b'"line":9' in bad.body


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "，"])
def test_the_delimiter_is_recognised(tmp_path: Path, delimiter: str) -> None:
    lines = [["id", "name", "note"], ["1", "Müller; Co", "a"], ["2", "x", "1.5"], ["3", "y", "z"]]
    text = "\n".join(delimiter.join(f'"{c}"' if ";" in c else c for c in line) for line in lines)
    assert [list(row.values()) for row in rows_of(tmp_path, "a.csv", text.encode())] == lines[1:]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sep=;\nid;n\n1;a,b\n2;c\n", [["1", "a,b"], ["2", "c"]]),
        ("id,n\n1,'a, b'\n2,'c'\n", [["1", "a, b"], ["2", "c"]]),
        ('id,n\n1,"a \\" b"\n2,"c"\n', [["1", 'a " b'], ["2", "c"]]),
        ('id, n\n1, "a, b"\n2, c\n', [["1", "a, b"], ["2", "c"]]),
        ('id,n\r\n1,"two\r\nlines"\r\n2,c', [["1", "two\r\nlines"], ["2", "c"]]),
        ("id\n1\n2\n", [["1"], ["2"]]),
        ('id,n\n1,"say ""hi"""\n', [["1", 'say "hi"']]),
        ("id,n,\n1,a,\n2,b,\n", [["1", "a", ""], ["2", "b", ""]]),
        ('id,n\n1,5" pipe\n', [["1", '5" pipe']]),
    ],
)
def test_dialects_in_use_are_read(tmp_path: Path, text: str, expected: list[list[str]]) -> None:
    assert [list(row.values()) for row in rows_of(tmp_path, "a.csv", text.encode())] == expected


def test_explicit_settings_override_all_recognition(tmp_path: Path) -> None:
    text = "ignored\nA;B,C\n1;2,3\n"
    rows = rows_of(tmp_path, "a.csv", text.encode(), delimiter=";", quote="'", header=2, columns=["x", "y"])
    assert rows == [{"x": "1", "y": "2,3"}]


def test_a_header_that_is_not_there_is_an_error_naming_the_setting(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadConfiguration) as caught:
        read(one(tmp_path, "a.csv", header=9))
    assert caught.value.setting == "header"


def test_title_lines_above_the_header_are_passed_over(tmp_path: Path) -> None:
    text = "客户资料导出\n导出时间:,2024-05-01\n\n客户编号,客户名称,手机\n0001,南洋,138\n0002,北海,139\n"
    rows = rows_of(tmp_path, "a.csv", text.encode("gbk"))
    assert rows[0] == {"客户编号": "0001", "客户名称": "南洋", "手机": "138"}
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["id", "name"], ["1", "x"]], 0),
        ([["1", "x"], ["2", "y"]], None),
        ([["a@b.c", "13800138000"], ["d@e.f", "13900139000"]], None),
        ([["张伟", "上海"], ["李娜", "北京"], ["王芳", "上海"]], None),
        ([["Report", ""], ["", ""], ["name", "city"], ["x", "y"]], 2),
        ([["姓名", "城市"], ["张伟", "上海"], ["李娜", "上海"]], 0),
        ([[None, None], []], None),
        ([], None),
    ],
)
def test_the_header_is_found_or_known_to_be_missing(rows: list[list[str]], expected: int | None) -> None:
    assert find_header(rows) == expected


def test_a_file_without_header_gets_numbered_columns(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a.csv", b"1,x@y.z\n2,a@b.c\n")
    assert rows == [{"column_1": "1", "column_2": "x@y.z"}, {"column_1": "2", "column_2": "a@b.c"}]


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=12))
def test_column_names_are_distinct_and_never_empty(cells: list[str | None]) -> None:
    names = column_names(cells)
    assert len(set(names)) == len(names) == len(cells)
    assert all(name and name.encode() for name in names)


def test_rows_of_another_width_are_rejected_and_their_neighbours_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,a,b\n1,x,y\n2,x\n3,x,y,z\n4,x,y,,\n\n5,x,y\n")
    bodies, rejected = read(one(tmp_path, "a.csv"))
    assert set(bodies) == {"1", "4", "5"}
    assert [bad.key for bad in rejected] == ["2", "3"], "their keys can be made out, so they are not taken for deleted"


def test_a_stray_quote_costs_one_row_not_the_rest_of_the_file(tmp_path: Path) -> None:
    lines = [f"{i},n{i},c" for i in range(5000)]
    lines[100] = '100,"n100,c'
    lines[4998] = '4998,"n,c'
    lines[300] = '300,"a"b,c'
    lines[400] = '400,"two\nlines",c'
    (tmp_path / "a.csv").write_text("id,name,kind\n" + "\n".join(lines))
    bodies, rejected = read(one(tmp_path, "a.csv"))
    assert set(bodies) == {str(i) for i in range(5000)} - {"100", "300", "4998"}
    assert bodies["400"]["name"] == "two\nlines"
    assert len(rejected) == 3


def test_nul_overlong_cells_and_overlong_lines_are_rejected_with_their_line(tmp_path: Path) -> None:
    lines = ["id,n", "1,a\0b", "2," + "x" * 140_000, "3,ok", "4," + "y" * 1_200_000, "5,ok"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    bodies, rejected = read(one(tmp_path, "a.csv"))
    assert set(bodies) == {"3", "5"}
    assert [bad.key for bad in rejected] == ["1", "2", "4"]
    assert all(len(bad.body) < 5000 and len(bad.reason.value) <= 200 for bad in rejected)


def test_text_is_kept_as_it_stands(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "a.csv", b"id,zip,no,when\n007,010010,1e5,01/02/03\n")
    assert row == {"id": "007", "zip": "010010", "no": "1e5", "when": "01/02/03"}


@given(
    st.sampled_from([",", ";", "\t", "|"]),
    st.lists(st.lists(st.text("ab 张,;\t|'", min_size=1, max_size=8), min_size=3, max_size=3), min_size=2, max_size=20),
)
def test_what_the_csv_module_writes_with_quotes_is_recognised(delimiter: str, rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    dialect = detect_dialect(text.getvalue())
    assert (dialect.delimiter, dialect.quote) == (delimiter, '"')
