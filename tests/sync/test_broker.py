"""The broker of a project: reached or not, and the budgets of calls shared through it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connectors.budget import LocalBudget, Rate
from connectors.errors import BadConfiguration
from connectors.redis_budget import RedisBudget
from sync.broker import Broker

RATE = Rate(5, 60)


def test_an_embedded_broker_that_does_not_run_is_done_without(tmp_path: Path) -> None:
    broker = Broker(f"unix://{tmp_path}/none", tmp_path / "none")
    assert broker.embedded
    assert not broker.answers()
    assert isinstance(broker.budget("erp", RATE), LocalBudget)
    assert broker.calls_left("erp", RATE) is None


def test_no_client_is_loaded_while_no_embedded_broker_runs() -> None:
    program = (
        "import sys; from pathlib import Path; from sync.broker import Broker;"
        "broker = Broker('unix:///nowhere/x', Path('/nowhere/x')); "
        "broker.budget('erp', None); broker.calls_left('a', None);"
        "print('redis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_a_broker_of_somebody_else_that_is_down_is_told_by_silence() -> None:
    broker = Broker("redis://127.0.0.1:1/0", None)
    assert not broker.embedded
    assert not broker.answers()
    assert broker.calls_left("erp", RATE) is None
    assert isinstance(broker.budget("erp", RATE), RedisBudget), "it may come back: nobody must count calls alone"


def test_a_url_that_makes_no_sense_is_a_fault_of_the_configuration_and_not_quoted() -> None:
    with pytest.raises(BadConfiguration, match="URL cannot be read") as caught:
        Broker("http://:geheim@localhost", None).answers()
    assert "geheim" not in str(caught.value)


@pytest.mark.services
def test_processes_share_one_budget_of_calls(valkey_url: str) -> None:
    mine, other = Broker(valkey_url, None), Broker(valkey_url, None)
    assert mine.answers()
    assert mine.calls_left("erp", RATE) == 5
    mine.budget("erp", RATE).take()
    other.budget("erp", RATE).take()
    assert mine.calls_left("erp", RATE) == other.calls_left("erp", RATE) == 3
    assert mine.calls_left("shop", RATE) == 5
