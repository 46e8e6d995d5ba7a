"""Personal data over HTTP: masked for who may not read it, in every answer; revealed for a reason."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from sync import audit
from sync.identity import keys
from sync.identity.permissions import Role

API = "/api/v1"


@pytest.fixture(scope="module")
def zhang(lab) -> str:  # type: ignore[no-untyped-def]
    query = {"connection": "erp", "stream": "customers", "id": "1"}
    return str(lab.client().get(f"{API}/crosswalk", params=query).json()["customer"])


@pytest.mark.parametrize(
    "path",
    ["", "?q=zhang@example.com", "?fields=name,golden.emails", "/{id}", "/{id}?fields=golden.phones", "/{id}/history",
     "/{id}/source-records", "/{id}/lineage"],
)  # fmt: skip
def test_a_viewer_reads_no_personal_data(lab, zhang: str, path: str) -> None:  # type: ignore[no-untyped-def]
    address = f"{API}/customers{path.format(id=zhang)}"
    whole, seen = lab.client(Role.ADMIN).get(address), lab.client(Role.VIEWER).get(address)
    assert (whole.status_code, seen.status_code) == (200, 200)
    assert any(value in whole.text for value in ("zhang@example.com", "13800138000"))
    for value in ("zhang@example.com", "13800138000", "张伟", "Zhang Wei"):
        assert value not in seen.text
    assert whole.headers["etag"] != seen.headers["etag"]


def test_what_was_held_unmasked_is_not_taken_for_what_is_masked(lab, zhang: str) -> None:  # type: ignore[no-untyped-def]
    address = f"{API}/customers/{zhang}"
    tag = lab.client(Role.ADMIN).get(address).headers["etag"]
    assert lab.client(Role.ADMIN).get(address, headers={"if-none-match": tag}).status_code == 304
    assert lab.client(Role.VIEWER).get(address, headers={"if-none-match": tag}).status_code == 200


def test_a_viewer_cannot_spell_out_a_contact_by_searching(lab) -> None:  # type: ignore[no-untyped-def]
    viewer = lab.client(Role.VIEWER)

    def found(text: str) -> int:
        return len(viewer.get(f"{API}/customers", params={"q": text}).json()["data"])

    assert found("zhang@example.com") == 1
    assert found("13800138000") == 1
    assert found("欧阳") == 1
    assert [found(text) for text in ("c57@", "1380013", "8000", "nana@music")] == [0, 0, 0, 0]


def test_quarantine_shows_operators_the_shape_of_what_came(lab) -> None:  # type: ignore[no-untyped-def]
    whole, seen = lab.client(Role.ADMIN), lab.client(Role.OPERATOR)
    [one] = seen.get(f"{API}/quarantine").json()["data"]
    got = seen.get(f"{API}/quarantine/{one['id']}").json()["payload"]
    full = whole.get(f"{API}/quarantine/{one['id']}").json()["payload"]
    assert full["id"] == "4"
    assert one["source_id"] == "***", "systems call persons by emails and numbers"
    assert got == {name: "***" for name in full}


def test_reveal_needs_its_scope_and_a_reason_and_is_audited(lab, zhang: str) -> None:  # type: ignore[no-untyped-def]
    with lab.project.database.transaction() as connection:
        scopes = ["customers:read", "customers:reveal"]
        key = keys.create(connection, "desk", "steward-user", scopes, by="test").secret
    desk = lab.client(None, authorization=f"Bearer {key}")
    address = f"{API}/customers/{zhang}"
    assert "zhang@example.com" not in desk.get(address).text
    assert lab.client(Role.VIEWER).post(f"{address}/reveal", json={"reason": "ticket 1"}).status_code == 403
    assert desk.post(f"{address}/reveal", json={"reason": "  x   "}).status_code == 422
    assert desk.post(f"{address}/reveal", json={"reason": "ticket 4711", "fields": ["shoe"]}).status_code == 422
    answer = desk.post(f"{address}/reveal", json={"reason": "ticket 4711", "fields": ["phones"]})
    assert answer.json()["golden"] == {"phones": [{"value": "+8613800138000"}]}
    assert answer.headers["cache-control"] == "no-store"
    with lab.project.database.reading() as connection:
        [entry, *_] = audit.entries(connection, action="customer.revealed", limit=1)
    assert entry.object == f"customer:{zhang}"
    assert entry.details == {"fields": ["phones"], "reason": "ticket 4711"}
    assert "138001" not in str(entry)


def test_a_revealed_customer_must_exist(client: TestClient) -> None:
    answer = client.post(f"{API}/customers/C00000000000A/reveal", json={"reason": "ticket 4711"})
    assert answer.status_code == 404
