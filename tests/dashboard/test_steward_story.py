"""A steward's story in a real browser: review a duplicate by keyboard, undo it, decide again, take the merge apart."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.access import Access
from sync.project import Project
from tests import desk_kit
from tests.browser_kit import press, served
from tests.desk_kit import customer_of

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
PAIR = "left=shop%2Fcustomers%2F2&right=erp%2Fcustomers%2FA2"
TEXTS = {
    "en": {"merged": "They are one customer now.", "undone": "The decision was taken back.", "do": "Do it",
           "unmerge": "Unmerge", "apart": "The merge is taken apart."},
    "zh": {"merged": "现在是同一个客户了。", "undone": "该决定已撤回。", "do": "确定",
           "unmerge": "拆开合并", "apart": "合并已拆开。"},
}  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = desk_kit.make_project(tmp_path_factory.mktemp("story") / "project")
    yield made
    made.close()


@pytest.fixture(scope="module")
def base(project: Project) -> Iterator[str]:
    with served(project) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield made
        made.close()


@pytest.mark.parametrize(("lang", "width"), [("en", 1440), ("zh", 360)])
def test_a_duplicate_is_reviewed_by_keyboard_undone_and_a_merge_taken_apart(
    project: Project, base: str, browser: Any, tmp_path: Path, lang: str, width: int
) -> None:
    texts, complaints = TEXTS[lang], []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.goto(f"{base}/enter?token={Access(project.state_folder).link_token()}")

    def keep(name: str) -> None:
        page.screenshot(path=str(_shots(tmp_path) / f"steward-{lang}-{name}.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} overflows"

    page.goto(f"{base}/duplicates?lang={lang}")
    press(page, "r")
    page.wait_for_url("**/duplicates/review?left=*")
    page.goto(f"{base}/duplicates/review?{PAIR}")
    keep("pair")
    began = time.monotonic()
    press(page, "s")
    page.get_by_text(texts["merged"]).wait_for()
    took = time.monotonic() - began
    assert took < 3, "a decision, and the next pair on the screen; the machine may be busy"
    assert customer_of(project, "shop", "2") == customer_of(project, "erp", "A2")
    keep("decided")
    press(page, "u")
    page.get_by_text(texts["undone"]).wait_for()
    assert customer_of(project, "shop", "2") != customer_of(project, "erp", "A2")

    page.goto(f"{base}/duplicates/review?{PAIR}")
    press(page, "s")
    page.get_by_text(texts["merged"]).wait_for()
    page.goto(f"{base}/customers/{customer_of(project, 'shop', '2')}")
    page.get_by_role("button", name=texts["unmerge"]).first.click()
    keep("question")
    page.get_by_role("button", name=texts["do"]).click()
    page.get_by_text(texts["apart"]).wait_for()
    keep("apart")
    assert customer_of(project, "shop", "2") != customer_of(project, "erp", "A2")
    press(page, "u")  # so that the next story begins as this one did
    page.get_by_text(texts["undone"]).wait_for()
    page.goto(f"{base}/duplicates/log")
    press(page, "?")
    page.close()
    _undo_all(project)
    assert complaints == []


PAGES = (
    "/duplicates",
    f"/duplicates/review?{PAIR}",
    f"/duplicates/review?{PAIR}&blind=1",
    "/duplicates/log",
    "/customers",
    "/customers?q=nobodyatall",
    "/customers/CUSTOMER",
    "/customers/CUSTOMER/pin?field=name",
    "/customers/CUSTOMER/pin?field=emails",
    "/matching",
    "/changes",
    "/webhooks",
    "/exports",
    "/keys",
    "/users",
    "/audit",
    "/settings",
)


@pytest.mark.parametrize(("lang", "theme", "width"), [("en", "light", 1440), ("zh", "dark", 360)])
def test_no_page_shuts_anybody_out_or_overflows(
    project: Project, base: str, browser: Any, tmp_path: Path, lang: str, theme: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(f"{base}/enter?token={Access(project.state_folder).link_token()}")
    customer, found = customer_of(project, "erp", "A5"), []
    for number, path in enumerate(PAGES):
        address = path.replace("CUSTOMER", customer)
        page.goto(f"{base}{address}{'&' if '?' in address else '?'}lang={lang}&theme={theme}")
        page.screenshot(path=str(_shots(tmp_path) / f"desk-{number:02d}-{lang}-{theme}-{width}.png"), full_page=True)
        found += [f"{path}: {one}" for one in _barriers(page)]
        page.evaluate("document.documentElement.style.setProperty('font-size', '140%')")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(f"{path} overflows with larger text")
    page.close()
    assert not found, "\n".join(found)


def _barriers(page: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).response
    return [f"{one['id']}: {node['html'][:160]}" for one in found["violations"] for node in one["nodes"][:2]]


def test_customers_are_found_while_one_types(project: Project, base: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{base}/enter?token={Access(project.state_folder).link_token()}")
    page.goto(f"{base}/customers?lang=en")
    press(page, "/")
    page.keyboard.type("ouyangn")
    page.wait_for_url("**/customers?q=ouyangn")
    page.get_by_role("link", name="欧阳娜娜").wait_for()
    assert page.locator("#found tbody tr").count() == 1
    assert page.evaluate("document.activeElement.name") == "q"
    page.close()


def _shots(tmp_path: Path) -> Path:
    """Where pictures are kept: what KEHU_SCREENSHOTS names, else the test's own folder."""
    folder = Path(os.environ.get("KEHU_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _undo_all(project: Project) -> None:
    from sync.stewardship import services

    engine = services.Engine(project.matcher, project.survivorship)
    with project.database.reading() as connection:
        entries = services.log(connection, limit=500)
    for entry in entries:
        if entry.undone_by is None and entry.act != "undo":
            work = lambda link, n=entry.decision: services.undo(link, services.Steward("test"), n)  # noqa: E731
            services.carry_out(project.database, work, engine)
