"""Several writes as one statement: the same effects, in the order in which they were said, or not put together."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.master.compound import compound

CHANGE = (
    "WITH taken AS (INSERT INTO counter (name, value) VALUES ('change', $1) ON CONFLICT (name) DO UPDATE "
    "SET value = counter.value + excluded.value RETURNING value) "
    "INSERT INTO change (seq, body) SELECT value, $2 FROM taken"
)
TALLY = (
    "INSERT INTO tally (name, value) SELECT name, value FROM unnest($1::text[], $2::int8[]) AS r(name, value) "
    "WHERE true "
    "ON CONFLICT (name) DO UPDATE SET value = tally.value + excluded.value"
)
CUSTOMER = "UPDATE customer SET golden = $2 WHERE id = $1"
COLUMNS = "id int, golden text, name text UNIQUE, value int8, seq int8, body text"
ALIAS = "INSERT INTO customer_alias (old_id) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM customer c WHERE c.id = $1)"


def test_places_for_values_follow_one_another() -> None:
    assert compound([CUSTOMER, "DELETE FROM landing WHERE id = ANY($1::bigint[])"]) == (
        "WITH w0 AS (DELETE FROM landing WHERE id = ANY($3::bigint[])) UPDATE customer SET golden = $2 WHERE id = $1"
    )


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([CUSTOMER, ALIAS], id="one reads what another writes"),
        pytest.param([CUSTOMER, CUSTOMER], id="both write to one table"),
        pytest.param([CUSTOMER, "SELECT 1 FROM landing"], id="one is no write"),
        pytest.param([CUSTOMER, "SELECT pg_advisory_xact_lock($1)"], id="one only locks"),
    ],
)
def test_writes_that_may_need_to_see_each_other_stay_apart(statements: list[str]) -> None:
    assert compound(statements) is None


def test_tables_are_told_apart_by_their_whole_names() -> None:
    assert compound([CUSTOMER, "DELETE FROM customer_alias WHERE old_id = $1"]) is not None


@pytest.fixture
def database(postgres_url: str) -> Any:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE said (place serial, name text)")
        for table in ("customer", "tally", "counter", "change", "landing", "customer_alias"):
            connection.execute(
                f"CREATE TABLE {table} (id int, golden text, name text UNIQUE, value int8, seq int8, body text)"
            )
            connection.execute(
                f"CREATE FUNCTION tell_{table}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN INSERT INTO said (name) VALUES ('{table}'); RETURN coalesce(new, old); END $$"
            )
            connection.execute(
                f"CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION tell_{table}()"
            )
        connection.execute("INSERT INTO customer (id) VALUES (7)")
        connection.execute("INSERT INTO landing (id) VALUES (3)")
        connection.execute("TRUNCATE said")
        yield connection


PARTS: dict[str, tuple[str, list[Any]]] = {
    "customer": (CUSTOMER, [7, "gold"]),
    "tally": (TALLY, [["a", "b"], [1, 2]]),
    "change": (CHANGE, [1, "told"]),
    "landing": ("DELETE FROM landing WHERE id = ANY($1::int[])", [[3]]),
}


@pytest.mark.services
@pytest.mark.parametrize("first", PARTS)
@pytest.mark.parametrize("backwards", [False, True])
def test_all_is_done_in_the_order_in_which_it_was_said(database: Any, first: str, backwards: bool) -> None:
    order = [first, *(name for name in (reversed(PARTS) if backwards else PARTS) if name != first)]
    statement = compound([PARTS[name][0] for name in order])
    assert statement is not None
    raw = psycopg.RawCursor(database)
    raw.execute(statement, [value for name in order for value in PARTS[name][1]])
    told = [row[0] for row in database.execute("SELECT name FROM said ORDER BY place")]
    assert list(dict.fromkeys(name for name in told if name != "counter")) == order
    assert told.index("counter") == told.index("change") - 1, "a number is taken when the change is written, not before"
    assert database.execute("SELECT golden FROM customer").fetchall() == [("gold",)]
    assert database.execute("SELECT name, value FROM tally ORDER BY 1").fetchall() == [("a", 1), ("b", 2)]
    assert database.execute("SELECT seq, body FROM change").fetchall() == [(1, "told")]
    assert database.execute("SELECT count(*) FROM landing").fetchone() == (0,)


@given(counts=st.lists(st.integers(0, 12), min_size=2, max_size=6))
def test_every_value_keeps_its_place(counts: list[int]) -> None:
    statements = [
        f"INSERT INTO t{number} SELECT {', '.join(f'${place + 1}' for place in range(count)) or '1'}"
        for number, count in enumerate(counts)
    ]
    made = compound(statements) or ""
    first = 1
    for number, count in enumerate(counts):
        wanted = ", ".join(f"${place}" for place in range(first, first + count)) or "1"
        assert f"INSERT INTO t{number} SELECT {wanted}" in made
        first += count
