"""Promise: network faults cost only time. A whole run over an API that misbehaves in every way it can ends in the same
master as over one that behaves, and nobody calls inside a window that the API asked us to keep.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from sync.database import metadata
from sync.project import Project
from sync.runs import requests
from sync.runs.states import RunMode
from tests import faults
from tests.promises.company import finish_open_runs
from tests.promises.plant import content_of, statuses

ROWS = 240
LIMIT = 20

MANIFEST = """\
id: shaky
title: {en: Shaky, zh: 不稳}
kind: crm
config:
  base_url: {en: Address, zh: 地址, type: url}
base_url: "{config.base_url}"
check: {path: /customers}
streams:
  customers:
    title: {en: Customers, zh: 客户}
    path: /customers
    records: customers
    key: id
    changed_at: updated_at
    pages: {kind: offset, max: 20, total: count}
"""

SETTINGS = """\
connections:
  api:
    connector: shaky
    every: never
    allow_private: [127.0.0.1]
    settings: {{base_url: "{url}"}}
    streams: {{customers: {{mapping: customers.yaml, page_size: 20}}}}
"""

MAPPING = "customer: {kind: person, name: name, emails: email}\n"


def row(number: int) -> dict[str, Any]:
    return {
        "id": f"C{number}",
        "name": f"Ann Nr{number % 200}",
        "email": f"a{number % 200}@example.com",
        "updated_at": f"2026-05-01T00:{number // 60:02d}:{number % 60:02d}Z",
    }


BODIES = [row(number) for number in range(ROWS)]


class Api:
    """Pages of customers behind a server that, every so often, does something else first."""

    def __init__(self, server: faults.FaultServer, faults_in: list[Any], share: float, most: int = 1000) -> None:
        self.server, self.mischief, self.share, self.most = server, faults_in, share, most
        self.rng = random.Random(7)
        self.window_until = 0.0
        self.trespasses = 0
        server.on("/customers", self.answer)

    def answer(self, exchange: faults.Exchange) -> None:
        if time.monotonic() < self.window_until:
            self.trespasses += 1
        if self.most and self.rng.random() < self.share:
            self.most -= 1
            self.rng.choice(self.mischief)(self, exchange)
        else:
            faults.ok(self.page(exchange))(exchange)

    def page(self, exchange: faults.Exchange) -> dict[str, Any]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(exchange.path).query).items()}
        start = int(query.get("offset", 0))
        return {"count": ROWS, "customers": BODIES[start : start + int(query.get("limit", LIMIT))]}


def honest(make: Any) -> Any:
    """A fault that is made of the page that was asked for."""
    return lambda api, exchange: make(api.page(exchange))(exchange)


def plain(answer: Any) -> Any:
    """A fault that has nothing to do with the page."""
    return lambda _, exchange: answer(exchange)


def keep_off(api: Api, exchange: faults.Exchange) -> None:
    api.window_until = time.monotonic() + 0.98
    faults.too_many("1")(exchange)


FAULTS: dict[str, Any] = {
    "latency": honest(lambda page: faults.slow(0.2, faults.ok(page))),
    "reset": plain(faults.reset()),
    "hang up": plain(faults.hang_up()),
    "truncated, length told": honest(lambda page: faults.truncated(page)),
    "truncated, length not told": honest(lambda page: faults.truncated(page, told=False)),
    "broken chunks": honest(lambda page: faults.broken_chunks(page)),
    "bad gateway with a page of HTML": plain(faults.html(502)),
    "unavailable, come back at once": plain(faults.status(503, {"error": "busy"}, {"Retry-After": "0"})),
    "too many calls, one second": keep_off,
    "too many calls, no word when": plain(faults.too_many(None)),
}

PATIENT = {"unavailable, come back at once", "too many calls, no word when", "too many calls, one second"}
"""Faults after which the client waits by seconds: few of them, to keep the tests short."""


@pytest.fixture
def server() -> Iterator[faults.FaultServer]:
    with faults.fault_server() as started:
        yield started


def synced(folder: Path, url: str) -> tuple[dict[str, Any], list[str]]:
    for name in ("connectors", "mappings"):
        (folder / name).mkdir(parents=True)
    (folder / "connectors" / "shaky.yaml").write_text(MANIFEST, encoding="utf-8")
    (folder / "mappings" / "customers.yaml").write_text(MAPPING, encoding="utf-8")
    (folder / "kehu.yaml").write_text(SETTINGS.format(url=url), encoding="utf-8")
    project = Project.load(folder)
    metadata.create_all(project.database.engine)
    with project.database.transaction() as connection:
        project.register(connection)
        requests.request_run(connection, requests.find_stream(connection, "api", "customers").id, RunMode.FULL)
    finish_open_runs(project, seconds=120)
    ended = statuses(project)
    project.database.dispose()
    return content_of(folder), ended


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with faults.fault_server() as quiet:
        Api(quiet, [], 0.0)
        content, _ = synced(tmp_path_factory.mktemp("quiet") / "project", quiet.url)
    assert len(content["crosswalk"]) == ROWS
    assert len(content["customers"]) < ROWS
    return content


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_over_an_api_with_this_fault_ends_in_the_same_master(
    fault: str, server: faults.FaultServer, expected: dict[str, Any], tmp_path: Path
) -> None:
    api = Api(server, [FAULTS[fault]], 0.3, most=2 if fault in PATIENT else 1000)
    content, ended = synced(tmp_path / "project", server.url)
    assert content == expected
    assert ended == ["succeeded"]
    assert len(server.times("/customers")) >= ROWS / LIMIT
    assert api.trespasses == 0


@pytest.mark.slow
def test_a_run_over_an_api_with_all_faults_ends_in_the_same_master(
    server: faults.FaultServer, expected: dict[str, Any], tmp_path: Path
) -> None:
    api = Api(server, list(FAULTS.values()), 0.4, most=8)
    content, ended = synced(tmp_path / "project", server.url)
    assert content == expected
    assert ended == ["succeeded"]
    assert api.trespasses == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (faults.raw(orjson.dumps({"rows": []})), "stream_broken"),
        (faults.status(401, {"error": "no"}), "bad_credentials"),
        (faults.status(403, {"error": "no"}), "permission_missing"),
    ],
)
def test_an_answer_that_no_patience_can_mend_stops_the_run_and_stores_nothing(
    answer: Any, code: str, server: faults.FaultServer, tmp_path: Path
) -> None:
    server.on("/customers", answer)
    content, ended = synced(tmp_path / "project", server.url)
    assert content["customers"] == {}
    assert ended == ["failed"], code
