"""What a newcomer is told: the next command as it can be typed, and the remedy for the likeliest mistakes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sync.cli import console
from sync.up import only_one
from tests.cli_kit import kehu

SETTINGS = """
language: en
connections:
  sheet:
    connector: files
    settings: {streams: {customers: {path: customers.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml}}
"""


pytestmark = pytest.mark.usefixtures("english")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "customers.csv").write_text("id,name,email\n1,张伟,zhang@example.com\n2,李娜,li@example.com\n")
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_next_command_names_the_project_as_we_were_told_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    _code, _out, err = kehu(capsys, "-C", folder.name, "connection", "list")
    assert f"Next: kehu -C {folder.name} connection test" in err


def test_the_next_command_names_a_program_that_the_shell_would_not_find(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / ".venv" / "bin" / "kehu"
    program.parent.mkdir(parents=True)
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.defpath)
    console.begin(str(program), Path("my company"))
    console.next_step("kehu doctor")
    monkeypatch.setenv("PATH", str(program.parent))
    console.begin(str(program), Path())
    console.next_step("kehu doctor")
    assert capsys.readouterr().err.splitlines() == [
        "Next: .venv/bin/kehu -C 'my company' doctor",
        "Next: kehu doctor",
    ]


@pytest.mark.parametrize("given", ["fr", "", "english"])
def test_an_unknown_language_is_refused_with_what_is_allowed(
    folder: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    code, _out, err = kehu(capsys, "--lang", given, "connection", "list")
    assert code == 2
    assert "Write --lang en or --lang zh." in err


def test_without_a_mapping_the_preview_shows_the_records_and_proposes_to_draft_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = kehu(capsys, "connection", "preview", "sheet.customers")
    assert code == 0, err
    assert "张伟" in out
    assert "Next: kehu mapping suggest sheet.customers" in err


def test_a_missing_mapping_file_is_told_with_the_command_that_drafts_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _out, err = kehu(capsys, "mapping", "check")
    assert code == 3
    assert "kehu.yaml, line 7" in err
    assert "Draft one with `kehu mapping suggest sheet.customers`" in err


def test_an_unknown_stream_is_told_where_streams_are_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _out, err = kehu(capsys, "sync", "run", "sheet.nix")
    assert code == 2
    assert "connections.sheet.streams in kehu.yaml" in err


def test_a_connection_whose_connector_is_unknown_is_not_listed_as_ok(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "kehu.yaml"
    path.write_text(path.read_text().replace("connector: files", "connector: fles"))
    code, out, _err = kehu(capsys, "connection", "list")
    assert code == 0
    assert "There is no connector fles." in out


def test_init_says_what_it_assumed_and_quotes_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _out, err = kehu(capsys, "init", "my company", "--yes", "--region", "cn")
    assert code == 0, err
    assert "read as CN, times without a zone as UTC" in err
    assert "Next: cd 'my company' && kehu doctor" in err


def test_init_says_how_a_region_and_a_time_zone_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _out, err = kehu(capsys, "init", str(tmp_path / "a"), "--yes", "--region", "China")
    assert code == 2
    assert "two letters" in err
    code, _out, err = kehu(capsys, "init", str(tmp_path / "a"), "--yes", "--time-zone", "Beijing")
    assert code == 2
    assert "Asia/Shanghai" in err
    assert not (tmp_path / "a").exists()


def test_a_change_tells_whom_it_is_about(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mappings").mkdir()
    mapping = folder / "mappings" / "customers.yaml"
    mapping.write_text("customer:\n  kind: person\n  name: name\n  emails: [email]\n")
    assert kehu(capsys, "sync", "run")[0] == 0
    (folder / "customers.csv").write_text("id,name,email\n1,张伟,zhang@example.com\n2,李娜,li.na@example.com\n")
    assert kehu(capsys, "sync", "run")[0] == 0
    lines = kehu(capsys, "changes", "tail")[1].splitlines()
    assert sorted(line.rsplit(maxsplit=1)[-1] for line in lines[:2]) == sorted(["张伟", "李娜"])
    assert lines[2].endswith("emails")


def test_no_link_is_made_to_a_dashboard_that_was_killed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = folder / ".kehu"
    state.mkdir()
    (state / "web.port").write_text("8600")
    code, out, err = kehu(capsys, "up", "--link")
    assert (code, out) == (1, "")
    assert "The dashboard does not run." in err
    with only_one(state / "up.lock"):
        assert kehu(capsys, "up", "--link")[1].startswith("http://127.0.0.1:8600/enter?token=")


def test_a_running_example_is_not_made_anew_under_its_feet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "demo" / ".kehu"
    state.mkdir(parents=True)
    with only_one(state / "up.lock"):
        code, _out, err = kehu(capsys, "demo", "--folder", str(tmp_path / "demo"))
    assert code == 1
    assert "is running already" in err
    assert not (tmp_path / "demo" / "truth.csv").exists()


def test_a_field_that_no_record_has_is_told_with_the_nearest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mappings").mkdir()
    mapping = folder / "mappings" / "customers.yaml"
    mapping.write_text("customer:\n  kind: person\n  name: nam\n  emails: [email]\n")
    code, _out, err = kehu(capsys, "mapping", "preview", "sheet.customers", "-n", "1")
    assert code == 0
    assert "None of 2 records has the field nam. Did you mean name?" in err
    mapping.write_text("customer:\n  kind: person\n  name: name\n  emails: [email]\n")
    assert "None of" not in kehu(capsys, "mapping", "preview", "sheet.customers", "-n", "1")[2]


def test_a_row_that_was_refused_while_reading_is_not_proposed_for_replay(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mappings").mkdir()
    (folder / "mappings" / "customers.yaml").write_text("customer:\n  kind: person\n  name: name\n")
    (folder / "customers.csv").write_text("id,name\n1,张伟\n1,李娜\n")
    assert kehu(capsys, "sync", "run")[0] == 4
    code, _out, err = kehu(capsys, "quarantine", "show", "1")
    assert code == 0
    assert "Next: kehu sync run sheet.customers" in err
    code, _out, err = kehu(capsys, "quarantine", "replay", "1")
    assert code == 4
    assert "An earlier row of the file has the same key 1." in err


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (["nix"], "there is no command nix.", "没有命令 nix。"),
        (["sync", "run", "--nix"], "there is no option --nix.", "没有选项 --nix。"),
        (["sync", "backfill"], "target must be given.", "必须给出 target。"),
        (["connection", "discover", "a", "b"], "b is too much.", "b 是多余的。"),
    ],
)
def test_a_mistyped_command_is_told_in_the_users_language(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], english: str, chinese: str
) -> None:
    code, _out, err = kehu(capsys, *arguments)
    assert code == 2
    assert english in err
    assert chinese in kehu(capsys, "--lang", "zh", *arguments)[2]


def test_a_new_folder_of_files_lacks_only_the_file_and_explains_settings_in_the_users_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "mine"
    assert kehu(capsys, "--lang", "zh", "init", str(made), "--yes", "--connection", "sheet=files")[0] == 0
    text = (made / "kehu.yaml").read_text(encoding="utf-8")
    assert "streams: {customers: {key: id, path: customers.csv}}" in text
    assert "Allow paths outside" not in text
    err = kehu(capsys, "-C", str(made), "--lang", "en", "connection", "test")[2]
    assert "No file matches customers.csv." in err
