"""The collector looks less often, and still finds every cycle."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from sync import collector


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Node:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.own = self


def test_cycles_made_afterwards_are_still_collected_by_themselves() -> None:
    collector.settle()
    seen = weakref.ref(Node())
    kept: list[list[int]] = [[] for _ in range(2 * collector.YOUNG)]
    assert seen() is None, f"{len(kept)} new objects did not make the collector look"


def test_what_lives_at_the_call_is_not_looked_at_again() -> None:
    collector.settle()
    assert gc.get_freeze_count() > 1_000
    assert gc.get_threshold() == (collector.YOUNG, collector.MIDDLE, collector.OLD)
