"""A simulated K/3 Cloud for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.contract import Connector
from tests.connectors.kingdee.kingdee_simulator import Kingdee
from tests.connectors.kingdee.kingdee_source import KingdeeSource


@pytest.fixture
def server() -> Iterator[Kingdee]:
    with Kingdee() as server:
        yield server


@pytest.fixture
def source(server: Kingdee) -> KingdeeSource:
    return KingdeeSource(server)


@pytest.fixture
def connector(source: KingdeeSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()
