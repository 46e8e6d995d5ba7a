"""Work shared out among processes has the results that one process has."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mappings.matching.processes import processors, shared_out

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def children() -> set[str]:
    """The processes of ours that run, or that nobody has asked how they ended."""
    return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())


@pytest.mark.parametrize("processes", [1, 2, 3, 9])
def test_results_are_in_the_order_of_the_tasks(processes: int) -> None:
    tasks = [partial(np.full, 50_000, number) for number in range(7)]
    assert [int(found.sum()) for found in shared_out(tasks, processes)] == [50_000 * n for n in range(7)]


def test_no_tasks_have_no_results() -> None:
    assert shared_out([], 2) == []


def test_others_do_take_tasks() -> None:
    read, write = os.pipe()

    def wait_for_another() -> int:
        """Comes to its end only if another process takes the other task."""
        os.read(read, 1)
        return os.getpid()

    def let_go() -> int:
        os.write(write, b"x")
        return os.getpid()

    found = shared_out([wait_for_another, let_go], 2)
    assert len(set(found)) == 2
    assert os.getpid() in found


def test_what_a_killed_process_leaves_is_worked_out_here() -> None:
    here = os.getpid()

    def work(number: int) -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number

    assert shared_out([partial(work, n) for n in range(20)], 3) == [n * n for n in range(20)]


def test_what_fails_elsewhere_fails_here() -> None:
    def fail() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        shared_out([fail] * 4, 2)


def test_without_room_for_processes_it_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", full)
    assert shared_out([os.getpid] * 3, 2) == [os.getpid()] * 3


def test_too_many_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        shared_out([os.getpid] * 257, 2)


def test_there_is_a_processor() -> None:
    assert processors() >= 1
