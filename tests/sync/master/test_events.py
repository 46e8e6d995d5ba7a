"""What the change feed says about merges, splits, moves and deletes, and what it leaves unsaid."""

from __future__ import annotations

from typing import Any

from sync.database import Database
from sync.master import queries
from sync.master.identity import founder_id, public_id
from tests.master_kit import consistent, record, sync

ERP, SHOP = 1, 2
E1 = public_id(founder_id("erp", "customers", "1"))
E2 = public_id(founder_id("erp", "customers", "2"))
S1 = public_id(founder_id("shop", "customers", "1"))


def events(database: Database, after: int = 0) -> list[tuple[str, str, dict[str, Any]]]:
    with database.reading() as connection:
        return [(event.customer, event.type, event.body) for event in queries.changes(connection, after)]


def last(database: Database) -> int:
    with database.reading() as connection:
        return queries.stats(connection).last_change


def test_a_new_record_creates_a_customer_with_its_golden_record_and_its_source(database: Database) -> None:
    sync(database, ERP, record("1", name="Ann", tags=["a"]))
    golden = {"kind": "organisation", "name": "Ann", "tags": ["a"]}
    assert events(database) == [(E1, "created", {"golden": golden, "joined": [["erp", "customers", "1", ""]]})]


def test_a_second_record_of_the_same_customer_is_an_update_that_joins_it(database: Database) -> None:
    sync(database, ERP, record("1", name="Ann", tags=["a"]))
    sync(database, SHOP, record("1", name="Ann", tags=["a", "b"]))
    assert events(database, 1) == [
        (E1, "updated", {"joined": [["shop", "customers", "1", ""]], "set": {"tags": ["a", "b"]}})
    ]
    consistent(database)


def test_a_record_that_connects_two_customers_merges_them_under_the_id_of_the_senior_one(database: Database) -> None:
    sync(database, ERP, record("2", name="Bob", tags=["b"]))
    sync(database, SHOP, record("1", name="Cid", tags=["a"]))
    mark = last(database)
    sync(database, ERP, record("1", name="Ann", tags=["a", "b"]))
    happened = {(customer, kind): body for customer, kind, body in events(database, mark)}
    assert set(happened) == {(E2, "updated"), (S1, "merged")}
    assert happened[S1, "merged"] == {"into": E2, "left": [["shop", "customers", "1", ""]]}
    assert sorted(happened[E2, "updated"]["joined"]) == [["erp", "customers", "1", ""], ["shop", "customers", "1", ""]]
    with database.reading() as connection:
        old = queries.get(connection, S1)
    assert old is not None
    assert (old.id, old.asked, old.members) == (E2, S1, 3)
    consistent(database)


def test_a_record_that_leaves_is_a_split_and_founds_a_customer(database: Database) -> None:
    sync(database, SHOP, record("1", name="Cid", tags=["a"]))
    sync(database, ERP, record("1", name="Ann", tags=["a"]))
    mark = last(database)
    sync(database, ERP, record("1", name="Ann", tags=["z"]))
    happened = {(customer, kind): body for customer, kind, body in events(database, mark)}
    assert set(happened) == {(S1, "updated"), (E1, "split")}
    assert happened[S1, "updated"]["left"] == [["erp", "customers", "1", ""]]
    assert happened[E1, "split"]["from"] == S1
    assert consistent(database)["aliases"] == {}


def test_a_deleted_last_record_deletes_the_customer_and_the_id_still_answers(database: Database) -> None:
    sync(database, ERP, record("1", name="Ann", tags=["a"]))
    sync(database, ERP, deleted=["1"])
    assert events(database, 1) == [(E1, "deleted", {})]
    with database.reading() as connection:
        found = queries.get(connection, E1)
    assert found is not None
    assert (found.status, found.members, found.golden["name"]) == ("deleted", 0, "Ann")


def test_when_the_record_that_founded_a_customer_goes_the_customer_keeps_its_id(database: Database) -> None:
    sync(database, ERP, record("1", name="Ann", tags=["a"]))
    sync(database, SHOP, record("1", name="Ann", tags=["a"]))
    sync(database, ERP, deleted=["1"])
    assert set(consistent(database)["customers"]) == {E1}


def test_a_field_that_vanishes_is_unset(database: Database) -> None:
    sync(database, ERP, record("1", name="Ann", tags=["a"], owner="x"))
    sync(database, ERP, record("1", name="Ann", tags=["a"]))
    assert events(database, 1) == [(E1, "updated", {"unset": ["owner"]})]


def test_a_change_that_does_not_reach_the_golden_record_says_nothing(database: Database) -> None:
    sync(database, ERP, record("1", name="Ann", tags=["a"], internal=1))
    mark = last(database)
    landed = sync(database, ERP, record("1", name="Ann", tags=["a"], internal=2))
    assert landed.counts.updated == 1
    assert events(database, mark) == []


def test_a_batch_over_several_customers_tells_each_of_them_once(database: Database) -> None:
    sync(database, ERP, *(record(str(n), name=f"N{n}", tags=[f"t{n // 3}"]) for n in range(30)))
    told = events(database)
    assert len(told) == len({customer for customer, _, _ in told}) == 10
    assert {kind for _, kind, _ in told} == {"created"}


def test_a_veto_keeps_records_apart_that_a_third_connects(database: Database) -> None:
    sync(database, ERP, record("1", name="Ann", tags=["a"], owner="x"), record("2", name="Bob", tags=["b"], owner="y"))
    sync(database, SHOP, record("1", name="Cid", tags=["a", "b"]))
    content = consistent(database)
    assert content["crosswalk"]["erp", "customers", "1", ""] != content["crosswalk"]["erp", "customers", "2", ""]
