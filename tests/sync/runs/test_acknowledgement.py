"""Senders that want to read more than status 200 read what their connector says, once for each delivery."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.contract import Inbound
from connectors.errors import BadCredentials
from sync import migrations
from sync.project import Project
from sync.runs.inbound import receive

KEY, SECRET = "7000000000000000001", "app-secret-8d1c"
SETTINGS = f"""
connections:
  douyin:
    connector: douyin_shop
    settings: {{app_key: '{KEY}', app_secret: {SECRET}, shop_id: '1'}}
    streams: {{buyers: {{}}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    made = Project.load(tmp_path)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    yield made
    made.close()


def pushed(body: bytes, secret: str = SECRET) -> Inbound:
    sign = hashlib.md5(KEY.encode() + body + secret.encode()).hexdigest()
    return Inbound("POST", "/api/hooks/douyin", {"event-sign": sign, "app-id": KEY}, {}, body)


def test_the_sender_reads_the_acknowledgement_each_time_and_one_run_follows(project: Project) -> None:
    body = b'[{"tag":"101","msg_id":"a","data":"{}"}]'
    first, again = (receive(project, "douyin", pushed(body)) for _ in range(2))
    assert first.answer == again.answer == b'{"code":0,"msg":"success"}'
    assert (first.hints, again.hints) == (1, 0)
    assert len(first.runs) == 1


def test_a_forged_delivery_reads_none(project: Project) -> None:
    with pytest.raises(BadCredentials):
        receive(project, "douyin", pushed(b"[]", secret="another"))
