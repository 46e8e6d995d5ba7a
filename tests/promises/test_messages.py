"""Promise: every message may arrive one to five times, in any order, to any worker. The master is the same."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from dramatiq import Broker, Message
from dramatiq.brokers.stub import StubBroker

from sync.project import Project
from sync.runs import actors, requests
from sync.runs.dispatch import QUEUES, Doorbell
from sync.runs.states import RunMode
from sync.runs.sweeper import due
from tests.master_kit import without_ids
from tests.promises.company import QUICK, STAGES, build, evolve, open_runs, settle
from tests.promises.plant import content_of, quiet_master

pytestmark = pytest.mark.slow
THREADS = 4


class Shuffler:
    """Delivers what was enqueued, each message one to five times, shuffled, by several threads at once."""

    def __init__(self, broker: Broker, rng: random.Random) -> None:
        self.broker, self.rng = broker, rng
        self.delivered = 0

    def deliver(self) -> None:
        """Until nothing new was enqueued meanwhile."""
        while messages := self._taken():
            copies = [message for message in messages for _ in range(self.rng.randint(1, 5))]
            self.rng.shuffle(copies)
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(self._handle, copies))
            self.delivered += len(copies)

    def _taken(self) -> list[Message[Any]]:
        taken = []
        for queue in QUEUES:
            waiting = self.broker.queues[queue]  # type: ignore[attr-defined]
            while not waiting.empty():
                taken.append(Message.decode(waiting.get()))
        return taken

    def _handle(self, message: Message[Any]) -> None:
        self.broker.get_actor(message.actor_name).fn(*message.args)


def live_through(folder: Path, seed: int) -> int:
    """All stages, driven by messages only; answers how many were delivered."""
    project = Project.load(folder)
    broker = StubBroker()
    for queue in QUEUES:
        broker.declare_queue(queue)
    actors.register(broker, project, pace=QUICK)
    bell, shuffler = Doorbell(broker), Shuffler(broker, random.Random(seed))
    for stage in range(STAGES):
        evolve(folder, stage)
        request_all(project, bell)
        while open_runs(project):
            shuffler.deliver()
            for run in due(project.database, again_after=0.0):
                bell.run(run.run_id, run.trigger)
            bell.pending()
        settle(project)
    project.database.dispose()
    return shuffler.delivered


def request_all(project: Project, bell: Doorbell) -> None:
    with project.database.transaction() as connection:
        project.register(connection)
        made = [
            requests.request_run(connection, requests.find_stream(connection, name, "customers").id, mode).run_id
            for name, mode in (("erp", RunMode.INCREMENTAL), ("erp", RunMode.FULL), ("shop", RunMode.INCREMENTAL))
        ]
    for run_id in made:
        bell.run(run_id)


@pytest.mark.parametrize(
    ("backend", "seed"),
    [("sqlite", 1), ("sqlite", 2), *[pytest.param("postgres", seed, marks=pytest.mark.services) for seed in (3, 4, 5)]],
)
def test_doubled_and_shuffled_messages_give_the_same_master(
    backend: str, seed: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected = quiet_master(tmp_path / "quiet", 1)
    folder = tmp_path / "shuffled"
    url = f"sqlite:///{folder}/kehu.db" if backend == "sqlite" else request.getfixturevalue("postgres_url")
    build(folder, url)
    assert live_through(folder, seed) > 10
    assert without_ids(content_of(folder)) == without_ids(expected)
