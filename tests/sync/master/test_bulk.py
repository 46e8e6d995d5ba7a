"""Set-based statements mean the same in both dialects."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sync.database import Database
from sync.master.bulk import bulk_for
from sync.master.candidates import Edge, find_edges, store_edges
from sync.master.inforce import DEFAULT_CAP, InForce
from sync.master.records import LandedRecord, pack_ids, unpack_ids
from sync.master.tables import match_edge, match_key
from tests.master_kit import MATCHER, land, record

BIGINT = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(BIGINT, BIGINT), unique=True, max_size=50))
def test_keys_arrive_as_they_were_sent(database: Database, pairs: list[tuple[int, int]]) -> None:
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.run("DELETE FROM match_key")
        bulk.insert_keys(pairs)
        assert sorted(map(tuple, connection.execute(select(match_key)))) == sorted(pairs)
        found = bulk.fetch("SELECT key FROM match_key WHERE key {ints}", [key for key, _ in pairs])
        assert sorted(row[0] for row in found) == sorted(key for key, _ in pairs)


def test_many_ids_are_looked_up_as_few_are(database: Database) -> None:
    keys = [sign * number * 2**50 for number in range(1, 300) for sign in (1, -1)]
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.insert_keys([(key, 1) for key in keys])
        for some in ([], keys[:7], keys[:200], keys):
            bulk.ahead(("SELECT key FROM match_key WHERE key {ints}", some))
            assert {row[0] for row in bulk.fetch("SELECT key FROM match_key WHERE key {ints}", some)} == set(some)
            statement = "SELECT record_id, ? FROM match_key WHERE key {ints} AND key {ints}"
            assert len(bulk.fetch(statement, b"\x00" if bulk.is_postgres else 0, some, keys)) == len(some)


@given(st.lists(st.integers(0, 2**63 - 1)))
def test_packed_ids_read_back(ids: list[int]) -> None:
    assert list(unpack_ids(pack_ids(ids))) == ids


def test_texts_with_quotes_commas_and_braces_are_looked_up_literally(database: Database) -> None:
    awkward = ['a"b', "a,b", "{a}", "a\\b", "'; --", "客户", " a ", "NULL", "%s"]
    land(database, 1, [record(key, name="x") for key in awkward])
    with database.hot_transaction() as connection:
        rows = bulk_for(connection).fetch("SELECT source_id FROM source_record WHERE source_id {texts}", awkward)
    assert sorted(row[0] for row in rows) == sorted(awkward)


def test_numbers_have_no_gaps_and_record_ids_no_repeats(database: Database) -> None:
    seen: set[int] = set()
    for _ in range(3):
        with database.hot_transaction() as connection:
            bulk = bulk_for(connection)
            numbers = list(bulk.numbers("change", 4))
            ids = bulk.record_ids(5)
        assert not seen & set(ids)
        seen |= set(ids)
    assert numbers == [9, 10, 11, 12]


def test_a_number_that_is_rolled_back_is_given_again(database: Database) -> None:
    with database.engine.connect() as connection, connection.begin() as transaction:
        assert list(bulk_for(connection).numbers("change", 2)) == [1, 2]
        transaction.rollback()
    with database.hot_transaction() as connection:
        assert list(bulk_for(connection).numbers("change", 1)) == [1]


def test_an_edge_never_goes_back_to_older_versions(database: Database) -> None:
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        store_edges(bulk, [Edge(1, 2, 3, 3, 5.0, "new")], [])
        store_edges(bulk, [Edge(1, 2, 2, 3, 9.0, "late")], [])
        assert [row.rule for row in connection.execute(select(match_edge))] == ["new"]


def test_edges_of_older_versions_are_forgotten_from_either_side(database: Database) -> None:
    changed = LandedRecord(2, 4, 4, 1, "2", "", None, None, ())
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        kept = [Edge(1, 3, 1, 1, 1.0, "other"), Edge(2, 5, 4, 1, 1.0, "current")]
        store_edges(bulk, [Edge(1, 2, 1, 3, 1.0, "stale"), Edge(2, 4, 3, 1, 1.0, "stale"), *kept], [])
        store_edges(bulk, [], [changed])
        assert sorted(row.rule for row in connection.execute(select(match_edge))) == ["current", "other"]


def test_a_crowded_block_is_recorded_and_still_connects_everyone(database: Database) -> None:
    count = DEFAULT_CAP + 40
    landed = land(database, 1, [record(f"{n:04}", name="x", tags=["same"]) for n in range(count)])
    with database.hot_transaction() as connection:
        found = find_edges(bulk_for(connection), landed.batch, InForce(MATCHER))
    assert found.crowded == 1
    assert len(found.edges) == count - 1
    assert {end for edge in found.edges for end in (edge.left, edge.right)} == {one.id for one in landed.batch}
