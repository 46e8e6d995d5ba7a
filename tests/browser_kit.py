"""Keys as people press them: once the page is there, with the script that listens."""

from __future__ import annotations

from typing import Any


def press(page: Any, key: str) -> None:
    """Press a key on a page of Playwright. Text is seen before scripts run: who presses then is not heard."""
    page.wait_for_load_state("load")
    page.keyboard.press(key)
