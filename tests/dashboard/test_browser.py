"""The pages in a real browser: nothing is blocked, nothing is fetched from elsewhere, nothing overflows."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync import migrations, oneshot
from sync.access import Access
from sync.project import Project
from tests.browser_kit import served

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
MOST_REQUESTS, MOST_BYTES = 10, 300_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "m.yaml").write_text("customer:\n  kind: person\n  name: name\n")
    (tmp_path / "x.csv").write_text("id,name\n1,张伟\n2,<b>Bold</b>\n3,\n")
    (tmp_path / "kehu.yaml").write_text(
        "connections:\n  sheet:\n    connector: files\n"
        "    settings: {streams: {x: {path: x.csv, key: id}}, settle_seconds: 0}\n    streams: {x: {mapping: m.yaml}}\n"
    )
    made = Project.load(tmp_path)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    oneshot.finish(made, oneshot.request(made, oneshot.targets(made, [])), lambda _views: None)
    yield made
    made.close()


@pytest.fixture
def base(project: Project) -> Iterator[str]:
    with served(project) as address:
        yield address


@pytest.mark.parametrize(("lang", "width"), [("en", 1200), ("zh", 1200), ("en", 400), ("zh", 400)])
def test_every_page_is_whole_in_both_languages_wide_and_narrow(
    project: Project, base: str, lang: str, width: int
) -> None:
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    asked: set[str] = set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: asked.add(request.url.split("/")[2]))
        page.goto(f"{base}/enter?token={Access(project.state_folder).link_token()}")
        for path in ("/", "/customers", "/runs", "/runs/1", "/quarantine"):
            page.goto(f"{base}{path}?lang={lang}")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} overflows"
            assert page.evaluate("getComputedStyle(document.querySelector('header')).borderBottomStyle") == "solid"
        page.goto(f"{base}/customers")
        page.click("td a >> nth=0")
        assert page.locator("h1").inner_text()
        assert page.locator("b", has_text="Bold").count() == 0
        browser.close()
    assert complaints == []
    assert asked == {base.removeprefix("http://")}


def test_the_first_load_of_a_page_is_small_and_takes_few_requests(project: Project, base: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        first = browser.new_context()
        first.new_page().goto(f"{base}/enter?token={Access(project.state_folder).link_token()}")
        for path in ("/", "/customers", "/duplicates/review", "/matching", "/runs/1", "/mappings/sheet/x"):
            fresh = browser.new_context(storage_state=first.storage_state())  # nothing is cached
            page: Any = fresh.new_page()
            loaded: list[Any] = []
            page.on("response", lambda answer, into=loaded: into.append(answer))
            page.goto(f"{base}{path}")
            page.wait_for_load_state("load")
            page.wait_for_timeout(300)  # what scripts ask for once the page is there
            streams = [one for one in loaded if "event-stream" in one.headers.get("content-type", "")]
            size = sum(len(gzip.compress(one.body())) for one in loaded if one not in streams)
            fresh.close()
            assert len(loaded) <= MOST_REQUESTS, f"{path}: {[one.url for one in loaded]}"
            assert size <= MOST_BYTES, f"{path}: {size}"
        browser.close()
