"""SIGKILL before and after every verb of a run: the same run goes on and ends as if nothing had been."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from sync.master.landing import Counts
from sync.runs import failpoints, pending
from sync.runs.states import RunMode, Status
from tests.sync.runs.lab import Lab
from tests.sync.runs.workers import start_run


def dump(lab: Lab) -> dict[str, Any]:
    return {
        "records": lab.query("SELECT source_id, raw, deleted_at IS NULL FROM source_record ORDER BY source_id"),
        "customers": lab.query("SELECT id, golden FROM customer WHERE status = 'active' ORDER BY id"),
        "crosswalk": lab.query(
            "SELECT r.source_id, w.customer_id FROM crosswalk w JOIN source_record r ON r.id = w.record_id ORDER BY 1"
        ),
        "cursor": lab.query("SELECT partition, cursor, reading, complete FROM stream_cursor"),
        "stream": lab.query("SELECT generation, closed_generation FROM stream_state"),
    }


def prepare(lab: Lab) -> int:
    """A full read of 36 records, after a first one: some changed, one new, two gone, two that are one customer."""
    lab.source.fill(35)
    lab.sync()
    lab.source.put("k0003", stamp=5, name="Renamed")
    lab.source.put("k0021", stamp=5, email="k0003@example.com")
    lab.source.put("new", stamp=6)
    lab.source.remove("k0011", "k0034")
    return lab.request(RunMode.FULL)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    lab = Lab(f"sqlite:///{folder / 'kehu.db'}", folder)
    assert lab.go_on(prepare(lab)) is Status.SUCCEEDED
    return dump(lab)


def visits(name: str) -> int:
    """The visit at which to die: in the middle of the pages where a verb is done for each of them."""
    return 3 if name.split(":")[0] in ("land", "checkpoint", "beat", "commit") else 1


@pytest.mark.slow
@pytest.mark.parametrize("name", failpoints.NAMES)
def test_a_kill_anywhere_changes_nothing(sqlite_lab: Lab, undisturbed: dict[str, Any], name: str) -> None:
    lab = sqlite_lab
    run_id = prepare(lab)
    process = start_run(lab, run_id, failpoint=f"{name}:{visits(name)}")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, "the failpoint was reached"
    lab.execute("UPDATE lease SET expires_at = 0")  # time passes
    lab.execute("UPDATE landing SET landed_at = :old", old="2020-01-01 00:00:00+00:00")
    went_on = lab.go_on(run_id)
    pending.resolve_pending(lab.workspace)
    run = lab.run(run_id)
    assert (went_on, run.status) == (None if name == "close:after" else Status.SUCCEEDED, Status.SUCCEEDED)
    assert run.counts == Counts(read=36, created=1, updated=2, unchanged=31, deleted=2)
    assert run.pages == 5, "four and the empty last one: no stored page was read again"
    assert dump(lab) == undisturbed


def test_an_unknown_failpoint_is_refused(tmp_path: Path) -> None:
    for setting in ("nowhere:before", "land:before:1:sing", "land:before:1:kill:more", "land:before:x"):
        with pytest.raises(ValueError, match=r"."):
            failpoints.arm(setting)
