"""Operations in a real browser: a system is connected, quarantine is repaired, a mapping is published; by anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync import migrations, oneshot
from sync.access import Access
from sync.project import Project
from sync.runs import services
from tests.browser_kit import press, served

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
SETTINGS = """
language: en
region: CN
connections:
  sheet:
    connector: files
    every: never
    settings: {streams: {people: {path: people.csv, key: id}}, settle_seconds: 0}
    streams: {people: }
"""
MAPPING = "customer:\n  kind: person\n  name: name\n  emails: [email]\n  birth_date: {from: born, on_error: reject}\n"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("operations")
    (folder / "mappings").mkdir()
    (folder / "mappings" / "sheet.people.yaml").write_text(MAPPING)
    rows = ["id,name,email,born", "1,张伟,zhang@example.com,1980-01-02", "2,<b>Bold</b>,bold@example.com,nonsense"]
    rows += [f"{n},Customer {n},c{n}@example.com,1990-02-03" for n in range(10, 40)]
    rows += [f"{n},Customer {n},c{n}@example.com,later" for n in range(40, 43)]
    (folder / "people.csv").write_text("\n".join(rows) + "\n")
    (folder / "fair").mkdir()
    fair = ["编号,姓名,邮箱", "a1,张伟,zhang@example.com", "a2,李娜,lina@example.com", "a3,王芳,wangfang@example.com"]
    (folder / "fair" / "visitors.csv").write_text("\n".join(fair) + "\n")
    (folder / "kehu.yaml").write_text(SETTINGS)
    made = Project.load(folder)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    oneshot.finish(made, oneshot.request(made, oneshot.targets(made, [])), lambda _views: None)
    yield made
    made.close()


@pytest.fixture(scope="module")
def base(project: Project) -> Iterator[str]:
    with served(project) as address:
        yield address


@pytest.fixture(scope="module")
def context(project: Project, base: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        made = browser.new_context(viewport={"width": 1280, "height": 900})
        made.set_default_timeout(15_000)
        made.new_page().goto(f"{base}/enter?token={Access(project.state_folder).link_token()}")
        yield made
        browser.close()


@pytest.fixture
def page(context: Any, base: str) -> Iterator[Any]:
    complaints: list[str] = []
    made = context.new_page()
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.goto(f"{base}/?lang=en&theme=light")
    yield made
    made.close()
    assert [text for text in complaints if "422" not in text] == []


def test_the_first_load_is_small_and_asks_nobody_else(context: Any, base: str) -> None:
    page, answers = context.new_page(), []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(base)
    page.wait_for_load_state("load")
    sizes = {answer.url: len(answer.body()) for answer in list(answers) if "live" not in answer.url}
    assert 2 <= len(sizes) <= 10
    assert sum(sizes.values()) < 300_000, "even without compression"
    assert {url.split("/")[2] for url in sizes} == {base.removeprefix("http://")}
    page.close()


def test_the_keyboard_goes_everywhere(page: Any, base: str) -> None:
    press(page, "g")
    press(page, "r")
    page.wait_for_url("**/runs")
    press(page, "j")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/runs/1"
    press(page, "?")
    assert page.locator("#help").is_visible()
    press(page, "Escape")
    press(page, "Control+k")
    page.keyboard.type("quaran")
    page.locator("#palette-found li:first-child", has_text="Quarantine").wait_for()
    press(page, "Enter")
    page.wait_for_url("**/quarantine")


def test_the_switch_of_language_keeps_the_page_and_its_state(page: Any, base: str) -> None:
    page.goto(f"{base}/quarantine?state=ignored")
    page.get_by_role("link", name="中文").click()
    assert "state=ignored" in page.url
    assert page.locator("h1").inner_text() == "隔离区"
    page.get_by_role("link", name="English").click()
    assert page.locator("h1").inner_text() == "Quarantine"


@pytest.mark.parametrize(
    ("lang", "name", "words"),
    [
        ("en", "fair", ("Test and go on", "Show twenty", "Rehearse the first", "Would create", "Start the first")),
        ("zh", "展会", ("测试并继续", "显示二十条", "预演首次同步", "将新建", "开始首次同步")),
    ],
)
def test_a_system_is_connected_rehearsed_and_synced_without_touching_a_file(
    project: Project, page: Any, base: str, lang: str, name: str, words: tuple[str, ...]
) -> None:
    test, show, rehearse, would, start = words
    page.goto(f"{base}/connections/new?lang={lang}&q=csv")
    page.locator(".gallery a").first.click()
    page.fill("#name", name)
    page.fill("#f-path", "/etc/*.csv")
    page.get_by_role("button", name=test).click()
    page.locator("[role=alert]").first.wait_for()
    assert page.locator(".field.wrong #f-path").count() == 1, "a test that fails names the field"
    page.fill("#f-path", "fair/*.csv")
    page.get_by_role("button", name=test).click()
    page.wait_for_url("**/streams**")
    page.get_by_role("button", name=show).click()
    page.wait_for_url("**/preview**")
    assert page.get_by_text("李娜").first.is_visible()
    page.get_by_role("link", name=rehearse).click()
    page.get_by_text(would).wait_for(timeout=20_000)
    before = len(list((project.folder / "connections.d").glob("*.yaml")))
    page.get_by_role("button", name=start).click()
    page.wait_for_url("**/connections/**told=requested**")
    assert len(list((project.folder / "connections.d").glob("*.yaml"))) == before + 1
    assert project.refresh()
    with project.database.reading() as connection:
        asked = services.runs(connection, limit=1)[0]
    services.execute(project, asked.id)
    page.goto(f"{base}/runs/{asked.id}")
    assert "3" in page.locator(".card b").first.inner_text()


@pytest.mark.parametrize(
    ("lang", "record", "land", "told"),
    [("en", 1, "Land the record", "The record landed."), ("zh", 2, "写入该记录", "该记录已写入。")],
)
def test_quarantine_is_corrected_tried_and_landed(
    page: Any, base: str, lang: str, record: int, land: str, told: str
) -> None:
    page.goto(f"{base}/quarantine?lang={lang}")
    page.get_by_role("link", name=re.compile("^[34]$")).first.wait_for()  # of one cause; in any order of tests
    page.goto(f"{base}/quarantine/{record}")
    assert page.locator("mark").count() >= 1, "the failing field is marked"
    assert page.locator("pre b").count() == 0, "what comes from outside is no markup"
    page.fill("#value", "also nonsense")
    page.locator("#tried .bad").wait_for()
    page.fill("#value", "1980-05-06")
    page.locator("#tried .good").wait_for()
    page.get_by_role("button", name=land).click()
    page.wait_for_url("**/quarantine?**replayed**")
    assert page.locator("#notice").inner_text() == told


def test_a_mapping_is_tried_published_and_the_group_lands(page: Any, base: str) -> None:
    page.goto(f"{base}/quarantine")
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Change the mapping").click()
    page.locator("#tried .bad").first.wait_for()
    page.fill("#contents", MAPPING.replace("reject", "drop"))
    page.locator("#tried details .facts").first.wait_for()
    page.get_by_role("button", name="Publish").click()
    page.wait_for_url("**told=mapping-published**")
    assert page.get_by_text("in force").is_visible()
    page.goto(f"{base}/quarantine")
    page.locator("tbody a").first.click()
    page.get_by_role("button", name="Try all").click()
    page.get_by_role("button", name="Land these").click()
    page.wait_for_url("**/quarantine?**replayed**")
    assert page.get_by_text("Nothing is in quarantine.").is_visible()


def test_a_run_is_watched_live(project: Project, page: Any, base: str) -> None:
    with project.database.transaction() as connection:
        stream = services.find_stream(connection, "sheet", "people")
        asked = services.request_run(connection, stream.id, services.RunMode.FULL)
    page.goto(f"{base}/runs/{asked.run_id}")
    assert page.locator(".stages [aria-current]").inner_text() == "queued"
    page.evaluate("document.getElementById('log').dataset.mine = 'kept'")
    services.execute(project, asked.run_id)
    page.locator(".stages .done", has_text="ended").wait_for(timeout=15_000)
    page.get_by_text("The run starts.").wait_for()
    assert page.evaluate("document.getElementById('log').dataset.mine") == "kept", "the page was not loaded anew"
