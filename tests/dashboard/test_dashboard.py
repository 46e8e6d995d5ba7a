"""The dashboard: every page on a real small master, guarded on every route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from dashboard.app import create_app
from dashboard.guard import host_of
from dashboard.pages import access, customers, health, overview, quarantine, runs
from dashboard.permissions import Permission, declared, undeclared
from sync import migrations, oneshot
from sync.access import Access
from sync.master import lookup, queries
from sync.project import Project
from tests.steward_kit import merged

HOSTILE = "<script>alert('x')</script>"
BASE = "http://127.0.0.1:8600"
SETTINGS = """
language: en
region: CN
connections:
  sheet:
    connector: files
    settings: {streams: {customers: {path: customers.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "mappings").mkdir()
    (folder / "mappings" / "customers.yaml").write_text(
        "customer:\n  kind: person\n  name: name\n  emails: [email]\n  phones: [phone]\n"
    )
    rows = ["id,name,email,phone", "1,张伟,zhang@example.com,13800138000", "2,Zhang Wei,zhang@example.com,13800138000"]
    rows += [f"3,{HOSTILE},hostile@example.com,", "4,,,"]
    rows += [f"{n},Customer {n},c{n}@example.com," for n in range(10, 130)]
    (folder / "customers.csv").write_text("\n".join(rows) + "\n")
    (folder / "kehu.yaml").write_text(SETTINGS)
    made = Project.load(folder)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    oneshot.finish(made, oneshot.request(made, oneshot.targets(made, [])), lambda _views: None)
    yield made
    made.close()


@pytest.fixture
def visitor(project: Project) -> TestClient:
    return TestClient(create_app(project, Access(project.state_folder)), base_url=BASE, follow_redirects=False)


@pytest.fixture
def client(project: Project, visitor: TestClient) -> TestClient:
    answer = visitor.get(f"/enter?token={Access(project.state_folder).link_token()}")
    assert answer.status_code == 303
    return visitor


def customer_id(project: Project, word: str) -> str:
    with project.database.reading() as connection:
        return queries.search(connection, word)[0].id


def test_every_route_declares_one_permission(project: Project) -> None:
    app = create_app(project, Access(project.state_folder))
    assert undeclared(app) == []
    public = {path for path, permissions in declared(app) if permissions == [Permission.PUBLIC]}
    assert public == {
        "/enter",
        "/sign-in",
        "/set-password",
        "/sign-on",
        "/sign-on/callback",
        "/healthz",
        "/readyz",
        "/static",
        "/api/v1/openapi.json",
        "/api/hooks/{connection}",  # the connector verifies the sender's signature
    }
    offered = {
        route.path for pages in (access, customers, health, overview, quarantine, runs) for route in pages.router.routes
    }  # type: ignore[attr-defined]
    assert offered <= {path for path, _permissions in declared(app)}


def test_a_route_without_a_permission_is_found() -> None:
    app, router = FastAPI(openapi_url=None, docs_url=None, redoc_url=None), APIRouter()
    router.get("/open")(lambda: None)
    app.router.routes.extend(router.routes)
    assert undeclared(app) == ["/open"]


def test_without_a_session_every_other_page_is_closed(project: Project, visitor: TestClient) -> None:
    app = create_app(project, Access(project.state_folder))
    methods = [(route.path, next(iter(getattr(route, "methods", ["GET"])))) for route in app.routes]  # type: ignore[attr-defined]
    for (path, permissions), (_path, method) in zip(declared(app), methods, strict=True):
        filled = re.sub(r"\{\w+\}", "1", path)
        if permissions != [Permission.PUBLIC] and not path.startswith("/api/"):
            answer = visitor.request(method, filled)
            assert answer.status_code == 401, (method, path)
            assert "kehu up --link" in answer.text
            assert "Customer 1" not in answer.text


def test_a_link_works_once_and_its_session_is_out_of_reach(project: Project, visitor: TestClient) -> None:
    token = Access(project.state_folder).link_token()
    answer = visitor.get(f"/enter?token={token}")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert visitor.get("/").status_code == 200
    visitor.cookies.clear()
    assert visitor.get(f"/enter?token={token}").status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "1.2.3", "9999999999.abc.def", "9" * 5000])
def test_a_forged_session_is_none(visitor: TestClient, cookie: str) -> None:
    assert visitor.get("/", headers={"cookie": f"kehu_session_8600={cookie}"}).status_code == 401


def test_other_hosts_are_refused(client: TestClient) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example", "[::2]:8600"):
        assert client.get("/healthz", headers={"host": host}).status_code == 421, host
    for host in ("localhost:8600", "127.0.0.1", "[::1]:8600", "LOCALHOST"):
        assert client.get("/healthz", headers={"host": host}).status_code == 200, host


def test_hosts_are_read_without_their_port() -> None:
    assert [host_of(h) for h in ("a:1", "a", "[::1]:1", "[::1]", " A ")] == ["a", "a", "[::1]", "[::1]", "a"]


def test_other_sites_may_link_here_but_not_fetch(client: TestClient) -> None:
    fetched = client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"})
    assert fetched.status_code == 403


