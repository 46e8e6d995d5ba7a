"""What tests in a browser share: a dashboard that runs, and keys as people press them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sync.project import Project
from tests.processes import free_port

ROOT = Path(__file__).parents[1]


def press(page: Any, key: str) -> None:
    """Press a key on a page of Playwright. Text is seen before scripts run: who presses then is not heard."""
    page.wait_for_load_state("load")
    page.keyboard.press(key)


@contextmanager
def served(project: Project, **environment: str) -> Iterator[str]:
    """A project's dashboard in a process of its own: its address, once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "dashboard", str(project.path), "--port", str(port), "--die-with-parent"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError):
                urllib.request.urlopen(f"{base}/healthz", timeout=2)
                break
            time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait(20)
