"""Fixtures that every test may use: real servers. A server per worker process, fresh databases per test.

Property tests search without a deadline, for a busy machine must not fail them; `make check` has them search less.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from sync import language
from tests import services
from tests.systems.fixtures import directus, dovecot, medusa, tryton

__all__ = ["directus", "dovecot", "medusa", "tryton"]

settings.register_profile("patient", deadline=None)
settings.register_profile("brief", deadline=None, max_examples=20)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Every test begins in English, whatever language one before it has chosen for its process."""
    language.use("en")
    yield
    language.use("en")


@pytest.fixture(scope="session")
def postgres() -> Iterator[services.PostgresServer]:
    """The worker's PostgreSQL, shared by its tests: make databases in it, never stop it."""
    with services.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[services.ValkeyServer]:
    """The worker's Valkey, shared by its tests: use ``fresh_url``, never stop it."""
    with services.valkey() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: services.PostgresServer) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database on the shared server."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def valkey_url(valkey: services.ValkeyServer) -> str:
    """The URL of an empty logical database on the shared server."""
    return valkey.fresh_url()


@pytest.fixture
def postgres_server() -> Iterator[services.PostgresServer]:
    """A PostgreSQL of the test's own, to stop, start and kill."""
    with services.postgres() as server:
        yield server


@pytest.fixture
def valkey_server() -> Iterator[services.ValkeyServer]:
    """A Valkey of the test's own that keeps its data over a kill, to stop, start, kill and flush."""
    with services.valkey(durable=True) as server:
        yield server
