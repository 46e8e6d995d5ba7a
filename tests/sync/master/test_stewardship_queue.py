"""The review queue: what the matcher compared and left apart, most consequential first."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.contract import Evidence, Features
from sync.database import Database
from sync.master import resolving
from sync.stewardship import services as s
from tests.master_kit import RULES, TokenMatcher, land, record, resolve, sync
from tests.steward_kit import customers, do


class Cautious(TokenMatcher):
    """Keeps the evidence of records that differ in owner, with a weight that is less than proof."""

    version = "cautious-1"
    review_from = 2.0
    accept_from = 8.0

    def compare(self, left: Features, right: Features) -> Evidence | None:
        shared = len(set(left[0]) & set(right[0]))
        if shared and self._vetoed(left, right):
            return Evidence(float(shared), "unclear")
        return super().compare(left, right)

    def cluster(self, members: Any, decisions: Any) -> list[list[int]]:
        return TokenMatcher().cluster(members, decisions)


def unclear(database: Database) -> None:
    """Three customers with unclear pairs between them: a small one, and two of which one has two records."""
    land(
        database,
        1,
        [record("1", name="A", tags=["t", "u"], owner="x"), record("2", name="A", tags=["t", "u"], owner="x")],
    )
    land(database, 2, [record("3", name="B", tags=["t", "u"], owner="y")])
    land(database, 2, [record("4", name="C", tags=["v", "w"], owner="y"), record("5", name="D", tags=["v"], owner="z")])
    land(database, 2, [record("6", name="E", tags=["v", "w"], owner="z2")])
    with database.reading() as connection:
        ids = resolving.pending(connection)
    resolving.resolve(database, ids, matcher=Cautious(), survivorship=RULES)


def queue(database: Database, matcher: Any = None, limit: int = 50) -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        found = s.queue(connection, matcher or Cautious(), limit)
    return [(*sorted((one.left.record[-1], one.right.record[-1])), one.weight, one.pairs, one.records) for one in found]


def test_pairs_of_customers_are_listed_by_what_a_decision_changes(database: Database) -> None:
    unclear(database)
    assert customers(database) == [{"e1", "e2"}, {"s3"}, {"s4"}, {"s5"}, {"s6"}]
    assert queue(database) == [("1", "3", 2.0, 2, 3), ("4", "6", 2.0, 1, 2)]
    assert queue(database, limit=1) == [("1", "3", 2.0, 2, 3)]


def test_without_thresholds_every_pair_of_different_customers_is_there(database: Database) -> None:
    unclear(database)
    assert [one[:3] for one in queue(database, TokenMatcher())] == [
        ("1", "3", 2.0),
        ("4", "6", 2.0),
        ("4", "5", 1.0),
        ("5", "6", 1.0),
    ]


def test_pages_of_the_queue_follow_each_other_though_pairs_go_meanwhile(database: Database) -> None:
    unclear(database)
    whole, after, met = queue(database, TokenMatcher()), None, []
    while True:
        with database.reading() as connection:
            found = s.queue(connection, TokenMatcher(), 1, after)
        if not found:
            break
        after = found[0].place
        met.append((*sorted((found[0].left.record[-1], found[0].right.record[-1])), found[0].weight))
        if len(met) == 1:  # the pair that the place names may be gone
            do(database, s.decide, "erp/customers/1", "shop/customers/3", "different")
    assert met == [one[:3] for one in whole]


@pytest.mark.parametrize("verdict", ["different", "undecided"])
def test_a_pair_of_customers_that_was_looked_at_is_out_until_that_is_undone(database: Database, verdict: str) -> None:
    unclear(database)
    said = do(database, s.decide, "erp/customers/2", "shop/customers/3", verdict).decision
    assert queue(database) == [("4", "6", 2.0, 1, 2)]
    do(database, s.undo, said)
    assert len(queue(database)) == 2


def test_what_became_one_customer_or_changed_since_is_out(database: Database) -> None:
    unclear(database)
    do(database, s.decide, "shop/customers/4", "shop/customers/6", "same")
    assert [one[:2] for one in queue(database)] == [("1", "3")]
    sync(database, 2, record("3", name="B", tags=["q"], owner="y"))
    resolve(database)
    assert queue(database) == []
