"""Exports of well-known systems are recognised by their columns, in whatever format and encoding they come."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Context, Read
from connectors.files.config import FilesConfig
from connectors.files.connector import FilesConnector
from connectors.files.exports import FOLDER, known_exports, recognise
from tests.connectors.files.exports import SAMPLES, written
from tests.connectors.files.workbook import sheet, workbook


def connector(folder: Path, **settings: Any) -> FilesConnector:
    return FilesConnector(FilesConfig.model_validate(settings), Context("old", folder=folder))


def test_every_known_export_has_a_sample_and_a_mapping_that_is_there() -> None:
    assert set(SAMPLES) == set(known_exports())
    for known in known_exports().values():
        assert (FOLDER / known.mapping).is_file(), known.mapping
    used = {(FOLDER / known.mapping).resolve() for known in known_exports().values()}
    assert {path for path in FOLDER.glob("*.yaml") if path.name != "known.yaml"} <= used


@pytest.mark.parametrize("export", SAMPLES)
def test_an_export_is_recognised_as_itself_and_by_nothing_less(export: str) -> None:
    found = recognise(SAMPLES[export])
    assert found is not None
    assert found.id == export
    needed = known_exports()[export].columns
    for one in needed:
        gone = {one} if isinstance(one, str) else set(one)
        less = recognise(set(SAMPLES[export]) - gone)
        assert less is None or less.id != export


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gbk", "utf-16"])
def test_the_encoding_does_not_matter(tmp_path: Path, encoding: str) -> None:
    written(tmp_path / "customers.csv", SAMPLES["kingdee_customers"], encoding)
    (stream,) = connector(tmp_path, path="customers.csv").discover()
    assert stream.mapping == "exports/kingdee_customers.yaml"


def test_workbooks_with_a_title_above_the_columns_are_recognised_too(tmp_path: Path) -> None:
    row = SAMPLES["yonyou_u8_customers"]
    rows = [["客户档案"], list(row), list(row.values())]
    (tmp_path / "客户档案.xlsx").write_bytes(workbook({"客户档案": sheet(rows)}))
    (stream,) = connector(tmp_path, path="客户档案.xlsx").discover()
    assert stream.mapping == "exports/yonyou_u8_customers.yaml"


def test_an_export_with_the_fields_of_the_interface_takes_the_mapping_of_that_connector(tmp_path: Path) -> None:
    written(tmp_path / "accounts.csv", SAMPLES["salesforce_accounts"], "utf-8")
    (stream,) = connector(tmp_path, path="accounts.csv").discover()
    assert stream.mapping == "../salesforce/mapping_accounts.yaml"


def test_other_files_name_no_mapping(tmp_path: Path) -> None:
    written(tmp_path / "customers.csv", {"客户名称": "甲", "电话": "1"}, "gbk")
    (stream,) = connector(tmp_path, path="customers.csv").discover()
    assert stream.mapping is None


def test_the_export_says_which_column_is_the_key_unless_its_values_repeat(tmp_path: Path) -> None:
    row = SAMPLES["woocommerce_customers"]
    path = written(tmp_path / "customers.csv", row, "utf-8")
    page, *_rest = connector(tmp_path, path=path.name, settle_seconds=0).read(Read("customers"))
    assert [record.key for record in page.records] == [row["Email"]]
    with path.open("a", newline="") as file:
        csv.writer(file).writerow(row.values())
    page = next(iter(connector(tmp_path, path=path.name, settle_seconds=0).read(Read("customers"))))
    assert row["Email"] not in {record.key for record in page.records}
