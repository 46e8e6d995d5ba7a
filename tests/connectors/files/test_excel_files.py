"""Excel: values as they were meant, and archives that would hurt refused before they are unpacked."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from connectors.errors import BadConfiguration
from tests.connectors.files.reading import one, read, rows_of
from tests.connectors.files.workbook import cell, sheet, workbook

ROWS = [["客户编号", "Name", "Phone"], ["007", "张伟", 13800138000], ["008", "Anna", None]]


def test_a_sheet_is_read_with_text_as_text_and_whole_numbers_as_integers(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a.xlsx", workbook({"S": sheet(ROWS)}))
    assert rows == [
        {"客户编号": "007", "Name": "张伟", "Phone": 13800138000},
        {"客户编号": "008", "Name": "Anna", "Phone": None},
    ]
    assert type(rows[0]["Phone"]) is int


def test_dates_are_iso_and_formulas_only_values(tmp_path: Path) -> None:
    formula = '<c r="D2"><f>HYPERLINK("http://x")</f><v>3</v></c><c r="E2" t="e"><v>#REF!</v></c>'
    content = sheet([["id", "day", "at", "sum", "error"]]) + (
        f'<row r="2">{cell(1, 2, "1")}{cell(2, 2, 45000, 1)}{cell(3, 2, 45000.5, 2)}{formula}</row>'
    )
    (row,) = rows_of(tmp_path, "a.xlsx", workbook({"S": content}))
    assert row == {"id": "1", "day": "2023-03-15", "at": "2023-03-15T12:00:00", "sum": 3, "error": None}


def test_a_sheet_is_chosen_by_name_or_number_and_titles_are_passed_over(tmp_path: Path) -> None:
    titled = sheet([["广交会联系人"], [], *ROWS])
    book = workbook({"Cover": sheet([["nothing", "here"], ["a", "b"]]), "客户": titled})
    for choice in ("客户", 2):
        assert [row["客户编号"] for row in rows_of(tmp_path, "a.xlsx", book, sheet=choice)] == ["007", "008"]
    with pytest.raises(BadConfiguration, match="Cover, 客户"):
        read(one(tmp_path, "a.xlsx", sheet="None"))


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04junk", b"hello", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 600]
)
def test_what_is_no_excel_file_is_refused_clearly(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(BadConfiguration, match="damaged, encrypted or no Excel file"):
        read(one(tmp_path, "a.xlsx"))


def test_a_truncated_excel_file_is_refused_at_any_length(tmp_path: Path) -> None:
    book = workbook({"S": sheet(ROWS)})
    for length in range(0, len(book), 97):
        (tmp_path / "a.xlsx").write_bytes(book[:length])
        with pytest.raises(BadConfiguration):
            read(one(tmp_path, "a.xlsx"))


def refused(folder: Path, content: bytes, limits: dict[str, int] | None = None) -> str:
    """The reason why a file is refused, with small limits."""
    from tests.connectors.files.reading import connect

    (folder / "a.xlsx").write_bytes(content)
    with pytest.raises(BadConfiguration) as caught:
        read(connect(folder, streams={"s": {"path": "a.xlsx"}}, limits=limits or {}))
    return str(caught.value)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    bomb = workbook({"S": sheet(ROWS)}, {"xl/sharedStrings.xml": b"<sst>" + b"0" * 40_000_000})
    assert "ratio" in refused(tmp_path, bomb)
    assert "unpacked size" in refused(tmp_path, bomb, {"unpacked_mb": 10})


def test_a_zip_bomb_that_declares_a_small_size_is_refused(tmp_path: Path) -> None:
    bomb = workbook({"S": sheet(ROWS)}, {"xl/media/a.bin": b"0" * 40_000_000})
    lying = bomb.replace(struct.pack("<I", 40_000_000), struct.pack("<I", 100))
    assert lying != bomb
    assert "ratio" in refused(tmp_path, lying)


def test_parts_that_overlap_are_refused(tmp_path: Path) -> None:
    book = bytearray(workbook({"S": sheet(ROWS)}, {"xl/media/a.bin": b"0" * 3_000}))
    directory = book.index(b"PK\x01\x02")
    second = book.index(b"PK\x01\x02", directory + 4)
    book[second + 42 : second + 46] = struct.pack("<I", 0)
    assert "damaged" in refused(tmp_path, bytes(book))


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    book = workbook({"S": sheet(ROWS)}, {f"x/{i}.bin": b"" for i in range(300)})
    assert "number of parts" in refused(tmp_path, book, {"entries": 200})


def test_a_sheet_with_a_cell_in_its_last_corner_is_refused(tmp_path: Path) -> None:
    corner = sheet(ROWS) + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    assert "number of cells" in refused(tmp_path, workbook({"S": corner}))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_document_types_and_external_entities_are_refused(tmp_path: Path, encoding: str) -> None:
    evil = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><sst>&e;</sst>'.encode(encoding)
    assert "document type" in refused(tmp_path, workbook({"S": sheet(ROWS)}, {"xl/sharedStrings.xml": evil}))


def test_an_archive_inside_the_archive_is_never_opened(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"0" * 50_000_000)
    book = workbook({"S": sheet(ROWS)}, {"xl/embeddings/inner.xlsx": inner.getvalue()})
    assert len(rows_of(tmp_path, "a.xlsx", book)) == 2


def test_a_file_over_the_limit_is_not_opened(tmp_path: Path) -> None:
    assert "larger than 1 MB" in refused(tmp_path, b"0" * 1_100_000, {"excel_mb": 1})
