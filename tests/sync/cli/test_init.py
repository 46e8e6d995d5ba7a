"""`kehu init`: a folder that works at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.registry import load_registry
from sync import language
from sync.cli import run
from sync.cli.skeleton import Wanted, files, variable
from sync.project import Project
from sync.settings import load_settings
from tests.connectors.files.exports import SAMPLES, written


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEHU_LANG", "en")
    monkeypatch.chdir(tmp_path)
    language.use("en")


def test_the_folder_is_a_project_and_its_secrets_stay_out_of_version_control(tmp_path: Path) -> None:
    assert run(["init", "shop", "--region", "CN", "--time-zone", "Asia/Shanghai"]) == 0
    project = Project.load(tmp_path / "shop")
    assert (project.settings.region, project.settings.time_zone) == ("CN", "Asia/Shanghai")
    assert ".env" in (tmp_path / "shop" / ".gitignore").read_text().splitlines()
    assert (tmp_path / "shop" / ".env").stat().st_mode & 0o077 == 0


def test_urls_are_written_down(tmp_path: Path) -> None:
    assert run(["init", "shop", "--database", "postgresql://u:${PW}@h/d", "--broker", "redis://h:1/0"]) == 0
    settings, _ = load_settings(tmp_path / "shop" / "kehu.yaml")
    assert (settings.database, settings.broker) == ("postgresql://u:${PW}@h/d", "redis://h:1/0")


def test_every_connector_gets_a_skeleton_that_can_be_read(tmp_path: Path) -> None:
    registry = load_registry()
    for info in registry:
        if info.broken is not None:
            continue
        for lang in language.LANGUAGES:
            made = files(Wanted(language=lang, connections={"my-system": info.id}), registry)
            path = tmp_path / "kehu.yaml"
            path.write_text(made["kehu.yaml"], encoding="utf-8")
            settings, _ = load_settings(path)
            assert settings.connections["my-system"].connector == info.id
            assert settings.connections["my-system"].streams


def test_secret_settings_are_references_and_stand_in_the_env_file() -> None:
    registry = load_registry()
    secret = [
        info.id
        for info in registry
        if info.broken is None and any("Secret" in str(f.annotation) for f in info.config_model.model_fields.values())
    ]
    assert secret, "no connector takes a secret"
    made = files(Wanted(connections={"erp": secret[0]}), registry)
    (first, *_rest) = made[".env"].splitlines()
    assert f"${{{first.removesuffix('=')}}}" in made["kehu.yaml"]


def test_a_project_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kehu.yaml").write_text("language: en\n")
    assert run(["init", "."]) == 2
    assert "is a project already" in capsys.readouterr().err
    assert (tmp_path / "kehu.yaml").read_text() == "language: en\n"


def test_a_dry_run_makes_nothing(tmp_path: Path) -> None:
    assert run(["init", "shop", "--dry-run"]) == 0
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--region", "China"],
        ["--time-zone", "Beijing"],
        ["--connection", "nothing"],
        ["--connection", "bad name=files"],
    ],
)
def test_wrong_answers_are_refused(arguments: list[str]) -> None:
    assert run(["init", "shop", *arguments]) == 2


def test_variables_are_made_of_letters_digits_and_underscores() -> None:
    assert variable("my-shop", "api_key") == "MY_SHOP_API_KEY"
    assert variable("1c", "key") == "_1C_KEY"
    assert variable("客户", "key") == "___KEY"


@pytest.mark.parametrize("place", [".", "shop/data"])
def test_a_file_begins_a_connection_with_what_it_was_recognised_as(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    file = written(tmp_path / place / "customers.csv", SAMPLES["shopify_customers"], "utf-8-sig")
    assert run(["init", "shop", "--connection", f"old={file}"]) == 0
    assert "old: Recognised as a Shopify customer export" in capsys.readouterr().err
    project = Project.load(tmp_path / "shop")
    assert project.streams("old") == ["customers"]
    assert project.mapping_file("old", "customers").name == "shopify_customers.yaml"


@pytest.mark.slow
def test_a_file_nobody_knows_begins_with_a_draft(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "客户 2025.csv", {"客户名称": "甲有限公司", "电话": "13800138001"}, "gb18030")
    assert run(["init", "shop", "--connection", f"old={file.name}"]) == 0
    assert "A mapping was drafted" in capsys.readouterr().err
    project = Project.load(tmp_path / "shop")
    ((_part, customer),) = project.mapping("old", "客户 2025")({"客户名称": "甲有限公司", "电话": "13800138001"})
    assert customer["name"] == "甲有限公司"


def test_a_file_that_cannot_be_read_makes_no_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 this is no workbook")
    assert run(["init", "shop", "--connection", "old=broken.xlsx"]) != 0
    assert "broken.xlsx" in capsys.readouterr().err
    assert not (tmp_path / "shop").exists()
