"""Webhooks reach a real receiver that fails, hangs and lies: at least once, in order, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text
from standardwebhooks.webhooks import Webhook

from sync.audit import entries
from sync.database import Database
from sync.delivery import attempts, courier, endpoints, notices, office, queue, retrying
from sync.delivery.courier import Courier, Post
from sync.delivery.endpoints import Created, Wanted
from sync.delivery.office import Office
from sync.master.identity import public_id
from sync.master.search import tables as search_tables  # noqa: F401 - fills the metadata
from sync.privacy import holders
from sync.privacy.person import Person
from sync.vault import Vault
from tests.feed_kit import here
from tests.master_kit import master, record, sync
from tests.webhook_receiver import ROOT, Receiver, receiver

pytestmark = pytest.mark.slow

HERE = ["127.0.0.1"]
VAULT = Vault([bytes(range(32))])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries after a moment instead of seconds."""
    monkeypatch.setattr(retrying, "DELAYS", (0.05,) * 12)
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(retrying, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(courier, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(office, "LOOK_EVERY", 0.05)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    embedded = f"sqlite:///{tmp_path / 'test.db'}"
    url = embedded if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with master(url) as made:
        yield made


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    with master(f"sqlite:///{tmp_path / 'test.db'}") as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Receiver]:
    with receiver(tmp_path) as made:
        yield made


def endpoint(database: Database, url: str, **wanted: Any) -> Created:
    with database.transaction() as connection:
        return endpoints.create(connection, VAULT, Wanted(url=url, **wanted), by="test", allow_private=HERE)


@contextmanager
def delivering(database: Database) -> Iterator[None]:
    """An office at work."""
    stop = Signal()
    thread = Thread(target=Office(Post(database, VAULT, HERE, read=0.5, deadline=1.0)).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def rename(database: Database, key: str, *names: str) -> None:
    """A change for each name of one customer."""
    for name in names:
        sync(database, 1, record(key, name=name, tags=[f"tag{key}"]))


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def names(accepted: list[dict[str, Any]], customer: str) -> list[str]:
    """The names a receiver was told of a customer, each event once, in the order of their first arrival."""
    found: dict[str, str] = {}
    for one in accepted:
        change = one["data"]["change"]
        if one["data"]["customer"] == customer:
            found.setdefault(one["id"], (change.get("golden") or change.get("set"))["name"])
    return list(found.values())


def customer_of(database: Database, key: str) -> str:
    with database.reading() as connection:
        statement = text(
            "SELECT w.customer_id FROM crosswalk w JOIN source_record r ON r.id = w.record_id WHERE r.source_id = :key"
        )
        return public_id(connection.execute(statement, {"key": key}).scalar_one())


def told(database: Database, endpoint_id: str) -> list[str]:
    with database.reading() as connection:
        return [notice.kind for notice in notices.latest(connection, endpoint_id)][::-1]


def settled(database: Database, endpoint_id: str) -> bool:
    with database.reading() as connection:
        found = endpoints.get(connection, endpoint_id)
        return queue.length(connection, endpoint_id) == 0 and found.position == here(database).seq


def test_a_change_arrives_signed_with_its_cause_and_is_logged(database: Database, other: Receiver) -> None:
    made = endpoint(database, other.url)
    with delivering(database):
        rename(database, "1", "Ann", "Anna")
        until(lambda: len(other.accepted()) == 2)
        until(lambda: settled(database, made.endpoint.id))
    first, second = other.seen("ok")
    Webhook(made.secret.get_secret_value()).verify(first["body"], first["headers"])
    body = json.loads(second["body"])
    assert body["type"] == "customer.updated"
    assert body["data"]["version"] == {"before": 1, "after": 2}
    assert body["data"]["change"] == {"set": {"name": "Anna"}}
    with database.reading() as connection:
        log = attempts.latest(connection, made.endpoint.id)
        assert [(one.outcome, one.status, one.answer) for one in log] == [("delivered", 200, "thanks")] * 2
        assert endpoints.get(connection, made.endpoint.id).delivered_at is not None


def test_what_fails_holds_up_its_customer_alone_and_keeps_its_order(sqlite: Database, other: Receiver) -> None:
    made = endpoint(sqlite, other.url)
    rename(sqlite, "1", "a1")
    rename(sqlite, "2", "b1")
    poor, well = customer_of(sqlite, "1"), customer_of(sqlite, "2")
    other.told(**{poor: "fail"})
    with delivering(sqlite):
        rename(sqlite, "1", "a2", "a3")
        rename(sqlite, "2", "b2", "b3", "b4")
        until(lambda: names(other.accepted(), well) == ["b1", "b2", "b3", "b4"])
        until(lambda: "held" in told(sqlite, made.endpoint.id))
        assert names(other.accepted(), poor) == []
        other.told()
        until(lambda: names(other.accepted(), poor) == ["a1", "a2", "a3"])
        until(lambda: settled(sqlite, made.endpoint.id))
    assert told(sqlite, made.endpoint.id) == ["held", "released"]
    with sqlite.reading() as connection:
        failed = attempts.latest(connection, made.endpoint.id, outcome="failed")
    assert failed
    assert "canary" not in failed[0].answer
    assert "zhang" not in failed[0].answer


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("hang", "no answer in time"),
        ("lie", "broke off"),
        ("flood", "larger than"),
        ("redirect", "redirects are not followed"),
    ],
)
def test_an_answer_that_is_none_is_a_failure(sqlite: Database, other: Receiver, act: str, said: str) -> None:
    made = endpoint(sqlite, other.url)
    other.told(default=act)
    with delivering(sqlite):
        rename(sqlite, "1", "Ann")
        until(lambda: len(other.seen(act)) >= 2)
        other.told()
        until(lambda: len(other.accepted()) == 1)
        until(lambda: settled(sqlite, made.endpoint.id))
    with sqlite.reading() as connection:
        log = attempts.latest(connection, made.endpoint.id)
    assert log[0].outcome == "delivered"
    assert said in str(log[-1].error)
    ids = {one["headers"]["webhook-id"] for one in other.seen()}
    assert len(ids) == 1, "the same event has the same id however often it is sent"


