"""What somebody who sees the program for the first time does wrong, and that each is told its place and its remedy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from connectors.manifest import StreamNote, Text
from connectors.registry import ConnectorInfo
from sync.project import LOCK_FILE, STATE_FOLDER
from sync.up import only_one
from tests.cli_kit import kehu

SETTINGS = """\
language: en
connections:
  sheet:
    connector: files
    settings: {streams: {客户 名单: {path: customers.csv, key: id}}, settle_seconds: 0}
    streams: {客户 名单: {mapping: customers.yaml}}
  other:
    connector: files
    settings: {streams: {customers: {path: customers.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml}}
"""


pytestmark = pytest.mark.usefixtures("english")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "customers.csv").write_text("id,name,email\n1,张伟,zhang@example.com\n2,李娜,li@example.com\n")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text("customer:\n  kind: person\n  name: name\n  emails: email\n")
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "following"),
    [
        (["connection", "discover", "sheet"], "kehu connection preview sheet --stream '客户 名单'"),
        (["connection", "preview", "sheet"], "kehu sync run 'sheet.客户 名单'"),
        (["mapping", "preview", "sheet"], "kehu sync run sheet"),
        (["mapping", "check", "other"], "kehu mapping preview other.customers"),
    ],
)
def test_the_command_proposed_next_can_be_typed_whatever_a_stream_is_called(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], following: str
) -> None:
    code, _out, err = kehu(capsys, *arguments)
    assert code == 0, err
    assert err.splitlines()[-1] == f"Next: {following}"


def test_a_paused_connection_does_not_keep_the_others_from_syncing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kehu(capsys, "connection", "pause", "sheet")
    code, out, err = kehu(capsys, "sync", "run")
    assert code == 0
    assert "sheet.客户 名单 is paused and left out." in err
    assert [line.split("\t")[1] for line in out.splitlines()] == ["other.customers"]
    code, _out, err = kehu(capsys, "sync", "run", "sheet", "--lang", "zh")
    assert code == 1
    assert "sheet 已暂停：sheet 已被手动暂停。" in err
    assert "`kehu connection resume sheet`" in err


def test_what_became_of_a_run_is_told_in_the_users_language(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kehu(capsys, "sync", "run", "other")
    assert "运行 1 已经结束：成功。" in kehu(capsys, "sync", "cancel", "1", "--lang", "zh")[2]


def test_a_run_that_is_only_asked_for_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kehu(capsys, "sync", "run", "other", "--no-wait")[1] == "1\n"


def test_a_group_without_a_command_shows_its_help_and_no_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = kehu(capsys, "sync")
    assert (code, out) == (2, "")
    assert err.startswith("Usage: kehu sync")
    assert "Add --help" not in err


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (["sync", "rum"], "there is no command rum. Did you mean 'run'?", "没有命令 rum。是否想写 'run'？"),
        (["sync", "cancel", "x"], "run must be a whole number.", "run 必须是整数。"),
        (
            ["sync", "run", "--jsn"],
            "there is no option --jsn. Did you mean --json?",
            "没有选项 --jsn。是否想写 --json？",
        ),
        (["sync", "list", "--limit", "x"], "--limit must be a whole number.", "--limit 必须是整数。"),
        (["changes", "tail", "--after", "-5"], "--after must not be below 0.", "--after 不得小于 0。"),
        (["mapping", "diff", "sheet", "no.yaml"], "there is no file no.yaml.", "没有文件 no.yaml。"),
    ],
)
def test_a_wrong_value_is_told_in_the_users_language(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], english: str, chinese: str
) -> None:
    code, _out, err = kehu(capsys, *arguments)
    assert code == 2
    assert english in err
    assert chinese in kehu(capsys, "--lang", "zh", *arguments)[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--connection", "x=missing.csv"], "There is no file missing.csv."),
        (["--connection", "x=files", "--connection", "x=sql"], "The connection x is named twice."),
        (["--region", "XX"], "XX cannot be the region."),
        (["--region", "UK"], "UK cannot be the region."),
        (["--broker", "http://localhost:6379"], "cannot be the broker."),
    ],
)
def test_init_refuses_what_would_fail_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code, out, err = kehu(capsys, "init", str(tmp_path / "new"), *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for arguments in (["init", str(tmp_path / "file" / "new")], ["connector", "new", "acme", "--folder", "file/x"]):
        os.chdir(tmp_path)
        code, _out, err = kehu(capsys, *arguments)
        assert code == 1
        assert "cannot be used: Not a directory." in err
        assert "Check that it exists" in err


@pytest.mark.parametrize(("spoken", "place"), [("en", "kehu.yaml, line 9:"), ("zh", "kehu.yaml 第 9 行：")])
def test_a_reference_to_nothing_is_told_wholly_in_the_users_language(
    folder: Path, capsys: pytest.CaptureFixture[str], spoken: str, place: str
) -> None:
    (folder / "kehu.yaml").write_text(
        SETTINGS.replace("{customers: {path: customers.csv", "{customers: {path: '${NO}'")
    )
    kehu(capsys, "sync", "run", "other")
    assert place in kehu(capsys, "sync", "watch", "1", "--lang", spoken)[2]


def test_the_doctor_proposes_what_makes_sense_while_everything_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kehu(capsys, "sync", "run")
    with only_one(folder / STATE_FOLDER / LOCK_FILE):
        assert kehu(capsys, "doctor")[2].splitlines()[-1] == "Next: kehu sync run"


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"no database at all, " * 50, "go back to a backup with `kehu restore`"),
        (None, "Let this user write in the folder"),
    ],
)
def test_a_database_file_that_cannot_be_used_is_not_blamed_on_a_server(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, remedy: str
) -> None:
    database = folder / "elsewhere.db"
    if content is None:
        database.mkdir()
    else:
        database.write_bytes(content)
    (folder / "kehu.yaml").write_text(f"database: sqlite:///{database}\n" + SETTINGS)
    code, _out, err = kehu(capsys, "master", "stats")
    assert code == 5
    assert remedy in err


def test_every_fault_of_a_manifest_is_told_wholly_in_the_users_language(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "connectors").mkdir()
    manifest = "id: acme\ntitle: {en: A, zh: 甲}\nknd: crm\nkind: cmr\nstreems: {}\nbase_url: http://x\n"
    (folder / "connectors" / "acme.yaml").write_text(manifest)
    (folder / "kehu.yaml").write_text("connections:\n  a: {connector: acme}\n")
    err = kehu(capsys, "connection", "test", "--lang", "zh")[2]
    assert "acme.yaml 第 3 行：未知的设置 knd。是否想写 kind？" in err
    assert "acme.yaml 第 5 行：未知的设置 streems。是否想写 streams？" in err
    assert "acme.yaml 第 4 行：kind 不能是 cmr。" in err
    assert "line" not in err


def test_a_mapping_that_was_changed_is_told_to_have_been_applied(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kehu(capsys, "sync", "run", "other")
    mapping = folder / "mappings" / "customers.yaml"
    mapping.write_text(mapping.read_text() + "  language: const\n".replace("const", "{const: zh}"))
    err = kehu(capsys, "sync", "run", "other")[2]
    assert "other.customers: The mapping has changed: 2 stored records were derived again." in err
    assert "The run starts." not in err
    assert "derived again" not in kehu(capsys, "sync", "run", "other")[2]


@pytest.mark.parametrize("arguments", [["sync", "cancel", "1"], ["quarantine", "ignore", "1"], ["db", "migrate"]])
def test_a_dry_run_for_programs_says_as_json_what_it_would_do(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    (folder / "customers.csv").write_text("id,name,email\n1,张伟,zhang@example.com\n2,,\n")
    kehu(capsys, "sync", "run", "other")
    code, out, err = kehu(capsys, *arguments, "--dry-run", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["data"]["dry_run"] is True


def test_a_dry_run_never_says_that_something_was_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kehu(capsys, "connection", "pause", "other", "--dry-run") == (0, "", "Would pause other.\n")
    assert kehu(capsys, "connection", "resume", "other", "--dry-run") == (0, "", "Would resume other.\n")


def test_streams_are_called_as_the_manifest_calls_them_in_the_users_language(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = {"customers": StreamNote(title=Text(en="Customers", zh="客户"))}
    monkeypatch.setattr(ConnectorInfo, "streams", property(lambda _info: declared))
    assert "customers  客户  [" in kehu(capsys, "connection", "discover", "other", "--lang", "zh")[2]
    assert "customers  Customers  [" in kehu(capsys, "connection", "discover", "other")[2]


def test_a_key_that_the_file_lacks_is_told_with_the_commands_to_type(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "kehu.yaml").write_text(SETTINGS.replace("key: id", "key: Number"))
    for command in (["connection", "test", "other"], ["doctor"], ["mapping", "preview", "other"]):
        code, _out, err = kehu(capsys, *command)
        assert code == 3
        assert "`kehu connection test other`" in err
    code, _out, err = kehu(capsys, "sync", "run", "other")
    assert (code, err.splitlines()[-1]) == (3, "Next: kehu doctor")
