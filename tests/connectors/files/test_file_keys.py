"""A key that the files do not have is a mistake in the configuration: told at once, with the columns there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.contract import Mode
from connectors.errors import BadConfiguration
from connectors.files.connector import FilesConnector
from tests.connectors.files.reading import one, pages, read

ROWS = "客户编号,公司名称\nK1,华强\nK2,合嘉\n"


@pytest.mark.parametrize(
    "use",
    [
        lambda connector: connector.check(),
        lambda connector: list(pages(connector)),
        lambda connector: list(pages(connector, Mode.INCREMENTAL)),
        lambda connector: list(connector.ids("s")),
    ],
    ids=["check", "full", "incremental", "ids"],
)
def test_a_key_column_that_no_file_has_is_refused(tmp_path: Path, use: Callable[[FilesConnector], object]) -> None:
    (tmp_path / "a.csv").write_bytes(ROWS.encode("gbk"))
    with pytest.raises(BadConfiguration) as raised:
        use(one(tmp_path, "a.csv", key="Number"))
    assert "no column Number" in str(raised.value)
    assert "客户编号, 公司名称" in str(raised.value)


def test_the_nearest_column_is_proposed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Number,Name\n1,A\n")
    with pytest.raises(BadConfiguration, match=r"Did you mean Number\?"):
        one(tmp_path, "a.csv", key="Nummer").check()


def test_rows_without_a_key_are_set_aside_one_by_one_where_others_have_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"name": "A"}\n{"id": "2", "name": "B"}\n')
    bodies, rejected = read(one(tmp_path, "a.jsonl", key="id"))
    assert (list(bodies), len(rejected)) == (["2"], 1)


def test_a_file_without_rows_says_nothing_about_its_key(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Name\n")
    assert read(one(tmp_path, "a.csv", key="Number")) == ({}, [])
