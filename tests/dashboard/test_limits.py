"""How often anybody may ask, and under which names, schemes and addresses the service is reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BadConfiguration
from dashboard.app import create_app
from dashboard.limits import Buckets, Rate
from sync import migrations
from sync.access import Access
from sync.cli.up import address_of
from sync.identity import keys, users
from sync.identity.permissions import Role
from sync.project import Project


def project_of(folder: Path, settings: str) -> Project:
    (folder / "kehu.yaml").write_text(f"language: en\n{settings}")
    project = Project.load(folder)
    migrations.migrate(project.database)
    return project


def client_of(project: Project, base: str = "http://127.0.0.1:8600") -> TestClient:
    return TestClient(create_app(project, Access(project.state_folder)), base_url=base, follow_redirects=False)


@given(st.lists(st.floats(0, 3), max_size=60))
def test_nobody_gets_more_than_the_rate_and_the_burst(pauses: list[float]) -> None:
    now = 0.0
    buckets = Buckets(Rate(2.0, 5.0), lambda: now)
    granted = 0
    for pause in pauses:
        now += pause
        wait = buckets.take("somebody")
        granted += wait == 0
        assert 0 <= wait <= 0.5
    assert granted <= 5 + 2 * now + 1e-6


def test_buckets_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.limits.MOST_BUCKETS", 10)
    buckets = Buckets(Rate(1.0, 5.0), lambda: 0.0)
    for number in range(100):
        buckets.take(str(number))
    assert len(buckets._left) <= 10


def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    project = project_of(tmp_path, "web: {limit: {per_second: 0.1, burst: 3}}\n")
    with project.database.transaction() as connection:
        users.add(connection, "anna", Role.VIEWER, by="test")
        mine, other = (keys.create(connection, n, "anna", ["customers:read"], by="test").secret for n in ("a", "b"))
    client = client_of(project)

    def status(key: str) -> int:
        return client.get("/api/v1/customers", headers={"authorization": f"Bearer {key}"}).status_code

    assert [status(mine) for _ in range(4)] == [200, 200, 200, 200]  # the first counted for the address
    refused = client.get("/api/v1/customers", headers={"authorization": f"Bearer {mine}"})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert status(other) == 200
    assert [status(f"kehu_invented{number}") for number in range(3)] == [401, 429, 429]
    assert client.get("/healthz").status_code == 200
    project.close()


def test_behind_a_proxy_it_is_known_by_its_public_name(tmp_path: Path) -> None:
    project = project_of(tmp_path, "web: {host: 0.0.0.0, public_url: 'https://Kehu.Example.com/'}\n")
    assert address_of(project, 4711) == "https://kehu.example.com"
    outside = client_of(project, "http://kehu.example.com")  # TLS ends at the proxy
    answer = outside.get("/sign-in")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert outside.get("/sign-in", headers={"host": "evil.example"}).status_code == 421
    link = outside.get(f"/enter?token={Access(project.state_folder).link_token()}")
    assert "secure" in link.headers["set-cookie"].lower()
    near = client_of(project)
    link = near.get(f"/enter?token={Access(project.state_folder).link_token()}")
    assert "secure" not in link.headers["set-cookie"].lower()
    project.close()


@pytest.mark.parametrize(
    "web",
    [
        "host: 0.0.0.0",
        "{host: 192.168.1.5, public_url: 'http://kehu.example.com'}",
        "public_url: 'http://kehu.example.com'",
        "public_url: 'https://kehu.example.com/path'",
        "public_url: 'https://user@kehu.example.com'",
        "public_url: 'ftp://kehu.example.com'",
        "public_url: kehu.example.com",
        "proxies: [everybody]",
        "limit: {per_second: 0}",
    ],
)
def test_what_would_be_open_or_makes_no_sense_is_refused(tmp_path: Path, web: str) -> None:
    lines = f"web: {web}\n" if web.startswith("{") else f"web:\n  {web}\n"
    (tmp_path / "kehu.yaml").write_text(lines)
    with pytest.raises(BadConfiguration):
        Project.load(tmp_path)
