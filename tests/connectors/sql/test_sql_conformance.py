"""The SQL connector keeps every promise of the contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import ConformanceSuite
from connectors.registry import load_registry
from connectors.sql.connector import SqlConnector
from tests.connectors.sql.sources import CustomersTable, PostgresCustomers, sqlite_source


class SqliteFile(CustomersTable):
    """SQLite knows no passwords; what cannot be reached is a file that is not there."""

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "url": "sqlite:///missing.db"}


class TestOnSqlite(ConformanceSuite):
    """A file in the project folder."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> CustomersTable:
        return SqliteFile(tmp_path, f"sqlite:///{tmp_path / 'erp.db'}", "sqlite:///erp.db")


class PostgresServerTable(PostgresCustomers):
    """PostgreSQL; a role that it does not know stands for a wrong login."""

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "url": self.given.replace("postgres@", "nobody_here:wr0ng-secret@")}, "url"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "url": "postgresql+psycopg://a:secret@127.0.0.1:1/none", "timeout": 2}


@pytest.mark.services
class TestOnPostgres(ConformanceSuite):
    """A server."""

    @pytest.fixture
    def source(self, tmp_path: Path, postgres_url: str) -> CustomersTable:
        return PostgresServerTable(tmp_path, postgres_url, postgres_url)


def test_it_is_listed() -> None:
    info = load_registry(plugins=[]).get("sql")
    assert info.broken is None
    assert info.load() is SqlConnector


def test_the_source_of_these_tests_is_a_real_file(tmp_path: Path) -> None:
    sqlite_source(tmp_path)
    assert (tmp_path / "erp.db").read_bytes().startswith(b"SQLite format 3")
