"""A simulated open platform for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.contract import Connector
from tests.connectors.yonyou_yonbip.yonbip_simulator import YonBip
from tests.connectors.yonyou_yonbip.yonbip_source import YonBipSource


@pytest.fixture
def server() -> Iterator[YonBip]:
    with YonBip() as server:
        yield server


@pytest.fixture
def source(server: YonBip) -> YonBipSource:
    return YonBipSource(server)


@pytest.fixture
def connector(source: YonBipSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()
