"""Ids are kept by largest overlap, taken back by who bore them, and founded only for who never had one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from sync.database import Database
from sync.master import lookup, naming, queries
from sync.master.identity import founder_id, public_id
from sync.master.tables import customer
from sync.stewardship import services as stewardship
from tests.master_kit import consistent, dump, land, master, record, sync
from tests.steward_kit import do
from tests.sync.master.test_order_independence import Key, contents, decide, keys, land_one, resolve

ERP, SHOP = 1, 2
Address = tuple[str, ...]


def founded(stream: int, key: str) -> str:
    """The id that a record would found."""
    return public_id(founder_id("erp" if stream == ERP else "shop", "customers", key))


def bearer(database: Database, stream: int, key: str) -> str:
    """The id of the customer that has the record."""
    return str(dump(database)["crosswalk"]["erp" if stream == ERP else "shop", "customers", key, ""])


def of(stream: int, database: Database, **tags: str) -> None:
    """Records of a stream whose tokens are the letters given."""
    page = (record(key.removeprefix("_"), name=key, tags=list(letters)) for key, letters in tags.items())
    sync(database, stream, *page)


def test_a_record_of_a_system_configured_earlier_joins_under_the_id_that_is_there(database: Database) -> None:
    of(SHOP, database, _7="a")
    of(ERP, database, _1="a")
    assert set(consistent(database)["customers"]) == {founded(SHOP, "7")}


def test_of_two_customers_that_become_one_the_larger_keeps_its_id(database: Database) -> None:
    of(ERP, database, _1="a")
    of(SHOP, database, _1="b", _2="b")
    of(SHOP, database, _3="ab")
    content = consistent(database)
    assert set(content["customers"]) == {founded(SHOP, "1")}
    assert content["aliases"] == {founded(ERP, "1"): founded(SHOP, "1")}


def test_of_two_equal_customers_that_become_one_the_one_known_longest_keeps_its_id(database: Database) -> None:
    of(SHOP, database, _1="b")
    of(ERP, database, _1="a")
    of(ERP, database, _1="b")
    assert set(consistent(database)["customers"]) == {founded(SHOP, "1")}


def test_the_larger_part_of_a_customer_that_falls_apart_keeps_the_id(database: Database) -> None:
    of(ERP, database, _1="a", _2="ab", _3="b", _4="b")
    assert len(consistent(database)["customers"]) == 1
    of(ERP, database, _2="b")
    assert bearer(database, ERP, "4") == founded(ERP, "1")
    founder = bearer(database, ERP, "1")
    assert founder not in {founded(ERP, key) for key in "1234"}, "its own id is borne by others"
    assert set(consistent(database)["customers"]) == {founded(ERP, "1"), founder}


def test_equal_parts_leave_the_id_to_the_record_that_founded_it(database: Database) -> None:
    of(SHOP, database, _1="a")
    of(ERP, database, _1="a")
    of(ERP, database, _1="z")
    assert bearer(database, SHOP, "1") == founded(SHOP, "1")
    assert bearer(database, ERP, "1") == founded(ERP, "1")


def test_a_member_that_changes_sides_takes_nobody_s_id_along(database: Database) -> None:
    of(ERP, database, _1="a", _2="a")
    of(SHOP, database, _1="b")
    of(ERP, database, _1="b")
    assert bearer(database, ERP, "2") == founded(ERP, "1")
    assert bearer(database, ERP, "1") == bearer(database, SHOP, "1") == founded(SHOP, "1")
    assert consistent(database)["aliases"] == {}


def test_what_a_merge_brought_together_gets_its_ids_back_also_without_its_founders(database: Database) -> None:
    of(ERP, database, _1="a", _2="a", _3="a")
    of(SHOP, database, _1="b", _2="b")
    sync(database, SHOP, deleted=["1"])
    before = consistent(database)
    assert bearer(database, SHOP, "2") == founded(SHOP, "1")
    of(SHOP, database, _9="ab")
    assert set(consistent(database)["customers"]) == {founded(ERP, "1")}
    sync(database, SHOP, deleted=["9"])
    assert consistent(database) == before


def test_who_joined_since_a_merge_does_not_take_the_id_of_the_customer_that_was_there(database: Database) -> None:
    of(ERP, database, _1="a")
    of(SHOP, database, _1="b")
    of(ERP, database, _9="ab")
    of(SHOP, database, _2="b", _3="b")
    assert set(consistent(database)["customers"]) == {founded(ERP, "1")}
    sync(database, ERP, deleted=["9"])
    assert bearer(database, ERP, "1") == founded(ERP, "1")
    assert bearer(database, SHOP, "3") == bearer(database, SHOP, "1") == founded(SHOP, "1")


def test_where_only_merged_records_are_left_the_id_stays_with_most_of_them(database: Database) -> None:
    of(ERP, database, _1="a", _2="a", _3="a", _4="a")
    of(SHOP, database, _1="b", _2="b", _3="b")
    of(ERP, database, _1="ab")
    sync(database, ERP, deleted=["1", "2", "3", "4"])
    assert set(consistent(database)["customers"]) == {founded(ERP, "1")}
    of(SHOP, database, _3="z")
    assert bearer(database, SHOP, "1") == founded(ERP, "1")
    assert bearer(database, SHOP, "3") == founded(SHOP, "1")


def test_a_record_that_returns_finds_the_id_it_had(database: Database) -> None:
    of(SHOP, database, _1="a")
    of(ERP, database, _1="a")
    sync(database, SHOP, deleted=["1"])
    sync(database, ERP, deleted=["1"])
    assert consistent(database)["customers"] == {}
    of(ERP, database, _1="z")
    assert set(consistent(database)["customers"]) == {founded(SHOP, "1")}
    with database.reading() as connection:
        row, older = lookup.customer(connection, founded(SHOP, "1"))
    assert row is not None
    assert (row.status, older) == ("active", None)


def test_a_record_that_a_steward_takes_out_leaves_the_id_to_the_others(database: Database) -> None:
    of(ERP, database, _1="a")
    of(SHOP, database, _1="a")
    out = do(database, stewardship.exclude, founded(ERP, "1"), "erp/customers/1").decision
    assert bearer(database, SHOP, "1") == founded(ERP, "1")
    own = bearer(database, ERP, "1")
    do(database, stewardship.undo, out)
    assert set(consistent(database)["customers"]) == {founded(ERP, "1")}
    do(database, stewardship.exclude, founded(ERP, "1"), "erp/customers/1")
    assert bearer(database, ERP, "1") == own


def test_ids_that_a_record_founds_again_and_again_are_all_different(database: Database) -> None:
    of(ERP, database, _1="a", _2="a", _3="a")
    borne = [bearer(database, ERP, "1")]
    for turn in "wxyz":
        of(ERP, database, _1=turn)
        borne.append(bearer(database, ERP, "1"))
        of(SHOP, database, **{f"_{turn}1": turn, f"_{turn}2": turn})
    assert len(set(borne)) == len(consistent(database)["customers"]) == 5


@pytest.mark.services
def test_two_workers_to_whom_records_return_do_not_take_the_same_id(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with master(postgres_url) as database:
        of(SHOP, database, _1="a")
        of(ERP, database, _1="a")
        sync(database, SHOP, deleted=["1"])
        sync(database, ERP, deleted=["1"])
        ours = land(database, ERP, [record("1", name="Ann", tags=["y"])])
        theirs = [land(database, SHOP, [record("1", name="Bob", tags=["z"])])]
        lock = naming.lock_customers

        def after_them(*arguments: Any) -> Any:
            while theirs:
                resolve(database, theirs.pop())
            return lock(*arguments)

        monkeypatch.setattr(naming, "lock_customers", after_them)
        resolve(database, ours)
        assert bearer(database, SHOP, "1") == founded(SHOP, "1")
        assert bearer(database, ERP, "1") == founded(ERP, "1")
        assert len(consistent(database)["customers"]) == 2


def test_the_id_of_somebody_who_was_erased_is_never_borne_again(embedded: Database) -> None:
    of(ERP, embedded, _1="a", _2="a", _3="a", _4="q")
    of(ERP, embedded, _1="z")
    own = bearer(embedded, ERP, "1")
    of(ERP, embedded, _1="q")
    sync(embedded, ERP, deleted=["2", "3"])
    with embedded.transaction() as connection:
        row = customer.c.id == founder_id("erp", "customers", "1")
        assert connection.execute(update(customer).where(row).values(status="erased")).rowcount == 1
    of(ERP, embedded, _1="z")
    assert bearer(embedded, ERP, "1") == own != founded(ERP, "1")


def test_every_former_id_leads_to_a_customer_of_today(database: Database) -> None:
    of(ERP, database, _1="a", _2="b", _3="c", _4="d")
    of(ERP, database, _5="ab")
    of(ERP, database, _6="bc")
    of(ERP, database, _7="cd")
    content = consistent(database)
    assert set(content["aliases"]) == {founded(ERP, key) for key in "234"}
    with database.reading() as connection:
        for old in content["aliases"]:
            found = queries.get(connection, old)
            assert found is not None
            assert (found.id, found.members) == (founded(ERP, "1"), 7)


edits = st.lists(st.tuples(keys, st.one_of(st.none(), contents, contents)), min_size=2, max_size=16)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=edits, shuffling=st.randoms(use_true_random=False))
def test_no_group_is_left_without_an_id_that_was_more_its_own_than_its_bearer_s(
    history: list[tuple[Key, dict[str, Any] | None]], shuffling: random.Random, tmp_path_factory: Any
) -> None:
    with master(f"sqlite:///{tmp_path_factory.mktemp('naming')}/m.db") as lived:
        before: dict[str, Any] = {"crosswalk": {}, "aliases": {}}
        for key, fields in history:
            land_one(lived, key, None if fields is None else record(key[1], **fields))
            if shuffling.random() < 0.3:
                decide(lived, key, shuffling.choice(history)[0], shuffling.random() < 0.5)
            if shuffling.random() < 0.3:
                continue
            resolve(lived)
            after = consistent(lived)
            assert_stable(before["crosswalk"], after["crosswalk"], merged_into=before["aliases"].values())
            before = after


def assert_stable(before: dict[Address, str], after: dict[Address, str], merged_into: Collection[str]) -> None:
    """Who bears an id took at least as many of its records as anybody who bears none that was more its own; but for a
    customer that is taken apart and into which others were merged.
    """
    overlap = Counter((after[one], before[one]) for one in before.keys() & after.keys())
    torn = Counter(former for _, former in overlap)
    for (group, former), shared in overlap.items():
        if torn[former] == 1 or former not in merged_into:
            kept = overlap.get((group, group), 0)
            assert kept >= shared or overlap.get((former, former), 0) >= shared, "an id went by the smaller overlap"
