"""Many workers on the same customers never lose a write, and end where one worker ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import services
from tests.master_kit import consistent, land, master, record, resolve, without_ids
from tests.master_worker import write

ROOT = Path(__file__).parents[3]
WORKERS = 8
STREAMS = [(f"system{number}", "customers") for number in range(1, WORKERS + 1)]

pytestmark = pytest.mark.services


def run_workers(url: str, seed: int) -> None:
    command = [sys.executable, "-m", "tests.master_worker", url]
    workers = [
        subprocess.Popen([*command, str(stream), str(seed)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for stream in range(1, WORKERS + 1)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=200)
        assert worker.returncode == 0, errors


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_eight_workers_on_fifty_hot_customers_equal_the_serial_result(
    postgres: services.PostgresServer, tmp_path: Path, seed: int
) -> None:
    with postgres.database() as url, master(url, STREAMS) as shared:
        run_workers(url, seed)
        resolve(shared)
        together = without_ids(consistent(shared))
    with master(f"sqlite:///{tmp_path}/serial.db", STREAMS) as serial:
        for stream in range(1, WORKERS + 1):
            write(serial, stream, seed)
        alone = without_ids(consistent(serial))
    assert together == alone


def test_two_workers_with_the_same_landing_resolve_it_once(postgres_url: str) -> None:
    with master(postgres_url) as database:
        landed = land(database, 1, [record("1", name="Ann", tags=["a"])])
        first, second = resolve(database, landed), resolve(database, landed)
        assert (first.created, second.created) == (1, 0)
        consistent(database)


def test_records_landed_by_two_workers_before_either_resolves_still_meet(postgres_url: str) -> None:
    with master(postgres_url) as database:
        one = land(database, 1, [record("1", name="Ann", tags=["a"])])
        other = land(database, 2, [record("1", name="Ann", tags=["a"])])
        resolve(database, one)
        resolve(database, other)
        assert len(consistent(database)["customers"]) == 1


def test_a_record_that_a_neighbour_has_placed_is_still_compared_with_all_others(postgres_url: str) -> None:
    with master(postgres_url) as database:
        resolve(database, land(database, 1, [record("1", name="Ann", tags=["a"])]))
        between = land(database, 1, [record("2", name="Ann", tags=["a", "b"])])
        resolve(database, land(database, 2, [record("3", name="Ann", tags=["b"])]))
        resolve(database, between)
        assert len(consistent(database)["customers"]) == 1


def test_a_late_resolve_of_an_old_version_changes_nothing(postgres_url: str) -> None:
    with master(postgres_url) as database:
        old = land(database, 1, [record("1", name="Ann", tags=["a"])])
        land(database, 2, [record("1", name="Bob", tags=["b"])])
        new = land(database, 1, [record("1", name="Ann", tags=["b"])])
        resolve(database, new)
        resolve(database, old)
        resolve(database)
        assert len(consistent(database)["customers"]) == 1
