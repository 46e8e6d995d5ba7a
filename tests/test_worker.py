"""The composition root: a project's broker with all actors, and nothing opened before it is needed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import dramatiq
import pytest

from sync.errors import Misused
from sync.runs import dispatch

pytestmark = pytest.mark.services


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey_url: str) -> Iterator[ModuleType]:
    (tmp_path / "kehu.yaml").write_text(f"version: 1\nbroker: {valkey_url}\n")
    monkeypatch.setenv("KEHU_PROJECT", str(tmp_path))
    monkeypatch.delenv("KEHU_METRICS", raising=False)
    sys.modules.pop("worker", None)
    before = dramatiq.get_broker()
    yield importlib.import_module("worker")
    dramatiq.set_broker(before)
    sys.modules.pop("worker", None)


def test_dramatiq_finds_a_broker_with_all_actors(worker: ModuleType) -> None:
    assert dramatiq.get_broker() is worker.broker
    actors = {name: worker.broker.get_actor(name).queue_name for name in worker.broker.get_declared_actors()}
    assert actors == dispatch.QUEUE_OF
    assert worker.broker.get_declared_queues() == set(dispatch.QUEUES)


def test_interactive_work_goes_first_within_one_worker(worker: ModuleType) -> None:
    now, bulk = (worker.broker.get_actor(name).priority for name in (dispatch.RUN_SYNC_NOW, dispatch.RUN_SYNC))
    assert now < bulk


def test_the_broker_neither_retries_nor_ends_long_work(worker: ModuleType) -> None:
    names = {type(one).__name__ for one in worker.broker.middleware}
    assert names.isdisjoint({"Retries", "TimeLimit", "AgeLimit"})
    assert "StopAtShutdown" in names


def test_metrics_are_opt_in_and_never_listen_on_all_addresses_unasked(
    worker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEHU_METRICS", "1")
    monkeypatch.delenv("dramatiq_prom_host", raising=False)
    with pytest.raises(Misused) as refused:
        worker._middleware()
    assert "127.0.0.1" in refused.value.remedy
    monkeypatch.setenv("dramatiq_prom_host", "127.0.0.1")
    assert [type(one).__name__ for one in worker._middleware()] == ["Prometheus"]
