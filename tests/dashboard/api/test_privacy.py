"""Erasure, access reports and receipts over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from sync import audit
from sync.cli import run
from sync.identity.permissions import Role

API = "/api/v1"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A company of its own: these tests erase."""
    from tests.dashboard.api import conftest

    yield from conftest.laboratory(tmp_path_factory.mktemp("privacy"))


def id_of(client: TestClient, source_id: str) -> str:
    query = {"connection": "erp", "stream": "customers", "id": source_id}
    return str(client.get(f"{API}/crosswalk", params=query).json()["customer"])


def test_an_access_report_tells_everything_by_source(lab, client: TestClient) -> None:  # type: ignore[no-untyped-def]
    zhang = id_of(client, "1")
    assert lab.client(Role.VIEWER).post(f"{API}/customers/{zhang}/report").status_code == 403
    told = client.post(f"{API}/customers/{zhang}/report").json()
    assert told["golden"]["phones"] == [{"value": "+8613800138000"}]
    assert [(one["connection"], one["id"], one["raw"]["email"]) for one in told["records"]] == [
        ("erp", "1", "zhang@example.com"),
        ("erp", "2", "zhang@example.com"),
    ]
    assert told["changes"][-1]["type"] == "created"
    page = client.post(f"{API}/customers/{zhang}/report", headers={"accept": "text/html", "accept-language": "zh"})
    assert page.headers["content-type"].startswith("text/html")
    assert "zhang@example.com" in page.text
    with lab.project.database.reading() as connection:
        assert audit.entries(connection, action="customer.reported")[0].object == f"customer:{zhang}"


def test_a_report_escapes_what_systems_have_sent() -> None:
    from sync.privacy.printing import printed

    hostile = {"customer": "C1", "golden": {"name": "<script>alert(1)</script>"}, "records": [{"raw": {"<b>": 1}}]}
    page = printed(hostile, "en")
    assert "<script>" not in page
    assert "<b>" not in page


def test_an_erased_person_is_gone_for_everybody(lab, client: TestClient) -> None:  # type: ignore[no-untyped-def]
    nana = id_of(client, "C001")
    address = f"{API}/customers/{nana}"
    for role in (Role.STEWARD, Role.OPERATOR, Role.INTEGRATOR, Role.VIEWER):
        assert lab.client(role).post(f"{address}/erase", json={"confirm": nana}).status_code == 403
    assert client.post(f"{address}/erase", json={"confirm": "C1"}).status_code == 422
    looked = client.post(f"{address}/erasure-precheck")
    assert looked.json()["records"] == [{"connection": "erp", "stream": "customers", "id": "C001", "part": ""}]
    stale = client.post(f"{address}/erase", json={"confirm": nana}, headers={"if-match": '"77"'})
    assert stale.status_code == 412
    same = {"if-match": looked.headers["etag"]}
    done = client.post(f"{address}/erase", json={"confirm": nana}, headers=same).json()
    assert done["state"] == "done"
    assert client.post(f"{address}/erase", json={"confirm": nana}).json()["receipt"] == done["receipt"]
    assert client.get(f"{API}/erasures/{done['id']}").json()["receipt"] == done["receipt"]
    assert client.get(f"{API}/erasures/E0").status_code == 404
    for below in ("", "/history", "/lineage", "/source-records"):
        answer = client.get(address + below)
        assert (answer.status_code, answer.json()["code"]) == (410, "erased")
    assert client.get(f"{API}/customers", params={"q": "娜娜"}).json()["data"] == []
    assert [one["id"] for one in client.get(f"{API}/customers?status=erased").json()["data"]] == [nana]
    events = client.get(f"{API}/changes", params={"start": "snapshot"}).text
    assert "nana@" not in events
    verify = f"{API}/erasures/verify"
    assert client.post(verify, json={"receipt": done["receipt"]}).json() == {"valid": True}
    assert client.post(verify, json={"receipt": {**done["receipt"], "customer": "C1"}}).json() == {"valid": False}
    assert client.post(verify, json={"receipt": {}}).status_code == 422


def test_the_command_line_looks_before_it_erases(
    lab,  # type: ignore[no-untyped-def]
    client: TestClient,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    someone = id_of(client, "50")

    def done(*words: str, code: int = 0) -> str:
        assert run(["--project", str(lab.project.folder), "master", *words]) == code
        return capsys.readouterr().out

    assert "c50@example.com" in done("report", someone)
    assert "<h1>" in done("report", someone, "--html")
    assert "50" in done("erase", someone)
    assert client.get(f"{API}/customers/{someone}").status_code == 200
    receipt = done("erase", someone, "--yes").strip().splitlines()[-1]
    assert client.get(f"{API}/customers/{someone}").status_code == 410
    file = tmp_path / "receipt.json"
    file.write_text(receipt)
    done("verify-receipt", str(file))
    file.write_text(receipt.replace(someone, "C1"))
    done("verify-receipt", str(file), code=1)
    done("readmit", "c50@example.com")
    done("readmit", "nobody@example.com", code=2)
