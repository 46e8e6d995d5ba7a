"""The person behind a customer: unmasked for a reason that is kept, erased only by who may and means it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from sync import audit
from sync.identity.permissions import PERMISSIONS, Permission, Role
from sync.project import Project
from tests import desk_kit
from tests.desk_kit import customer_of, token


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = desk_kit.make_project(tmp_path_factory.mktemp("desk") / "project")
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(project: Project) -> TestClient:
    return desk_kit.admin(project)


def test_some_see_masked_values_and_may_unmask_single_ones() -> None:
    masked = [role for role, may in PERMISSIONS.items() if Permission.CUSTOMERS_REVEAL in may]
    assert [role for role in masked if Permission.PERSONAL_READ not in PERMISSIONS[role]] == [
        Role.OPERATOR,
        Role.SERVICE,
    ]


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.SERVICE])
def test_fields_are_unmasked_for_a_reason_that_the_audit_log_keeps(project: Project, role: Role) -> None:
    browser = desk_kit.signed_in(project, role)
    customer = customer_of(project, "erp", "A7")
    address = f"/customers/{customer}/reveal"
    assert f'href="{address}"' in browser.get(f"/customers/{customer}").text
    assert "nana@music.example.cn" not in browser.get(f"/customers/{customer}").text
    assert "nana@music.example.cn" not in browser.get(address).text
    assert 'value="kind"' not in browser.get(address).text, "only what is masked is offered"
    data = {"csrf": token(browser), "field": "emails"}
    assert browser.post(address, data={**data, "reason": "x"}).status_code == 422
    page = browser.post(address, data={**data, "reason": "ticket 4711"}).text
    assert "nana@music.example.cn" in page
    assert "13400134000" not in page, "only what was asked for"
    with project.database.reading() as connection:
        entry = audit.entries(connection, action="customer.revealed", limit=1)[0]
    assert (entry.actor, entry.details["reason"]) == (f"user:{role.value}-user", "ticket 4711")


def test_who_may_not_is_shown_neither_the_way_nor_the_page(project: Project) -> None:
    browser = desk_kit.signed_in(project, Role.STEWARD)
    customer = customer_of(project, "erp", "A7")
    page = browser.get(f"/customers/{customer}").text
    assert "/erase" not in page
    assert "/reveal" not in page, "stewards see everything anyway"
    assert browser.get(f"/customers/{customer}/erase").status_code == 403
    sent = browser.post(f"/customers/{customer}/erase", data={"csrf": token(browser), "confirm": customer})
    assert sent.status_code == 403


def test_a_person_is_erased_once_the_id_is_typed_and_a_receipt_stays(client: TestClient, project: Project) -> None:
    customer = customer_of(project, "shop", "6")
    address = f"/customers/{customer}/erase"
    page = client.get(address).text
    assert "shop" in page
    assert "Anna Schmidt" in client.get(f"/customers/{customer}").text
    data = {"csrf": token(client), "version": "1"}
    assert client.post(address, data={**data, "confirm": "yes"}).status_code == 422
    assert client.post(address, data={**data, "confirm": customer, "version": "7"}).status_code == 409
    assert client.post(address, data={"confirm": customer}).status_code == 403, "without the session's token"
    done = client.post(address, data={**data, "confirm": customer})
    assert done.status_code == 200
    assert "signature" in done.text
    assert "signature" in client.get(address).text
    assert "Anna Schmidt" not in client.get(f"/customers/{customer}").text
    assert "Anna Schmidt" not in client.get("/customers?q=schmidt").text


def test_nobody_is_erased_whom_nobody_knows(client: TestClient) -> None:
    assert client.get("/customers/C0000000000000/erase").status_code == 404
