"""Loggers load structlog late, and say the same as its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from sync.logs import Logger


@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_a_line_reaches_structlog_with_its_level_and_values(level: str) -> None:
    with capture_logs() as lines:
        getattr(Logger("x"), level)("page stored", records=10)
    assert lines == [{"event": "page stored", "records": 10, "log_level": level}]


def test_a_sync_by_hand_loads_neither_rich_nor_numpy_nor_the_client_of_the_broker() -> None:
    program = (
        "import sys, sync.oneshot, sync.project, connectors.rest, mappings.compile, mappings.matching.rules;"
        "print([name for name in ('structlog', 'rich', 'numpy', 'redis', 'dramatiq', 'opencc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
