"""Reviewing duplicates: the queue, a case side by side, deciding and undoing; roles, tokens and hostile names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from time import monotonic
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from sync.identity.permissions import Role
from sync.project import Project
from sync.stewardship import services
from tests import desk_kit
from tests.desk_kit import HOSTILE, customer_of, token

LIU = {"left": "shop/customers/2", "right": "erp/customers/A2"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = desk_kit.make_project(tmp_path_factory.mktemp("desk") / "project")
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(project: Project) -> TestClient:
    return desk_kit.admin(project)


@pytest.fixture(autouse=True)
def fresh(project: Project, client: TestClient) -> Iterator[None]:
    """Every test begins with nothing decided, and with nothing that was read before."""
    yield
    client.app.state._state.pop("worklist", None)  # type: ignore[attr-defined]
    engine = services.Engine(project.matcher, project.survivorship)
    with project.database.reading() as connection:
        entries = services.log(connection, limit=500)
    for entry in entries:
        if entry.undone_by is None and entry.act != "undo":
            work = lambda link, n=entry.decision: services.undo(link, services.Steward("test"), n)  # noqa: E731
            services.carry_out(project.database, work, engine)


def decide(client: TestClient, said: str, pair: dict[str, str] = LIU, **more: object) -> object:
    ids = [one for side in (pair["left"], pair["right"]) for one in [customer(client, side)]]
    data = {"csrf": token(client), "said": said, "c": ids, **pair, **more}
    return client.post("/duplicates/review", data=data)


def customer(client: TestClient, record: str) -> str:
    connection, _stream, key = record.split("/")
    return customer_of(client.app.state.project, connection, key)  # type: ignore[attr-defined]


def decisions_in(location: str) -> str:
    return parse_qs(urlsplit(location).query)["done"][0]


def test_the_queue_lists_pairs_with_their_weight(client: TestClient) -> None:
    page = client.get("/duplicates").text
    assert "4 pairs may be one customer." in page
    assert "shop/customers/2" in page
    assert "+1.4" in page


def test_blind_mode_hides_every_score(client: TestClient) -> None:
    assert "+1.4" not in client.get("/duplicates?blind=1").text
    page = client.get("/duplicates/review", params={**LIU, "blind": 1}).text
    assert "<svg viewBox" not in page
    assert "+1.4" not in page
    assert 'name="blind" value="1"' in page


def test_what_was_decided_blindly_is_told_afterwards(client: TestClient) -> None:
    answer = decide(client, "different", blind="1")
    page = client.get(answer.headers["location"], follow_redirects=True).text  # type: ignore[attr-defined]
    assert "shop/customers/2 and erp/customers/A2 weighed +1.4" in page


def test_a_case_shows_differences_the_waterfall_and_what_would_become_of_it(client: TestClient) -> None:
    page = client.get("/duplicates/review", params=LIU).text
    assert re.search(r'<tr class="equal"><th scope="row">name', page)
    assert re.search(r'<tr class="different"><th scope="row">phones', page)
    assert re.search(r"\+86 139 0013 900<mark>[01]</mark>", page), "only the last digit differs"
    result = page[page.index("Were they one") :]
    assert "liuyang@example.com" in result
    assert "liu.yang@firm.example.com" in result
    bars = re.findall(r'<rect class="(?:for|against)" x="([\d.]+)" y="3" width="([\d.]+)"', page)
    assert len(bars) >= 3
    assert all(float(x) >= 0 and float(x) + float(width) <= 600.2 for x, width in bars)


def test_the_next_pair_is_the_most_consequential_one(client: TestClient) -> None:
    answer = client.get("/duplicates/review?skip=1")
    assert answer.status_code == 303
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (query["left"], query["right"]) == ([LIU["left"]], [LIU["right"]])


def test_same_makes_one_customer_in_under_a_second_and_undo_two_again(client: TestClient, project: Project) -> None:
    began = monotonic()
    answer = decide(client, "same", reason="same shop")
    assert monotonic() - began < 1
    assert answer.status_code == 303  # type: ignore[attr-defined]
    location = answer.headers["location"]  # type: ignore[attr-defined]
    assert customer_of(project, "shop", "2") == customer_of(project, "erp", "A2")
    assert "shop/customers/2" not in client.get("/duplicates").text
    undone = client.post(
        "/duplicates/log", data={"csrf": token(client), "done": decisions_in(location), "back": "/duplicates"}
    )
    assert undone.headers["location"] == "/duplicates?told=undone&count=1"
    assert customer_of(project, "shop", "2") != customer_of(project, "erp", "A2")
    assert "shop/customers/2" in client.get("/duplicates").text


@pytest.mark.parametrize(("said", "written"), [("different", "not the same"), ("undecided", "undecided")])
def test_other_words_take_the_pair_out_of_the_queue(
    client: TestClient, project: Project, said: str, written: str
) -> None:
    assert decide(client, said).status_code == 303  # type: ignore[attr-defined]
    assert customer_of(project, "shop", "2") != customer_of(project, "erp", "A2")
    assert "shop/customers/2" not in client.get("/duplicates").text
    assert f"decision: {written}" in client.get("/duplicates/log").text


def test_a_marked_record_is_left_out_of_a_merge(client: TestClient, project: Project) -> None:
    assert decide(client, "same").status_code == 303  # type: ignore[attr-defined]
    pair = {"left": "shop/customers/2", "right": "shop/customers/4"}
    answer = decide(client, "same", pair, out="erp/customers/A2")
    assert answer.status_code == 303  # type: ignore[attr-defined]
    assert customer_of(project, "shop", "2") == customer_of(project, "shop", "4")
    assert customer_of(project, "erp", "A2") != customer_of(project, "shop", "2")


def test_a_marked_record_is_taken_out_of_its_customer(client: TestClient, project: Project) -> None:
    decide(client, "same")
    answer = decide(client, "exclude", out="erp/customers/A2")
    assert answer.status_code == 303  # type: ignore[attr-defined]
    assert customer_of(project, "shop", "2") != customer_of(project, "erp", "A2")


def test_a_refusal_names_every_reason_and_changes_nothing(client: TestClient, project: Project) -> None:
    decide(client, "different")
    answer = decide(client, "same")
    assert answer.status_code == 409  # type: ignore[attr-defined]
    assert "keeps them apart" in answer.text  # type: ignore[attr-defined]
    nobody = decide(client, "exclude")
    assert nobody.status_code == 422  # type: ignore[attr-defined]
    assert "No record was chosen." in nobody.text  # type: ignore[attr-defined]


def pairs_of(client: TestClient) -> list[str]:
    return [unescape(one) for one in re.findall(r'name="pair" value="([^"]+)"', client.get("/duplicates").text)]


def test_a_bulk_decision_is_bound_to_what_was_seen(client: TestClient, project: Project) -> None:
    seen = pairs_of(client)
    assert len(seen) == 4
    stale = next(one for one in seen if "shop/customers/2" in one)
    decide(client, "same")
    answer = client.post("/duplicates", data={"csrf": token(client), "said": "different", "pair": [stale, seen[0]]})
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (query["told"], query["count"]) == (["decided-most"], ["1"])
    assert customer_of(project, "shop", "2") == customer_of(project, "erp", "A2"), "the pair had changed meanwhile"
    back = client.post("/duplicates/log", data={"csrf": token(client), "done": query["done"][0], "back": "/duplicates"})
    assert back.status_code == 303
    assert len(pairs_of(client)) == 3


def test_a_hostile_name_is_shown_and_never_run(client: TestClient) -> None:
    pair = {"left": "shop/customers/3", "right": "erp/customers/A3"}
    for path, query in (("/duplicates", {}), ("/duplicates/review", pair), ("/duplicates/log", {"about": HOSTILE})):
        page = client.get(path, params=query).text
        assert HOSTILE not in page
        assert "&lt;script&gt;" in page or "There is nothing here." in page


def test_who_may_not_read_personal_data_sees_masks_and_decides_nothing(project: Project) -> None:
    viewer = desk_kit.signed_in(project, Role.VIEWER)
    page = viewer.get("/duplicates/review", params=LIU).text
    assert "liuyang@example.com" not in page
    assert "l***@example.com" in page
    assert 'name="said"' not in page
    assert viewer.get("/duplicates").text.count('name="pair"') == 0
    sent = viewer.post("/duplicates/review", data={"csrf": token(viewer), "said": "same", **LIU})
    assert sent.status_code == 403


def test_a_decision_needs_the_token_of_the_session_and_our_own_page(client: TestClient, project: Project) -> None:
    ids = [customer(client, side) for side in LIU.values()]
    data = {"said": "same", "c": ids, **LIU}
    assert client.post("/duplicates/review", data=data).status_code == 403
    other = {"origin": "https://evil.example"}
    assert client.post("/duplicates/review", data={**data, "csrf": token(client)}, headers=other).status_code == 403
    assert customer_of(project, "shop", "2") != customer_of(project, "erp", "A2")


def test_after_an_undo_nobody_is_led_to_another_site(client: TestClient) -> None:
    for back in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        answer = client.post("/duplicates/log", data={"csrf": token(client), "done": "", "back": back})
        assert answer.headers["location"].startswith("/duplicates?")


@pytest.mark.parametrize("path", ["/duplicates", "/duplicates/log", "/duplicates/review?left=shop/customers/2&right=x"])
def test_pages_are_in_chinese_too(client: TestClient, path: str) -> None:
    page = client.get(f"{path}{'&' if '?' in path else '?'}lang=zh").text
    client.get("/duplicates?lang=en")
    assert '<html lang="zh-CN"' in page
    assert not re.search(r">\s*(Same|Undo|Decision|Weight)\b", page)
