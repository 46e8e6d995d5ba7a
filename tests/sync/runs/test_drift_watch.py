"""Drift as the engine watches it: learnt page by page, confirmed before it stops anything, small pages added up."""

from __future__ import annotations

import pytest

from connectors.contract import Page
from connectors.errors import SchemaDrift
from sync.master.landing import Counts
from sync.runs.drift import LEARNT, ShapeWatch, accept
from sync.runs.states import Status
from tests.sync.runs.lab import Lab


@pytest.fixture
def learnt(sqlite_lab: Lab) -> Lab:
    """A stream whose shape is known from more records than are learnt from."""
    lab = sqlite_lab
    lab.workspace.stream_settings["page_size"] = 500
    lab.source.fill(LEARNT + 200)
    assert lab.sync().status is Status.SUCCEEDED
    return lab


def nameless(count: int, start: int = 0) -> dict[str, dict[str, str]]:
    return {f"k{number:04}": {"email": f"e{number}@example.com"} for number in range(start, start + count)}


def shape(lab: Lab) -> object:
    return lab.query("SELECT shape FROM stream_state")


def test_a_known_stream_is_compared_by_sample_and_its_shape_left_alone(learnt: Lab) -> None:
    before = shape(learnt)
    learnt.source.put_all({f"k{number:04}": {"name": "Other"} for number in range(300)}, stamp=5)
    assert learnt.sync().counts == Counts(read=300, updated=300)
    assert shape(learnt) == before


def test_a_removed_field_stops_a_known_stream_before_anything_is_stored(learnt: Lab) -> None:
    learnt.source.put_raw(nameless(300), stamp=5)
    run = learnt.sync()
    assert (run.status, run.error_code, run.counts) == (Status.FAILED, "schema_drift", Counts())
    assert "- name" in str(run.error)
    assert learnt.query("SELECT count(*) FROM quarantine") == [(0,)]


def test_some_records_without_a_field_are_no_drift(learnt: Lab) -> None:
    learnt.source.put_raw(nameless(150), stamp=5)
    learnt.source.put_all({f"k{number:04}": {"name": "Other"} for number in range(150, 300)}, stamp=5)
    run = learnt.sync()
    assert (run.status, run.counts.quarantined, run.counts.updated) == (Status.PARTIAL, 150, 150)


def test_small_pages_say_something_together(learnt: Lab) -> None:
    learnt.workspace.stream_settings["page_size"] = 4
    learnt.source.put_raw(nameless(40), stamp=5)
    run = learnt.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "schema_drift")
    assert run.counts.read == 8, "three pages of four: the third made it certain and was not stored"


def test_unchanged_records_are_not_even_parsed(learnt: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.runs.drift._parsed", lambda bodies: pytest.fail("parsed"))
    from sync.runs.states import RunMode

    assert learnt.sync(RunMode.FULL).counts.unchanged == LEARNT + 200


def test_accepting_forgets_what_the_stream_looked_like(learnt: Lab) -> None:
    with learnt.writing() as connection:
        accept(connection, learnt.stream.id)
        watch = ShapeWatch.load(connection, learnt.stream)
    assert shape(learnt) == [(None,)]
    page = Page([], {})
    landed = type("Landed", (), {"counts": Counts(), "batch": [], "rejections": []})
    with learnt.writing() as connection:
        assert watch.check(connection, learnt.workspace.mapping("shop", "customers"), page, landed) == []  # type: ignore[arg-type]
    assert SchemaDrift.code == "schema_drift"
