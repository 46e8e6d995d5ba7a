"""Jobs of exports: one worker at a time, another after a death, files deleted in time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sync.database import Database
from sync.exporting import jobs, making, working
from sync.exporting.request import Request
from sync.runs import lease
from tests.master_kit import master, record, sync

WEEK = timedelta(days=7)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with master(f"sqlite:///{tmp_path / 'kehu.db'}") as made:
        sync(made, 1, *(record(f"C{n}", name=f"Name {n}") for n in range(30)))
        yield made


def asked(database: Database) -> int:
    with database.transaction() as connection:
        return jobs.ask(connection, Request(), 1, "user:anna").id


def work(database: Database, job_id: int, folder: Path, **more: Any) -> jobs.JobView | None:
    return working.work(database, job_id, folder, WEEK, **more)


def look(database: Database, job_id: int) -> jobs.JobView:
    with database.reading() as connection:
        return jobs.get(connection, job_id)


def test_an_export_that_is_done_is_not_made_again(database: Database, tmp_path: Path) -> None:
    job_id = asked(database)
    first = work(database, job_id, tmp_path / "out")
    assert first is not None
    assert (first.state, first.records) == ("done", 30)
    assert work(database, job_id, tmp_path / "out") is None
    assert [path.name for path in (tmp_path / "out").iterdir()] == [first.file]


def test_while_one_worker_holds_it_another_leaves_it_alone(database: Database, tmp_path: Path) -> None:
    job_id = asked(database)
    with database.transaction() as connection:
        assert lease.acquire(connection, jobs.lease_of(job_id)) is not None
    assert work(database, job_id, tmp_path) is None
    with database.reading() as connection:
        assert jobs.waiting(connection) == []


def test_a_dead_workers_export_is_begun_anew_and_given_up_after_three(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Died

    job_id, made = asked(database), making.make
    monkeypatch.setattr(making, "make", die)
    for _ in range(2):
        with pytest.raises(Died):
            work(database, job_id, tmp_path, expiry=0.01)
        time.sleep(0.02)
        with database.reading() as connection:
            assert jobs.waiting(connection) == [job_id]
    monkeypatch.setattr(making, "make", made)
    done = work(database, job_id, tmp_path)
    assert done is not None
    assert done.state == "done"
    other = asked(database)
    monkeypatch.setattr(making, "make", die)
    for _ in range(3):
        with pytest.raises(Died):
            work(database, other, tmp_path, expiry=0.01)
        time.sleep(0.02)
    assert work(database, other, tmp_path) is None
    assert look(database, other).error_code == "given_up"


def test_a_worker_that_was_stalled_cannot_finish_what_another_has_taken(database: Database, tmp_path: Path) -> None:
    job_id = asked(database)
    stalled = making.make

    def stall(*given: Any, **more: Any) -> Any:
        outcome = stalled(*given, **more)
        with database.transaction() as connection:
            connection.exec_driver_sql("UPDATE lease SET expires_at = 0, fence = fence + 1")
        return outcome

    making.make = stall  # type: ignore[assignment]
    try:
        found = work(database, job_id, tmp_path / "out")
    finally:
        making.make = stalled
    assert found is not None
    assert found.state == "running", "nothing was committed"
    assert list((tmp_path / "out").iterdir()) == [], "nor does its file stay"
    again = work(database, job_id, tmp_path / "out")
    assert again is not None
    assert again.state == "done"


def test_a_worker_that_shuts_down_gives_it_back_without_blame(database: Database, tmp_path: Path) -> None:
    job_id, stop = asked(database), Event()
    stop.set()
    for _ in range(5):
        found = work(database, job_id, tmp_path, stop=stop)
        assert found is not None
        assert found.state == "queued"
    done = work(database, job_id, tmp_path)
    assert done is not None
    assert done.state == "done"


def test_progress_is_written_down_while_it_goes_on(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int | None]] = []
    monkeypatch.setattr(working, "PROGRESS_EVERY", 0.0)
    monkeypatch.setattr("sync.exporting.reading.PAGE", 7)
    noted = jobs.progress
    monkeypatch.setattr(jobs, "progress", lambda c, j, done, of: (seen.append((done, of)), noted(c, j, done, of)))
    work(database, asked(database), tmp_path)
    assert seen == [(0, 30), (7, 30), (14, 30), (21, 30), (28, 30), (30, 30)]


def test_files_are_deleted_when_their_time_is_over(database: Database, tmp_path: Path) -> None:
    job_id = asked(database)
    done = working.work(database, job_id, tmp_path / "out", timedelta(0))
    assert done is not None
    with database.transaction() as connection:
        assert jobs.expire(connection, tmp_path / "out") == 1
        assert jobs.expire(connection, tmp_path / "out") == 0
    assert list((tmp_path / "out").iterdir()) == []
    assert look(database, job_id).state == "expired"


def test_what_a_killed_worker_left_is_tidied_and_nothing_else(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = work(database, asked(database), folder)
    assert done is not None
    old = [folder / "export-9-1.csv", folder / ".export-9-2.csv.part"]
    for path in (*old, folder / "mine.txt"):
        path.write_text("x")
        os.utime(path, (0, 0))
    os.utime(folder / str(done.file), (0, 0))
    (folder / ".export-10-1.csv.part").write_text("being written")
    with database.transaction() as connection:
        assert jobs.tidy(connection, folder, timedelta(hours=1)) == 2
    left = {path.name for path in folder.iterdir()}
    assert left == {done.file, "mine.txt", ".export-10-1.csv.part"}


def test_a_fault_of_the_disk_is_told(database: Database, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    found = work(database, asked(database), tmp_path / "out")
    assert found is not None
    assert found.state == "failed"
    assert str(found.error)
