"""The command line: data on stdout, messages on stderr, exit codes, languages, no tracebacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from sync.cli.session import Globals
from sync.project import Project
from tests.cli_kit import kehu

ROOT = Path(__file__).parents[3]
SETTINGS = """
language: en
region: CN
connections:
  sheet:
    connector: files
    settings: {streams: {customers: {path: customers.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml}}
"""
ROWS = "id,name,email,phone\n1,张伟,zhang@example.com,13800138000\n2,Zhang Wei,zhang@example.com,13800138000\n"


pytestmark = pytest.mark.usefixtures("english")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text(
        "customer:\n  kind: person\n  name: name\n  emails: [email]\n  phones: [phone]\n"
    )
    (tmp_path / "customers.csv").write_text(ROWS)
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def data(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, object]:
    got, out, err = kehu(capsys, *arguments, "--json")
    assert got == code, err
    body = json.loads(out)
    return body["schema"], body["data"]


def test_a_sync_without_workers_runs_here_and_its_summary_adds_up(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = kehu(capsys, "sync", "run")
    assert code == 0, err
    assert out.split("\t")[1:5] == ["sheet.customers", "succeeded", "2", "2"]
    assert "Read 2 = created 2 + updated 0 + unchanged 0 + quarantined 0 + deleted 0." in err
    assert "The master holds 1 customers from 2 source records." in err
    assert "Next: kehu master stats" in err


def test_a_record_that_does_not_fit_ends_with_4_and_can_be_replayed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "customers.csv").write_text(ROWS + "3,Li Na,,\n4,Wang Wu,,\n")
    mapping = folder / "mappings" / "customers.yaml"
    before = mapping.read_text()
    mapping.write_text(before.replace("name: name", "name: nickname"))
    code, _out, err = kehu(capsys, "sync", "run")
    assert code == 4, err
    schema, found = data(capsys, "quarantine", "list")
    assert schema == "kehu.quarantine/1"
    first = found["records"][0]  # type: ignore[index]
    assert first["message"]
    assert first["remedy"]
    assert kehu(capsys, "quarantine", "show", str(first["id"]))[0] == 0
    mapping.write_text(before)
    assert kehu(capsys, "quarantine", "replay", "--all", "--dry-run")[0] == 0
    assert data(capsys, "quarantine", "replay", str(first["id"]))[1] == {"landed": 1, "failed": []}
    assert kehu(capsys, "quarantine", "ignore", "--all", "--yes", "--note", "junk")[0] == 0
    assert "Nothing is in quarantine." in kehu(capsys, "quarantine", "list")[2]


def test_a_dry_run_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _err = kehu(capsys, "sync", "run", "--dry-run")
    assert (code, out) == (0, "sheet.customers\tincremental\n")
    assert data(capsys, "sync", "list") == ("kehu.runs/1", [])


def test_customers_are_found_by_word_id_and_source_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kehu(capsys, "sync", "run")
    schema, found = data(capsys, "master", "search", "zhang")
    assert schema == "kehu.customers/1"
    (customer,) = found  # type: ignore[misc]
    assert data(capsys, "master", "get", customer["id"])[1]["members"] == 2  # type: ignore[index]
    assert data(capsys, "master", "get", "sheet/customers/2")[1]["id"] == customer["id"]  # type: ignore[index]
    assert data(capsys, "master", "stats")[1]["customers"] == 1  # type: ignore[index]


def test_the_change_feed_is_one_json_object_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kehu(capsys, "sync", "run")
    code, out, _err = kehu(capsys, "changes", "tail", "--after", "0", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["data"]["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert {line["schema"] for line in lines} == {"kehu.change/1"}


def test_mappings_are_checked_previewed_compared_and_drafted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data(capsys, "mapping", "check")[1][0]["error"] == ""  # type: ignore[index]
    rows = data(capsys, "mapping", "preview", "sheet.customers")[1]
    assert rows[0]["customers"][0]["customer"]["name"] == "张伟"  # type: ignore[index]
    other = folder / "other.yaml"
    other.write_text("customer:\n  kind: organisation\n  name: name\n")
    changed = data(capsys, "mapping", "diff", "sheet.customers", str(other))[1]
    assert {change["field"] for change in changed[0]["changes"]} == {"kind", "emails", "phones"}  # type: ignore[index]
    code, out, _err = kehu(capsys, "mapping", "suggest", "sheet.customers", "--dry-run")
    assert code == 0
    assert "emails:" in out


def test_a_faulty_mapping_ends_with_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mappings" / "customers.yaml").write_text("customer:\n  nmae: name\n")
    assert kehu(capsys, "mapping", "check")[0] == 3


def test_connections_are_listed_tested_discovered_and_previewed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data(capsys, "connection", "list")[1][0]["streams"] == ["customers"]  # type: ignore[index]
    assert data(capsys, "connection", "test")[1][0]["ok"] is True  # type: ignore[index]
    streams = data(capsys, "connection", "discover", "sheet")[1]
    assert [field["path"] for field in streams[0]["fields"]] == ["id", "name", "email", "phone"]  # type: ignore[index]
    raw = data(capsys, "connection", "preview", "sheet", "--raw", "--limit", "1")[1]
    assert raw == [
        {"key": "1", "body": {"id": "1", "name": "张伟", "email": "zhang@example.com", "phone": "13800138000"}}
    ]


def test_a_connection_that_fails_its_test_says_why_and_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "customers.csv").unlink()
    code, out, err = kehu(capsys, "connection", "test")
    assert (code, out) == (3, "")
    assert "✗ sheet" in err
    assert "Put the file there" in err


@pytest.mark.slow
def test_a_system_that_does_not_answer_ends_with_5(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "kehu.yaml").write_text(
        "connections:\n  erp:\n    connector: tryton\n    allow_private: [127.0.0.1]\n    settings:\n"
        "      {base_url: 'http://127.0.0.1:1', database: d, user: u, password: c4nary-s3cret}\n"
    )
    code, out, err = kehu(capsys, "connection", "test")
    assert code == 5, err
    assert "c4nary-s3cret" not in out + err


def test_a_missing_secret_ends_with_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "kehu.yaml").write_text(SETTINGS.replace("customers.csv", "'${NOWHERE_SET}'"))
    code, _out, err = kehu(capsys, "connection", "test")
    assert (code, "NOWHERE_SET" in err) == (3, True)


def test_a_connection_can_be_paused_and_resumed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kehu(capsys, "connection", "pause", "sheet")[0] == 0
    code, _out, err = kehu(capsys, "sync", "run")
    assert code == 1
    assert "paused" in err
    assert kehu(capsys, "connection", "resume", "sheet")[0] == 0
    assert kehu(capsys, "sync", "run")[0] == 0


def test_a_backfill_needs_a_range_that_can_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kehu(capsys, "sync", "backfill", "sheet")[0] == 2
    code, _out, err = kehu(capsys, "sync", "backfill", "sheet", "--since", "yesterday")
    assert (code, "Write it like 2024-01-31" in err) == (2, True)


def test_pages_that_were_set_aside_are_tried_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("a fault in matching")

    with monkeypatch.context() as patch:
        patch.setattr("sync.master.resolving.resolve", broken)
        kehu(capsys, "sync", "run")
    project = Project.load(folder)
    with project.database.transaction() as connection:
        landing_id = connection.execute(text("SELECT id FROM landing")).scalar_one()
        connection.execute(text("UPDATE landing SET landed_at = '2020-01-01 00:00:00'"))
        row = {"landing": landing_id, "at": "2020-01-01 00:00:00"}
        connection.execute(text("INSERT OR REPLACE INTO landing_try VALUES (:landing, 3, :at)"), row)
    _, out, err = kehu(capsys, "doctor", "--offline")
    assert "`kehu sync retry-stuck`" in out + err
    assert data(capsys, "sync", "retry-stuck", "--dry-run")[1] == {"pages": 1, "stuck": 1}
    assert data(capsys, "sync", "retry-stuck")[1] == {"pages": 1, "stuck": 0}
    with project.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM crosswalk")).scalar_one() == 2
    project.close()
    assert "0 stored pages" in kehu(capsys, "sync", "retry-stuck")[2]


def test_a_queued_run_can_be_watched_and_cancelled(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema, requested = data(capsys, "sync", "run", "--no-wait")
    assert schema == "kehu.requested/1"
    (number,) = requested["runs"]  # type: ignore[index]
    assert requested["workers_told"] is False  # type: ignore[index]
    assert kehu(capsys, "sync", "cancel", str(number), "--dry-run")[0] == 0
    assert data(capsys, "sync", "cancel", str(number))[1] == {"run": number, "status": "cancelled"}
    assert kehu(capsys, "sync", "watch", str(number))[0] == 130
    assert kehu(capsys, "sync", "cancel", str(number))[0] == 1
    assert kehu(capsys, "sync", "watch", "4711")[0] == 2


def test_reconcile_compares_with_the_source(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kehu(capsys, "sync", "run")
    found = data(capsys, "sync", "reconcile", "sheet")[1]
    assert (found[0]["missing_count"], found[0]["extra_count"]) == (0, 0)  # type: ignore[index]
    (folder / "customers.csv").write_text(ROWS + "3,Li Na,li@example.com,13900139000\n")
    assert data(capsys, "sync", "reconcile", "sheet", code=4)[1][0]["missing"] == ["3"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("bogus",), 2, "there is no command"),
        (("sync", "run", "--bogus"), 2, "there is no option"),
        (("sync", "run", "nowhere"), 2, "There is no connection nowhere. Configured: sheet."),
        (("sync", "run", "sheet.nothing"), 2, "has no stream nothing"),
        (("master", "get", "C0"), 2, "There is no customer C0."),
        (("connector", "show", "fils"), 2, "Did you mean files"),
        (("quarantine", "show", "1"), 2, "There is no record 1"),
        (("quarantine", "replay"), 2, "Name the records, or use --all."),
        (("--project", "/nonexistent", "sync", "run"), 3, "There is no kehu.yaml"),
    ],
)
def test_errors_say_what_is_wrong_and_have_their_code(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    got, out, err = kehu(capsys, *arguments)
    assert (got, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


def test_all_faults_of_the_configuration_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "kehu.yaml").write_text("languag: en\nconections: {}\n")
    code, _out, err = kehu(capsys, "sync", "run")
    assert code == 3
    assert "Did you mean language?" in err
    assert "Did you mean connections?" in err


def test_doctor_tells_findings_as_json_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema, findings = data(capsys, "doctor", "--offline")
    assert schema == "kehu.findings/1"
    assert {"subject", "verdict", "message", "remedy"} == set(findings[0])  # type: ignore[index]


def test_the_database_is_migrated_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "CREATE TABLE" in kehu(capsys, "db", "migrate", "--dry-run")[1]
    assert data(capsys, "db", "migrate")[1]["before"] is None  # type: ignore[index]
    assert "already" in kehu(capsys, "db", "migrate")[2]


def test_what_the_terminal_would_obey_is_not_passed_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "customers.csv").write_text("id,name,email,phone\n1,Evil \x1b[31mName,e@example.com,\n")
    kehu(capsys, "sync", "run")
    _code, out, err = kehu(capsys, "master", "search", "evil")
    assert "\x1b" not in out + err


def test_connectors_are_listed_shown_and_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "files" in {one["id"] for one in data(capsys, "connector", "list")[1]}  # type: ignore[attr-defined,index]
    shown = data(capsys, "connector", "show", "files")[1]
    assert {"name", "required", "secret", "default", "about"} == set(shown["settings"][0])  # type: ignore[index]
    assert kehu(capsys, "connector", "check", "files")[0] == 0


def test_global_options_may_stand_anywhere() -> None:
    given, rest = Globals.extract(["sync", "run", "--lang", "zh", "--project=x", "a", "--debug", "--", "--lang"])
    assert (given.lang, str(given.project), given.debug) == ("zh", "x", True)
    assert rest == ["sync", "run", "a", "--", "--lang"]


def command(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KEHU_LANG": "", **env}
    return subprocess.run(
        [sys.executable, "-m", "sync.cli", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_and_errors_speak_chinese_when_asked(folder: Path) -> None:
    assert "系统" in command("--help", "--lang", "zh", cwd=folder).stdout
    assert "没有" in command("sync", "run", "nowhere", cwd=folder, KEHU_LANG="zh").stderr
    (folder / "kehu.yaml").write_text(SETTINGS.replace("language: en", "language: zh"))
    assert "没有" in command("sync", "run", "nowhere", cwd=folder, LANG="en_US.UTF-8").stderr


def test_a_reader_that_goes_away_is_no_fault(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sync.cli", "connector", "list", "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.wait(30)


def test_no_escape_codes_reach_a_pipe(folder: Path) -> None:
    done = command("doctor", "--offline", cwd=folder)
    assert "\x1b" not in done.stdout + done.stderr
