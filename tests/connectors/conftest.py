"""Marks the tests of vendors that are simulated: each vendor's folder holds the server that plays it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@cache
def is_simulated(folder: Path) -> bool:
    """Whether a vendor's tests run against a server of our own in the same folder."""
    return folder.parent == HERE and any([*folder.glob("*_simulator.py"), *folder.glob("*_server.py")])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_simulated(item.path.parent):
            item.add_marker(pytest.mark.simulators)
