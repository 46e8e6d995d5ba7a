"""The change feed: who begins with the snapshot and goes on at any token holds an equal copy; expiry is told."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Signal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from sync.database import Database
from sync.delivery import tables as delivery_tables  # noqa: F401 - fills the metadata
from sync.feed import compaction, reading, tokens
from sync.feed.tail import Tail
from sync.feed.tokens import BadToken, Token, TokenExpired
from sync.master.cause import caused_by
from sync.master.search import index
from sync.master.search import tables as search_tables  # noqa: F401 - fills the metadata
from tests import services
from tests.feed_kit import Copy, following, here, take
from tests.master_kit import consistent, dump, master, record, resolve, sync
from tests.master_worker import write

ROOT = Path(__file__).parents[3]
WORKERS = 8
STREAMS = [(f"system{number}", "customers") for number in range(1, WORKERS + 1)]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    embedded = f"sqlite:///{tmp_path / 'test.db'}"
    url = embedded if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with master(url) as made:
        yield made


def follow(
    database: Database, copy: Copy, token: str | None, rng: random.Random, sizes: Sequence[int] = (1, 3, 20, 200)
) -> str:
    """One request, of which the consumer remembers a random part: it died there, and comes back with that token."""
    with database.reading() as connection:
        events, reached, _more = take(connection, token, rng.choice(sizes))
    stop = rng.randint(0, len(events)) if rng.random() < 0.5 else len(events)
    for event in events[:stop]:
        copy.apply(event)
        token = event["token"]
    return reached if stop == len(events) else token or reached


@pytest.mark.slow
@pytest.mark.services
def test_a_reader_that_begins_amid_eight_writers_and_resumes_anywhere_ends_with_an_equal_copy(
    postgres: services.PostgresServer,
) -> None:
    rng = random.Random(4)
    with postgres.database() as url, master(url, STREAMS) as database:
        command = [sys.executable, "-m", "tests.master_worker", url]
        writers = [
            subprocess.Popen([*command, str(stream), "7", "25"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
            for stream in range(1, WORKERS + 1)
        ]
        copies: list[tuple[Copy, str | None]] = []
        while any(writer.poll() is None for writer in writers):
            if len(copies) < 12 and rng.random() < 0.2:
                copies.append((Copy(), None))
            copies = [(copy, follow(database, copy, token, rng)) for copy, token in copies]
            time.sleep(0.01)
        assert [writer.wait() for writer in writers] == [0] * WORKERS
        resolve(database)
        end = here(database)
        assert len(copies) > 2
        for copy, token in copies:
            while tokens.decode(str(token)) != end:
                token = follow(database, copy, token, rng)
            assert copy.content() == consistent(database)


def test_a_snapshot_read_amid_changes_is_exact_at_every_token(tmp_path: Path) -> None:
    rng = random.Random(1)
    with master(f"sqlite:///{tmp_path}/one.db", STREAMS[:2]) as database:
        write(database, 1, 3, 60)
        copy, token, step = Copy(), None, 0
        while token is None or tokens.decode(token).after is not None:
            token = follow(database, copy, token, rng, (1, 2, 5))
            step += 1
            if step % 3 == 0:
                key = str(rng.randrange(50))
                sync(database, 2, record(key, name=f"n{step}", tags=[f"hot{key}", f"hot{rng.randrange(50)}"]))
        while tokens.decode(token) != here(database):
            token = follow(database, copy, token, rng)
        assert step > 20
        assert copy.content() == dump(database)


def test_an_event_says_what_changed_from_which_version_and_why(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    place = here(database)
    with caused_by("sync", connection="erp", stream="customers", run=7):
        sync(database, 1, record("1", name="Anna", tags=["a"]))
    with database.reading() as connection:
        [event] = reading.read(connection, place, 10).events
    told = orjson.loads(event.json(personal=True))
    assert told["type"] == "customer.updated"
    assert told["version"] == {"before": 1, "after": 2}
    assert told["changed"] == ["name"]
    assert told["cause"] == {"kind": "sync", "connection": "erp", "stream": "customers", "run": 7}
    assert told["data"] == {"set": {"name": "Anna"}}
    assert "Anna" not in event.json(personal=False).decode()
    assert orjson.loads(event.json(personal=False))["changed"] == ["name"]


def test_only_the_types_asked_for_are_given_and_the_token_still_goes_on(database: Database) -> None:
    for number in range(5):
        sync(database, 1, record(str(number), name=f"n{number}", tags=[f"t{number}"]))
    sync(database, 1, deleted=["3"])
    with database.reading() as connection:
        batch = reading.read(connection, Token(0, 0), 2, {"customer.deleted"})
    assert [event.type for event in batch.events] == ["customer.deleted"]
    assert batch.token == here(database)
    assert not batch.more


def test_old_changes_are_compacted_to_the_last_of_each_customer_and_their_tokens_expire(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]), record("2", name="Bob", tags=["b"]))
    early = here(database)
    for number in range(4):
        sync(database, 1, record("1", name=f"Ann {number}", tags=["a"]))
    index.catch_up(database)
    late = here(database)
    assert compaction.compact(database, timedelta(days=1)) == 0, "nothing is old enough"
    assert compaction.compact(database, timedelta(days=1), datetime.now(UTC) + timedelta(days=2)) == 4
    with database.reading() as connection:
        left = connection.execute(text("SELECT seq FROM change ORDER BY seq")).scalars().all()
        assert len(left) == 2
        with pytest.raises(TokenExpired):
            reading.read(connection, early, 10)
        assert reading.read(connection, late, 10).events == []
    sync(database, 1, record("2", name="Bobby", tags=["b"]))
    with database.reading() as connection:
        assert len(reading.read(connection, late, 10).events) == 1
    assert following(database).content() == dump(database)
    index.rebuild(database)
    with database.reading() as connection:
        assert index.behind(connection) == 0, "the index is made from what is left"


def test_what_is_not_indexed_yet_is_not_compacted(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    sync(database, 1, record("1", name="Anna", tags=["a"]))
    assert compaction.compact(database, timedelta(0), datetime.now(UTC) + timedelta(days=1)) == 0


def test_tokens_of_another_copy_of_the_database_have_expired(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    place = here(database)
    with database.reading() as connection, pytest.raises(TokenExpired):
        reading.read(connection, Token(place.feed, place.seq + 1), 10)
    with database.transaction() as connection:
        tokens.renew(connection)
    with database.reading() as connection, pytest.raises(TokenExpired):
        reading.read(connection, place, 10)


@given(st.integers(0, (1 << 63) - 1), st.integers(0, (1 << 63) - 1), st.none() | st.integers(-1, (1 << 63) - 1))
def test_a_token_says_what_was_put_into_it(feed: int, seq: int, after: int | None) -> None:
    token = Token(feed, seq, after)
    assert tokens.decode(tokens.encode(token)) == token
    assert len(tokens.encode(token)) <= tokens.LONGEST


@given(st.text(max_size=60))
def test_what_is_no_token_is_refused_and_never_crashes(text: str) -> None:
    try:
        tokens.decode(text)
    except BadToken:
        pass
    else:
        assert tokens.encode(tokens.decode(text))


def test_the_tail_gives_from_memory_what_the_database_would_give(database: Database) -> None:
    woken = Signal()
    tail = Tail(database, woken.set, poll=0.005)
    sync(database, 1, record("0", name="before", tags=["z"]))
    place = here(database)
    try:
        assert tail.read(place, 10) is None, "nobody watches"
        with tail.watched():
            wait(lambda: tail.read(place, 10) is not None)
            woken.clear()
            for number in range(1, 6):
                sync(database, 1, record(str(number), name=f"n{number}", tags=[f"t{number}"]))
            assert woken.wait(5)
            wait(lambda: (batch := tail.read(place, 10)) is not None and len(batch.events) == 5)
            remembered = tail.read(place, 3)
            with database.reading() as connection:
                read = reading.read(connection, place, 3)
            assert remembered is not None
            assert [e.json(personal=True) for e in remembered.events] == [e.json(personal=True) for e in read.events]
            assert (remembered.token, remembered.more) == (read.token, read.more)
            assert tail.read(Token(place.feed, place.seq - 1), 3) is None, "older than what is in memory"
            assert tail.read(place._replace(feed=place.feed + 1), 3) is None
    finally:
        tail.close()


def test_what_the_tail_holds_of_before_an_erasure_is_not_given_any_more(database: Database) -> None:
    tail = Tail(database, Signal().set, poll=0.005)
    place = here(database)
    try:
        with tail.watched():
            wait(lambda: tail.read(place, 10) is not None)
            sync(database, 1, record("1", name="Maria", tags=["t1"]))
            wait(lambda: (batch := tail.read(place, 10)) is not None and len(batch.events) == 1)
            with database.transaction() as connection:
                connection.execute(text("UPDATE change SET body = '{}'"))
                connection.execute(text("UPDATE counter SET value = value + 1 WHERE name = 'change'"))
                connection.execute(
                    text(
                        "INSERT INTO change (seq, customer_id, type, version, body, at) "
                        "SELECT seq + 1, customer_id, 'erased', 2, '{}', at FROM change"
                    )
                )
            wait(lambda: tail.behind(place._replace(seq=place.seq + 1)))
            assert tail.read(place, 10) is None, "the database tells it as it is now"
            after = tail.read(place._replace(seq=place.seq + 1), 10)
            assert after is not None
            assert [event.kind for event in after.events] == ["erased"]
    finally:
        tail.close()


def wait(condition: object) -> None:
    deadline = time.monotonic() + 5
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
