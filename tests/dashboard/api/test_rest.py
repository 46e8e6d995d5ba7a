"""The REST interface over HTTP: reading, paging, merged ids, errors."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from sync.identity.permissions import Role
from tests.steward_kit import merged

API = "/api/v1"


def customer_of(client: TestClient, source_id: str) -> str:
    query = {"connection": "erp", "stream": "customers", "id": source_id}
    return str(client.get(f"{API}/crosswalk", params=query).json()["customer"])


def all_of(client: TestClient, path: str, **params: object) -> list[dict]:  # type: ignore[type-arg]
    found, cursor = [], None
    while True:
        given = {**params, **({} if cursor is None else {"cursor": cursor})}
        answer = client.get(path, params=given)
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def test_pages_hold_every_customer_once(client: TestClient) -> None:
    whole = all_of(client, f"{API}/customers", limit=500)
    assert len(whole) == 112
    assert all_of(client, f"{API}/customers", limit=7) == whole
    by_change = all_of(client, f"{API}/customers", limit=7, updated_since="2020-01-01T00:00:00Z")
    assert sorted(one["id"] for one in by_change) == [one["id"] for one in whole]
    assert all_of(client, f"{API}/customers", updated_since="2100-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"q": "张"}, "张伟"),
        ({"q": "zhangwei"}, "张伟"),
        ({"q": "wei zhang"}, "张伟"),
        ({"q": "zw"}, "张伟"),
        ({"q": "ZHANG@example"}, "张伟"),
        ({"q": "+86 138 0013 8000"}, "张伟"),
        ({"q": "1380013"}, "张伟"),
        ({"q": "娜娜"}, "欧阳娜娜"),
        ({"q": "ouyang"}, "欧阳娜娜"),
        ({"q": "music.example.cn"}, "欧阳娜娜"),
        ({"email": "nana@music.example.cn"}, "欧阳娜娜"),
        ({"phone": "13800138000"}, "张伟"),
        ({"q": "Customer 57", "connection": "erp", "kind": "person"}, "Customer 57"),
    ],
)
def test_a_customer_is_found_by_any_of_its_parts(client: TestClient, params: dict[str, str], name: str) -> None:
    found = client.get(f"{API}/customers", params={**params, "fields": "name"}).json()["data"]
    assert [one["name"] for one in found] == [name]


@pytest.mark.parametrize(
    "params", [{"q": "娜欧"}, {"email": "nana@"}, {"kind": "organisation"}, {"tag": "vip"}, {"q": "zhang nana"}]
)
def test_what_does_not_fit_is_not_found(client: TestClient, params: dict[str, str]) -> None:
    assert client.get(f"{API}/customers", params=params).json() == {"data": [], "next_cursor": None}


def test_only_the_fields_asked_for_are_sent(client: TestClient) -> None:
    number = customer_of(client, "1")
    answer = client.get(f"{API}/customers/{number}", params={"fields": "name,golden.emails,golden.tags"})
    assert answer.json() == {"id": number, "name": "张伟", "golden": {"emails": [{"value": "zhang@example.com"}]}}
    refused = client.get(f"{API}/customers/{number}", params={"fields": "nme"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_field")
    assert refused.json()["errors"][0]["parameter"] == "fields"


def test_who_holds_it_already_is_told_so(client: TestClient) -> None:
    number = customer_of(client, "1")
    for path in (f"{API}/customers/{number}", f"{API}/customers?limit=3", f"{API}/connections/erp", f"{API}/runs/1"):
        answer = client.get(path, headers={"accept-language": "en"})
        tag = answer.headers["etag"]
        if "connections" in path:
            continue  # tells how fresh it is, so it is another one each time
        assert client.get(path, headers={"if-none-match": f'"x", W/{tag}'}).status_code == 304, path
        assert client.get(path, headers={"if-none-match": '"x"'}).status_code == 200
    whole, part = (client.get(f"{API}/customers/{number}{q}").headers["etag"] for q in ("", "?fields=name"))
    assert whole != part


def test_an_older_id_leads_to_the_survivor(lab, client: TestClient) -> None:  # type: ignore[no-untyped-def]
    with merged(lab.project, [customer_of(client, "1"), customer_of(client, "57")]) as (today, old):
        for below in ("", "/history", "/source-records", "/lineage"):
            answer = client.get(f"{API}/customers/{old}{below}?redirect=true")
            assert answer.status_code == 308
            assert answer.headers["location"] == f"{API}/customers/{today}{below}?redirect=true"
            gone = client.get(f"{API}/customers/{old}{below}?redirect=false")
            assert (gone.status_code, gone.json()["code"], gone.json()["merged_into"]) == (410, "merged", today)


def test_a_customers_history_sources_and_lineage(client: TestClient) -> None:
    number = customer_of(client, "2")
    history = client.get(f"{API}/customers/{number}/history").json()["data"]
    assert [one["type"] for one in history][-1] == "created"
    sources = client.get(f"{API}/customers/{number}/source-records").json()["data"]
    assert [one["id"] for one in sources] == ["1", "2"]
    lineage = {one["field"]: one for one in client.get(f"{API}/customers/{number}/lineage").json()["data"]}
    assert lineage["name"]["sources"] == ["erp/customers/1"]
    assert lineage["name"]["runner_up"] == "Zhang Wei"


def test_many_source_records_are_looked_up_in_the_order_asked(client: TestClient) -> None:
    keys = [{"connection": "erp", "stream": "customers", "id": number} for number in ("57", "nobody", "1", "57")]
    keys.append({"connection": "elsewhere", "stream": "customers", "id": "1"})
    found = [one["customer"] for one in client.post(f"{API}/crosswalk/lookup", json={"keys": keys}).json()["data"]]
    assert found == [customer_of(client, "57"), None, customer_of(client, "1"), found[0], None]
    too_many = {"keys": keys[:1] * 1001}
    assert client.post(f"{API}/crosswalk/lookup", json=too_many).status_code == 422


def test_runs_quarantine_and_connections_are_shown(client: TestClient) -> None:
    run = client.get(f"{API}/runs/1").json()
    assert (run["status"], run["counts"]["quarantined"]) == ("partial", 1)
    assert [one["id"] for one in all_of(client, f"{API}/runs", status="partial", limit=1)] == [1]
    events = client.get(f"{API}/runs/1/events", headers={"accept-language": "fr, zh-CN;q=0.8"}).json()["data"]
    assert re.search("[\u4e00-\u9fff]", events[0]["text"])
    [record] = all_of(client, f"{API}/quarantine")
    assert record["source_id"] == "4"
    assert client.get(f"{API}/quarantine/{record['id']}").json()["payload"]["id"] == "4"
    assert client.get(f"{API}/connections/erp").json()["streams"][0]["records"] == 113


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/customers/C0", 404, "not_found"),
        ("/customers/C0000000000000", 404, "not_found"),
        ("/customers/%00", 422, "not_text"),
        ("/customers?q=%00", 422, "not_text"),
        ("/customers?limit=0", 422, "invalid_request"),
        ("/customers?limit=501", 422, "invalid_request"),
        ("/customers?colour=red", 422, "invalid_request"),
        ("/customers?cursor=x", 422, "bad_cursor"),
        ("/customers?cursor=W10", 422, "bad_cursor"),
        ("/customers?status=merged&q=a", 422, "not_searchable"),
        ("/customers?updated_since=yesterday", 422, "invalid_request"),
        ("/crosswalk?connection=erp&stream=customers&id=nobody", 404, "not_found"),
        ("/connections/elsewhere", 404, "not_found"),
        ("/runs/99", 404, "not_found"),
        (f"/runs/{10**30}", 422, "invalid_request"),
        ("/users/nobody", 404, "not_found"),
        ("/keys/nobody", 404, "not_found"),
        ("/nothing", 404, "not_found"),
        ("/customers?q=" + "x" * 5_000, 414, "address_too_long"),
    ],
)
def test_errors_are_problems_with_a_code_a_remedy_and_the_requests_id(
    client: TestClient, path: str, status: int, code: str
) -> None:
    answer = client.get(f"{API}{path}", headers={"x-request-id": "mine-1"})
    told = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["request_id"] == answer.headers["x-request-id"] == "mine-1"
    assert told["remedy"]
    chinese = client.get(f"{API}{path}", headers={"accept-language": "zh"}).json()
    assert re.search("[\u4e00-\u9fff]", chinese["title"] + chinese["remedy"])
    assert chinese["code"] == code


def test_a_cursor_belongs_to_its_filters(client: TestClient) -> None:
    cursor = client.get(f"{API}/customers", params={"limit": 1}).json()["next_cursor"]
    answer = client.get(f"{API}/customers", params={"limit": 1, "cursor": cursor, "kind": "person"})
    assert answer.json()["code"] == "bad_cursor"
    assert client.get(f"{API}/customers", params={"limit": 2, "cursor": cursor}).status_code == 200


def test_a_request_id_that_is_no_id_is_replaced(client: TestClient) -> None:
    answer = client.get(f"{API}/me", headers={"x-request-id": "a b\tc"})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


def test_answers_are_kept_by_the_caller_alone_and_browsers_strict(client: TestClient) -> None:
    for path in ("/me", "/nothing"):
        headers = client.get(f"{API}{path}").headers
        assert headers["cache-control"] in ("private, no-cache", "no-store")
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_without_a_key_nothing_is_told(lab) -> None:  # type: ignore[no-untyped-def]
    nobody = lab.client(None)
    for headers in ({}, {"authorization": "Bearer kehu_aaaaaaaaaaaa_" + "x" * 43}, {"authorization": "Basic YTpi"}):
        answer = nobody.get(f"{API}/customers", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
        assert "Bearer" in answer.headers["www-authenticate"]


def test_users_see_their_own_keys_and_administrators_all(lab) -> None:  # type: ignore[no-untyped-def]
    own = all_of(lab.client(Role.INTEGRATOR), f"{API}/keys")
    assert {one["user"] for one in own} == {"integrator-user"}
    assert len(all_of(lab.client(), f"{API}/keys", limit=2)) >= len(Role)
    other = next(one["id"] for one in all_of(lab.client(), f"{API}/keys") if one["user"] == "viewer-user")
    assert lab.client(Role.INTEGRATOR).get(f"{API}/keys/{other}").status_code == 404
    assert lab.client(Role.INTEGRATOR).delete(f"{API}/keys/{other}").status_code == 404


def test_what_nobody_foresaw_tells_nothing_of_itself(lab, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("geheim")

    monkeypatch.setattr("sync.audit.head", broken)
    answer = lab.client().get(f"{API}/audit/head")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "geheim" not in answer.text


def test_what_is_wrong_with_a_value_is_said_in_the_callers_language(client: TestClient) -> None:
    def said(path: str, **parameters: str) -> str:
        answer = client.get(f"{API}/{path}", params=parameters, headers={"accept-language": "zh"})
        return str(answer.json()["errors"][0]["detail"])

    assert said("customers", kind="robot") == "只能是以下之一：person, organisation"
    assert said("customers", updated_since="yesterday").startswith("应为带时区的时刻")
    assert said("customers", updated_since="2026-01-01T00:00:00").startswith("应为带时区的时刻")
    answer = client.post(f"{API}/crosswalk/lookup", json=[1])
    assert answer.json()["errors"][0]["detail"] == "a JSON object is wanted"
