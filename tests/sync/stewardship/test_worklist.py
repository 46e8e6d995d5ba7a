"""The held review queue: fresh where that is cheap; else nobody waits, and what was decided never comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic, sleep
from typing import Any, cast

import pytest

from mappings.contract import Matcher
from sync.database import Database
from sync.errors import NotFound
from sync.stewardship import worklist
from sync.stewardship.review import Candidate, Side
from sync.stewardship.worklist import Worklist


class _Database:
    @contextmanager
    def reading(self) -> Iterator[None]:
        yield


def candidate(left: str, right: str) -> Candidate:
    return Candidate(Side(f"r/{left}", left, left, 1), Side(f"r/{right}", right, right, 1), 1.0, "rule", 1)


def listed(read: Callable[..., list[Candidate]], monkeypatch: pytest.MonkeyPatch) -> Worklist:
    monkeypatch.setattr(worklist, "queue", read)
    return Worklist(cast(Database, _Database()), cast(Matcher, None))


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 5
    while not condition():
        assert monotonic() < deadline
        sleep(0.005)


def test_a_cheap_queue_is_read_with_the_look_after_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [candidate("A", "B"), candidate("C", "D")]
    held = listed(lambda *_: list(found), monkeypatch)
    assert held.pairs() == found
    held.forget({"A"})
    assert held.pairs() == found[1:]
    held.renew()
    assert held.pairs() == found, "the reading knows what holds"


def test_before_anything_is_registered_there_is_nothing_to_review(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_in_force(*_: Any) -> list[Candidate]:
        raise NotFound("No match model is in force yet.")

    assert listed(nothing_in_force, monkeypatch).pairs() == []


def test_nobody_waits_for_an_expensive_queue_but_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist, "QUICK", -1.0)
    go, answers = Event(), iter([[candidate("A", "B")], [candidate("C", "D")]])

    def read(*_: Any) -> list[Candidate]:
        answer = next(answers)
        assert answer[0].left.name == "A" or go.wait(5)
        return answer

    held = listed(read, monkeypatch)
    assert [one.left.name for one in held.pairs()] == ["A"]
    until(lambda: [one.left.name for one in held.pairs()] == ["A"])  # the second reading is under way by now, or soon
    go.set()
    monkeypatch.setattr(worklist, "queue", lambda *_: [candidate("C", "D")])
    until(lambda: [one.left.name for one in held.pairs()] == ["C"])


def test_who_only_counts_does_not_wait_for_the_first_reading_either(monkeypatch: pytest.MonkeyPatch) -> None:
    go = Event()
    held = listed(lambda *_: [candidate("A", "B")] if go.wait(5) else [], monkeypatch)
    assert held.at_hand() is None
    assert held.at_hand() is None
    go.set()
    until(lambda: held.at_hand() == [candidate("A", "B")])


def test_what_is_decided_during_a_reading_does_not_come_back_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist, "QUICK", -1.0)
    began, go, first = Event(), Event(), [True]
    both = [candidate("A", "B"), candidate("C", "D")]

    def read(*_: Any) -> list[Candidate]:
        if first.pop() if first else False:
            return list(both)
        began.set()
        assert go.wait(5)
        return list(both)

    held = listed(read, monkeypatch)
    held.pairs()
    until(lambda: bool(held.pairs()) and began.is_set())
    held.forget({"A"})
    assert held.pairs() == both[1:]
    monkeypatch.setattr(worklist, "SHARE", 1e9)
    go.set()
    sleep(0.05)
    assert held.pairs() == both[1:]


def test_a_reading_that_fails_leaves_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist, "QUICK", -1.0)
    held = listed(lambda *_: [candidate("A", "B")], monkeypatch)
    held.pairs()
    failed = Event()

    def broken(*_: Any) -> list[Candidate]:
        failed.set()
        raise ConnectionError("gone")

    monkeypatch.setattr(worklist, "queue", broken)
    until(lambda: len(held.pairs()) == 1 and failed.is_set())
    assert len(held.pairs()) == 1
