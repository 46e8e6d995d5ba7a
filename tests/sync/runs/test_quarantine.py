"""Quarantine: a bad record never blocks its neighbours, keeps its reason, and comes back by itself or by hand."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import insert

from mappings.contract import Mapped
from sync.errors import NotFound
from sync.master.landing import Counts, Rejection
from sync.runs import clock, pending, quarantine, tables
from sync.runs.replay import causes, ignore, open_ids, records, replay, show
from sync.runs.states import RunMode, Status
from tests.sync.runs.lab import Lab, NameMapping


def bad_record(lab: Lab) -> int:
    lab.source.fill(12)
    lab.source.put("k0003", name=["not", "text"])
    run = lab.sync()
    assert run.status is Status.PARTIAL
    with lab.reading() as connection:
        return records(connection)[0].id


def fix(lab: Lab) -> None:
    lab.execute("UPDATE quarantine SET payload = :fixed", fixed=b'{"name": "Fixed", "email": "f@example.com"}')


def test_one_bad_record_is_set_aside_and_its_neighbours_go_on(lab: Lab) -> None:
    record_id = bad_record(lab)
    assert lab.live() == lab.source.keys() - {"k0003"}
    with lab.reading() as connection:
        found = show(connection, record_id)
    assert (found.source_id, found.path, found.rule, found.code) == ("k0003", "name", "text", "record_invalid")
    assert found.value == "['not', 'text']"
    assert str(found.message) == "name must be text."
    assert "replay it" in str(found.remedy)
    assert b"not" in found.payload


class Buggy(NameMapping):
    """A mapping with a bug that shows at some names."""

    def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
        if "bug" in record["name"]:
            raise ZeroDivisionError(f"canary {record['name']}")
        return super().__call__(record)


def test_a_record_at_which_the_program_fails_is_set_aside_and_its_neighbours_go_on(
    lab: Lab, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    lab.workspace.mapping_class = Buggy
    lab.source.fill(12)
    lab.source.put("k0003", name="bug")
    run = lab.sync()
    assert (run.status, run.counts) == (Status.PARTIAL, Counts(read=12, created=11, quarantined=1))
    with lab.reading() as connection:
        found = show(connection, records(connection)[0].id)
    assert (found.source_id, found.code) == ("k0003", "record_unforeseen")
    assert str(found.message) == "The program failed at this record: ZeroDivisionError."
    logged = caplog.text + "".join(capfd.readouterr())
    assert "test_quarantine.py" in logged
    assert "canary" not in logged + str(found.message) + found.value
    assert [str(done.failure.code) for done in replay(lab.workspace, [found.id], dry_run=True) if done.failure] == [
        "record_unforeseen"
    ]
    lab.workspace.mapping_class = NameMapping
    assert [done.failure for done in replay(lab.workspace, [found.id])] == [None]


@pytest.mark.parametrize(("bugs", "fails"), [(21, True), (20, False), (10, False)])
def test_a_program_that_fails_at_most_records_of_a_page_fails_the_run(sqlite_lab: Lab, bugs: int, fails: bool) -> None:
    lab = sqlite_lab
    lab.workspace.mapping_class = Buggy
    lab.workspace.stream_settings["page_size"] = 40 if bugs > 10 else 10
    lab.source.fill(40)
    lab.source.put_all({f"k{number:04}": {"name": "bug"} for number in range(bugs)})
    run = lab.sync()
    if not fails:
        assert (run.status, run.counts.quarantined, run.counts.created) == (Status.PARTIAL, bugs, 40 - bugs)
        return
    assert (run.status, run.error_code, run.counts) == (Status.FAILED, "program_fault", Counts())
    assert str(run.error) == "The program failed at 21 of 40 records: ZeroDivisionError."
    assert lab.live() == set()


def test_a_new_mapping_that_fails_at_most_records_changes_none_of_them(sqlite_lab: Lab) -> None:
    lab = sqlite_lab
    lab.source.put_all({f"k{number:04}": {"name": f"bug {number}"} for number in range(30)})
    lab.sync()
    lab.workspace.mapping_class, lab.workspace.suffix = Buggy, "!"
    run = lab.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "program_fault")
    assert lab.names()["k0007"] == "bug 7"
    assert lab.query("SELECT count(*) FROM quarantine") == [(0,)]


@pytest.mark.slow
def test_one_bad_record_in_ten_thousand_is_found(sqlite_lab: Lab) -> None:
    lab = sqlite_lab
    lab.workspace.stream_settings["page_size"] = 1000
    lab.source.fill(10_000)
    lab.source.put("k5000", name=None)
    run = lab.sync()
    assert (run.status, run.counts) == (Status.PARTIAL, Counts(read=10_000, created=9_999, quarantined=1))


def test_a_bad_record_read_again_is_one_row_that_counts_its_tries(lab: Lab) -> None:
    record_id = bad_record(lab)
    lab.sync(RunMode.FULL)
    with lab.reading() as connection:
        assert [row.id for row in records(connection)] == [record_id]
        assert show(connection, record_id).attempts == 2


def test_a_record_that_is_corrected_at_its_source_leaves_by_itself(lab: Lab) -> None:
    record_id = bad_record(lab)
    lab.source.put("k0003", stamp=5, name="Good")
    assert lab.sync().status is Status.SUCCEEDED
    with lab.reading() as connection:
        found = show(connection, record_id)
        assert records(connection) == []
    assert (found.state, found.note) == ("resolved", "landed")


def test_a_record_that_is_gone_at_its_source_leaves_with_the_next_full_read(lab: Lab) -> None:
    bad_record(lab)
    lab.source.remove("k0003")
    lab.sync(RunMode.FULL)
    with lab.reading() as connection:
        assert records(connection) == []


def test_a_replay_lands_what_now_fits(lab: Lab) -> None:
    record_id = bad_record(lab)
    fix(lab)
    assert [done.failure for done in replay(lab.workspace, [record_id])] == [None]
    assert lab.names()["k0003"] == "Fixed"
    with lab.reading() as connection:
        assert show(connection, record_id).state == "resolved"
    assert replay(lab.workspace, [record_id]) == []


def test_a_replay_that_still_fails_says_why_and_stays(lab: Lab) -> None:
    record_id = bad_record(lab)
    (done,) = replay(lab.workspace, [record_id])
    assert done.failure is not None
    assert str(done.failure.message) == "name must be text."
    with lab.reading() as connection:
        assert show(connection, record_id).attempts == 2


@pytest.mark.parametrize("fixed", [True, False])
def test_a_dry_replay_says_what_would_happen_and_writes_nothing(lab: Lab, fixed: bool) -> None:
    record_id = bad_record(lab)
    if fixed:
        fix(lab)
    (done,) = replay(lab.workspace, [record_id], dry_run=True)
    assert (done.failure is None) is fixed
    assert "k0003" not in lab.live()
    with lab.reading() as connection:
        assert show(connection, record_id).attempts == 1


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_the_connector_refused_is_no_record_to_map_and_keeps_its_reason(lab: Lab, dry_run: bool) -> None:
    lab.source.fill(12)
    lab.source.break_at("k0005", "rejected")
    lab.sync()
    lab.execute("UPDATE quarantine SET payload = :kept", kept=b'{"file": "a.csv", "line": 6, "name": "the whole row"}')
    with lab.reading() as connection:
        before = records(connection)[0]
    (outcome,) = replay(lab.workspace, [before.id], dry_run=dry_run)
    assert outcome.failure is not None
    assert str(outcome.failure.message) == str(before.message)
    with lab.reading() as connection:
        assert records(connection) == [before]
    assert "k0005" not in lab.live()


def test_an_ignored_record_stays_out_while_it_is_the_same_and_leaves_the_run_green(lab: Lab) -> None:
    record_id = bad_record(lab)
    with lab.writing() as connection:
        assert ignore(connection, [record_id], "a test entry") == 1
    run = lab.sync(RunMode.FULL)
    assert (run.status, run.counts.quarantined, run.ignored) == (Status.SUCCEEDED, 1, 1)
    lab.source.put("k0003", stamp=5, name=8)
    assert lab.sync().status is Status.PARTIAL


def test_any_number_of_records_can_be_ignored_at_once(lab: Lab) -> None:
    now = clock.now()
    common = {"stream_id": lab.stream.id, "state": "open", "code": "record_invalid", "path": "name", "value": ""}
    common |= {"rule": "identity", "message": "{}", "remedy": "", "payload": b"{}", "attempts": 1}
    common |= {"first_seen_at": now, "last_seen_at": now}
    with lab.writing() as connection:
        connection.execute(insert(tables.quarantine), [{**common, "source_id": f"k{one}"} for one in range(3)])
        ids = open_ids(connection, path="name", stream_ids=[lab.stream.id], limit=1_000_000)
        assert len(ids) == 3
        assert open_ids(connection, path="email", limit=1) == []
        assert ignore(connection, [*range(10**6, 10**6 + 70_000), *ids], "more than a statement holds") == 3
        assert open_ids(connection, limit=10) == []


def test_causes_group_what_failed_for_the_same_reason(lab: Lab) -> None:
    lab.source.fill(25)
    for number in range(7):
        lab.source.put(f"k{number:04}", name=number)
    lab.source.break_at("k0020", "rejected")
    lab.sync()
    with lab.reading() as connection:
        found = causes(connection)
        by_cause = records(connection, code=found[0].code, path=found[0].path)
    assert [(one.code, one.path, one.records) for one in found] == [
        ("record_invalid", "name", 7),
        ("record_rejected", "row", 1),
    ]
    assert len(by_cause) == 7


def test_an_unknown_record_is_told(lab: Lab) -> None:
    with pytest.raises(NotFound), lab.reading() as connection:
        show(connection, 99)


@pytest.mark.parametrize("key", ["", "a\x00b", "\ud800", "x" * 3000])
def test_keys_that_no_database_can_hold_are_kept_under_a_name_of_their_own(lab: Lab, key: str) -> None:
    bad = Rejection(key, b"\x00\xff", ValueError("boom"), None)
    other = Rejection(key, b"other", ValueError("boom"), None)
    with lab.writing() as connection:
        quarantine.keep(connection, lab.stream.id, None, [bad, other, bad])
    with lab.reading() as connection:
        found = records(connection)
    assert {row.payload for row in found} == {b"\x00\xff", b"other"}
    assert {row.code for row in found} == {"internal_error"}


class LenientMapping(NameMapping):
    """A corrected mapping: any name will do."""

    fingerprint = "lenient"

    def __init__(self, suffix: str = "") -> None:
        super().__init__(suffix)
        self.fingerprint = "lenient"

    def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
        return super().__call__({**record, "name": str(record.get("name"))})


@pytest.mark.services
@pytest.mark.parametrize("round_", range(3))
def test_a_replay_beside_a_run_never_puts_an_old_version_over_a_newer_one(postgres_lab: Lab, round_: int) -> None:
    lab = postgres_lab
    lab.source.put_all({f"k{number:04}": {"name": number} for number in range(60)})
    lab.sync()
    with lab.reading() as connection:
        ids = [row.id for row in records(connection, limit=100)]
    assert len(ids) == 60
    lab.source.put_all({f"k{number:04}": {"name": 9999} for number in range(60)}, stamp=5)
    lab.workspace.mapping_class = LenientMapping
    with ThreadPoolExecutor(2) as pool:
        replaying = [pool.submit(replay, lab.workspace, ids[start::2]) for start in range(2 - round_ % 2)]
        run = lab.sync()
        outcomes = [done for future in replaying for done in future.result(60)]
    assert all(done.failure is None for done in outcomes)
    assert (run.status, run.counts.read) == (Status.SUCCEEDED, 60)
    pending.resolve_pending(lab.workspace)
    assert set(lab.names().values()) == {"9999"}
    with lab.reading() as connection:
        left = {row.source_id for row in records(connection, limit=100)}
    assert left == set()
