"""Which streams words mean, and running without workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from connectors.errors import StreamBroken
from sync import children, migrations, oneshot
from sync.demo import NoExample, generate
from sync.errors import Misused, NotFound, Refused
from sync.matching import switching
from sync.oneshot import Target
from sync.project import Project
from sync.runs import lease
from sync.runs.history import RunView
from sync.runs.states import RunMode, Status

SETTINGS = """
connections:
  a:
    connector: files
    settings: {streams: {x: {path: x.csv, key: id}, y: {path: y.csv, key: id}}, settle_seconds: 0}
    streams: {x: {mapping: m.yaml}, y: {mapping: m.yaml}}
  a.b:
    connector: files
    settings: {streams: {z.1: {path: x.csv, key: id}}, settle_seconds: 0}
    streams: {z.1: {mapping: m.yaml}}
  idle:
    connector: files
    settings: {path: .}
    streams: {n: {enabled: false}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "m.yaml").write_text("customer:\n  kind: person\n  name: name\n")
    (tmp_path / "x.csv").write_text("id,name\n1,Zhang Wei\n")
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    return Project.load(tmp_path)


def prepare(project: Project) -> None:
    """Ready to sync."""
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        project.register(connection)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([], [Target("a", "x"), Target("a", "y"), Target("a.b", "z.1")]),
        (["a"], [Target("a", "x"), Target("a", "y")]),
        (["a.y", "a"], [Target("a", "y"), Target("a", "x")]),
        (["a.b"], [Target("a.b", "z.1")]),
        (["a.b.z.1"], [Target("a.b", "z.1")]),
        (["idle"], []),
    ],
)
def test_words_mean_streams_each_once(project: Project, words: list[str], meant: list[Target]) -> None:
    assert oneshot.targets(project, words) == meant


def test_unknown_words_are_refused_with_what_there_is(project: Project) -> None:
    with pytest.raises(NotFound, match=r"Configured: a, a\.b, idle"):
        oneshot.targets(project, ["nowhere.x"])
    with pytest.raises(Misused, match="Configured: x, y"):
        oneshot.targets(project, ["a.w"])


def test_one_bad_stream_does_not_stop_the_others(project: Project) -> None:
    settings = project.path.read_text().replace("y: {mapping: m.yaml}", "y: {mapping: missing.yaml}")
    project.path.write_text(settings.replace("path: y.csv", "path: x.csv"))
    project = Project.load(project.path)
    prepare(project)
    seen: list[int] = []
    run_ids = oneshot.request(project, oneshot.targets(project, ["a"]))
    views = oneshot.finish(project, run_ids, lambda views: seen.append(len(views)))
    assert {view.stream: view.status for view in views} == {"x": Status.SUCCEEDED, "y": Status.FAILED}
    assert views[1].error is not None
    assert views[1].remedy is not None
    assert set(seen) == {2}
    project.close()


def test_a_stream_without_its_mapping_leaves_the_connection_to_its_neighbours(project: Project) -> None:
    project.path.write_text(project.path.read_text().replace("y: {mapping: m.yaml}", "y: {mapping: missing.yaml}"))
    project = Project.load(project.path)
    prepare(project)
    for word, status in (("a.y", Status.FAILED), ("a.x", Status.SUCCEEDED)):
        views = oneshot.finish(project, oneshot.request(project, oneshot.targets(project, [word])), lambda _: None)
        assert [view.status for view in views] == [status]
    with project.database.reading() as connection:
        assert connection.execute(text("SELECT state FROM connection WHERE name = 'a'")).scalar_one() == "active"
    project.close()


def test_a_run_whose_connection_was_paused_meanwhile_is_not_waited_for(project: Project) -> None:
    prepare(project)
    run_ids = oneshot.request(project, oneshot.targets(project, ["a.x"]))
    with project.database.transaction() as connection:
        connection.execute(text("UPDATE connection SET state = 'paused'"))
    views = oneshot.finish(project, run_ids, lambda _: None)
    assert [view.status for view in views] == [Status.QUEUED]


