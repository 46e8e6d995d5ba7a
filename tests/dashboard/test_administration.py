"""Keys, users, audit log, settings, change feed, webhooks, exports: what each role sees and may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from sync import audit
from sync.exporting import working
from sync.exposed import HIDDEN, exposed
from sync.identity import keys, users
from sync.identity.permissions import Role
from sync.project import Project
from tests import desk_kit
from tests.desk_kit import HOSTILE, customer_of, token

PAGES = {
    "/changes": {Role.ADMIN, Role.OPERATOR, Role.STEWARD, Role.INTEGRATOR, Role.VIEWER},
    "/webhooks": {Role.ADMIN, Role.OPERATOR, Role.INTEGRATOR},
    "/exports": {Role.ADMIN, Role.INTEGRATOR},
    "/keys": {Role.ADMIN, Role.INTEGRATOR},
    "/users": {Role.ADMIN},
    "/audit": {Role.ADMIN},
    "/settings": {Role.ADMIN, Role.OPERATOR},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = desk_kit.make_project(tmp_path_factory.mktemp("desk") / "project")
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(project: Project) -> TestClient:
    return desk_kit.admin(project)


def test_each_role_sees_its_pages_and_no_others(project: Project) -> None:
    for role in Role:
        browser = desk_kit.signed_in(project, role)
        menu = browser.get("/customers").text
        for path, allowed in PAGES.items():
            answer = browser.get(path)
            assert answer.status_code == (200 if role in allowed else 403), (role, path)
            assert (f'<a href="{path}"' in menu) == (role in allowed), (role, path)


@pytest.mark.parametrize("path", [*PAGES, "/audit/verify"])
def test_every_page_is_in_both_languages(client: TestClient, path: str) -> None:
    page = client.get(f"{path}?lang=zh").text
    english = client.get(f"{path}?lang=en").text
    assert page != english
    heading = re.search(r"<h1>([^<]+)</h1>", page)
    assert heading is None or re.search("[\u4e00-\u9fff]", heading[1])


@pytest.mark.parametrize("path", ["/keys", "/users", "/webhooks", "/exports"])
def test_nothing_is_done_without_the_session_s_token(client: TestClient, path: str) -> None:
    assert client.post(path, data={"act": "create", "name": "x"}).status_code == 403


def test_a_key_is_shown_once_and_revoked(client: TestClient, project: Project) -> None:
    data = {"csrf": token(client), "act": "create", "name": HOSTILE, "scope": ["customers:read"], "days": "30"}
    answer = client.post("/keys", data=data)
    assert answer.status_code == 201
    secret = re.search(r"kehu_[a-z2-7]{12}_[\w-]{43}", answer.text)
    assert secret is not None
    assert HOSTILE not in answer.text
    assert secret[0] not in client.get("/keys").text
    with project.database.reading() as connection:
        found = keys.principal(connection, secret[0])
    assert found is not None
    client.post("/keys", data={"csrf": token(client), "act": "revoke", "key": str(found.key)})
    with project.database.reading() as connection:
        assert keys.principal(connection, secret[0]) is None


def test_a_key_never_gets_more_than_its_maker_has(project: Project) -> None:
    browser = desk_kit.signed_in(project, Role.INTEGRATOR)
    page = browser.get("/keys").text
    assert 'value="users:write"' not in page
    data = {"csrf": token(browser), "act": "create", "name": "x", "scope": ["users:write"]}
    answer = browser.post("/keys", data=data)
    assert answer.status_code == 403
    assert "kehu_" not in answer.text.split("<main", 1)[1]


def test_nobody_revokes_another_s_key(client: TestClient, project: Project) -> None:
    client.post("/keys", data={"csrf": token(client), "act": "create", "name": "admins", "scope": "customers:read"})
    with project.database.reading() as connection:
        theirs = next(one for one in keys.all_keys(connection) if one.name == "admins")
    browser = desk_kit.signed_in(project, Role.INTEGRATOR)
    assert "admins" not in browser.get("/keys").text
    answer = browser.post("/keys", data={"csrf": token(browser), "act": "revoke", "key": theirs.id})
    assert answer.status_code == 404
    with project.database.reading() as connection:
        assert keys.get(connection, theirs.id).revoked_at is None


def test_a_user_is_added_changed_shut_out_and_let_in(client: TestClient, project: Project) -> None:
    def send(act: str, **more: str) -> int:
        return int(client.post("/users", data={"csrf": token(client), "act": act, "name": "bella", **more}).status_code)

    answer = client.post("/users", data={"csrf": token(client), "act": "add", "name": "bella", "role": "viewer"})
    assert answer.status_code == 201
    link = re.search(r"http://127\.0\.0\.1:8600(/set-password\?token=[\w-]+)", answer.text)
    assert link is not None
    assert "bella" in desk_kit.visitor(project).get(link[1]).text
    assert send("add", role="viewer") == 409
    assert send("role", role="steward") == 303
    assert send("role", role="emperor") == 422
    assert send("disable") == 303
    with project.database.reading() as connection:
        found = users.get(connection, "bella")
    assert (found.role, found.disabled_at is not None) == (Role.STEWARD, True)
    assert send("enable") == 303
    assert send("dance") == 422


def test_the_last_administrator_stays(client: TestClient, project: Project) -> None:
    desk_kit.signed_in(project, Role.ADMIN)

    def send(act: str, name: str) -> str:
        answer = client.post("/users", data={"csrf": token(client), "act": act, "name": name})
        return str(answer.headers.get("location", answer.text))

    assert "told=user-disable" in send("disable", "admin-user")
    assert "admin is the last administrator." in send("disable", "admin")
    assert "told=user-enable" in send("enable", "admin-user")


def test_the_audit_log_is_filtered_and_checked(client: TestClient, project: Project) -> None:
    with project.database.transaction() as connection:
        audit.record(connection, "user:eve", "test.hostile", HOSTILE, {"x": HOSTILE})
        head = audit.head(connection)
    page = client.get("/audit", params={"actor": "user:eve"}).text
    assert HOSTILE not in page
    assert "test.hostile" in page
    assert "user:admin" not in page.split("<tbody", 1)[1]
    checked = client.get("/audit/verify", params={"head": str(head)}).text
    assert "none was touched" in checked
    assert "The one kept elsewhere is among them." in checked
    forged = client.get("/audit/verify", params={"head": f"{head.seq}:{'0' * 64}"}).text
    assert "The log was touched" in forged
    assert "not of the form" in client.get("/audit/verify", params={"head": "x"}).text
    assert "No entry fits." in client.get("/audit?actor=nobody").text


def test_settings_show_references_but_no_secret(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "kehu.yaml").write_text(
        "database: postgresql://kehu:hunter2@db.example/kehu?sslpassword=hunter3\n"
        "connections:\n"
        "  shop:\n    connector: shopify\n    settings: {shop: demo, access_token: shpat_hunter4}\n"
        "  odoo:\n    connector: odoo\n    settings: {url: 'https://u:hunter5@odoo.example', api_key: '${ODOO_KEY}', "
        "database: x, password: '${PW:-hunter6}'}\n"
        "  unknown:\n    connector: nosuch\n    settings: {anything: hunter7}\n"
    )
    secretive = Project.load(tmp_path)
    text = str(exposed(secretive))
    assert "hunter" not in text
    assert "${ODOO_KEY}" in text
    assert HIDDEN in text
    assert "db.example" in text
    page = client.get("/settings").text
    assert "first-load" in page
    assert "shop.csv" in page


def test_the_change_feed_tells_what_happened_and_why(client: TestClient, project: Project) -> None:
    page = client.get("/changes").text
    assert page.count("created") >= 10
    assert "by a sync" in page
    assert HOSTILE not in page
    viewer = desk_kit.signed_in(project, Role.VIEWER).get("/changes").text
    assert "liuyang@example.com" not in viewer
    assert "13900139000" not in viewer


@pytest.fixture
def endpoint(client: TestClient, project: Project) -> Iterator[str]:
    data = {
        "csrf": token(client),
        "url": "https://93.184.215.14/hooks",
        "description": HOSTILE,
        "type": "customer.updated",
    }
    answer = client.post("/webhooks", data=data)
    assert answer.status_code == 201, answer.text[-2000:]
    assert "whsec_" in answer.text
    assert HOSTILE not in answer.text
    found = re.search(r'action="/webhooks/(we_\w+)"', answer.text)
    assert found is not None
    yield found[1]
    client.post(f"/webhooks/{found[1]}", data={"csrf": token(client), "act": "remove"})


def test_an_endpoint_is_made_changed_rotated_and_removed(client: TestClient, endpoint: str) -> None:
    def send(act: str, **more: str) -> int:
        return int(client.post(f"/webhooks/{endpoint}", data={"csrf": token(client), "act": act, **more}).status_code)

    assert "whsec_" not in client.get(f"/webhooks/{endpoint}").text
    assert "https://93.184.215.14/hooks" in client.get("/webhooks").text
    assert send("disable") == 303
    assert "disabled" in client.get("/webhooks").text
    assert send("enable") == 303
    assert send("change", url="https://93.184.215.15/hooks", thin="1") == 303
    assert "without values" in client.get(f"/webhooks/{endpoint}").text
    rotated = client.post(f"/webhooks/{endpoint}", data={"csrf": token(client), "act": "rotate"})
    assert rotated.status_code == 201
    assert "The old one signs too until" in rotated.text
    assert send("replay", seq="x") == 422
    assert send("remove") == 303
    assert client.get(f"/webhooks/{endpoint}").status_code == 404


def test_an_endpoint_inside_our_network_is_refused_with_the_reason(client: TestClient) -> None:
    for url in ("https://127.0.0.1/x", "http://shop.example/x", "https://169.254.169.254/latest", "ftp://x"):
        answer = client.post("/webhooks", data={"csrf": token(client), "url": url})
        assert answer.status_code == 422, url
        assert 'role="alert"' in answer.text


def test_who_may_not_read_personal_data_cannot_have_it_sent(project: Project) -> None:
    operator = desk_kit.signed_in(project, Role.OPERATOR)
    assert "Add an endpoint" not in operator.get("/webhooks").text
    answer = operator.post("/webhooks", data={"csrf": token(operator), "url": "https://shop.example/x"})
    assert answer.status_code == 403


def test_an_export_is_asked_for_made_and_downloaded(client: TestClient, project: Project) -> None:
    assert "Nothing was exported yet." in client.get("/exports").text
    answer = client.post("/exports", data={"csrf": token(client), "form": "csv", "kind": "person"})
    assert answer.headers["location"] == "/exports?told=export-asked"
    assert "queued" in client.get("/exports").text
    working.work(project.database, 1, working.folder_of(project), timedelta(days=1))
    page = client.get("/exports").text
    link = re.search(r'href="(/api/v1/exports/\d+/file)"', page)
    assert link is not None, page
    file = client.get(link[1])
    assert file.status_code == 200
    assert "liuyang@example.com" in file.content.decode("utf-8-sig")
    for wrong in ({"form": "exe"}, {"form": "csv", "kind": "ghost"}, {"form": "csv", "connection": "nowhere"}):
        assert client.post("/exports", data={"csrf": token(client), **wrong}).status_code == 422


def test_a_customer_s_change_leads_to_the_customer(client: TestClient, project: Project) -> None:
    assert f'href="/customers/{customer_of(project, "shop", "1")}"' in client.get("/changes").text
