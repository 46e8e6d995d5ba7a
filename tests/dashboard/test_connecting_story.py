"""A REST system is connected in a real browser: a wrong key first, then everything until its records arrive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync import migrations
from sync.access import Access
from sync.project import Project
from sync.runs import services
from tests.browser_kit import served
from tests.connectors.hubspot.hub_simulator import HubSpot

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "tests" / "output" / "pages"
ROWS = 26
TEXTS = {
    "en": {"test": "Test and go on", "show": "Show twenty", "rehearse": "Rehearse the first", "would": "Would create",
           "start": "Start the first", "refused": "credentials", "customers": "customers"},
    "zh": {"test": "测试并继续", "show": "显示二十条", "rehearse": "预演首次同步", "would": "将新建",
           "start": "开始首次同步", "refused": "凭据", "customers": "客户"},
}  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.simulators,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "kehu.yaml").write_text("region: GB\nconnections: {}\n")
    made = Project.load(tmp_path)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    yield made
    made.close()


@pytest.fixture
def base(project: Project) -> Iterator[str]:
    with served(project) as address:
        yield address


@pytest.fixture
def account() -> Iterator[HubSpot]:
    with HubSpot(ROWS) as made:
        made.cap = 10_000
        yield made


@pytest.mark.parametrize(("lang", "width"), [("en", 1440), ("zh", 400)])
def test_a_rest_system_with_a_secret_is_connected_until_its_records_arrive(
    project: Project, base: str, account: HubSpot, lang: str, width: int
) -> None:
    from playwright.sync_api import sync_playwright

    texts = TEXTS[lang]
    OUTPUT.mkdir(parents=True, exist_ok=True)
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(f"{base}/enter?token={Access(project.state_folder).link_token()}")
        page.goto(f"{base}/?lang={lang}")
        assert page.locator("a[href='/connections/new']").count() == 1, "an empty overview shows the way"
        page.goto(f"{base}/connections/new?q=hubspot")
        page.locator(".gallery a").first.click()
        _fill(page, account, "pat-wrong")
        page.get_by_role("button", name=texts["test"]).click()
        page.locator("[role=alert]").first.wait_for()
        assert page.locator(".field.wrong #f-access_token").count() == 1, "the wrong key's field is named"
        assert page.locator(".field.wrong").count() == 1
        assert page.locator("[role=alert] p").count() >= 2, "what is wrong, and what to do"
        page.screenshot(path=str(OUTPUT / f"connect-wrong-{lang}-{width}.png"), full_page=True)
        page.fill("#f-access_token", account.KEY)
        page.get_by_role("button", name=texts["test"]).click()
        page.wait_for_url("**/streams**")
        assert page.locator("input[value=contacts]").is_checked()
        page.locator("input[value=companies]").uncheck()
        page.get_by_role("button", name=texts["show"]).click()
        page.wait_for_url("**/preview**")
        assert page.locator("main tbody tr").count() == 20
        assert page.get_by_text("c1@x.example").first.is_visible()
        page.screenshot(path=str(OUTPUT / f"connect-preview-{lang}-{width}.png"))
        page.get_by_role("link", name=texts["rehearse"]).click()
        page.get_by_text(texts["would"]).wait_for()
        assert str(ROWS) in page.locator("main").inner_text()
        assert _customers(project) == 0, "a rehearsal stores nothing"
        page.screenshot(path=str(OUTPUT / f"connect-rehearsal-{lang}-{width}.png"))
        page.get_by_role("button", name=texts["start"]).click()
        page.wait_for_url("**/connections/hubspot**told=requested**")
        _work(project)
        page.goto(f"{base}/customers?q=c1@x.example")
        assert page.locator("main tbody tr").count() == 1
        page.goto(f"{base}/connections/hubspot?tab=settings")
        assert account.KEY not in page.content()
        browser.close()
    assert [text for text in complaints if "422" not in text] == []
    assert _customers(project) == ROWS
    files = [file.read_text() for file in project.folder.rglob("*.yaml")]
    assert not any(account.KEY in contents for contents in files), "the key is in the vault"


def _fill(page: Any, account: HubSpot, key: str) -> None:
    """What the form asks for; the simulator stands on this machine, which an administrator allows."""
    page.fill("#f-access_token", key)
    closed = page.locator("main details:not([open]) > summary")
    while closed.count():
        closed.first.click()
    page.fill("#f-base_url", account.url)
    page.fill("[name=allow_private]", "127.0.0.1")


def _work(project: Project) -> None:
    """What a worker does when it is rung for."""
    project.refresh()
    with project.database.reading() as connection:
        asked = services.runs(connection, limit=5)
    for one in asked:
        services.execute(project, one.id)


def _customers(project: Project) -> int:
    from sync.master import queries

    with project.database.reading() as connection:
        return queries.stats(connection).customers
