"""Stewardship and resolve over HTTP: who calls decides, once, audited; resolve stores nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from sync import audit
from sync.identity.permissions import Role

API = "/api/v1"
STEWARDSHIP = f"{API}/stewardship"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A company of its own: these tests decide."""
    laboratory = next(one.laboratory for name, one in sys.modules.items() if "dashboard.api.conftest" in name)
    yield from laboratory(tmp_path_factory.mktemp("steward"))


@pytest.fixture
def steward(lab: Any) -> TestClient:
    client: TestClient = lab.client(Role.STEWARD)
    return client


def id_of(client: TestClient, source_id: str) -> str:
    query = {"connection": "erp", "stream": "customers", "id": source_id}
    return str(client.get(f"{API}/crosswalk", params=query).json()["customer"])


def said(client: TestClient, act: str, status: int = 200, headers: dict[str, str] | None = None, **body: Any) -> Any:
    answer = client.post(f"{STEWARDSHIP}/{act}", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_merge_is_checked_said_once_and_undone(lab: Any, steward: TestClient) -> None:
    one, other = id_of(steward, "20"), id_of(steward, "21")
    assert said(steward, "merge-precheck", customers=[one, other]) == {"customers": [one, other], "blockers": []}
    dry = said(steward, "merge", customers=[one, other], dry_run=True)
    assert dry["decision"] is None
    assert [len(now["records"]) for now in dry["after"]] == [2]
    assert id_of(steward, "21") == other
    key = {"idempotency-key": "merge-20-21"}
    done = said(steward, "merge", headers=key, customers=[one, other], reason="same tax letter")
    assert said(steward, "merge", headers=key, customers=[one, other], reason="same tax letter") == done
    assert id_of(steward, "20") == id_of(steward, "21") == done["after"][0]["id"]
    entry = steward.get(f"{STEWARDSHIP}/decisions").json()["data"][0]
    assert (entry["act"], entry["by"]) == ("merge", f"key:{lab.keys[Role.STEWARD].split('_')[1]}")
    with lab.project.database.reading() as connection:
        assert audit.entries(connection, action="steward.merge")[0].actor == entry["by"]
    blocked = said(steward, "merge", 409, customers=[one, "C1"])
    assert (blocked["code"], {now["code"] for now in blocked["blockers"]}) == (
        "merge_blocked",
        {"unknown_id", "too_few"},
    )
    undone = said(steward, "undo", decision=done["decision"])
    assert len(undone["after"]) == 2
    assert said(steward, "undo", 409, decision=done["decision"])["code"] == "cannot_undo"
    assert said(steward, "undo", 404, decision=4711)["code"] == "unknown_decision"


def test_a_pin_holds_only_if_the_customer_is_as_it_was_seen(steward: TestClient) -> None:
    customer = id_of(steward, "30")
    seen = steward.get(f"{API}/customers/{customer}").headers["etag"]
    said(steward, "pin", headers={"if-match": seen}, customer=customer, field="name", value="Acme")
    assert steward.get(f"{API}/customers/{customer}").json()["name"] == "Acme"
    stale = said(steward, "pin", 412, headers={"if-match": seen}, customer=customer, field="name", value="Other")
    assert stale["code"] == "changed_meanwhile"
    [held] = steward.get(f"{STEWARDSHIP}/customers/{customer}/pins").json()["data"]
    assert (held["field"], held["value"], held["holds"]) == ("name", "Acme", True)
    said(steward, "unpin", customer=customer, field="name")
    assert steward.get(f"{API}/customers/{customer}").json()["name"] == "Customer 30"
    assert said(steward, "pin", 422, customer=customer, field="shoe", value=1)["code"] == "misused"


def test_records_are_told_apart_and_together(steward: TestClient) -> None:
    one, other = "erp/customers/40", "erp/customers/41"
    together = said(steward, "decide", left=one, right=other, verdict="same")
    assert len(together["after"]) == 1
    assert said(steward, "decide", 409, left=one, right=other, verdict="different")["code"] == "contradicts_a_decision"
    merged = said(steward, "merge", customers=[id_of(steward, "44"), id_of(steward, "45")])
    apart = said(steward, "exclude", customer=merged["after"][0]["id"], record="erp/customers/45")
    assert len(apart["after"]) == 2
    assert said(steward, "decide", 404, left=one, right="erp/customers/nobody", verdict="same")
    merged = said(steward, "merge", customers=[id_of(steward, "42"), id_of(steward, "43")])
    assert len(said(steward, "unmerge", customer=merged["after"][0]["id"])["after"]) == 2


def test_a_viewer_sees_the_log_without_personal_data_and_decides_nothing(lab: Any, steward: TestClient) -> None:
    said(steward, "pin", customer=id_of(steward, "50"), field="name", value="Personal", reason="she called")
    viewer = lab.client(Role.VIEWER)
    told = viewer.get(f"{STEWARDSHIP}/decisions", params={"limit": 1})
    assert told.status_code == 200
    assert "Personal" not in told.text
    assert "she called" not in told.text
    assert viewer.get(f"{STEWARDSHIP}/queue").status_code == 200
    assert viewer.post(f"{STEWARDSHIP}/undo", json={"decision": 1}).status_code == 403
    pages = viewer.get(f"{STEWARDSHIP}/decisions", params={"limit": 1, "cursor": told.json()["next_cursor"]})
    assert pages.json()["data"][0]["decision"] == told.json()["data"][0]["decision"] - 1


def rows(lab: Any) -> list[int]:
    with lab.project.database.reading() as connection:
        tables = ("source_record", "customer", "change", "match_edge", "idempotency_key", "landing")
        return [connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables]


def test_resolve_finds_the_customer_and_stores_nothing(lab: Any, steward: TestClient) -> None:
    before = rows(lab)
    asked = {"customer": {"kind": "person", "name": "张伟", "phones": [{"value": "138 0013 8000"}],
                          "emails": [{"value": "Zhang@Example.com"}]}}  # fmt: skip
    found = steward.post(f"{API}/resolve", json=asked, headers={"idempotency-key": "r1"}).json()["data"]
    best = found[0]["candidates"][0]
    assert best["customer"] == id_of(steward, "1")
    assert best["weight"] > 0
    assert found[0]["canonical"]["phones"] == [{"value": "+8613800138000"}]
    raw = {"connection": "erp", "stream": "customers", "record": {"name": "Zhang Wei", "email": "zhang@example.com"}}
    again = steward.post(f"{API}/resolve", json=raw).json()["data"]
    assert again[0]["candidates"][0]["customer"] == best["customer"]
    nobody = {"customer": {"kind": "person", "name": "Nemo Nobody"}}
    assert steward.post(f"{API}/resolve", json=nobody).json()["data"][0]["candidates"] == []
    assert rows(lab) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"customer": {"kind": "person", "name": "x"}, "connection": "erp"}, 422),
        ({"connection": "erp", "stream": "customers"}, 422),
        ({"connection": "nobody", "stream": "customers", "record": {}}, 404),
        ({"connection": "erp", "stream": "customers", "record": {"name": {"a": []}}}, 422),
        ({"customer": {"kind": "person"}}, 422),
    ],
)
def test_a_record_that_cannot_be_read_is_refused(steward: TestClient, body: dict[str, Any], status: int) -> None:
    answer = steward.post(f"{API}/resolve", json=body)
    assert answer.status_code == status, answer.text


