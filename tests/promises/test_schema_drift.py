"""Promise: schema drift never corrupts. A removed or retyped field pauses its stream; an added one goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sync import migrations, oneshot
from sync.cli import run as kehu
from sync.overview import streams
from sync.project import Project
from sync.runs.history import RunView
from sync.runs.states import RunMode, Status
from tests.master_kit import consistent

SETTINGS = """
language: en
connections:
  crm:
    connector: files
    settings: {streams: {customers: {path: customers.jsonl, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml}}
"""
MAPPING = "customer:\n  kind: person\n  name: name\n  emails: [contact.email]\n"
COUNT = 60

Row = dict[str, Any]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A company whose customers were synced once, more than a shape is judged by."""
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text(MAPPING)
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    project = Project.load(tmp_path)
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        project.register(connection)
    assert deliver(project, lambda row: row).counts.created == COUNT
    return project


def deliver(project: Project, change: Callable[[Row], Row]) -> RunView:
    """The source delivers all customers, changed in this way, and a sync runs."""
    rows = [
        {"id": number, "name": f"Zhang Wei {number}", "contact": {"email": f"z{number}@example.com"}}
        for number in range(COUNT)
    ]
    lines = "\n".join(json.dumps(change(row)) for row in rows)
    (project.folder / "customers.jsonl").write_text(lines)
    (run_id,) = oneshot.request(project, oneshot.targets(project, []), RunMode.FULL)
    return oneshot.finish(project, [run_id], lambda views: None)[0]


def retyped(row: Row) -> Row:
    return {**row, "contact": {"email": [row["contact"]["email"], "work"]}}


def renamed(row: Row) -> Row:
    return {"id": row["id"], "full_name": row["name"], "contact": row["contact"]}


def removed(row: Row) -> Row:
    return {"id": row["id"], "name": row["name"]}


@pytest.mark.parametrize(
    ("change", "told"),
    [(retyped, "contact.email"), (renamed, "name"), (removed, "contact")],
)
def test_a_field_that_changed_pauses_the_stream_with_a_diff_and_nothing_is_touched(
    project: Project, change: Callable[[Row], Row], told: str
) -> None:
    before = consistent(project.database)
    stopped = deliver(project, change)
    assert (stopped.status, stopped.error_code, stopped.counts.read) == (Status.FAILED, "schema_drift", 0)
    assert stopped.error is not None
    assert told in str(stopped.error.params["diff"])
    with project.database.reading() as connection:
        (stream,) = streams(connection)
    assert stream.paused
    assert told in str(stream.reason)
    assert consistent(project.database) == before
    project.close()


def test_a_retyped_field_goes_on_once_it_is_accepted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(project, retyped)
    monkeypatch.chdir(project.folder)
    mapping = project.folder / "mappings" / "customers.yaml"
    mapping.write_text(MAPPING.replace("contact.email", "'contact.email[0]'"))
    assert kehu(["connection", "discover", "crm", "--accept"]) == 0
    reloaded = Project.load(project.folder)
    went_on = deliver(reloaded, lambda row: retyped(row) | {"name": f"{row['name']} Jr"})
    assert (went_on.status, went_on.counts.updated, went_on.counts.quarantined) == (Status.SUCCEEDED, COUNT, 0)
    with reloaded.database.reading() as connection:
        (stream,) = streams(connection)
    assert not stream.paused
    golden = consistent(reloaded.database)["customers"].values()
    assert {one["emails"][0]["value"] for one in golden} == {f"z{number}@example.com" for number in range(COUNT)}
    reloaded.close()


def test_an_added_field_goes_on_and_is_told(project: Project) -> None:
    run = deliver(project, lambda row: {**row, "vat": f"DE{row['id']}"})
    assert (run.status, run.counts.updated) == (Status.SUCCEEDED, COUNT)
    assert "New fields at the source: vat." in [str(event.text) for event in oneshot.remarks(project, run.id)]
    project.close()
