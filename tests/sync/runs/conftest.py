"""The lab on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.runs.lab import Lab


@pytest.fixture
def sqlite_lab(tmp_path: Path) -> Iterator[Lab]:
    """An installation on SQLite."""
    lab = Lab(f"sqlite:///{tmp_path / 'kehu.db'}", tmp_path)
    yield lab
    lab.database.dispose()


@pytest.fixture
def postgres_lab(postgres_url: str, tmp_path: Path) -> Iterator[Lab]:
    """An installation on PostgreSQL."""
    lab = Lab(postgres_url, tmp_path)
    yield lab
    lab.database.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def lab(request: pytest.FixtureRequest) -> Lab:
    """An installation on each database in turn."""
    found: Lab = request.getfixturevalue(f"{request.param}_lab")
    return found
