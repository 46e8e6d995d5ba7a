"""A small company for tests of the stewards' and administrators' pages: two sheets whose people partly look alike."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.testclient import TestClient

from dashboard.app import create_app
from sync import migrations, oneshot
from sync.access import Access
from sync.identity import links, users
from sync.identity.permissions import Role
from sync.master import queries
from sync.master.search import index
from sync.project import Project

BASE = "http://127.0.0.1:8600"
HOSTILE = "<script>alert('x')</script>"
PASSWORD = "correct horse battery staple"
SETTINGS = """
language: en
region: CN
matching: {model: probability}
connections:
  shop:
    connector: files
    settings: {streams: {customers: {path: shop.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml, every: never}}
  erp:
    connector: files
    settings: {streams: {customers: {path: erp.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml, every: never}}
"""
MAPPING = """
customer:
  kind: person
  name: name
  emails: [email]
  phones: [phone]
  tags: [tag]
"""
SHOP = """id,name,email,phone,tag
1,张伟,zhangwei@example.com,13800138000,vip
2,Liu Yang,liuyang@example.com,13900139000,
3,{hostile},hostile@example.com,13700137000,
4,Maria Garcia,maria@example.com,13600136000,
5,陈静,chenjing@example.cn,13500135000,
6,Anna Schmidt,anna@schmidt.example,,
"""
ERP = """id,name,email,phone,tag
A1,张伟,zw@other.example.com,13800138001,
A2,Liu Yang,liu.yang@firm.example.com,13900139001,retail
A3,{hostile} jr,hostile@other.example.com,13700137001,
A4,Maria Garcia,garcia@other.example.com,13600136001,
A5,陈静,chenjing@example.cn,,wholesale
A7,欧阳娜娜,nana@music.example.cn,13400134000,
"""


def make_project(
    folder: Path, *, model: str = "probability", mapping: str = MAPPING, shop: str = SHOP, erp: str = ERP
) -> Project:
    """The project, synced once; pairs of people wait to be reviewed."""
    (folder / "mappings").mkdir(parents=True)
    (folder / "mappings" / "customers.yaml").write_text(mapping)
    for name, rows in (("shop", shop), ("erp", erp)):
        (folder / f"{name}.csv").write_text(rows.format(hostile=HOSTILE))
    (folder / "kehu.yaml").write_text(SETTINGS.replace("model: probability", f"model: {model}"))
    project = Project.load(folder)
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        project.register(connection)
    oneshot.finish(project, oneshot.request(project, oneshot.targets(project, [])), lambda _views: None)
    index.catch_up(project.database)
    return project


def visitor(project: Project) -> TestClient:
    """A browser in which nobody is signed in."""
    return TestClient(create_app(project, Access(project.state_folder)), base_url=BASE, follow_redirects=False)


def admin(project: Project) -> TestClient:
    """A browser of the administrator."""
    client = visitor(project)
    assert client.get(f"/enter?token={Access(project.state_folder).link_token()}").status_code == 303
    return client


def signed_in(project: Project, role: Role) -> TestClient:
    """A browser of a user with a role."""
    name = f"{role}-user"
    with project.database.transaction() as connection:
        if users.find(connection, name) is None:
            users.add(connection, name, role, by="test")
            links.use(connection, links.make(connection, name, by="test"), PASSWORD)
    client = visitor(project)
    answer = client.post("/sign-in", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 303
    return client


def token(client: TestClient, path: str = "/customers") -> str:
    """The token that a page's forms carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def customer_of(project: Project, connection: str, source_id: str) -> str:
    """The id of the customer that a record of a sheet is in."""
    with project.database.reading() as link:
        found = queries.by_source(link, connection, "customers", source_id)
    assert found is not None
    return found.id
