"""The doctor: one finding per check, and a remedy for what is wrong."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sync import migrations
from sync.doctor import Finding, Verdict, examine
from sync.project import LOCK_FILE, Project
from sync.runs import services
from sync.up import only_one

GOOD = """
connections:
  sheet:
    connector: files
    settings: {streams: {customers: {path: customers.csv, key: id}}}
    streams: {customers: {mapping: customers.yaml}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text("customer:\n  kind: person\n  name: name\n")
    (tmp_path / "customers.csv").write_text("id,name\n1,Zhang Wei\n")
    (tmp_path / "kehu.yaml").write_text(GOOD)
    return tmp_path


def wrong(folder: Path) -> list[Finding]:
    return [finding for finding in examine(folder) if finding.verdict is Verdict.WRONG]


def test_a_right_project_has_nothing_wrong(folder: Path) -> None:
    findings = list(examine(folder))
    assert [finding for finding in findings if finding.verdict is Verdict.WRONG] == []
    assert {"python", "kehu.yaml", "database", "broker", "connectors", "sheet"} <= {f.subject for f in findings}


def test_every_fault_of_the_file_is_a_finding_with_a_remedy(folder: Path) -> None:
    (folder / "kehu.yaml").write_text("languag: en\nconections: {}\n")
    found = wrong(folder)
    assert [finding.message.partition(":")[0] for finding in found] == ["kehu.yaml, line 1", "kehu.yaml, line 2"]
    assert all(finding.remedy for finding in found)


def test_shown_wrong_corrected_right(folder: Path) -> None:
    (folder / "customers.csv").rename(folder / "moved.csv")
    (found,) = wrong(folder)
    assert found.subject == "sheet"
    assert found.remedy
    (folder / "moved.csv").rename(folder / "customers.csv")
    assert wrong(folder) == []


def test_a_faulty_mapping_is_found_and_the_other_checks_go_on(folder: Path) -> None:
    (folder / "mappings" / "customers.yaml").write_text("customer:\n  kind: person\n  nmae: name\n")
    (found,) = wrong(folder)
    assert found.subject == "sheet"
    assert "customers.yaml" in found.message
    assert "line 3" in found.message


def test_a_missing_secret_stops_one_connection_only(folder: Path) -> None:
    more = GOOD + "  other:\n    connector: files\n    settings: {path: '${NOWHERE_SET}'}\n    streams: {a: {}}\n"
    (folder / "kehu.yaml").write_text(more)
    (found,) = wrong(folder)
    assert (found.subject, "NOWHERE_SET" in found.message) == ("other", True)


def test_what_stands_still_is_a_warning_with_its_reason(folder: Path) -> None:
    project = Project.load(folder)
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        project.register(connection)
        services.pause_connection(connection, "sheet")
    project.close()
    (found,) = [finding for finding in examine(folder) if finding.verdict is Verdict.WARNING]
    assert found.subject == "sheet.customers"
    assert "paused by hand" in found.message
    assert "`kehu connection resume sheet`" in found.remedy


def test_secrets_that_others_can_read_are_a_warning(folder: Path) -> None:
    (folder / ".env").write_text("A=1\n")
    (folder / ".env").chmod(0o644)
    (found,) = [finding for finding in examine(folder) if finding.verdict is Verdict.WARNING]
    assert (found.subject, found.remedy) == (".env", "Run `chmod 600 .env`.")


def test_a_database_and_a_broker_that_are_not_there_are_wrong(folder: Path) -> None:
    (folder / "kehu.yaml").write_text(
        GOOD + "database: postgresql://u:hunter2@127.0.0.1:1/none\nbroker: redis://127.0.0.1:1/0\n"
    )
    found = wrong(folder)
    assert {finding.subject for finding in found} >= {"database", "broker"}
    assert "hunter2" not in str(found)


@pytest.mark.services
def test_a_shared_database_is_migrated_by_command_only(folder: Path, postgres_url: str) -> None:
    (folder / "kehu.yaml").write_text(GOOD + f"database: {postgres_url}\n")
    found = [finding for finding in wrong(folder) if finding.subject == "database"]
    assert [finding.remedy for finding in found] == ["Run `kehu db migrate`."]


def test_a_port_that_another_program_has_taken_is_wrong(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (folder / "kehu.yaml").write_text(f"web: {{port: {port}}}\n{GOOD}")
        (found,) = wrong(folder)
        assert (found.subject, found.message) == ("web", f"Port {port} is in use by another program.")
        with only_one(Project.load(folder).state_folder / LOCK_FILE):
            assert wrong(folder) == []


def test_a_database_file_that_is_none_is_told_in_our_words(folder: Path) -> None:
    (folder / ".kehu").mkdir()
    (folder / ".kehu" / "kehu.db").write_bytes(b"no database" * 1000)
    assert {found.message for found in wrong(folder)} == {"The database cannot be used: file is not a database."}


def test_a_state_folder_that_cannot_be_made_is_told_with_its_place(folder: Path) -> None:
    (folder / ".kehu").write_text("")
    found = wrong(folder)
    assert found
    assert {finding.message for finding in found} == {f"The folder {folder / '.kehu'} cannot be used: File exists."}


def test_a_country_that_there_is_not_is_a_warning(folder: Path) -> None:
    (folder / "kehu.yaml").write_text("region: XX\n" + GOOD)
    (found,) = [one for one in examine(folder, online=False) if one.verdict is Verdict.WARNING]
    assert found.message == "region is XX, and there is no such country."


def test_a_database_that_cannot_be_reached_is_told_once(folder: Path) -> None:
    (folder / "kehu.yaml").write_text("database: postgresql://kehu:x@127.0.0.1:1/kehu\n" + GOOD)
    assert [one.subject for one in wrong(folder)] == ["database"]
