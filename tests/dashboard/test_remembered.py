"""What takes long to count is remembered; who asks first need not wait either."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic, sleep

from dashboard.remembered import Remembered


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 5
    while not condition():
        assert monotonic() < deadline
        sleep(0.005)


def test_the_first_visitor_waits_and_the_next_gets_the_same() -> None:
    memory, answers = Remembered(), iter([1, 2])
    assert memory.get("n", lambda: next(answers), fresh=60) == 1
    assert memory.get("n", lambda: next(answers), fresh=60) == 1


def test_what_is_old_is_shown_while_it_is_counted_anew() -> None:
    memory, go = Remembered(), Event()
    memory.get("n", lambda: 1)
    assert memory.get("n", lambda: go.wait(5) and 2, fresh=-1) == 1
    go.set()
    until(lambda: memory.get("n", lambda: 2, fresh=60) == 2)


def test_who_has_no_patience_is_told_to_come_again_and_it_is_counted_once() -> None:
    memory, go, counted = Remembered(), Event(), []

    def count() -> int:
        counted.append(1)
        go.wait(5)
        return 7

    assert memory.soon("n", count, fresh=60, patience=0.01) is None
    assert memory.soon("n", count, fresh=60, patience=0.01) is None
    go.set()
    until(lambda: memory.soon("n", count, fresh=60) == 7)
    assert len(counted) == 1


def test_a_count_that_fails_is_tried_by_the_next_visitor() -> None:
    memory = Remembered()

    def fails() -> int:
        raise ConnectionError

    assert memory.soon("n", fails) is None
    assert memory.soon("n", lambda: 3, patience=5) == 3