def test_an_endpoint_that_is_down_pauses_as_a_whole_is_told_once_and_recovers(
    sqlite: Database, other: Receiver
) -> None:
    made = endpoint(sqlite, other.url)
    other.told(default="fail")
    with delivering(sqlite):
        for number in range(30):
            rename(sqlite, str(number), f"n{number}")
        until(lambda: "failing" in told(sqlite, made.endpoint.id))
        time.sleep(0.3)
        assert len(other.seen("fail")) < 60, "a pausing endpoint is tried with single events"
        with sqlite.reading() as connection:
            assert endpoints.get(connection, made.endpoint.id).failing_since is not None
        other.told()
        until(lambda: len({one["id"] for one in other.accepted()}) == 30)
        until(lambda: settled(sqlite, made.endpoint.id))
    assert told(sqlite, made.endpoint.id) == ["failing", "recovered"]


def test_news_for_an_endpoint_that_is_down_do_not_keep_its_courier_from_resting(
    sqlite: Database, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[float] = []
    turn = Courier._turn
    monkeypatch.setattr(Courier, "_turn", lambda self, keeper: turns.append(time.monotonic()) or turn(self, keeper))
    made = endpoint(sqlite, other.url)
    other.told(default="fail")
    with delivering(sqlite):
        for number in range(5):
            rename(sqlite, str(number), f"n{number}")
        until(lambda: "failing" in told(sqlite, made.endpoint.id))
        rename(sqlite, "1", "Ann")
        before = len(turns)
        time.sleep(0.3)
        assert len(turns) - before < 300
        other.told()
        until(lambda: names(other.accepted(), customer_of(sqlite, "1"))[-1:] == ["Ann"])


def test_410_disables_and_enabling_goes_on_where_it_stopped(sqlite: Database, other: Receiver) -> None:
    made = endpoint(sqlite, other.url)
    other.told(default="gone")
    with delivering(sqlite):
        rename(sqlite, "1", "Ann")
        until(lambda: told(sqlite, made.endpoint.id) == ["disabled"])
        rename(sqlite, "1", "Anna")
        time.sleep(0.2)
        assert len(other.seen("gone")) == 1
        other.told()
        with sqlite.transaction() as connection:
            assert endpoints.get(connection, made.endpoint.id).reason == "gone"
            endpoints.enable(connection, made.endpoint.id, by="test")
        until(lambda: names(other.accepted(), customer_of(sqlite, "1")) == ["Ann", "Anna"])


def test_an_endpoint_of_which_nothing_was_accepted_for_days_is_disabled(
    sqlite: Database, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "DISABLE_AFTER", timedelta(seconds=0.2))
    made = endpoint(sqlite, other.url)
    other.told(default="fail")
    with delivering(sqlite):
        for number in range(5):
            rename(sqlite, str(number), f"n{number}")
        until(lambda: told(sqlite, made.endpoint.id) == ["failing", "disabled"])
    with sqlite.reading() as connection:
        assert endpoints.get(connection, made.endpoint.id).reason == "failing"
        assert queue.length(connection, made.endpoint.id) == 5, "what it missed stays"


def test_an_event_refused_for_three_days_is_given_up_and_the_next_goes(
    sqlite: Database, other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sum(retrying.DELAYS) > 0
    monkeypatch.setattr(retrying, "DELAYS", (0.02, 0.02))
    made = endpoint(sqlite, other.url)
    other.told(default="fail")
    with delivering(sqlite):
        rename(sqlite, "1", "bad")
        until(lambda: told(sqlite, made.endpoint.id) == ["given_up"])
        other.told()
        rename(sqlite, "1", "good")
        until(lambda: names(other.accepted(), customer_of(sqlite, "1")) == ["good"])
        with sqlite.transaction() as connection:
            found = endpoints.get(connection, made.endpoint.id)
            assert queue.replay(connection, found, 1, 1, by="test") == 1
        until(lambda: names(other.accepted(), customer_of(sqlite, "1")) == ["good", "bad"])


def test_only_the_types_asked_for_are_sent_and_thin_ones_hold_no_values(sqlite: Database, other: Receiver) -> None:
    endpoint(sqlite, other.url, types=["customer.updated"], payload="thin")
    with delivering(sqlite):
        rename(sqlite, "1", "Ann", "Anna")
        until(lambda: len(other.accepted()) == 1)
    [one] = other.accepted()
    assert one["data"]["changed"] == ["name"]
    assert "Anna" not in json.dumps(one)


def test_thin_messages_do_not_tell_by_what_id_a_system_knows_a_person(sqlite: Database, other: Receiver) -> None:
    endpoint(sqlite, other.url, payload="thin")
    with delivering(sqlite):
        rename(sqlite, "ann@example.com", "Ann")
        until(lambda: len(other.accepted()) == 1)
    [one] = other.accepted()
    assert one["data"]["change"]["joined"] == [["erp", "customers", "***om", ""]]
    assert "ann@" not in json.dumps(one)


def test_an_erasure_has_couriers_read_their_queues_anew(sqlite: Database, other: Receiver) -> None:
    made = endpoint(sqlite, other.url)
    with sqlite.transaction() as connection:
        before = endpoints.get(connection, made.endpoint.id).revision
        holders.HOLDERS["deliveries"](connection, Person(1, (1,), (), (), ()))
        assert endpoints.get(connection, made.endpoint.id).revision == before + 1


def test_while_a_secret_is_rotated_both_sign(sqlite: Database, other: Receiver) -> None:
    made = endpoint(sqlite, other.url)
    with sqlite.transaction() as connection:
        fresh = endpoints.rotate(connection, VAULT, made.endpoint.id, by="test", overlap=timedelta(hours=24))
    with delivering(sqlite):
        rename(sqlite, "1", "Ann")
        until(lambda: len(other.accepted()) == 1)
    [one] = other.seen("ok")
    for secret in (made.secret, fresh.secret):
        Webhook(secret.get_secret_value()).verify(one["body"], one["headers"])
    with sqlite.transaction() as connection:
        endpoints.rotate(connection, VAULT, made.endpoint.id, by="test", overlap=timedelta(0))
        assert len(endpoints.signing_keys(connection, VAULT, made.endpoint.id)) == 1
        actions = [entry.action for entry in entries(connection)]
    assert actions == ["webhook.rotated", "webhook.rotated", "webhook.created"]


def test_a_range_is_delivered_again_with_the_same_ids(sqlite: Database, other: Receiver) -> None:
    made = endpoint(sqlite, other.url)
    with delivering(sqlite):
        rename(sqlite, "1", "a1", "a2", "a3")
        until(lambda: len(other.accepted()) == 3)
        before = other.accepted()
        until(lambda: settled(sqlite, made.endpoint.id))
        with sqlite.transaction() as connection:
            found = endpoints.get(connection, made.endpoint.id)
            assert queue.replay(connection, found, 2, 3, by="test") == 2
        until(lambda: len(other.accepted()) == 5)
    assert [one["id"] for one in other.accepted()[3:]] == [one["id"] for one in before[1:]]


WORKER = """
import sys
from threading import Event
from sync.database import Database
from sync.delivery import retrying
from sync.delivery.courier import Post
from sync.delivery.office import Office
from sync.vault import Vault
retrying.DELAYS = (0.05,) * 12
Office(Post(Database(sys.argv[1]), Vault([bytes(range(32))]), ["127.0.0.1"]), expiry=0.8).run(Event())
"""


@pytest.mark.slow
def test_killed_again_and_again_nothing_is_lost_and_order_is_kept(database: Database, other: Receiver) -> None:
    made = endpoint(database, other.url)
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", WORKER, url]
    wanted: dict[str, list[str]] = {str(number): [] for number in range(6)}
    workers = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    try:
        for turn in range(20):
            for key, given in wanted.items():
                given.append(f"{key}-{turn}")
                rename(database, key, given[-1])
            if turn % 7 == 5:
                seen = len(other.seen())
                until(lambda: len(other.seen()) > seen or settled(database, made.endpoint.id), 20)  # noqa: B023
                victim = workers.pop(0)
                os.kill(victim.pid, signal.SIGKILL)
                victim.wait()
                workers.append(subprocess.Popen(command, cwd=ROOT))
        until(lambda: settled(database, made.endpoint.id), 30)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    for key, given in wanted.items():
        assert names(other.accepted(), customer_of(database, key)) == given
