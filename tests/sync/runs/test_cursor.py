"""Promise 5: the cursor never passes an unwritten row, whatever happens at the source while it is read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Page, Read
from sync.runs import failpoints
from sync.runs.failpoints import NAMES, Tripped
from sync.runs.states import RunMode, Status
from tests.sync.runs.lab import Lab, Ledger


def contents(lab: Lab) -> dict[str, Any]:
    rows = lab.query("SELECT source_id, raw FROM source_record WHERE deleted_at IS NULL")
    return {key: orjson.loads(raw) for key, raw in rows}


def at_the_source(lab: Lab) -> dict[str, Any]:
    return {key: orjson.loads(body) for key, _, body in lab.source.pages("SELECT key, stamp, body FROM rows")}


class Restless:
    """Changes the source between the pages of every read: updates, ties, late commits within the look-back."""

    def __init__(self, lab: Lab, seed: int, lookback: int) -> None:
        self.lab, self.random, self.lookback, self.clock = lab, random.Random(seed), lookback, 10
        self.read = Ledger.read

    def __call__(self, connector: Ledger, request: Read) -> Iterator[Page]:
        for page in self.read(connector, request):
            yield page
            self.stir()

    def stir(self) -> None:
        self.clock += self.random.choice([0, 0, 1])
        for _ in range(self.random.randint(0, 3)):
            late = self.random.randint(0, self.lookback - 1)
            self.lab.source.put(f"k{self.random.randint(0, 40):04}", self.clock - late, v=self.random.random())


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), page_size=st.integers(2, 9), rows=st.integers(0, 30))
def test_a_restless_source_is_held_completely_once_it_rests(seed: int, page_size: int, rows: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        lab = Lab(f"sqlite:///{folder}/kehu.db", Path(folder))
        lab.workspace.config |= {"lookback": 3}
        lab.workspace.stream_settings["page_size"] = page_size
        lab.source.fill(rows, stamp=10)
        restless = Restless(lab, seed, lookback=3)
        patch.setattr(Ledger, "read", lambda self, request: restless(self, request))
        for _ in range(4):
            assert lab.sync().status is Status.SUCCEEDED
            restless.stir()
        patch.undo()
        assert lab.sync().status is Status.SUCCEEDED
        assert contents(lab) == at_the_source(lab)
        lab.database.dispose()


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.split(":")[0] in ("land", "checkpoint", "beat", "commit")]
)
def test_whatever_breaks_around_a_page_the_same_run_goes_on_with_the_first_unwritten_row(
    sqlite_lab: Lab, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that is taken for a passing fault of the database: the run goes on by itself."""
    lab = sqlite_lab
    monkeypatch.setattr("sync.runs.faults._ANSWERS", ((Tripped, lambda session, error: None),))
    lab.source.fill(35)
    failpoints.arm(f"{name}:2:raise")
    try:
        run = lab.sync()
    finally:
        failpoints.arm(None)
    assert run.status is Status.SUCCEEDED
    assert (run.counts.read, run.counts.created) == (35, 35), "no page twice, none left out"
    assert contents(lab) == at_the_source(lab)


def test_a_cursor_is_stored_only_with_its_page(lab: Lab) -> None:
    lab.source.fill(35)
    lab.source.break_at("k0020", "retry", times=99)
    lab.sync()
    ((cursor,),) = lab.query("SELECT cursor FROM stream_cursor")
    assert orjson.loads(cursor)["after"] == max(lab.live()) == "k0019"


@pytest.mark.services
def test_two_databases_agree_after_full_and_incremental_reads(sqlite_lab: Lab, postgres_lab: Lab) -> None:
    for lab in (sqlite_lab, postgres_lab):
        lab.source.fill(23)
        lab.sync()
        lab.source.put("k0001", stamp=4, name="Renamed")
        lab.source.remove("k0002")
        lab.sync()
        lab.sync(RunMode.FULL)
    assert contents(sqlite_lab) == contents(postgres_lab) == at_the_source(sqlite_lab)
    assert sqlite_lab.names() == postgres_lab.names()
