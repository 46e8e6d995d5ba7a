"""A small company behind the REST interface: one server a module, a key a role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from dashboard.app import create_app
from sync import migrations, oneshot
from sync.access import Access
from sync.exporting import jobs, working
from sync.exporting.request import Request
from sync.identity import keys, users
from sync.identity.permissions import PERMISSIONS, SCOPES, Role
from sync.master import queries
from sync.project import Project
from sync.stewardship import services

BASE = "http://127.0.0.1:8600"
SETTINGS = """
language: en
region: CN
connections:
  erp:
    connector: files
    settings: {streams: {customers: {path: customers.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml, every: never}}
"""


@dataclass
class Lab:
    """A project with 120 customers, its application, and a key for every role."""

    project: Project
    app: FastAPI
    keys: dict[Role, str]

    def client(self, role: Role | None = Role.ADMIN, **headers: str) -> TestClient:
        """A program with a role's key; None: with none."""
        given = dict(headers) if role is None else {"authorization": f"Bearer {self.keys[role]}", **headers}
        return TestClient(self.app, base_url=BASE, headers=given, follow_redirects=False)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The whole thing; tests leave the customers as they are."""
    yield from laboratory(tmp_path_factory.mktemp("project"))


def laboratory(folder: Path) -> Iterator[Lab]:
    """The same in a folder."""
    project = make_project(folder)
    with project.database.transaction() as connection:
        made = {role: _key(connection, role) for role in Role}
        users.add(connection, "anna", Role.VIEWER, by="test")
        owner = users.find(connection, f"{Role.ADMIN}-user")
        asked = jobs.ask(connection, Request(), owner.id, "user:admin-user")  # type: ignore[union-attr]
    working.work(project.database, asked.id, working.folder_of(project), timedelta(days=1))
    yield Lab(project, create_app(project, Access(project.state_folder)), made)
    project.close()


@pytest.fixture
def client(lab: Lab) -> TestClient:
    """A program that may do everything."""
    return lab.client()


def make_project(folder: Path, rows: int = 120, settings: str = SETTINGS) -> Project:
    """A project whose only source, a sheet, was synced once; row 4 is quarantined, rows 1 and 2 are one customer."""
    (folder / "mappings").mkdir()
    (folder / "mappings" / "customers.yaml").write_text(
        "customer:\n  kind: person\n  name: name\n  emails: [email]\n  phones: [phone]\n"
    )
    lines = ["id,name,email,phone", "1,张伟,zhang@example.com,13800138000", "2,Zhang Wei,zhang@example.com,13800138000"]
    lines += ["C001,欧阳娜娜,nana@music.example.cn,", "4,,,"]
    lines += [f"{n},Customer {n},c{n}@example.com," for n in range(10, rows)]
    (folder / "customers.csv").write_text("\n".join(lines) + "\n")
    (folder / "kehu.yaml").write_text(settings)
    project = Project.load(folder)
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        project.register(connection)
    oneshot.finish(project, oneshot.request(project, oneshot.targets(project, [])), lambda _views: None)
    merge(project, "1", "2")
    return project


def merge(project: Project, *source_ids: str) -> None:
    """Make one customer of the customers of some records, whatever the match model in force says."""
    with project.database.reading() as connection:
        found = {queries.by_source(connection, "erp", "customers", one).id for one in source_ids}  # type: ignore[union-attr]
    if len(found) > 1:
        engine = services.Engine(project.matcher, project.survivorship)
        by = services.Steward("test", "they are the same")
        services.carry_out(project.database, lambda connection: services.merge(connection, by, sorted(found)), engine)


def _key(connection: object, role: Role) -> str:
    user = users.add(connection, f"{role}-user", role, by="test")  # type: ignore[arg-type]
    scopes = sorted(PERMISSIONS[role] & SCOPES)
    return keys.create(connection, role, user.name, scopes, by="test").secret  # type: ignore[arg-type]
