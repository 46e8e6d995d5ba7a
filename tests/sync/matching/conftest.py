"""Masters under versions of the match model, as many as a test asks for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.database import Database
from tests.matching_kit import versioned


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Any]:
    """Makes an empty master on SQLite with each call; takes what ``matching_kit.versioned`` takes."""
    made: list[Any] = []

    def make(**more: Any) -> Database:
        manager = versioned(f"sqlite:///{tmp_path}/m{len(made)}-{random.random()}.db", **more)
        made.append(manager)
        return manager.__enter__()

    yield make
    for manager in made:
        manager.__exit__(None, None, None)
