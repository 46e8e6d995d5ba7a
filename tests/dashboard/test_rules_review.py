"""Reviewing pairs under the matching rules: which rule holds, what forbids it, what is missing; without any weight."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient

from sync.access import Access
from sync.identity.permissions import Role
from sync.project import Project
from tests import desk_kit
from tests.browser_kit import press, served

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
MAPPING = """
customer:
  kind: {from: kind}
  name: name
  emails: [email]
  phones: [phone]
  identifiers: [{scheme: cn.uscc, from: tax, on_error: drop}]
"""
SHOP = """id,kind,name,email,phone,tax
1,organisation,厦门华强电子有限公司,sales@huaqiang.example.com,05921234567,91440300708461136T
2,person,Maria Garcia,maria@example.com,,
3,person,{hostile},hostile@example.com,13700137000,
"""
ERP = """id,kind,name,email,phone,tax
A1,organisation,厦门华强电子有限公司,sales@huaqiang.example.com,05921234567,91110000802100433B
A2,person,M Garcia,maria@example.com,,
A3,person,Marta Garcia,maria@example.com,,
A4,person,Marta Garcia,marta@other.example.com,,
"""
GARCIA = {"left": "erp/customers/A2", "right": "erp/customers/A3"}
TAXPAYERS = {"left": "shop/customers/1", "right": "erp/customers/A1"}
STRANGERS = {"left": "shop/customers/2", "right": "erp/customers/A4"}
TEXTS = {
    "en": (
        "email and similar name",
        "similar names",
        "different tax numbers",
        "They are one customer now.",
        "The decision was taken back.",
    ),
    "zh": ("邮箱与相近的姓名", "名称相近", "税号不同", "现在是同一个客户了。", "该决定已撤回。"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("rules") / "project"
    made = desk_kit.make_project(folder, model="rules", mapping=MAPPING, shop=SHOP, erp=ERP)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(project: Project) -> TestClient:
    return desk_kit.admin(project)


def page(client: TestClient, pair: dict[str, str], **more: object) -> str:
    return str(client.get("/duplicates/review", params={**pair, **more}).text)


def test_the_queue_tells_rules_instead_of_weights(client: TestClient) -> None:
    text = client.get("/duplicates").text
    assert "email and similar name" in text
    assert text.index("email and similar name") < text.index("different tax numbers"), "what is forbidden comes last"
    assert "+9.0" not in text
    assert "-100" not in text
    assert "email and similar name" not in client.get("/duplicates?blind=1").text


def test_a_rule_that_holds_is_told_with_what_keeps_the_two_apart(client: TestClient) -> None:
    text = page(client, GARCIA)
    assert "The rule “email and similar name” holds between these two records." in text
    assert "every name of one customer must fit" in text
    assert "maria@example.com" in text
    assert "none in common" in text, "no official number"
    assert "Weight" not in text


def test_what_forbids_a_pair_is_told_first(client: TestClient) -> None:
    text = page(client, TAXPAYERS)
    assert "a rule forbids it: different tax numbers." in text
    assert "the same name" in text
    assert "huaqiang dianzi" in text, "names as they are compared, without our marks"


def test_a_pair_without_any_rule_is_a_page_too(client: TestClient) -> None:
    text = page(client, STRANGERS)
    assert "No rule makes these two records one" in text


def test_blind_mode_hides_the_rule_until_it_is_decided(client: TestClient) -> None:
    text = page(client, GARCIA, blind=1)
    assert "email and similar name" not in text
    after = client.get("/duplicates/review", params={**STRANGERS, "was": "erp/customers/A2\nerp/customers/A3"}).text
    assert "email and similar name" in after


def test_who_may_not_see_contacts_sees_the_rule_alone(project: Project) -> None:
    browser = desk_kit.signed_in(project, Role.VIEWER)
    text = page(browser, GARCIA)
    assert "email and similar name" in text
    assert "maria@example.com" not in text
    assert "garcia" not in text.lower().replace("m***", "")


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")
@pytest.mark.parametrize(("lang", "width"), [("en", 1440), ("zh", 360)])
def test_a_cluster_is_reviewed_by_rules_in_a_browser(project: Project, lang: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    rule, similar, forbidden, merged, undone = TEXTS[lang]
    complaints: list[str] = []
    with served(project) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": width, "height": 900})
        shown.set_default_timeout(15_000)
        shown.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        shown.goto(f"{base}/enter?token={Access(project.state_folder).link_token()}")
        shown.goto(f"{base}/duplicates/review?{urlencode(TAXPAYERS)}&lang={lang}")
        assert forbidden in shown.locator("main").inner_text()
        shown.goto(f"{base}/duplicates/review?{urlencode(GARCIA)}")
        text = shown.locator("main").inner_text()
        assert rule in text
        assert similar in text
        assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert Axe().run(shown, options={"runOnly": ["wcag2a", "wcag2aa", "wcag22aa"]}).response["violations"] == []
        (ROOT / "tests" / "output" / "pages").mkdir(parents=True, exist_ok=True)
        shown.screenshot(path=str(ROOT / f"tests/output/pages/rules-{lang}-{width}.png"), full_page=True)
        press(shown, "s")
        shown.get_by_text(merged).wait_for()
        press(shown, "u")
        shown.get_by_text(undone).wait_for()
        shown.goto(f"{base}/duplicates/review?{urlencode(GARCIA)}")
        assert rule in shown.locator("main").inner_text(), "undone: it is to be reviewed again"
        browser.close()
    assert complaints == []
