"""A project: what is made from kehu.yaml, and how it comes into the tables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.errors import BadConfiguration
from mappings.errors import SpecError
from sync import migrations
from sync.database import Database
from sync.errors import ConfigurationFaults, NotFound
from sync.project import Project
from sync.runs.tables import connection as connections
from sync.runs.tables import schedule, stream_state

ONE_SHEET = """
region: CN
connections:
  sheet:
    connector: files
    every: 10m
    settings:
      streams: {customers: {path: customers.csv, key: id}}
    streams:
      customers: {mapping: customers.yaml}
"""
MAPPING = "customer:\n  kind: person\n  name: name\n  phones: [phone]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text(MAPPING)
    (tmp_path / "customers.csv").write_text("id,name,phone\n1,张伟,13800138000\n")
    (tmp_path / "kehu.yaml").write_text(ONE_SHEET)
    return tmp_path


def names(project: Project) -> list[tuple[str, str, str]]:
    with project.database.reading() as connection:
        rows = connection.execute(
            select(connections.c.name, stream_state.c.name, stream_state.c.state)
            .join(connections, connections.c.id == stream_state.c.connection_id)
            .order_by(stream_state.c.id)
        )
        return [tuple(row) for row in rows]


def register(project: Project) -> None:
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        project.register(connection)


def test_the_embedded_parts_live_in_a_private_folder_of_the_project(folder: Path) -> None:
    project = Project.load(folder)
    assert project.database_url == f"sqlite:///{folder}/.kehu/kehu.db"
    assert project.broker.url.startswith("unix:///")
    assert (folder / ".kehu").stat().st_mode & 0o077 == 0


def test_a_long_path_still_has_a_broker_socket_that_fits(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90) / ("y" * 90)
    deep.mkdir(parents=True)
    (deep / "kehu.yaml").write_text("language: en\n")
    socket = Project.load(deep).broker.socket
    assert len(os.fsencode(socket)) <= 100
    assert socket.parent.stat().st_mode & 0o077 == 0


def test_a_connection_opens_with_its_secrets_resolved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEET", "customers.csv")
    (folder / "kehu.yaml").write_text(ONE_SHEET.replace("path: customers.csv", "path: '${SHEET}'"))
    connector = Project.load(folder).open("sheet")
    assert "customers" in connector.check().message or connector.check().details
    connector.close()


def test_wrong_settings_of_a_connector_are_told_in_the_file_all_at_once(folder: Path) -> None:
    (folder / "kehu.yaml").write_text(
        ONE_SHEET.replace("{path: customers.csv, key: id}", "{pth: customers.csv, formt: csv}")
    )
    with pytest.raises(ConfigurationFaults) as caught:
        Project.load(folder).open("sheet")
    told = [str(fault) for fault in caught.value.faults]
    assert any("kehu.yaml, line 8: unknown setting" in line and "Did you mean path?" in line for line in told)
    assert any("formt" in line and "Did you mean format?" in line for line in told)
    assert all(fault.params["connection"] == "sheet" for fault in caught.value.faults)


def test_an_unknown_connector_and_an_unknown_connection_name_what_there_is(folder: Path) -> None:
    (folder / "kehu.yaml").write_text(ONE_SHEET.replace("connector: files", "connector: fils"))
    project = Project.load(folder)
    with pytest.raises(BadConfiguration, match="Did you mean files"):
        project.open("sheet")
    with pytest.raises(NotFound, match="Configured: sheet"):
        project.open("shet")


def test_a_mapping_takes_region_and_file_from_the_project(folder: Path) -> None:
    (mapped,) = Project.load(folder).mapping("sheet", "customers")({"name": "张伟", "phone": "13800138000"})
    assert mapped.customer["phones"] == [{"value": "+8613800138000"}]


def test_a_stream_without_a_mapping_says_what_to_write(folder: Path) -> None:
    (folder / "kehu.yaml").write_text(ONE_SHEET.replace("{mapping: customers.yaml}", "{}"))
    with pytest.raises(BadConfiguration, match="the stream customers of sheet needs a mapping"):
        Project.load(folder).mapping("sheet", "customers")


def test_a_mapping_file_that_is_missing_is_named_with_its_line(folder: Path) -> None:
    (folder / "mappings" / "customers.yaml").unlink()
    with pytest.raises(BadConfiguration, match=r"kehu.yaml, line 10: there is no mapping file mappings/customers.yaml"):
        Project.load(folder).mapping("sheet", "customers")


def test_survivorship_rules_are_checked(folder: Path) -> None:
    (folder / "kehu.yaml").write_text(ONE_SHEET + "survivorship: {default: most_complete, name: source_priority}\n")
    assert Project.load(folder).survivorship.rule("name") == "source_priority"
    (folder / "kehu.yaml").write_text(ONE_SHEET + "survivorship: {name: newest}\n")
    with pytest.raises(SpecError, match="newest"):
        _ = Project.load(folder).survivorship


def test_a_database_url_that_makes_no_sense_is_told_without_its_password(folder: Path) -> None:
    (folder / "kehu.yaml").write_text("database: 'oracle+nonsense://u:hunter2@h/d'\n")
    with pytest.raises(BadConfiguration) as caught:
        _ = Project.load(folder).database
    assert "hunter2" not in str(caught.value) + caught.value.remedy


def test_registering_is_idempotent_and_numbers_follow_the_file(folder: Path) -> None:
    two = (
        ONE_SHEET + "  other:\n    connector: files\n    settings: {path: .}\n    streams: {a: {}, b: {every: never}}\n"
    )
    (folder / "kehu.yaml").write_text(two)
    project = Project.load(folder)
    register(project)
    register(project)
    assert names(project) == [
        ("sheet", "customers", "active"),
        ("other", "a", "active"),
        ("other", "b", "active"),
    ]
    with project.database.reading() as connection:
        every = dict(connection.execute(select(schedule.c.stream_id, schedule.c.every_seconds)).all())
    assert every == {1: 600, 2: 900}
    project.close()


def test_what_is_removed_is_marked_and_comes_back_with_its_number(folder: Path) -> None:
    project = Project.load(folder)
    register(project)
    (folder / "kehu.yaml").write_text("connections: {}\n")
    emptied = Project.load(folder)
    register(emptied)
    assert names(emptied) == [("sheet", "customers", "paused")]
    with emptied.database.reading() as connection:
        assert connection.execute(select(connections.c.removed_at)).scalar_one() is not None
        assert connection.execute(select(schedule)).all() == []
    (folder / "kehu.yaml").write_text(ONE_SHEET)
    again = Project.load(folder)
    register(again)
    assert names(again) == [("sheet", "customers", "active")]
    with again.database.reading() as connection:
        assert connection.execute(select(connections.c.removed_at)).scalar_one() is None
    for one in (project, emptied, again):
        one.close()


@pytest.mark.services
def test_registering_works_on_postgresql(folder: Path, postgres_url: str) -> None:
    (folder / "kehu.yaml").write_text(ONE_SHEET + f"database: {postgres_url}\n")
    project = Project.load(folder)
    register(project)
    register(project)
    assert names(project) == [("sheet", "customers", "active")]
    assert isinstance(project.database, Database)
    project.close()


def test_who_has_a_mapping_of_ones_own_does_not_look_into_the_source_for_a_shipped_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(Project, "open", lambda self, name: opened.append(name))
    project = Project.load(folder)
    assert project.mapping("sheet", "customers")
    assert project.has_own_mapping("sheet", "customers")
    assert not project.is_mapped_by_default("sheet", "customers")
    assert opened == []
