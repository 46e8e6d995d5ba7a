"""Webhooks are hints: verified, counted once, kept until their records were read again, and never trusted as data."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import insert

from connectors.contract import Checked, Context, Deletes, Hint, Inbound, Page, Record
from connectors.errors import BadCredentials, RetryLater
from sync.errors import NotFound
from sync.master.landing import Counts
from sync.runs import clock
from sync.runs.controls import pause_stream, resume_stream
from sync.runs.inbound import Received, receive
from sync.runs.states import RunMode, Status, Trigger
from sync.runs.tables import hint
from tests.sync.runs.lab import CONNECTION, QUICK, STREAM, Lab, LabWorkspace, Ledger, LedgerConfig

SECRET = b"whsec"


class Ringing(Ledger):
    """The ledger, with webhooks signed by HMAC and single records that can be asked for."""

    def challenge(self, request: Inbound) -> bytes | None:
        return request.query["echo"].encode() if "echo" in request.query else None

    def verify(self, request: Inbound) -> Sequence[Hint]:
        if request.headers.get("signature") != hmac.new(SECRET, request.body, hashlib.sha256).hexdigest():
            raise BadCredentials("The signature is wrong.", setting="secret")
        told = orjson.loads(request.body)
        return [Hint(told.get("stream", STREAM), key, told.get("delivery")) for key in told["keys"]]

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        if self.source.fault(keys):
            raise RetryLater("The shop did not answer.")
        marks = ", ".join("?" for _ in keys)
        rows = self.source.pages(f"SELECT key, stamp, body FROM rows WHERE key IN ({marks})", *keys)
        there = {row[0] for row in rows}
        return Page([Record(row[0], bytes(row[2])) for row in rows], {}, [key for key in keys if key not in there])


class Unasked(Ringing):
    """Webhooks, but single records cannot be asked for."""

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        raise NotImplementedError


@dataclass
class RingingWorkspace(LabWorkspace):
    kind: type[Ledger] = Ringing

    def open(self, name: str) -> Ledger:
        return self.kind(LedgerConfig(path=str(self.source.path), **self.config), Context(connection=name))


@pytest.fixture
def shop(lab: Lab) -> Lab:
    """A lab whose source rings when something changes; 20 customers are here already."""
    lab.workspace = RingingWorkspace(lab.database, lab.source)
    lab.source.fill(20)
    assert lab.sync().status is Status.SUCCEEDED
    return lab


def webhook(*keys: str | None, delivery: str | None = None, **told: Any) -> Inbound:
    body = orjson.dumps({"keys": keys, "delivery": delivery, **told})
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    return Inbound("POST", f"/hooks/{CONNECTION}", {"signature": signature}, {}, body)


def ring(lab: Lab, request: Inbound) -> Received:
    return receive(lab.workspace, CONNECTION, request)


def waiting(lab: Lab) -> int:
    return int(lab.query("SELECT count(*) FROM hint")[0][0])


def test_a_hinted_record_is_read_again_and_nothing_else_is(shop: Lab) -> None:
    shop.source.put("k0003", stamp=1, name="Renamed")
    shop.source.put("k0004", stamp=1, name="Not hinted")
    reads = len(shop.source.reads())
    received = ring(shop, webhook("k0003"))
    assert (received.hints, len(received.runs)) == (1, 1)
    run_id = received.runs[0]
    assert shop.go_on(run_id) is Status.SUCCEEDED
    run = shop.run(run_id)
    assert (run.mode, run.trigger) == (RunMode.HINTED, Trigger.WEBHOOK)
    assert run.counts == Counts(read=1, updated=1)
    assert shop.names()["k0003"] == "Renamed"
    assert shop.names()["k0004"] == "Customer k0004"
    assert len(shop.source.reads()) == reads, "the stream was not read"
    assert waiting(shop) == 0


def test_what_the_webhook_itself_says_is_not_believed(shop: Lab) -> None:
    received = ring(shop, webhook("k0003", name="Evil Ltd", record={"name": "Evil Ltd"}))
    shop.go_on(received.runs[0])
    assert shop.names()["k0003"] == "Customer k0003"


def test_a_hinted_record_that_is_gone_is_deleted(shop: Lab) -> None:
    shop.source.remove("k0007")
    received = ring(shop, webhook("k0007", "k0008"))
    shop.go_on(received.runs[0])
    assert shop.run(received.runs[0]).counts == Counts(read=2, unchanged=1, deleted=1)
    assert "k0007" not in shop.live()


def test_a_forged_webhook_changes_nothing(shop: Lab) -> None:
    forged = Inbound("POST", "/", {"signature": "0" * 64}, {}, b'{"keys": ["k0001"]}')
    with pytest.raises(BadCredentials):
        ring(shop, forged)
    assert waiting(shop) == 0


def test_a_delivery_that_comes_again_changes_nothing(shop: Lab) -> None:
    first = ring(shop, webhook("k0001", "k0002", delivery="d-1"))
    assert first.hints == 2
    shop.go_on(first.runs[0])
    for _ in range(3):
        assert ring(shop, webhook("k0001", "k0002", delivery="d-1")) == Received(None, 0, ())
    assert waiting(shop) == 0
    assert ring(shop, webhook("k0001", delivery="d-2")).hints == 1


def test_webhooks_that_come_before_the_run_begins_share_it(shop: Lab) -> None:
    runs = {ring(shop, webhook(f"k000{number}")).runs for number in range(5)}
    assert len(runs) == 1
    run_id = runs.pop()[0]
    shop.go_on(run_id)
    assert shop.run(run_id).counts.read == 5


def test_the_test_of_an_address_is_answered(shop: Lab) -> None:
    probe = Inbound("GET", "/", {}, {"echo": "hello"}, b"")
    assert ring(shop, probe) == Received(b"hello", 0, ())


def test_a_hint_without_a_key_is_followed_by_an_incremental_read(shop: Lab) -> None:
    shop.source.put("k0005", stamp=9, name="Changed")
    received = ring(shop, webhook(None))
    run_id = received.runs[0]
    assert shop.go_on(run_id) is Status.SUCCEEDED
    assert shop.run(run_id).mode is RunMode.INCREMENTAL
    assert shop.names()["k0005"] == "Changed"
    assert waiting(shop) == 0


def test_where_single_records_cannot_be_asked_for_the_next_read_covers_the_hint(shop: Lab) -> None:
    assert isinstance(shop.workspace, RingingWorkspace)
    shop.workspace.kind = Unasked
    shop.source.put("k0005", stamp=9, name="Changed")
    ring(shop, webhook("k0005"))
    assert shop.sync().status is Status.SUCCEEDED
    assert shop.names()["k0005"] == "Changed"
    assert waiting(shop) == 0


def test_a_hint_that_comes_while_a_read_goes_on_outlives_it(shop: Lab) -> None:
    run_id = shop.request(RunMode.FULL)
    shop.source.break_at("k0015", "wait_long")
    shop.go_on(run_id)  # begun, and stopped in the middle
    assert ring(shop, webhook(None)).hints == 1
    shop.source.heal()
    shop.execute("UPDATE sync_run SET waiting_until = NULL, status = 'queued' WHERE id = :id", id=run_id)
    assert shop.go_on(run_id) is Status.SUCCEEDED
    assert waiting(shop) == 1, "the read had passed the record perhaps"


def test_a_record_that_a_hint_brings_into_an_open_full_read_is_not_swept(shop: Lab) -> None:
    run_id = shop.request(RunMode.FULL)
    shop.source.break_at("k0015", "wait_long")
    shop.go_on(run_id)
    shop.source.put("a-new-one", name="Before the cursor")
    received = ring(shop, webhook("a-new-one"))
    shop.execute("UPDATE sync_run SET finished_at = queued_at, status = 'failed' WHERE id = :id", id=run_id)
    shop.execute("UPDATE lease SET expires_at = 0")
    shop.source.heal()
    assert shop.go_on(received.runs[0]) is Status.SUCCEEDED
    assert shop.sync().status is Status.SUCCEEDED  # goes on with the full read, and sweeps
    assert "a-new-one" in shop.live()


def test_a_fetch_that_fails_is_tried_again_and_loses_no_hint(shop: Lab) -> None:
    shop.source.put("k0003", stamp=1, name="Renamed")
    shop.source.break_at("k0003", "retry", times=1)
    received = ring(shop, webhook("k0003"))
    assert shop.go_on(received.runs[0]) is Status.SUCCEEDED
    assert shop.names()["k0003"] == "Renamed"


def test_hints_of_a_paused_stream_wait_until_it_is_resumed(shop: Lab) -> None:
    shop.source.put("k0003", stamp=1, name="Renamed")
    with shop.writing() as connection:
        pause_stream(connection, shop.stream.id, "inventory")
    assert ring(shop, webhook("k0003")) == Received(None, 1, ())
    with shop.writing() as connection:
        resume_stream(connection, shop.stream.id)
    shop.sync()
    assert shop.names()["k0003"] == "Renamed"
    assert waiting(shop) == 0


def test_a_hint_of_a_stream_that_is_not_configured_is_passed_over(shop: Lab) -> None:
    assert ring(shop, webhook("k0003", stream="orders")) == Received(None, 0, ())


@pytest.mark.parametrize("key", ["a\x00b", "k" * 501])
def test_a_key_that_no_record_can_have_is_followed_by_an_incremental_read(shop: Lab, key: str) -> None:
    shop.source.put("k0003", stamp=99, name="Renamed")
    received = ring(shop, webhook(key, delivery="d\x00"))
    assert shop.go_on(received.runs[0]) is Status.SUCCEEDED
    assert shop.names()["k0003"] == "Renamed"
    assert ring(shop, webhook(key, delivery="d\x00")).hints == 0
    assert waiting(shop) == 0


def test_a_bad_hinted_record_is_quarantined(shop: Lab) -> None:
    shop.source.put_raw({"k0003": {"name": 5}})
    received = ring(shop, webhook("k0003", "k0004"))
    assert shop.go_on(received.runs[0]) is Status.PARTIAL
    assert shop.run(received.runs[0]).counts == Counts(read=2, unchanged=1, quarantined=1)


def test_thousands_of_hints_are_fetched_in_batches(shop: Lab) -> None:
    shop.source.fill(450, stamp=2)
    with shop.writing() as connection:
        rows = [{"stream_id": shop.stream.id, "source_id": f"k{n:04}", "received_at": clock.now()} for n in range(450)]
        connection.execute(insert(hint), rows * 2)
    received = ring(shop, webhook("k0000"))
    shop.go_on(received.runs[0])
    assert shop.live() == shop.source.keys()
    assert waiting(shop) == 0
    assert shop.run(received.runs[0]).pages >= 5


@pytest.mark.parametrize("name", ["nobody", "../x", ""])
def test_an_unknown_connection_receives_nothing(shop: Lab, name: str) -> None:
    with pytest.raises(NotFound):
        receive(shop.workspace, name, webhook("k0001"))


def test_a_connector_without_webhooks_receives_nothing(sqlite_lab: Lab) -> None:
    with pytest.raises(NotFound, match="receives webhooks"):
        ring(sqlite_lab, webhook("k0001"))


def test_a_first_hint_before_any_full_read_is_followed(sqlite_lab: Lab, tmp_path: Path) -> None:
    lab = sqlite_lab
    lab.workspace = RingingWorkspace(lab.database, lab.source, {"deletes": Deletes.SWEEP})
    lab.source.fill(3)
    received = ring(lab, webhook("k0001"))
    assert lab.go_on(received.runs[0]) is Status.SUCCEEDED
    assert lab.live() == {"k0001"}
    assert lab.sync(pace=QUICK).status is Status.SUCCEEDED
    assert lab.live() == lab.source.keys()
    assert isinstance(lab.workspace.open(CONNECTION).check(), Checked)
