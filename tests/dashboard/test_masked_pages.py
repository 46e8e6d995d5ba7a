"""Whoever may not read personal data meets none on a page: no name, no contact, and no key that is one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from sync.identity.permissions import Role
from sync.project import Project
from tests import desk_kit
from tests.desk_kit import customer_of

MAPPING = """
customer:
  kind: person
  name: name
  emails: [email]
  phones: [phone]
  birth_date: {from: tag, on_error: reject}
"""
SHOP = """id,name,email,phone,tag
nana@music.example.cn,欧阳娜娜,nana@music.example.cn,13800138000,
liu.yang@mail.example.com,Liu Yang,liuyang@example.com,13900139000,
broken@mail.example.com,Maria Garcia,maria@example.com,,never-a-date
"""
ERP = """id,name,email,phone,tag
A2,Liu Yang,liu.yang@firm.example.com,13900139001,
"""
PERSONAL = ("欧阳娜娜", "nana@", "Liu Yang", "liu.yang", "liuyang", "broken@", "never-a-date", "Garcia", "13900139000")
PAGES = ("/", "/customers", "/customers?q=Liu+Yang", "/duplicates", "/duplicates/log", "/quarantine", "/changes")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("masked") / "project"
    made = desk_kit.make_project(folder, mapping=MAPPING, shop=SHOP, erp=ERP)
    yield made
    made.close()


@pytest.fixture(scope="module")
def viewer(project: Project) -> TestClient:
    return desk_kit.signed_in(project, Role.VIEWER)


def shown(viewer: TestClient, address: str) -> str:
    answer = viewer.get(address, follow_redirects=True)
    assert answer.status_code == 200, address
    return f"{answer.url}{answer.text}"


def personal(text: str, asked: str = "") -> list[str]:
    return [one for one in PERSONAL if one in text.replace(asked, "")]


@pytest.mark.parametrize("address", PAGES)
def test_lists_hold_nothing_personal(viewer: TestClient, address: str) -> None:
    text = shown(viewer, address)
    assert personal(text.replace("Liu+Yang", "").replace('value="Liu Yang"', "")) == []


def test_a_customer_s_page_masks_the_keys_of_its_records(viewer: TestClient, project: Project) -> None:
    text = shown(viewer, f"/customers/{customer_of(project, 'shop', 'nana@music.example.cn')}")
    assert "shop/customers/***" in text
    assert personal(text) == []


def test_a_pair_is_looked_at_without_naming_its_records(viewer: TestClient) -> None:
    text = shown(viewer, "/duplicates/review")
    assert "left=C" in text, "by customers, not by records"
    assert personal(text) == []
    for address in re.findall(r'href="(/duplicates/review[^"]*)"', text):
        assert personal(shown(viewer, address.replace("&amp;", "&"))) == []


def test_quarantine_tells_why_without_what(viewer: TestClient) -> None:
    text = shown(viewer, "/quarantine")
    group = re.search(r'href="(/quarantine/group[^"]*)"', text)
    one = re.search(r'href="(/quarantine/\d+)"', text)
    assert group is not None
    assert one is not None
    for address in (group.group(1).replace("&amp;", "&"), one.group(1)):
        assert personal(shown(viewer, address)) == []


def test_who_repairs_records_sees_them(project: Project) -> None:
    operator = desk_kit.signed_in(project, Role.OPERATOR)
    assert "never-a-date" in shown(operator, "/quarantine")