def test_what_is_missing_in_a_question_is_said_in_chinese_too(steward: TestClient) -> None:
    answer = steward.post(f"{API}/resolve", json={}, headers={"accept-language": "zh"})
    [wrong] = answer.json()["errors"]
    assert wrong["detail"] == "请给出 customer，或同时给出 connection、stream 和 record"


def test_the_queue_goes_on_after_a_cursor_of_its_own(lab: Any, steward: TestClient) -> None:
    edges = (
        "INSERT INTO match_edge (left_id, right_id, left_version, right_version, weight, rule) "
        "SELECT a.id, b.id, a.version, b.version, -1.0 * b.id, 'test' FROM source_record a, source_record b "
        "WHERE a.source_id = '30' AND b.source_id IN ('31', '32', '33')"
    )
    with lab.project.database.transaction() as connection:
        connection.execute(text(edges))
    try:
        whole = steward.get(f"{STEWARDSHIP}/queue").json()["data"]
        assert len(whole) == 3
        met, cursor = [], None
        while cursor is not None or not met:
            page = steward.get(f"{STEWARDSHIP}/queue", params={"limit": 1} | ({"cursor": cursor} if cursor else {}))
            met += page.json()["data"]
            cursor = page.json()["next_cursor"]
        assert met == whole
        foreign = steward.get(f"{API}/customers", params={"limit": 1}).json()["next_cursor"]
        refused = steward.get(f"{STEWARDSHIP}/queue", params={"cursor": foreign})
        assert (refused.status_code, refused.json()["code"]) == (422, "bad_cursor")
    finally:
        with lab.project.database.transaction() as connection:
            connection.execute(text("DELETE FROM match_edge WHERE rule = 'test'"))