def test_every_answer_keeps_browsers_strict(client: TestClient) -> None:
    for path in ("/", "/nothing", "/healthz", "/static/style.css"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")
        assert "server" not in headers


def test_no_page_asks_another_machine(client: TestClient) -> None:
    for path in ("/", "/customers", "/runs", "/quarantine"):
        page = client.get(path).text
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", page)
        assert re.findall(r"<script([^>]*)>\s*([^<]*)</script>", page)
        assert all(" src=" in head and not body for head, body in re.findall(r"<script([^>]*)>([^<]*)</script>", page))
        assert not re.search(r"\son\w+=", page)
        assert " style=" not in page


def test_the_overview_counts_customers_and_streams(client: TestClient) -> None:
    page = client.get("/").text
    assert "sheet" in page
    assert "No connection needs you." in page
    assert re.search(r"<b>122</b><span>customers</span>", page)


def test_customers_are_searched_and_paged(client: TestClient) -> None:
    found = client.get("/customers", params={"q": "zhang@"}).text
    assert found.count('<td><a href="/customers/C') == 1
    seen: set[str] = set()
    path: str | None = "/customers"
    while path:
        page = client.get(path).text
        seen.update(re.findall(r'<td><a href="/customers/(C\w+)"', page))
        following = re.search(r'href="(/customers\?[^"]*after=[^"]*)"', page)
        path = following[1].replace("&amp;", "&") if following else None
    assert len(seen) == 122


def test_a_customer_shows_where_each_value_comes_from(project: Project, client: TestClient) -> None:
    page = client.get(f"/customers/{customer_id(project, 'zhang@example.com')}").text
    assert "sheet/customers/1" in page
    assert "sheet/customers/2" in page
    assert "most recent" in page
    assert "united" in page
    assert "zhang@example.com" in page
    assert "created" in page


def test_an_older_id_leads_to_todays_customer(project: Project, client: TestClient) -> None:
    both = [customer_id(project, word) for word in ("zhang@example.com", "hostile@example.com")]
    with merged(project, both) as (today, old):
        answer = client.get(f"/customers/{old}")
        assert (answer.status_code, answer.headers["location"]) == (308, f"/customers/{today}")


def test_what_comes_from_outside_is_escaped_everywhere(project: Project, client: TestClient) -> None:
    pages = ["/customers?q=alert", f"/customers/{customer_id(project, 'hostile@example.com')}"]
    pages += [f"/customers?q={HOSTILE}", f"/quarantine?path={HOSTILE}"]
    for path in pages:
        page = client.get(path).text
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page


def test_runs_and_their_log_are_shown(client: TestClient) -> None:
    page = client.get("/runs").text
    assert 'data-live="/runs/live"' in page
    assert re.search(r"sheet</a>\.customers", page)
    assert "The run starts." in client.get("/runs/1").text
    assert client.get("/runs?trouble=1").status_code == 200


def test_quarantine_is_shown_by_cause_and_by_record(client: TestClient) -> None:
    page = client.get("/quarantine").text
    found = re.search(r'href="/quarantine/(\d+)"', page)
    assert found, "the record without any value is not in quarantine"
    record = client.get(f"/quarantine/{found[1]}").text
    assert "Correct it and try again" in record
    assert re.search(r"<mark>.*&#34;name&#34;", record) or "Value" in record


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/customers/C0", "/customers/%00", "/runs/99999", f"/runs/{10**30}", f"/quarantine/{10**30}"],
)
def test_what_is_not_there_is_told_as_a_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is nothing here." in answer.text


@pytest.mark.parametrize("path", ["/runs?before=x", "/customers?q=" + "x" * 300, "/quarantine?after=-1", "/runs/abc"])
def test_senseless_parameters_are_refused(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 422


def test_a_page_whose_address_lacks_something_says_what(client: TestClient) -> None:
    page = client.get("/matching/compare").text
    assert "version: it must be given" in page
    assert "Come to it by a link" in page
    assert "version: 必须给出" in client.get("/matching/compare?lang=zh").text
    client.get("/?lang=en")


def test_an_endless_address_is_refused(client: TestClient) -> None:
    assert client.get("/customers?q=" + "x" * 5000).status_code == 414


def test_the_language_is_switched_and_remembered(client: TestClient) -> None:
    assert "总览" in client.get("/?lang=zh").text
    page = client.get("/customers").text
    assert '<html lang="zh-CN" data-theme="auto">' in page
    assert "Customers" not in page
    assert "Overview" in client.get("/?lang=en").text


def test_health_needs_no_session_and_tells_no_details(visitor: TestClient) -> None:
    assert visitor.get("/healthz").json() == {"status": "ok"}
    assert visitor.get("/readyz").json() == {"status": "ok"}


def test_a_database_that_is_not_ready_is_told(tmp_path: Path) -> None:
    (tmp_path / "kehu.yaml").write_text("language: en\n")
    project = Project.load(tmp_path)
    app = create_app(project, Access(project.state_folder))
    visitor = TestClient(app, base_url=BASE, raise_server_exceptions=False, follow_redirects=False)
    assert visitor.get("/readyz").status_code == 503
    answer = visitor.get(f"/enter?token={Access(project.state_folder).link_token()}")
    assert answer.status_code == 503
    assert "The database does not answer." in answer.text
    project.close()


def test_what_nobody_foresaw_is_a_page_of_ours_too(
    project: Project, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_named: object) -> None:
        raise RuntimeError("geheim")

    monkeypatch.setattr(lookup, "customers", broken)
    calm = TestClient(client.app, base_url=BASE, cookies=client.cookies, raise_server_exceptions=False)
    answer = calm.get("/customers?lang=zh")
    assert answer.status_code == 500
    assert "操作没有成功" in answer.text or "kehu doctor" in answer.text
    assert "geheim" not in answer.text
