"""Promise: kill -9 anywhere changes nothing. Who belongs together and all golden values equal the unkilled run's; the
change log replayed gives the same customers, and every id that was issued resolves.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.database import Database
from sync.runs import failpoints
from tests import services
from tests.master_kit import consistent, without_ids
from tests.promises.company import STAGES, build, evolve, in_child, sync_all

pytestmark = pytest.mark.slow
VISITS = (1, 3)


def lived(folder: Path, database: str, kill_at: str | None = None) -> tuple[dict[str, Any], int]:
    """A life of the company: every stage synced, in each of which the worker may be killed once. Answers the master
    and how often the worker was killed.
    """
    build(folder, database)
    killed = 0
    for stage in range(STAGES):
        evolve(folder, stage)
        if kill_at is not None:
            killed += os.WIFSIGNALED(in_child(lambda: work_until(folder, kill_at)))
        assert in_child(lambda: sync_all(folder)) == 0
    opened = Database(database)
    try:
        return consistent(opened), killed
    finally:
        opened.dispose()


def work_until(folder: Path, failpoint: str) -> None:
    failpoints.arm(failpoint)
    sync_all(folder)


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("unkilled") / "project"
    content, _ = lived(folder, f"sqlite:///{folder}/kehu.db")
    assert len(content["customers"]) > 50
    assert sum(len(members) > 1 for members in without_ids(content)) > 20
    return content


@pytest.mark.parametrize("visit", VISITS)
@pytest.mark.parametrize("name", failpoints.NAMES)
def test_a_worker_killed_there_changes_nothing_on_sqlite(
    name: str, visit: int, unkilled: dict[str, Any], tmp_path: Path
) -> None:
    content, killed = lived(tmp_path / "project", f"sqlite:///{tmp_path}/project/kehu.db", f"{name}:{visit}")
    assert without_ids(content) == without_ids(unkilled)
    assert killed or visit > 1 or name.startswith("reconcile"), "the failpoint was never reached"


@pytest.fixture(scope="module")
def server() -> Iterator[services.PostgresServer]:
    with services.postgres() as started:
        yield started


@pytest.mark.services
@pytest.mark.parametrize(
    "name",
    [
        "land:after",
        "checkpoint:after",
        "commit:before",
        "commit:after",
        "resolve:before",
        "resolve:after",
        "sweep:after",
        "close:before",
    ],
)
def test_a_worker_killed_there_changes_nothing_on_postgresql(
    name: str, unkilled: dict[str, Any], server: services.PostgresServer, tmp_path: Path
) -> None:
    with server.database() as url:
        content, killed = lived(tmp_path / "project", url, f"{name}:2")
        assert without_ids(content) == without_ids(unkilled)
        assert killed


def test_the_signal_is_sigkill(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    build(folder, f"sqlite:///{folder}/kehu.db")
    status = in_child(lambda: work_until(folder, "land:after:1"))
    assert os.WTERMSIG(status) == signal.SIGKILL
