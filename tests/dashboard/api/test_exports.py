"""Exports over REST: asked for once, made by a worker, downloaded in parts by whoever may, deleted in time."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import orjson
import pytest

from sync import audit
from sync.exporting import jobs, working
from sync.feed import tokens
from sync.identity import keys
from sync.identity.permissions import Role

API = "/api/v1/exports"
WEEK = timedelta(days=7)


def made(lab: Any, client: Any, **body: Any) -> dict[str, Any]:
    """An export, asked for and made."""
    asked = client.post(API, json=body)
    assert asked.status_code == 202, asked.text
    work(lab, asked.json()["id"])
    done: dict[str, Any] = client.get(asked.headers["location"]).json()
    assert done["state"] == "done", done
    return done


def work(lab: Any, job_id: int) -> None:
    working.work(lab.project.database, job_id, working.folder_of(lab.project), WEEK)


def test_an_export_is_made_and_downloaded_with_its_checksum(lab: Any, client: Any) -> None:
    done = made(lab, client, format="ndjson", fields=["name", "golden.emails"])
    got = client.get(f"{API}/{done['id']}/file")
    assert got.status_code == 200
    assert hashlib.sha256(got.content).hexdigest() == done["sha256"]
    assert len(got.content) == done["bytes"] == int(got.headers["content-length"])
    assert got.headers["content-type"].startswith("application/x-ndjson")
    assert got.headers["content-disposition"].endswith('.ndjson"')
    lines = [orjson.loads(line) for line in got.content.splitlines()]
    assert len(lines) == done["records"] == done["expected"] == 112
    with lab.project.database.reading() as connection:
        assert tokens.decode(done["token"]) == tokens.now(connection)
    assert client.get(f"{API}/{done['id']}/file", headers={"if-none-match": got.headers["etag"]}).status_code == 304


def test_a_download_that_broke_off_goes_on(lab: Any, client: Any) -> None:
    url = f"{API}/{made(lab, client, format='csv')['id']}/file"
    whole = client.get(url)
    etag, size = whole.headers["etag"], len(whole.content)
    rest = client.get(url, headers={"range": "bytes=1000-", "if-range": etag})
    assert rest.status_code == 206
    assert whole.content[:1000] + rest.content == whole.content
    assert rest.headers["content-range"] == f"bytes 1000-{size - 1}/{size}"
    assert client.get(url, headers={"range": "bytes=-7"}).content == whole.content[-7:]
    assert client.get(url, headers={"range": "bytes=3-3"}).content == whole.content[3:4]
    assert client.get(url, headers={"range": "bytes=1-", "if-range": '"other"'}).content == whole.content
    for ignored in ("bytes=5-2", "bytes=a-b", "items=1-2", "bytes=0-1,4-5"):
        assert client.get(url, headers={"range": ignored}).status_code == 200, ignored
    beyond = client.get(url, headers={"range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{size}"


def test_whoever_may_not_read_personal_data_gets_a_masked_file(lab: Any) -> None:
    with lab.project.database.transaction() as connection:
        secret = keys.create(connection, "bi", f"{Role.INTEGRATOR}-user", ["exports:run"], by="test").secret
    blind = lab.client(None, authorization=f"Bearer {secret}")
    done = made(lab, blind, masked=False)
    assert done["masked"] is True
    text = blind.get(f"{API}/{done['id']}/file").text
    assert "c67@example.com" not in text
    assert "c***@example.com" in text
    sighted = lab.client(Role.INTEGRATOR)
    whole = made(lab, sighted)
    assert "c67@example.com" in sighted.get(f"{API}/{whole['id']}/file").text
    assert blind.get(f"{API}/{whole['id']}/file").status_code == 403, "a key of the same user, but without the scope"


def test_exports_of_others_are_not_seen_except_by_an_administrator(lab: Any, client: Any) -> None:
    mine = made(lab, lab.client(Role.INTEGRATOR))["id"]
    theirs = client.post(API, json={}).json()["id"]
    listed = [one["id"] for one in lab.client(Role.INTEGRATOR).get(API).json()["data"]]
    assert mine in listed
    assert theirs not in listed
    assert lab.client(Role.INTEGRATOR).get(f"{API}/{theirs}").status_code == 404
    assert lab.client(Role.INTEGRATOR).get(f"{API}/{theirs}/file").status_code == 404
    assert client.get(f"{API}/{mine}").status_code == 200
    assert lab.client(Role.VIEWER).post(API, json={}).status_code == 403


def test_a_file_that_is_not_there_is_told_with_the_reason(lab: Any, client: Any) -> None:
    waiting = client.post(API, json={}).json()["id"]
    early = client.get(f"{API}/{waiting}/file")
    assert (early.status_code, early.json()["code"], early.json()["state"]) == (404, "not_finished", "queued")
    done = made(lab, client)
    with lab.project.database.transaction() as connection:
        jobs.expire(connection, working.folder_of(lab.project), at_once=True)
    gone = client.get(f"{API}/{done['id']}/file")
    assert (gone.status_code, gone.json()["code"]) == (410, "expired")
    assert client.get(f"{API}/{done['id']}").json()["state"] == "expired"
    assert not list(working.folder_of(lab.project).glob("export-*"))
    assert client.get(f"{API}/999999").status_code == 404


def test_the_same_key_asks_for_one_export(lab: Any, client: Any) -> None:
    sent = [client.post(API, json={"format": "csv"}, headers={"idempotency-key": "once"}) for _ in range(2)]
    assert sent[0].json() == sent[1].json()
    assert sent[1].headers["idempotency-replayed"] == "true"
    other = client.post(API, json={"format": "parquet"}, headers={"idempotency-key": "once"})
    assert other.json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    "body",
    [
        {"fields": ["nothing"]},
        {"format": "xlsx"},
        {"encoding": "gbk"},
        {"encoding": "gbk", "format": "parquet"},
        {"unknown": 1},
        {"tag": "a\u0000"},
    ],
)
def test_what_cannot_be_is_refused_at_once(client: Any, body: dict[str, Any]) -> None:
    assert client.post(API, json=body).status_code == 422


def test_every_step_is_in_the_audit_log(lab: Any, client: Any) -> None:
    done = made(lab, client, format="csv", encoding="gbk")
    assert client.get(f"{API}/{done['id']}/file").headers["content-type"] == "text/csv; charset=gbk"
    with lab.project.database.reading() as connection:
        entries = audit.entries(connection, object=f"export:{done['id']}")
    assert [entry.action for entry in entries] == ["export.downloaded", "export.finished", "export.requested"]
    assert entries[1].details["sha256"] == done["sha256"]
    assert all(entry.actor.startswith("key:") for entry in entries)


def test_a_connection_that_there_is_not_fails_the_export_with_the_reason(lab: Any, client: Any) -> None:
    asked = client.post(API, json={"connection": "nobody"}).json()["id"]
    work(lab, asked)
    failed = client.get(f"{API}/{asked}").json()
    assert (failed["state"], failed["error_code"]) == ("failed", "not_found")
    assert "nobody" in failed["error"]
    assert client.get(f"{API}/{asked}/file").json()["state"] == "failed"
