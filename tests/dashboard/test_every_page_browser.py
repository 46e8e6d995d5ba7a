"""Every page in a real browser, filled with the example company: nobody is shut out and nothing overflows.

In both languages, light and dark, from a phone to a wide screen, and with text forty per cent larger. A page that is
added to the dashboard must be added here: the first test compares with the routes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from fastapi.routing import APIRoute
from playwright.sync_api import sync_playwright

from dashboard.app import PAGES as MODULES
from sync import oneshot
from sync.access import Access
from sync.exporting import working
from sync.project import Project
from tests.browser_kit import served
from tests.desk_kit import admin, token

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "tests" / "output" / "every-page"
SHEET = """
  sheet:
    connector: files
    every: never
    settings: {streams: {people: {path: people.csv, key: id}}, settle_seconds: 0}
    streams: {people: {}}
"""
MAPPING = "customer:\n  kind: person\n  name: name\n  emails: [email]\n  birth_date: {from: born, on_error: reject}\n"
PEOPLE = (
    "id,name,email,born\n"
    "1,<script>alert('x')</script>,x@example.com,1980-01-02\n"
    "2,Wolfeschlegelsteinhausenbergerdorff the Elder,wolfe@example.com,nonsense\n"
    f"3,{'长' * 60},long@example.com,1990-01-01\n"
)
NO_PAGES = {
    "/healthz", "/readyz", "/metrics", "/palette", "/enter", "/sign-on", "/sign-on/callback", "/overview/live",
    "/connections/live", "/runs/live", "/runs/{run_id}/live", "/matching/weights", "/matching/compared",
    "/audit/verify",
}  # fmt: skip
"""For machines, parts of pages, redirections, and downloads."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("every-page"),  # one company and one browser for all
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


class Site(NamedTuple):
    """A dashboard that runs: where, and its pages by the routes that they show."""

    base: str
    pages: dict[str, list[str]]

    @property
    def addresses(self) -> list[str]:
        """All pages."""
        return [address for addresses in self.pages.values() for address in addresses]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("company") / "company"
    command = [sys.executable, "-m", "sync.cli", "demo", "--once", "--customers", "120", "--folder", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    settings = folder / "kehu.yaml"
    settings.write_text(settings.read_text() + SHEET)
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "mappings" / "sheet.people.yaml").write_text(MAPPING)
    made = Project.load(folder)
    with made.database.transaction() as connection:
        made.register(connection)
    oneshot.finish(made, oneshot.request(made, oneshot.targets(made, ["sheet"])), lambda _views: None)
    yield made
    made.close()


@pytest.fixture(scope="module")
def site(project: Project) -> Iterator[Site]:
    pages = furnished(project)
    with served(project) as base:
        yield Site(base, pages)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield made
        made.close()


def furnished(project: Project) -> dict[str, list[str]]:
    """Something of everything in the project, made by the dashboard's own forms; the pages that show it."""
    client = admin(project)
    csrf = {"csrf": token(client)}
    client.post("/keys", data={**csrf, "act": "create", "name": "BI 报表", "scope": "customers:read", "days": "30"})
    added = client.post("/users", data={**csrf, "act": "add", "name": "li.na", "role": "steward"}).text
    invited = f"/set-password{added.partition('/set-password')[2].partition('<')[0]}"
    client.post("/exports", data={**csrf, "form": "csv"})
    (project.folder / "guests.csv").write_text("编号,姓名,邮箱\n1,李娜,lina@example.com\n")
    client.post("/connections/new/files", data={**csrf, "name": "guests", "every": "15m", "s.path": "guests.csv"})
    client.post("/connections/drafts/guests/streams", data={**csrf, "stream": "guests"})
    client.post(
        "/mappings/sheet/people",
        data={**csrf, "act": "publish", "contents": MAPPING + "  phones: [phone]\n", "note": "first"},
    )
    customer = first(client.get("/customers?q=li").text, "/customers/C")
    client.post(f"{customer}/pin", data={**csrf, "field": "status", "value": "own", "own": "active"})
    assert "Nothing was exported yet" not in client.get("/exports?lang=en").text
    group = first(client.get("/quarantine").text, "/quarantine/group")
    hook = client.post("/webhooks", data={**csrf, "act": "create", "url": "https://93.184.216.34/hook"})
    assert hook.status_code < 400, hook.text
    return {
        "/": ["/"],
        "/sign-in": ["/sign-in"],
        "/set-password": [invited, "/set-password?token=none"],
        "/connections": ["/connections"],
        "/connections/new": ["/connections/new"],
        "/connections/new/{connector}": ["/connections/new/kingdee", "/connections/new/files"],
        "/connections/drafts/{name}": ["/connections/drafts/guests"],
        "/connections/drafts/{name}/streams": ["/connections/drafts/guests/streams"],
        "/connections/drafts/{name}/preview": ["/connections/drafts/guests/preview"],
        "/connections/drafts/{name}/rehearsal": ["/connections/drafts/guests/rehearsal"],
        "/connections/{name}": [
            *(f"/connections/sheet?tab={tab}" for tab in ("status", "runs", "schema", "mapping", "settings")),
            "/connections/erp",
        ],
        "/runs": ["/runs"],
        "/runs/{run_id}": ["/runs/1", "/runs/7"],
        "/quarantine": ["/quarantine", "/quarantine?state=ignored"],
        "/quarantine/group": [group],
        "/quarantine/{record_id}": ["/quarantine/1"],
        "/mappings": ["/mappings"],
        "/mappings/{name}/{stream}/versions/{number}": [f"/mappings/sheet/people/versions/{n}" for n in (1, 2)],
        "/mappings/{name}/{stream}": ["/mappings/erp/customers", "/mappings/sheet/people"],
        "/customers": ["/customers", "/customers?q=zhang", "/customers?q=nobodyatall"],
        "/customers/{customer_id}": [customer],
        "/customers/{customer_id}/pin": [f"{customer}/pin?field=name"],
        "/customers/{customer_id}/reveal": [f"{customer}/reveal"],
        "/customers/{customer_id}/erase": [f"{customer}/erase"],
        "/duplicates": ["/duplicates"],
        "/duplicates/review": ["/duplicates/review", "/duplicates/review?blind=1"],
        "/duplicates/log": ["/duplicates/log"],
        "/matching": ["/matching"],
        "/matching/compare": ["/matching/compare?version=1"],
        "/changes": ["/changes"],
        "/webhooks": ["/webhooks"],
        "/webhooks/{endpoint_id}": [first(client.get("/webhooks").text, "/webhooks/")],
        "/exports": ["/exports"],
        "/keys": ["/keys"],
        "/users": ["/users"],
        "/audit": ["/audit"],
        "/settings": ["/settings"],
        "nowhere": ["/nowhere", "/matching/compare"],
    }