def test_customers_are_shown_when_another_process_has_switched_the_match_model(project: Project) -> None:
    prepare(project)
    (run_id,) = oneshot.request(project, [Target("a", "x")])
    oneshot.finish(project, [run_id], lambda _: None)
    assert oneshot.settled(project)
    with project.database.transaction() as connection:
        held = lease.acquire(connection, switching.LEASE)
        active = connection.execute(text("SELECT active FROM match_state")).scalar_one()
        switching.begin(connection, active, by="test")
    assert held is not None
    assert not oneshot.settle(project, 0.0, lambda: None)
    waited: list[int] = []

    def tick() -> None:
        waited.append(1)
        if len(waited) == 2:  # the other process is gone: whoever waits does its work
            with project.database.transaction() as connection:
                lease.release(connection, held)

    assert oneshot.settle(project, 30.0, tick)
    assert len(waited) == 2
    assert switching.under_way(project.database) is None
    project.close()


def told(project: Project, run_id: int) -> list[str]:
    return [str(event.text) for event in oneshot.remarks(project, run_id)]


@pytest.mark.parametrize("mode", [RunMode.FULL, RunMode.INCREMENTAL])
def test_a_row_of_a_file_that_cannot_be_identified_holds_up_deletes_and_nothing_else(
    project: Project, mode: RunMode
) -> None:
    rows = project.folder / "x.jsonl"
    project.path.write_text(project.path.read_text().replace("path: x.csv, key: id}, y", "path: x.jsonl, key: id}, y"))
    project = Project.load(project.path)
    prepare(project)

    def run(*lines: str) -> RunView:
        rows.write_text("\n".join(lines))
        (run_id,) = oneshot.request(project, [Target("a", "x")], mode=mode)
        return oneshot.finish(project, [run_id], lambda views: None)[0]

    ann, bob, eve = ('{"id": 1, "name": "Ann"}', '{"id": 2, "name": "Bob"}', '{"id": 3, "name": "Eve"}')
    assert run(ann, bob, eve).counts.created == 3
    broken = run(ann, '{"id": 2, "na')
    assert (broken.status, broken.counts.deleted) == (Status.PARTIAL, 0)
    reasons = ("nothing was deleted", "it cannot be told which records were deleted")
    assert any(reason in text for text in told(project, broken.id) for reason in reasons)
    mended = run(ann, bob)
    assert (mended.status, mended.counts.deleted) == (Status.SUCCEEDED, 1)
    project.close()


def test_a_stream_whose_file_is_missing_fails_alone_and_the_check_names_it(project: Project) -> None:
    prepare(project)
    run_ids = oneshot.request(project, oneshot.targets(project, ["a"]))
    views = {view.stream: view for view in oneshot.finish(project, run_ids, lambda views: None)}
    assert {name: view.status for name, view in views.items()} == {"x": Status.SUCCEEDED, "y": Status.FAILED}
    assert str(views["y"].error) == "No file matches y.csv."
    connector = project.open("a")
    assert [(stream.name, len(stream.fields)) for stream in connector.discover()] == [("x", 2), ("y", 0)]
    with pytest.raises(StreamBroken, match=r"y\.csv"):
        connector.check()
    connector.close()
    project.close()


def test_without_a_broker_nobody_is_told(project: Project) -> None:
    assert not project.broker.answers()
    assert not oneshot.ring(project, [1])


def test_a_port_somebody_uses_is_refused_only_if_it_was_asked_for(tmp_path: Path) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        (tmp_path / "kehu.yaml").write_text(f"web: {{port: {taken}}}\n")
        with pytest.raises(Refused, match=str(taken)):
            children.web_listener(Project.load(tmp_path))
    (tmp_path / "kehu.yaml").write_text("web: {port: 0}\n")
    with children.web_listener(Project.load(tmp_path)) as listener:
        assert listener.getsockname()[1] > 0


def test_the_example_goes_into_an_empty_folder_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Misused, match="holds something else"):
        generate(tmp_path, 10, 1)
    monkeypatch.setattr("sync.demo.GENERATOR", tmp_path / "missing.py")
    with pytest.raises(NoExample):
        generate(tmp_path / "new", 10, 1)


def test_a_connection_without_streams_is_told_and_does_not_pass_for_synced(tmp_path: Path) -> None:
    settings = "  db: {connector: sql, settings: {url: 'sqlite:///erp.db'}}\n"
    (tmp_path / "kehu.yaml").write_text("connections:\n" + settings)
    project = Project.load(tmp_path)
    for names in ([], ["db"]):
        with pytest.raises(Misused, match="db has no stream to sync"):
            oneshot.targets(project, names)
