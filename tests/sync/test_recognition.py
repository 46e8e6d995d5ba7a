"""Files of well-known systems are mapped without configuration; for others a mapping is proposed."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from connectors.files.exports import known_exports
from sync import language
from sync.cli import run
from sync.project import Project
from tests.connectors.files.exports import SAMPLES, written

SETTINGS = """
region: CN
connections:
  old:
    connector: files
    settings: {path: data, settle_seconds: 0}
    streams: {%s: {}}
"""


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEHU_LANG", "en")
    monkeypatch.chdir(tmp_path)
    language.use("en")


def project_of(folder: Path, name: str, row: dict[str, str], encoding: str = "utf-8") -> Project:
    (folder / "data").mkdir()
    written(folder / "data" / f"{name}.csv", row, encoding)
    (folder / "kehu.yaml").write_text(SETTINGS % name)
    return Project.load(folder)


@pytest.mark.parametrize("export", known_exports())
def test_a_sample_of_every_export_is_mapped_without_configuration(tmp_path: Path, export: str) -> None:
    project = project_of(tmp_path, "customers", SAMPLES[export])
    customers = project.mapping("old", "customers")(SAMPLES[export])
    assert customers
    assert customers[0].customer["name"]


def test_what_the_exports_say_arrives(tmp_path: Path) -> None:
    project = project_of(tmp_path, "kd", SAMPLES["kingdee_customers"], "gbk")
    ((_part, customer),) = project.mapping("old", "kd")(SAMPLES["kingdee_customers"])
    assert customer["name"] == "深圳市蓝海贸易有限公司"
    assert customer["phones"] == [{"value": "+8675526001234", "label": "work"}]
    assert customer["identifiers"] == [{"scheme": "cn.uscc", "value": "91330100MA27XKTY07", "valid": True}]
    assert (customer["status"], customer["currency"], customer["owner"]) == ("active", "CNY", "张三")
    assert customer["source_changed_at"] == "2025-01-01T19:04:05+00:00"


def test_a_disabled_customer_of_u8_is_inactive_from_that_day_on(tmp_path: Path) -> None:
    mapping = project_of(tmp_path, "u8", SAMPLES["yonyou_u8_customers"]).mapping("old", "u8")
    for day, status in (("2020/01/02", "inactive"), ("2999-01-02", "active"), ("", "active")):
        company, contact = mapping({**SAMPLES["yonyou_u8_customers"], "停用日期": day})
        assert company.customer["status"] == status
        assert contact.customer["name"] == "李静"


def test_the_second_row_of_kingdees_template_and_rows_of_details_are_no_customers(tmp_path: Path) -> None:
    row = SAMPLES["kingdee_template"]
    mapping = project_of(tmp_path, "kd", row).mapping("old", "kd")
    assert mapping(row)
    assert not mapping({**row, "FBillHead(BD_Customer)": "*单据头(序号)", "FNumber": "(基本信息)编码"})
    assert not mapping({**dict.fromkeys(row, ""), "FNumber": ""})


def test_mailchimps_yes_and_no_are_told_apart(tmp_path: Path) -> None:
    row = SAMPLES["mailchimp_audience"]
    mapping = project_of(tmp_path, "people", row).mapping("old", "people")
    ((_part, subscribed),) = mapping(row)
    assert [one["granted"] for one in subscribed["consents"]] == [True]
    ((_part, left),) = mapping({**row, "UNSUB_TIME": "2025-02-03 04:05:06"})
    assert [one["granted"] for one in left["consents"]] == [False]


def test_ones_own_mapping_goes_before_the_shipped_one(tmp_path: Path) -> None:
    project = project_of(tmp_path, "customers", SAMPLES["shopify_customers"])
    assert project.is_mapped_by_default("old", "customers")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "own.yaml").write_text("extends: default\ncustomer: {website: Site}\n")
    (tmp_path / "kehu.yaml").write_text((SETTINGS % "customers").replace("{}", "{mapping: own.yaml}"))
    project = Project.load(tmp_path)
    assert project.mapping_file("old", "customers").name == "own.yaml"
    ((_part, customer), _buyer) = project.mapping("old", "customers")({**SAMPLES["shopify_customers"], "Site": "x.com"})
    assert "x.com" in customer["website"]
    assert customer["name"] == "Acme Ltd"


def test_discovery_says_what_was_recognised_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project_of(tmp_path, "customers", SAMPLES["shopify_customers"])
    assert run(["connection", "discover", "old"]) == 0
    assert "Recognised as a Shopify customer export" in capsys.readouterr().err
    monkeypatch.setenv("KEHU_LANG", "zh")
    assert run(["connection", "discover", "old"]) == 0
    assert "已识别为Shopify 客户导出文件" in capsys.readouterr().err


def test_discovery_proposes_a_mapping_for_columns_nobody_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project_of(tmp_path, "customers", {"客户名称": "甲有限公司", "联系人": "王明", "电话": "13800138001"}, "gb18030")
    assert run(["connection", "discover", "old", "--json"]) == 0
    (stream,) = orjson.loads(capsys.readouterr().out)["data"]
    assert stream["recognised"] is None
    assert 'name: "客户名称"' in stream["proposal"]
    assert "part: contact" in stream["proposal"]


def test_a_file_that_is_gone_is_no_export(tmp_path: Path) -> None:
    project = project_of(tmp_path, "customers", SAMPLES["shopify_customers"])
    (tmp_path / "data" / "customers.csv").unlink()
    assert not project.has_mapping("old", "customers")


def test_dedupe_takes_the_mapping_of_a_known_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path / "customers.csv", SAMPLES["shopify_customers"], "utf-8-sig")
    assert run(["dedupe", "customers.csv", "--out", "result"]) == 0
    assert "Recognised as a Shopify customer export" in capsys.readouterr().err
    assert "Default Address Company" in (tmp_path / "result" / "mapping.yaml").read_text()