def over(page: str) -> str:
    """Which contents a mapping's form was filled with."""
    return page.partition('name="over" value="')[2].partition('"')[0]


def first(page: str, beginning: str) -> str:
    """The first link of a page that begins so."""
    found = page[page.index("<main") :].partition(f'href="{beginning}')[2].partition('"')[0]
    assert found, f"no link to {beginning}"
    return (beginning + found).replace("&amp;", "&")


def test_every_page_is_looked_at(site: Site) -> None:
    routes = {route.path for module in MODULES for route in module.router.routes if isinstance(route, APIRoute)
              if "GET" in (route.methods or ())}  # fmt: skip
    assert routes - NO_PAGES == set(site.pages) - {"nowhere"}


@pytest.mark.parametrize(("lang", "theme", "width"), [("en", "light", 1440), ("zh", "dark", 360)])
def test_no_page_shuts_anybody_out_or_overflows(browser: Any, project: Project, site: Site, lang: str, theme: str,
                                                width: int) -> None:  # fmt: skip
    OUTPUT.mkdir(parents=True, exist_ok=True)
    page, complaints = visitor(browser, project, site, width)
    found: list[str] = []
    for address in site.addresses:
        opened(page, site, address, lang, theme)
        page.screenshot(path=str(OUTPUT / f"{file_name(address)}-{lang}-{theme}-{width}.png"), full_page=True)
        found += [f"{address}: {one}" for one in violations(page)]
        found += [f"{address}: {one}" for one in too_wide(page)]
        if page.evaluate("document.documentElement.lang") != {"en": "en", "zh": "zh-CN"}[lang]:
            found.append(f"{address} does not say its language")
    page.context.close()
    assert found == []
    assert [text for text in complaints if not any(status in text for status in ("401", "404", "422"))] == []


@pytest.mark.parametrize(("lang", "width"), [("en", 360), ("zh", 768), ("en", 2560)])
def test_every_page_holds_with_text_forty_per_cent_larger(browser: Any, project: Project, site: Site, lang: str,
                                                          width: int) -> None:  # fmt: skip
    page, _complaints = visitor(browser, project, site, width)
    found: list[str] = []
    for address in site.addresses:
        opened(page, site, address, lang, "light")
        page.evaluate("document.documentElement.style.setProperty('font-size', '140%')")
        found += [f"{address}: {one}" for one in too_wide(page)]
    page.context.close()
    assert found == []


def test_an_export_is_seen_to_be_made_and_what_is_typed_meanwhile_stays(
    browser: Any, project: Project, site: Site
) -> None:
    page, complaints = visitor(browser, project, site, 1280)
    opened(page, site, "/exports", "en", "light")
    page.fill("#tag", "vip")
    working.work(project.database, 1, working.folder_of(project), timedelta(days=1))
    page.get_by_role("link", name="Download").wait_for()
    assert page.input_value("#tag") == "vip"
    page.context.close()
    assert complaints == []


def visitor(browser: Any, project: Project, site: Site, width: int) -> tuple[Any, list[str]]:
    """A page of somebody signed in, and what the browser complains about."""
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{site.base}/enter?token={Access(project.state_folder).link_token()}")
    return page, complaints


def opened(page: Any, site: Site, address: str, lang: str, theme: str) -> None:
    page.goto(f"{site.base}{address}{'&' if '?' in address else '?'}lang={lang}&theme={theme}")
    page.wait_for_load_state("load")


def violations(page: Any) -> list[str]:
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"][:2]]


def too_wide(page: Any) -> list[str]:
    """What makes the page scroll sideways, and texts that stick out of their boxes."""
    return list(page.evaluate(STICKS_OUT))


STICKS_OUT = """() => {
  const wide = window.innerWidth, found = []
  if (document.documentElement.scrollWidth > wide) found.push(`scrolls to ${document.documentElement.scrollWidth}`)
  for (const one of document.querySelectorAll("main button, main .button, main .tag, main .card, header a, nav a")) {
    const box = one.getBoundingClientRect()
    if (one.closest(".scroll, [hidden], dialog, .hidden") || !box.width) continue
    if (box.right > wide + 1 || one.scrollWidth > one.clientWidth + 2 && getComputedStyle(one).display !== "inline")
      found.push(`${one.outerHTML.slice(0, 100)} sticks out`)
  }
  return found
}"""


def file_name(address: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in address.strip("/")).strip("-")[:60] or "overview"
