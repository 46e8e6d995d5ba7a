"""Promises: Redis may be flushed or killed at any moment; a database restart costs only time; a dead worker's work
continues within a minute. With real workers, a real maintenance loop, a real PostgreSQL and a real Valkey.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from sync.project import Project
from sync.runs.dispatch import Doorbell
from tests import services
from tests.master_kit import without_ids
from tests.promises.company import STAGES, build, evolve
from tests.promises.plant import Plant, content_of, plant, quiet_master, statuses, wait_for_runs
from tests.promises.test_messages import request_all

pytestmark = [pytest.mark.slow, pytest.mark.services]
SCALE = 8
PAGE = 3


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return quiet_master(tmp_path_factory.mktemp("quiet") / "project", SCALE)


@pytest.fixture
def folder(
    tmp_path: Path, postgres_server: services.PostgresServer, valkey_server: services.ValkeyServer
) -> Iterator[Path]:
    folder = tmp_path / "project"
    with postgres_server.database() as url:
        build(folder, url, valkey_server.url(), scale=SCALE, page=PAGE)
        yield folder


def live_through(folder: Path, hurt: Callable[[Plant], None], every: float, workers: int = 1) -> int:
    """All stages on real workers, something hurt every so often; answers how often."""
    project = Project.load(folder)
    times = [time.monotonic()]

    def now_and_then() -> None:
        if time.monotonic() - times[-1] >= every:
            hurt(running)
            times.append(time.monotonic())

    with plant(folder, workers) as running:
        for stage in range(STAGES):
            evolve(folder, stage, SCALE)
            request_all(project, Doorbell.at(project.broker.url))
            wait_for_runs(project, running, 150, now_and_then)
    assert set(statuses(project)) == {"succeeded"}
    project.database.dispose()
    return len(times) - 1


def test_flushing_redis_every_second_loses_nothing(
    folder: Path, valkey_server: services.ValkeyServer, expected: dict[str, Any]
) -> None:
    flushes = live_through(folder, lambda _: flush(valkey_server.url()), every=1.0)
    assert flushes >= 2
    assert without_ids(content_of(folder)) == without_ids(expected)


def flush(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.flushall()


def test_killing_redis_and_starting_it_again_loses_nothing(
    folder: Path, valkey_server: services.ValkeyServer, expected: dict[str, Any]
) -> None:
    def kill(_: Plant) -> None:
        valkey_server.kill()
        time.sleep(1)
        valkey_server.start()

    assert live_through(folder, kill, every=3.0) >= 1
    assert without_ids(content_of(folder)) == without_ids(expected)


def test_restarting_the_database_in_the_middle_costs_only_time(
    folder: Path, postgres_server: services.PostgresServer, expected: dict[str, Any]
) -> None:
    def restart(_: Plant) -> None:
        postgres_server.stop()
        time.sleep(1)
        postgres_server.start()

    assert live_through(folder, restart, every=3.0) >= 1
    assert without_ids(content_of(folder)) == without_ids(expected)


def test_killed_workers_are_replaced_and_nothing_is_lost_or_doubled(folder: Path, expected: dict[str, Any]) -> None:
    kills = live_through(folder, lambda running: running.kill_a_worker(), every=4.0, workers=2)
    assert kills >= 1
    assert without_ids(content_of(folder)) == without_ids(expected)
