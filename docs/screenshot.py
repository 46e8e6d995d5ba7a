"""Take docs/screenshot.png from the real pages: ``python docs/screenshot.py PROJECT_FOLDER`` while it runs.

Uses Debian's chromium through playwright; make the project with ``kehu demo --folder PROJECT_FOLDER``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

TARGET = Path(__file__).parent / "screenshot.png"
CHROMIUM = "/usr/bin/chromium"


def main(project: str) -> None:
    """Sign in by a one-time link and photograph the overview."""
    command = [sys.executable, "-m", "sync.cli", "--project", project, "up", "--link"]
    link = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 760}, color_scheme="light", locale="en-GB")
        page.goto(link)
        page.wait_for_selector("table")
        page.screenshot(path=str(TARGET), full_page=False)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
