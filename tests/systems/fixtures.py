"""Fixtures with other people's systems, one of each per worker process. Import them in a conftest.

Where a system cannot be had, its tests are skipped with the reason; with CI in the environment they fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import pytest

from tests.systems import directus as directus_system
from tests.systems import dovecot as dovecot_system
from tests.systems import medusa as medusa_system
from tests.systems import tryton as tryton_system
from tests.systems.installing import Unavailable

SystemT = TypeVar("SystemT")


def available(start: Callable[[], AbstractContextManager[SystemT]]) -> Iterator[SystemT]:
    """The started system; skips the tests, or fails them in CI, when it cannot be had."""
    context = start()
    try:
        system = context.__enter__()
    except Unavailable as reason:
        if os.environ.get("CI"):
            pytest.fail(f"a system that CI must have: {reason}")
        pytest.skip(str(reason))
    try:
        yield system
    finally:
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def tryton() -> Iterator[tryton_system.Tryton]:
    """A Tryton ERP with 29 parties."""
    yield from available(tryton_system.tryton)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[dovecot_system.Dovecot]:
    """An IMAP server; take a mailbox of your own from it."""
    yield from available(dovecot_system.dovecot)


@pytest.fixture(scope="session")
def medusa() -> Iterator[medusa_system.Medusa]:
    """A Medusa web shop with 25 customers."""
    yield from available(medusa_system.medusa)


@pytest.fixture(scope="session")
def directus() -> Iterator[directus_system.Directus]:
    """A Directus with 25 contacts."""
    yield from available(directus_system.directus)
