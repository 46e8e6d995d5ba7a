"""Exports as people have them: titles above, totals below, stars on columns, numbers and dates as amounts."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.contract import Context, Read
from connectors.files.config import FilesConfig
from connectors.files.connector import FilesConnector
from connectors.files.exports import FOLDER
from connectors.files.tidying import dated, is_footer, whole
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.files.exports import SAMPLES
from tests.connectors.files.workbook import sheet, workbook

U8, KINGDEE = SAMPLES["yonyou_u8_customers"], SAMPLES["kingdee_customers"]
CREATED = next(name for name in ("建档日期", "发展日期") if name in U8)
Rows = list[list[Any]]


def table(sample: dict[str, str], count: int = 4) -> Rows:
    """The header and so many customers, each with a code and a name of its own."""
    code = next(name for name in ("客户编码", "编码") if name in sample)
    called = next(name for name in ("客户名称", "名称") if name in sample)
    rows = [sample | {code: f"{n:06}", called: f"深圳市测试{n}有限公司"} for n in range(1, count + 1)]
    return [list(sample), *(list(row.values()) for row in rows)]


def column(rows: Rows, name: str, *values: Any) -> Rows:
    """The table with these values in one column."""
    index = rows[0].index(name)
    for row, value in zip(rows[1:], values, strict=True):
        row[index] = value
    return rows


def padded(*cells: str) -> list[str]:
    return [*cells, *[""] * (len(U8) - len(cells))]


def saved(path: Path, rows: Sequence[Sequence[Any]], encoding: str = "gbk", delimiter: str = ",") -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


def names(path: Path) -> dict[str, str]:
    """The codes and names of the organisations, read and mapped without any setting; fails where a row is rejected."""
    found: dict[str, str] = {}
    for customer in customers(path):
        if customer["kind"] == "organisation":
            (key,) = customer["external_ids"].values()
            found[key] = customer["name"]
    return found


def customers(path: Path) -> list[dict[str, Any]]:
    config = FilesConfig.model_validate({"path": path.name, "settle_seconds": 0})
    connector = FilesConnector(config, Context("old", folder=path.parent))
    (stream,) = connector.discover()
    assert stream.mapping is not None, "the export was not recognised"
    mapper = compile_mapping(load_spec((FOLDER.parent / stream.mapping).resolve()))
    pages = list(connector.read(Read(stream.name)))
    assert [rejected for page in pages for rejected in page.rejected] == []
    bodies = [orjson.loads(record.body) for page in pages for record in page.records]
    return [dict(mapped.customer) for body in bodies for mapped in mapper(body)]


FOUR = {f"{n:06}": f"深圳市测试{n}有限公司" for n in range(1, 5)}


def test_title_rows_above_and_semicolons_between(tmp_path: Path) -> None:
    head = [padded("客户档案"), padded("导出时间：2026-01-02 10:00", "", "导出人：张三"), padded()]
    saved(tmp_path / "a.csv", [*head, *table(U8)], "utf-8-sig", ";")
    assert names(tmp_path / "a.csv") == FOUR


@pytest.mark.parametrize(
    "below",
    [
        [padded("合计：4")],
        [padded("合计", "", "", "", "12,345.00")],
        [["合计"], [], ["制表人：张三", "", "审核人：李四"]],
        [["小 计", "", "4"], ["总计", "", "4"]],
        [["Total", "", "", "4"]],
        [["共 4 条"], ["打印时间：2026-01-02"]],
    ],
)
def test_a_total_below_is_no_customer(tmp_path: Path, below: Rows) -> None:
    saved(tmp_path / "a.csv", [["客户档案"], ["单位：某某公司"], [], *table(U8), *below])
    assert names(tmp_path / "a.csv") == FOUR
    rows = [["客户档案"], *table(U8), *below]
    (tmp_path / "b.xlsx").write_bytes(workbook({"Sheet1": sheet([[cell or None for cell in row] for row in rows])}))
    assert names(tmp_path / "b.xlsx") == FOUR


def test_a_total_beside_a_column_of_numbers(tmp_path: Path) -> None:
    header, *rows = table(U8)
    numbered = [["序号", *header], *([n, *row] for n, row in enumerate(rows, 1)), ["合计", "", "", "", "4"]]
    saved(tmp_path / "a.csv", numbered, "gb18030")
    assert names(tmp_path / "a.csv") == FOUR


@pytest.mark.parametrize("mark", ["*{}", "{}*", "＊ {}", "{}（必填）", "{}(必录)", "{} (required)", " {} "])
def test_marks_of_required_columns_are_no_part_of_their_names(tmp_path: Path, mark: str) -> None:
    header, *rows = table(U8)
    saved(tmp_path / "a.csv", [[mark.format(name) if n < 2 else name for n, name in enumerate(header)], *rows])
    assert names(tmp_path / "a.csv") == FOUR


def test_merged_headings_above_the_columns(tmp_path: Path) -> None:
    groups = ["基本信息", None, None, None, "联系信息", *[None] * (len(U8) - 5)]
    rows = [["客户档案"], ["2026年1月 导出人：张三"], groups, *table(U8)]
    (tmp_path / "a.xlsx").write_bytes(workbook({"Sheet1": sheet(rows)}))
    assert names(tmp_path / "a.xlsx") == FOUR


def test_a_cover_sheet_is_passed_over_unless_it_is_asked_for(tmp_path: Path) -> None:
    cover = sheet([["使用说明"], ["1. 本模板用于导入客户"], ["2. 带*号为必填"]])
    (tmp_path / "a.xlsx").write_bytes(workbook({"说明": cover, "客户": sheet(table(U8))}))
    assert names(tmp_path / "a.xlsx") == FOUR
    asked = {"cover": {"path": "a.xlsx", "sheet": "说明"}}
    config = FilesConfig.model_validate({"streams": asked, "settle_seconds": 0})
    (stream,) = FilesConnector(config, Context("old", folder=tmp_path)).discover()
    assert [field.path for field in stream.fields] == ["使用说明"]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_dates_as_serial_numbers(tmp_path: Path, name: str) -> None:
    rows = column(table(U8), CREATED, 45000, 45000.5, "45000", "2023/3/15")
    if name.endswith("csv"):
        saved(tmp_path / name, rows)
    else:
        (tmp_path / name).write_bytes(workbook({"客户": sheet(rows)}))
    stamps = [one["source_created_at"] for one in customers(tmp_path / name) if one["kind"] == "organisation"]
    assert [stamp[:10] for stamp in stamps] == ["2023-03-14", "2023-03-15", "2023-03-14", "2023-03-14"]  # in UTC


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_telephone_numbers_that_a_spreadsheet_took_for_amounts(tmp_path: Path, name: str) -> None:
    values = [13800138000, 13800138000.0, "13800138000.0", "1.38E+10"]
    rows = column(table(KINGDEE), "联系电话", *values)
    if name.endswith("csv"):
        saved(tmp_path / name, rows)
    else:
        (tmp_path / name).write_bytes(workbook({"客户": sheet(rows)}))
    phones = [[phone["value"] for phone in one.get("phones") or []] for one in customers(tmp_path / name)]
    assert phones == [["+8613800138000"]] * 3 + [[]]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_a_number_that_lost_digits_is_left_out_with_a_note_and_is_no_key(tmp_path: Path, name: str) -> None:
    codes = (
        [1.234567890123456789e18, "C2", "1.23E+18", "C4"]
        if name.endswith("xlsx")
        else ["1.23E+18", "C2", "1.2e+18", "C4"]
    )
    rows = column(
        column(table(KINGDEE), "联系电话", "1.38E+10", "13800138000", "1.39E+10", "1.3900139000E+10"), "编码", *codes
    )
    if name.endswith("csv"):
        saved(tmp_path / name, rows)
    else:
        (tmp_path / name).write_bytes(workbook({"客户": sheet(rows)}))
    config = FilesConfig.model_validate({"streams": {"a": {"path": name, "key": "编码"}}, "settle_seconds": 0})
    connector = FilesConnector(config, Context("old", folder=tmp_path))
    pages = list(connector.read(Read("a")))
    assert [record.key for page in pages for record in page.records] == ["C2", "C4"]
    reasons = [str(bad.reason) for page in pages for bad in page.rejected]
    assert len(reasons) == 2
    assert all("has lost digits" in reason for reason in reasons)


def test_a_number_that_lost_its_last_digits_identifies_nobody(tmp_path: Path) -> None:
    rows = column(table(KINGDEE), "纳税登记号", 914403007084611360.0, 91440300708461136.0, None, "91330100MA27XKTY07")
    (tmp_path / "a.xlsx").write_bytes(workbook({"客户": sheet(rows)}))
    found = [one.get("identifiers") for one in customers(tmp_path / "a.xlsx")]
    assert [bool(identifiers) for identifiers in found] == [False, False, False, True]


@pytest.mark.parametrize(
    ("cells", "footer"),
    [
        (["合计有限公司", "", ""], False),
        (["合计", "张三", ""], False),
        (["", "合 计", "", "1,000.00"], True),
        (["Total Energies", "", "1"], False),
        (["Grand Total:", "12", ""], True),
        (["审核", "", ""], False),
        (["第 1 页", "", ""], True),
        (["", None, " "], False),
        (["1001", "合计", ""], False),
    ],
)
def test_what_is_a_total_and_what_only_looks_like_one(cells: list[Any], footer: bool) -> None:
    assert is_footer(cells) is footer


def test_only_what_can_be_a_date_becomes_one() -> None:
    assert dated(45000) == "2023-03-15"
    assert dated("45000.25") == "2023-03-15T06:00:00"
    for kept in (30, "30", 20260102, "20260102", "2026-01-02", True, None, 99999, "45000天"):
        assert dated(kept) == kept


def test_only_long_numbers_are_taken_for_numbers() -> None:
    assert whole("1.3800138000E+10") == "13800138000"
    assert whole("1.38e+10") == "1.38e+10"
    for kept in ("2.0", "100.0", "1E+2", "A1.0", "1.5E+3", "13800138000", "12345678.05"):
        assert whole(kept) == kept


def test_unicode_text_under_the_name_of_a_workbook_is_read(tmp_path: Path) -> None:
    saved(tmp_path / "a.xls", table(U8), "utf-16", "\t")
    assert names(tmp_path / "a.xls") == FOUR
