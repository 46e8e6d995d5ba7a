"""A manifest written by the author's guide alone, against a real server that no built-in knows: a Kinto.

It has what many have and none of ours: tombstones among the records, the next page in a header of its own, entity tags
in quotes, ids that do not grow.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import ConformanceSuite, Copy, Source
from connectors.contract import Connector, Context, Mode, Write
from connectors.errors import WriteConflict
from connectors.rest import bind_file
from tests.connectors.rest_manifests import write_folder
from tests.systems.fixtures import available
from tests.systems.kinto import Kinto
from tests.systems.kinto import kinto as start_kinto

pytestmark = [pytest.mark.systems, pytest.mark.timeout(600), pytest.mark.xdist_group("kinto")]
RECORDS = "/buckets/crm/collections/customers/records"
MANIFEST = """\
id: kinto
title: {en: Kinto, zh: Kinto}
kind: crm
config:
  base_url: {en: Address of the server, zh: 服务器地址, type: url}
  user: {en: Account, zh: 账号}
  password: {en: Password, zh: 密码, secret: true}
base_url: "{config.base_url}/v1/buckets/crm/collections/customers"
auth: {kind: basic, username: "{config.user}", password: "{config.password}"}
check: {path: "", says: data.id}
streams:
  customers:
    title: {en: Customers, zh: 客户}
    path: /records
    params: {_sort: last_modified}
    records: data
    key: id
    changed_at: last_modified
    stamps: epoch_ms
    pages: {kind: link, header: Next-Page, size: _limit, max: 100}
    incremental: {params: {_since: "{cursor.value}"}, strict: true, lookback: 5}
    deletes: {field: deleted}
    one: {path: "/records/{key}", record: data}
    write:
      find: {path: /records, params: {email: "{body.email}"}, records: data}
      create: {path: /records, wrap: data}
      update: {method: PATCH, path: "/records/{key}", wrap: data, headers: {If-Match: '"{expected}"'}}
"""
_numbers = itertools.count(1)


class KintoSource(Source):
    """Customers, changed as any client of the server would."""

    stream = "customers"

    def __init__(self, server: Kinto, folder: Path) -> None:
        self.server = server
        self.folder = write_folder(folder, MANIFEST)
        self.connector = bind_file(self.folder / "manifest.yaml")

    def settings(self) -> dict[str, Any]:
        return {"base_url": self.server.url, "user": self.server.user, "password": self.server.password}

    def keys(self) -> set[str]:
        return {row["id"] for row in self.server.call("GET", RECORDS)}

    def add(self) -> str:
        number = next(_numbers)
        made = self.server.call("POST", RECORDS, {"name": f"客户 {number}", "email": f"c{number}@example.com"})
        return str(made["id"])

    def update(self, key: str) -> None:
        self.server.call("PATCH", f"{RECORDS}/{key}", {"name": f"改名 {next(_numbers)}"})

    def delete(self, key: str) -> None:
        self.server.call("DELETE", f"{RECORDS}/{key}")

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "password": "wrong-password"}, "password"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "base_url": "http://127.0.0.1:9"}

    def body(self, number: int) -> dict[str, Any]:
        return {"name": f"回写 {number}", "email": f"written{number}@example.com"}

    def conflict(self) -> Write:
        return Write({"name": "Overwritten"}, "conflict", key=min(self.keys()), expected="2026-01-01T00:00:00Z")

    def context(self) -> Context:
        return Context(connection="kinto", allow_private=["127.0.0.0/8"])


@pytest.fixture(scope="module")
def kinto() -> Iterator[Kinto]:
    yield from available(start_kinto)


@pytest.fixture
def source(kinto: Kinto, tmp_path: Path) -> KintoSource:
    kinto.call("DELETE", RECORDS)
    made = KintoSource(kinto, tmp_path / "kinto")
    for _ in range(8):
        made.add()
    return made


class TestConformance(ConformanceSuite):
    @pytest.fixture
    def source(self, source: KintoSource) -> KintoSource:
        return source


@pytest.fixture
def connector(source: KintoSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


def test_a_record_is_updated_as_it_was_seen_and_not_otherwise(connector: Connector[Any], source: KintoSource) -> None:
    copy = Copy(connector, source)
    seen = {record.key: record for page in copy.pages("", Mode.FULL) for record in page.records}
    key = min(seen)
    write = Write({"name": "一"}, "w1", key=key, expected=seen[key].changed_at)
    assert connector.write("customers", [write])[0].error is None
    (again,) = connector.write("customers", [write])
    assert isinstance(again.error, WriteConflict)


def test_named_records_are_fetched_and_those_that_are_gone_are_told(
    connector: Connector[Any], source: KintoSource
) -> None:
    gone, there, *_ = sorted(source.keys())
    source.delete(gone)
    page = connector.fetch("customers", [gone, there])
    assert ([record.key for record in page.records], list(page.deleted)) == ([there], [gone])
