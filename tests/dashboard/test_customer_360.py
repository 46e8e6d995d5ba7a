"""Customer 360: found as one types, values with their origin, pins, history, merges taken apart; masked by role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from sync.identity.permissions import Role
from sync.master import queries
from sync.project import Project
from tests import desk_kit
from tests.desk_kit import HOSTILE, customer_of, token


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = desk_kit.make_project(tmp_path_factory.mktemp("desk") / "project")
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(project: Project) -> TestClient:
    return desk_kit.admin(project)


def found(client: TestClient, words: str) -> list[str]:
    page = client.get("/customers", params={"q": words}).text
    return re.findall(r'<td><a href="/customers/C\w+">([^<]+)</a>', page)


def send(client: TestClient, customer: str, path: str = "", **data: str) -> str:
    answer = client.post(f"/customers/{customer}{path}", data={"csrf": token(client), **data})
    assert answer.status_code == 303, answer.text[-3000:]
    return str(answer.headers["location"])


def undo(client: TestClient, location: str) -> None:
    done = parse_qs(urlsplit(location).query)["done"][0]
    client.post("/duplicates/log", data={"csrf": token(client), "done": done, "back": "/customers"})


def merged(client: TestClient, project: Project) -> tuple[str, str]:
    """Liu Yang of the shop and of the ERP as one customer; its id, and where the answer leads."""
    ids = [customer_of(project, "shop", "2"), customer_of(project, "erp", "A2")]
    data = {"csrf": token(client), "said": "same", "left": "shop/customers/2", "right": "erp/customers/A2", "c": ids}
    location = client.post("/duplicates/review", data=data).headers["location"]
    return customer_of(project, "shop", "2"), location


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("欧阳", "欧阳娜娜"),
        ("娜娜", "欧阳娜娜"),
        ("ouyangnana", "欧阳娜娜"),
        ("oynn", "欧阳娜娜"),
        ("garc mari", "Maria Garcia"),
        ("1360013", "Maria Garcia"),
        ("nana@music", "欧阳娜娜"),
    ],
)
def test_customers_are_found_by_parts_of_names_pinyin_and_fragments(client: TestClient, words: str, name: str) -> None:
    assert name in found(client, words)


def test_a_search_field_asks_while_one_types_and_keeps_the_words_in_the_address(client: TestClient) -> None:
    page = client.get("/customers?q=liu").text
    assert 'hx-replace-url="true"' in page
    assert 'hx-select="#found"' in page
    assert 'value="liu"' in page


def test_nobody_found_teaches_how_to_search(client: TestClient) -> None:
    assert "its pinyin or initials" in client.get("/customers?q=nobodyatall").text


def test_every_value_has_its_source_rule_and_runner_up(client: TestClient, project: Project) -> None:
    customer, location = merged(client, project)
    page = client.get(f"/customers/{customer}").text
    undo(client, location)
    values = page[page.index('id="values"') : page.index('id="records"')]
    assert "shop/customers/2" in values
    assert "erp/customers/A2" in values
    assert "united" in values
    timeline = page[page.index('id="changes"') :]
    assert "by a decision" in timeline
    assert "<ins>+86 139 0013 9000, +86 139 0013 9001</ins>" in timeline


def test_a_merge_is_taken_apart_from_the_page_of_the_customer(client: TestClient, project: Project) -> None:
    customer, _location = merged(client, project)
    page = client.get(f"/customers/{customer}").text
    merge = re.search(r'name="act" value="unmerge"><input type="hidden" name="merge" value="(\d+)"', page)
    assert merge is not None
    location = send(client, customer, act="unmerge", merge=merge[1])
    assert customer_of(project, "shop", "2") != customer_of(project, "erp", "A2")
    undo(client, location)
    assert customer_of(project, "shop", "2") == customer_of(project, "erp", "A2")
    client.post("/duplicates/log", data={"csrf": token(client), "done": merge[1], "back": "/customers"})


def test_a_record_is_taken_out_and_comes_back_with_an_undo(client: TestClient, project: Project) -> None:
    customer, first = merged(client, project)
    location = send(client, customer, act="exclude", record="erp/customers/A2")
    assert customer_of(project, "erp", "A2") != customer
    undo(client, location)
    assert customer_of(project, "erp", "A2") == customer
    undo(client, first)


def golden(project: Project, customer: str) -> dict[str, object]:
    with project.database.reading() as connection:
        view = queries.get(connection, customer)
    assert view is not None
    return view.golden


def test_a_value_is_pinned_and_unpinned(client: TestClient, project: Project) -> None:
    customer = customer_of(project, "shop", "6")
    page = client.get(f"/customers/{customer}/pin?field=name").text
    assert 'value="=Anna Schmidt" checked' in page
    send(client, customer, "/pin", field="name", value="own", own="Anna Schmidt-Weber", reason="married")
    assert golden(project, customer)["name"] == "Anna Schmidt-Weber"
    assert "pinned" in client.get(f"/customers/{customer}").text
    send(client, customer, act="unpin", field="name")
    assert golden(project, customer)["name"] == "Anna Schmidt"


def test_a_field_is_kept_empty_and_a_list_is_written_as_json(client: TestClient, project: Project) -> None:
    customer = customer_of(project, "shop", "6")
    empty = send(client, customer, "/pin", field="emails", value="empty")
    assert "emails" not in golden(project, customer)
    assert "kept empty" in client.get(f"/customers/{customer}").text
    undo(client, empty)
    tags = send(client, customer, "/pin", field="tags", value="own", own='["vip"]')
    assert golden(project, customer)["tags"] == ["vip"]
    undo(client, tags)
    for own in ("not json", '{"a": 1}'):
        data = {"csrf": token(client), "field": "tags", "value": "own", "own": own}
        answer = client.post(f"/customers/{customer}/pin", data=data)
        assert answer.status_code == 422
        assert "tags" in answer.text


def test_a_refusal_is_a_page_with_a_remedy(client: TestClient, project: Project) -> None:
    customer = customer_of(project, "shop", "6")
    answer = client.post(f"/customers/{customer}", data={"csrf": token(client), "act": "unmerge"})
    assert answer.status_code == 409
    assert "No steward merged anything into" in answer.text
    assert client.post(f"/customers/{customer}", data={"csrf": token(client), "act": "x"}).status_code == 422


def test_a_viewer_sees_masks_and_cannot_change_anything(project: Project) -> None:
    viewer = desk_kit.signed_in(project, Role.VIEWER)
    customer = customer_of(project, "erp", "A7")
    page = viewer.get(f"/customers/{customer}").text
    for secret in ("欧阳娜娜", "nana@music.example.cn", "13400134000"):
        assert secret not in page
    assert "n***@music.example.cn" in page
    assert 'name="act"' not in page
    assert viewer.get(f"/customers/{customer}/pin?field=name").status_code == 403
    assert viewer.post(f"/customers/{customer}", data={"csrf": token(viewer), "act": "unpin"}).status_code == 403
    assert found(viewer, "nana@music") == [], "by fragments one could spell contacts out"
    assert len(found(viewer, "nana@music.example.cn")) == 1
    assert "nana@music.example.cn" not in viewer.get("/customers").text


def test_a_customer_named_like_a_script_is_text(client: TestClient, project: Project) -> None:
    customer = customer_of(project, "shop", "3")
    for path in (f"/customers/{customer}", f"/customers/{customer}/pin?field=name", "/customers?q=script"):
        page = client.get(path).text
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page


def test_changes_need_the_token_of_the_session(client: TestClient, project: Project) -> None:
    customer = customer_of(project, "shop", "6")
    for path in ("", "/pin"):
        data = {"act": "unpin", "field": "name", "value": "own", "own": "x"}
        assert client.post(f"/customers/{customer}{path}", data=data).status_code == 403


def test_what_cannot_be_pinned_is_not_there(client: TestClient, project: Project) -> None:
    customer = customer_of(project, "shop", "6")
    for field in ("kind", "nonsense", HOSTILE):
        assert client.get(f"/customers/{customer}/pin", params={"field": field}).status_code == 404
