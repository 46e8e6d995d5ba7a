"""The palette finds pages, connections and customers, each as the visitor may find and see them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from sync.identity.permissions import Role
from sync.project import Project
from tests import desk_kit


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = desk_kit.make_project(tmp_path_factory.mktemp("desk") / "project")
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(project: Project) -> TestClient:
    return desk_kit.admin(project)


@pytest.mark.parametrize("words", ["欧阳", "ouyang", "oynn", "nana@music.example.cn", "13400134000"])
def test_customers_are_found_as_on_their_page(client: TestClient, words: str) -> None:
    page = client.get("/palette", params={"q": words}).text
    assert "欧阳娜娜" in page
    assert page.count('role="option"') == 2, "the customer, and all that are found"


def test_who_may_not_see_names_finds_them_masked(project: Project) -> None:
    browser = desk_kit.signed_in(project, Role.VIEWER)
    page = browser.get("/palette", params={"q": "欧阳娜娜"}).text
    found = page.replace("“欧阳娜娜”", "").replace("%E6%AC%A7%E9%98%B3%E5%A8%9C%E5%A8%9C", "")
    assert "欧***" in found
    assert "娜" not in found


def test_nobody_spells_a_masked_contact_out_by_its_beginning(project: Project) -> None:
    browser = desk_kit.signed_in(project, Role.VIEWER)
    assert "欧***" not in browser.get("/palette", params={"q": "nana@mus"}).text
    assert "欧***" not in browser.get("/palette", params={"q": "1340013"}).text


def test_who_may_not_look_customers_up_finds_none(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from sync.identity.permissions import PERMISSIONS, Permission

    monkeypatch.setitem(PERMISSIONS, Role.VIEWER, PERMISSIONS[Role.VIEWER] - {Permission.CUSTOMERS_READ})
    browser = desk_kit.signed_in(project, Role.VIEWER)
    assert "欧" not in browser.get("/palette", params={"q": "ouyang"}).text
