"""Take the README's screenshots of the real pages: ``make screenshots``.

Makes the example company in a folder of its own, syncs it once, serves its dashboard, and photographs pages with
Debian's Chromium through playwright. ``python docs/screenshot.py PROJECT_FOLDER`` takes a project that exists already.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import ViewportSize, sync_playwright

from sync.access import Access
from sync.master.search import index
from sync.project import Project
from tests.browser_kit import served

FOLDER = Path(__file__).parent / "screenshots"
CHROMIUM = "/usr/bin/chromium"
MOST_BYTES = 150_000
SIZE, SCALE = ViewportSize(width=1440, height=900), 0.75
PAGES = {
    "overview": "/",
    "duplicates": "/duplicates/review?skip=3",
    "customer": "/customers?q=zhang",
    "mapping": "/mappings/erp/customers",
}


def main(folder: str | None) -> None:
    """Photograph the project of a folder, or of an example company made for it."""
    if folder is not None:
        photograph(Path(folder))
        return
    with tempfile.TemporaryDirectory() as made:
        command = [sys.executable, "-m", "sync.cli", "demo", "--once", "--folder", f"{made}/company"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        photograph(Path(made) / "company")


def photograph(folder: Path) -> None:
    """One picture a page, of a moderate size. Raises SystemExit for one that has grown too large."""
    project = Project.load(folder)
    FOLDER.mkdir(exist_ok=True)
    index.catch_up(project.database)
    try:
        with served(project) as base, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE, device_scale_factor=SCALE, color_scheme="light", locale="en-GB")
            page.goto(f"{base}/enter?token={Access(project.state_folder).link_token()}")
            for name, address in PAGES.items():
                take(page, f"{base}{address}", FOLDER / f"{name}.png")
            browser.close()
    finally:
        project.close()


def take(page: Any, address: str, target: Path) -> None:
    """Photograph what is seen of a page, once it is there: of a search, the first that it finds."""
    page.goto(address)
    if "q=" in address:
        page.locator("main tbody a").first.click()
    page.locator("main table, main .panel").first.wait_for()
    if page.locator(".fall").count():  # what a weight is made of stands below the values
        page.locator(".fall").scroll_into_view_if_needed()
        page.mouse.wheel(0, 2_000)
    page.wait_for_timeout(500)
    page.screenshot(path=str(target))
    if target.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{target.name} has {target.stat().st_size:,} bytes; at most {MOST_BYTES:,} are moderate.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
