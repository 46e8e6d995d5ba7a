"""Empty masters for tests: on both databases, or on the embedded one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.database import Database
from tests.master_kit import master


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty master with the two streams of ``master_kit``, on SQLite and on PostgreSQL."""
    url = f"sqlite:///{tmp_path}/m.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with master(url) as made:
        yield made


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Database]:
    """The same on SQLite alone."""
    with master(f"sqlite:///{tmp_path}/m.db") as made:
        yield made
