"""Thousands of malformed files: every row is read or rejected, nothing else than a connector error is raised."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.contract import Page
from connectors.errors import ConnectorError, RecordRejected
from connectors.files.connector import FilesConnector
from tests.connectors.files.reading import connect, pages
from tests.connectors.files.workbook import sheet, workbook

FILES = 2000
LEAK = 2_600
"""Bytes that may be kept of one rejected row: an excerpt of 2,000 characters' worth of ASCII and its frame."""

ROWS = [["客户编号", "名称", "备注"], *([f"{i:03d}", f"南洋贸易{i}号", "note, 1"] for i in range(12))]
NASTY = [
    b"\0", b"\x00\x00\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xc4", b"\x81", b'"', b'""', b"'", b"\\", b"\r", b"\n",
    b",", b"\t", b";", b"\xef\xbb\xbf", b"NaN", b"Infinity", b"-", b"{", b"}", b"[", b"]", b"[" * 2000, b'{"a":' * 500,
    b'"\\ud800"', b"\x1a", b"=cmd|' /C calc'!A0", b"<!DOCTYPE x>", b"%s%n", b"x" * 5000, "，".encode(), b"1e999",
]  # fmt: skip


def csv_bytes(rng: random.Random) -> bytes:
    """A good CSV in one of the encodings in use."""
    text = "\n".join(",".join(f'"{c}"' if "," in c else c for c in row) for row in ROWS)
    return text.encode(rng.choice(["utf-8", "utf-8-sig", "gbk", "utf-16", "gb18030"]))


def json_rows() -> list[dict[str, str]]:
    return [dict(zip(ROWS[0], row, strict=True)) for row in ROWS[1:]]


def jsonl_bytes(rng: random.Random) -> bytes:
    """Good JSON lines."""
    return "\n".join(json.dumps(row, ensure_ascii=rng.random() < 0.5) for row in json_rows()).encode()


def array_bytes(rng: random.Random) -> bytes:
    """A good JSON array."""
    return json.dumps(json_rows(), ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 2])).encode()


def excel_bytes(rng: random.Random) -> bytes:
    """A good Excel file."""
    return workbook({"客户": sheet(ROWS)})


MAKERS: list[tuple[str, Callable[[random.Random], bytes], int]] = [
    ("a.csv", csv_bytes, 4),
    ("a.jsonl", jsonl_bytes, 3),
    ("a.json", array_bytes, 2),
    ("a.xlsx", excel_bytes, 2),
]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content with one to four random injuries."""
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(content) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            content = content[:place]
        elif kind == 1:
            content = content[:place] + content[place + rng.randint(1, 40) :]
        elif kind == 2:
            content = content[:place] + rng.randbytes(rng.randint(1, 30)) + content[place:]
        elif kind == 3:
            content = content[:place] + content[place : place + 200] * rng.randint(2, 5) + content[place:]
        else:
            content = content[:place] + rng.choice(NASTY) + content[place:]
    return content


def consume(found: list[Page]) -> int:
    """Check every page; the number of rows read or rejected."""
    total = 0
    for page in found:
        for record in page.records:
            assert record.key
            assert isinstance(json.loads(record.body), dict)
            record.key.encode()
        for bad in page.rejected:
            assert bad.key
            assert isinstance(bad.reason, RecordRejected)
            assert len(str(bad.reason)) < 1000
            assert len(json.loads(bad.body)["text"]) < 2 * LEAK
            bad.key.encode()
        total += len(page.records) + len(page.rejected)
    return total


def outcome(connector: FilesConnector) -> int | None:
    """Read everything; the number of rows, or None if the file was refused as a whole."""
    try:
        return consume(list(pages(connector)))
    except ConnectorError as error:
        told = str(error)
    assert len(told) < 500
    return None


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_thousands_of_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    rng = random.Random(20240501)
    connector = connect(tmp_path, streams={"s": {"path": "a.*"}})
    makers = [(name, make) for name, make, weight in MAKERS for _ in range(weight)]
    outcomes = {"read": 0, "refused": 0, "rows": 0}
    started = time.process_time()
    for _ in range(FILES):
        name, make = rng.choice(makers)
        (tmp_path / name).write_bytes(damaged(make(rng), rng))
        rows = outcome(connector)
        outcomes["refused" if rows is None else "read"] += 1
        outcomes["rows"] += rows or 0
        (tmp_path / name).unlink()
    assert outcomes["read"] > FILES / 2
    assert outcomes["rows"] > 3 * FILES
    assert outcomes["refused"] > 100
    assert time.process_time() - started < 30


def test_random_bytes_under_every_ending_are_read_or_refused(tmp_path: Path) -> None:
    rng = random.Random(7)
    for name in ("a.csv", "a.tsv", "a.txt", "a.jsonl", "a.json", "a.xlsx", "a.xls", "a.parquet"):
        for size in (0, 1, 2, 7, 100, 5000, 70_000):
            (tmp_path / name).write_bytes(rng.randbytes(size))
            outcome(connect(tmp_path, streams={"s": {"path": name}}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("quotes.csv", b'id,n\n1,"' + b'a,"b\n' * 60_000),
        ("open.csv", b"id,n\n" + b'1,"x\n' * 60_000),
        ("escaped.csv", b'id,n\n1,"a\\"b"\n' + b'2,"a\\"\n' * 60_000),
        ("blank.csv", b"id,n\n" + b"\n" * 500_000),
        ("wide.csv", b"," * 500_000 + b"\n" + b"," * 500_000),
        ("long.csv", b"id,n\n1," + b"x" * 20_000_000 + b"\n2,y\n"),
        ("long.jsonl", b'{"id":1,"n":"' + b"x" * 20_000_000 + b'"}\n{"id":2}\n'),
        ("deep.json", b"[" * 2_000_000),
        ("deep.jsonl", (b"[" * 5000 + b"\n") * 200),
        ("open.json", b'[{"id":1,"n":"' + b"x" * 10_000_000),
        ("commas.json", b"[" + b"," * 1_000_000),
        ("escapes.json", b'[{"id":"' + b"\\\\" * 500_000 + b'"}]'),
    ],
)
@pytest.mark.timeout(20)
def test_files_made_to_cost_much_cost_little(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    started = time.process_time()
    outcome(connect(tmp_path, streams={"s": {"path": name}}))
    assert time.process_time() - started < 8
