"""The schema: migrations give exactly the tables, again and again, from several processes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

import sync.runs.tables  # noqa: F401 - fills the metadata, as the master's tables do
from sync import migrations
from sync.database import Database, metadata
from sync.errors import DatabaseUnavailable, SchemaMismatch, SchemaNewer
from sync.master.tables import customer
from sync.migrations import SchemaState


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    embedded = f"sqlite:///{tmp_path / 'test.db'}"
    url = embedded if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = Database(url)
    yield made
    made.dispose()


def differences(database: Database) -> list[Any]:
    with database.transaction() as connection:
        # SQLite tells defaults as text, which the comparison mistakes for a difference.
        opts = {"compare_type": True, "compare_server_default": database.is_postgres}
        context = MigrationContext.configure(connection, opts=opts)
        return list(compare_metadata(context, metadata))


def test_the_migrations_give_exactly_the_tables(database: Database) -> None:
    migrations.migrate(database)
    assert differences(database) == []


def test_customers_stay_when_their_table_is_laid_out_anew(database: Database) -> None:
    row = {
        "id": -(2**62), "version": 3, "status": "active", "kind": "person", "name": "张伟", "golden": '{"name":"张伟"}',
        "members": 2, "changed_at": datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC),
    }  # fmt: skip
    rows = [row, {**row, "id": 7, "name": None, "status": "deleted"}, {**row, "id": 2**62}]
    with database.transaction() as connection:
        migrations.upgrade_to(connection, "0014")
        connection.execute(customer.insert(), rows)
    migrations.migrate(database)
    with database.reading() as connection:
        kept = connection.execute(select(customer).order_by(customer.c.id)).mappings().all()
    assert [dict(one) for one in kept] == rows
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(customer.insert(), [row])


@pytest.mark.services
def test_the_migrations_give_every_sequence(postgres_url: str) -> None:
    database = Database(postgres_url)  # the comparison of tables does not see sequences
    migrations.migrate(database)
    wanted = {sequence.name for sequence in metadata._sequences.values()}
    assert wanted <= set(inspect(database.engine).get_sequence_names())
    assert wanted
    database.dispose()


def test_tables_without_row_ids_are_made_so(tmp_path: Path) -> None:
    migrated, created = (Database(f"sqlite:///{tmp_path / name}.db") for name in ("a", "b"))
    migrations.migrate(migrated)
    metadata.create_all(created.engine)

    def without_rowid(database: Database) -> set[str]:
        with database.reading() as connection:
            rows = connection.execute(text("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'"))
            return {row[0] for row in rows}

    assert without_rowid(migrated) == without_rowid(created) != set()
    migrated.dispose()
    created.dispose()


@pytest.mark.services
@pytest.mark.parametrize("make", [migrations.migrate, lambda database: metadata.create_all(database.engine)])
def test_lists_of_ids_are_kept_as_they_are(postgres_url: str, make: Callable[[Database], object]) -> None:
    database = Database(postgres_url)  # the comparison of tables does not see how values are stored
    make(database)
    with database.reading() as connection:
        rows = connection.execute(
            text("SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'record_ids' AND attstorage = 'e'")
        )
        assert {row[0] for row in rows} == {"landing", "seen_page"}
    database.dispose()


def test_migrating_twice_changes_nothing(database: Database) -> None:
    before, after = migrations.migrate(database)
    assert (before.state, after.state) == (SchemaState.EMPTY, SchemaState.CURRENT)
    before, after = migrations.migrate(database)
    assert before == after
    migrations.require_current(database)


def test_several_at_once_do_it_once(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: migrations.migrate(database), range(4)))
    assert sorted(before.state for before, _after in outcomes) == ["current"] * 3 + ["empty"]


def test_a_newer_schema_is_refused_and_left_alone(database: Database) -> None:
    migrations.migrate(database)
    with database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaNewer, match="9999"):
        migrations.migrate(database)
    with pytest.raises(SchemaNewer):
        migrations.require_current(database)
    assert migrations.inspect(database).revision == "9999"


def test_of_former_ids_those_that_nobody_ever_bore_are_forgotten(database: Database) -> None:
    migrations.migrate(database)
    with database.transaction() as connection:
        columns = "id, version, status, kind, golden, members, changed_at"
        rows = "(1, 1, 'active', 'person', '{}', 1, '2026-05-01'), (2, 1, 'merged', 'person', '{}', 0, '2026-05-01')"
        connection.execute(text(f"INSERT INTO customer ({columns}) VALUES {rows}"))
        connection.execute(text("INSERT INTO customer_alias (old_id, customer_id) VALUES (2, 1), (3, 1)"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0012'"))
    migrations.migrate(database)
    with database.reading() as connection:
        assert connection.execute(text("SELECT old_id FROM customer_alias")).scalars().all() == [2]


def test_an_empty_database_is_told_and_its_plan_is_sql(database: Database) -> None:
    with pytest.raises(SchemaMismatch, match="empty"):
        migrations.require_current(database)
    assert "CREATE TABLE customer " in migrations.plan(database)
    assert inspect(database.engine).get_table_names() == []
    migrations.migrate(database)
    assert migrations.plan(database) == ""


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    database = Database("postgresql://user:hunter2@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailable) as caught:
        migrations.inspect(database)
    assert "hunter2" not in str(caught.value)
    database.dispose()


def test_partial_indexes_have_the_same_condition_either_way(tmp_path: Path) -> None:
    migrated, created = (Database(f"sqlite:///{tmp_path / name}.db") for name in ("a", "b"))
    migrations.migrate(migrated)
    metadata.create_all(created.engine)

    def conditions(database: Database) -> dict[str, str]:
        with database.transaction() as connection:
            rows = connection.execute(
                text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'")
            )
            return {name: sql.partition(" WHERE ")[2] for name, sql in rows}

    assert conditions(created) == conditions(migrated)
    assert conditions(created)["ix_sync_run_open"] == "finished_at IS NULL"
    migrated.dispose(), created.dispose()
