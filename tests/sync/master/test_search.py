"""The search index: follows the change feed, finds by any part, and pages without gaps, in both dialects."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from sync import migrations
from sync.database import Database
from sync.master import lookup
from sync.master.bulk import bulk_for
from sync.master.search import index, query, terms
from sync.master.search.query import Place

NOW = "2026-01-02 03:04:05.000000"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    embedded = f"sqlite:///{tmp_path / 'test.db'}"
    made = Database(embedded if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    migrations.migrate(made)
    yield made
    made.dispose()


def publish(database: Database, *customers: tuple[int, str], status: str = "active") -> None:
    """Customers as PUBLISH leaves them: the row, and a change."""
    with database.transaction() as connection:
        bulk = bulk_for(connection)
        for number, name in customers:
            golden = f'{{"kind":"person","name":"{name}"}}'
            bulk.run("DELETE FROM customer WHERE id = ?", number)
            bulk.run(
                "INSERT INTO customer (id, version, status, kind, name, golden, members, changed_at) "
                "VALUES (?, 1, ?, 'person', ?, ?, 1, ?)",
                number,
                status,
                name,
                golden,
                NOW,
            )
            [seq] = bulk.numbers("change", 1)
            bulk.run(
                "INSERT INTO change (seq, customer_id, type, version, body, at) VALUES (?, ?, 'updated', 1, '{}', ?)",
                seq,
                number,
                NOW,
            )


def found(database: Database, asked: str, **more: Any) -> list[int]:
    with database.reading() as connection:
        return [row.id for row in query.customers(connection, terms.words(asked), **more)]


def behind(database: Database) -> int:
    with database.reading() as connection:
        return index.behind(connection)


def test_the_index_follows_what_becomes_of_customers(database: Database) -> None:
    publish(database, (1, "李小龙"), (2, "Jürgen Müller"))
    assert (behind(database), found(database, "李")) == (2, [])
    assert (index.catch_up(database), behind(database)) == (2, 0)
    assert [found(database, asked) for asked in ("小龙", "xiaolong", "muller", "MÜLL", "李小龙")] == [
        [1],
        [1],
        [2],
        [2],
        [1],
    ]
    publish(database, (1, "李大龙"))
    publish(database, (2, "Jürgen Müller"), status="merged")
    index.catch_up(database)
    assert [found(database, asked) for asked in ("小龙", "大龙", "muller")] == [[], [1], []]
    assert index.catch_up(database) == 0
    assert index.rebuild(database) == 4
    assert found(database, "大龙") == [1]


def test_it_catches_up_in_steps(database: Database) -> None:
    publish(database, *((number, f"Customer {number}") for number in range(1, 31)))
    assert index.catch_up(database, 10) == 10
    assert behind(database) == 20
    assert index.catch_up(database, 100) == 20


@pytest.mark.parametrize("countable", [50_000, 3])
def test_pages_hold_everyone_once_whether_conditions_are_rare_or_frequent(
    database: Database, monkeypatch: pytest.MonkeyPatch, countable: int
) -> None:
    monkeypatch.setattr(query, "COUNTABLE", countable)
    publish(database, *((number, f"Anna Number{number % 4}") for number in range(1, 61)))
    index.catch_up(database)
    wanted = [number for number in range(1, 61) if number % 4 == 1]
    seen: list[int] = []
    while page := found(database, "anna number1", limit=4, after=Place(seen[-1]) if seen else None):
        seen += page
    assert seen == wanted


LIMITS = ("RARE", "COUNTABLE", "MANY", "NEAR", "FURTHER")


@pytest.mark.parametrize(
    "limits", [(2_000, 20_000, 200_000, 4_000, 40_000), (2, 8, 20, 5, 20), (0, 0, 20, 3, 10), (0, 0, 0, 1, 2)]
)
def test_however_conditions_are_answered_the_customers_are_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch, limits: tuple[int, ...]
) -> None:
    for name, value in zip(LIMITS, limits, strict=True):
        monkeypatch.setattr(query, name, value)
    chance = random.Random(7)
    firsts, lasts = ("Anna", "Ben", "Clara", "Anton", "Rare"), ("Smith", "Schmidt", "Jones", "Anders")
    named = [(n, f"{chance.choice(firsts)} {chance.choice(lasts)}") for n in range(1, 61)]
    publish(database, *named)
    index.catch_up(database)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    for asked in ("a", "an", "smith", "anna smith", "a s", "rare anders", "anna ben", "clara j", "an an"):
        wanted = [n for n, name in named if all(_begins(name.lower(), word) for word in asked.split())]
        for more in ({}, {"updated_since": since}):
            assert found(database, asked, limit=100, **more) == wanted, asked
            first = found(database, asked, limit=4, **more)
            assert first == wanted[:4], asked
            if len(first) == 4:
                after = Place(first[-1], None if not more else datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
                assert found(database, asked, limit=100, after=after, **more) == wanted[4:], asked


def _begins(name: str, word: str) -> bool:
    return any(part.startswith(word) for part in name.split())


def test_by_change_the_order_is_that_of_change(database: Database) -> None:
    publish(database, (3, "c"), (1, "a"), (2, "b"))
    index.catch_up(database)
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE search_customer SET changed_at = '2026-01-03 00:00:00.000000' WHERE customer_id = 1")
        )
    since = datetime(2026, 1, 1, tzinfo=UTC)
    with database.reading() as connection:
        everyone = query.customers(connection, [], updated_since=since)
        after = Place(3, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        rest = query.customers(connection, [], updated_since=since, after=after)
        none = query.customers(connection, [], updated_since=datetime(2027, 1, 1, tzinfo=UTC))
    assert ([row.id for row in everyone], [row.id for row in rest], none) == ([2, 3, 1], [1], [])
    assert lookup.moment(everyone[0].changed_at)


def test_no_question_breaks_it(database: Database) -> None:
    publish(database, (1, "x"))
    index.catch_up(database)
    for asked in ("", " ", "%", "'", "\x00", "\ud800", "a" * 500, "张" * 100, "@", "+", "𠀀", "-- ;"):
        found(database, asked)


@given(st.text(max_size=60), st.sampled_from(["person", "organisation"]))
def test_every_name_is_found_by_itself(name: str, kind: str) -> None:
    held = terms.terms_of(kind, {"name": name})
    assert len(held) <= terms.MOST_TERMS
    if len(name) <= terms.LONGEST_NAME and name.isascii() and name.replace(" ", "").isalpha():
        for condition in terms.words(name)[:8]:
            assert any(low <= term <= high for low, high in condition.ranges for term in held), (name, condition)


@given(st.text(alphabet="张王李赵陈上海贸易有限公司北京科技", min_size=1, max_size=10))
def test_a_chinese_name_is_found_by_each_part_of_it(name: str) -> None:
    held = terms.terms_of("organisation", {"name": name})
    for start in range(len(name)):
        for end in range(start + 1, len(name) + 1):
            [condition] = terms.words(name[start:end])
            assert any(low <= term <= high for low, high in condition.ranges for term in held)
