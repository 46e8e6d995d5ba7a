"""Metrics: true, cheap, without personal data; counters that never fall; a dashboard that names nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, select, update

from sync.database import Database
from sync.monitoring.metrics import DatabaseCollector
from sync.monitoring.totals import totals
from sync.runs import retention
from sync.runs.tables import connection as connections
from sync.runs.tables import schedule, stream_state, sync_run
from tests.master_kit import NOW, master, record, sync

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    embedded = f"sqlite:///{tmp_path / 'kehu.db'}"
    with master(embedded if request.param == "sqlite" else request.getfixturevalue("postgres_url")) as made:
        sync(made, 1, record("C1", name="Secret Name", tags=["t"]), record("C2", name="Other"))
        sync(made, 2, record("S1", name="Secret Name", tags=["t"]))
        yield made


def run(
    stream_id: int, status: str, ended: datetime | None, trigger: str = "schedule", **counts: int
) -> dict[str, object]:
    row = {"stream_id": stream_id, "mode": "incremental", "status": status, "trigger": trigger}
    return {**row, "queued_at": NOW, "finished_at": ended, **counts}


def read(database: Database, depths: dict[str, int] | None = None) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(database, lambda: depths))
    return parsed(generate_latest(registry).decode())


def parsed(text: str) -> dict[tuple[str, ...], float]:
    """Name and values of the labels, in order of their names, to the number."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_tell_how_everything_stands(database: Database) -> None:
    now = datetime.now(UTC)
    with database.transaction() as connection:
        for row in (run(1, "succeeded", now, created=2), run(1, "failed", now), run(2, "queued", None)):
            connection.execute(insert(sync_run).values(row))
        connection.execute(insert(schedule).values(stream_id=1, every_seconds=60, next_at=0))
        ago = now - timedelta(seconds=500)
        connection.execute(update(stream_state).where(stream_state.c.id == 1).values(succeeded_at=ago))
    found = read(database, {"bulk": 3, "interactive": 0})
    assert 499 <= found["kehu_stream_age_seconds", "erp", "customers"] < 530
    assert found["kehu_stream_target_seconds", "erp", "customers"] == 180
    assert found["kehu_stream_late", "erp", "customers"] == 1
    assert found["kehu_stream_late", "shop", "customers"] == 0
    assert found["kehu_runs_total", "erp", "failed", "customers"] == 1
    assert found["kehu_records_total", "erp", "created", "customers"] == 2
    assert found["kehu_runs_open", "queued"] == 1
    assert found["kehu_queue_messages", "bulk"] == 3
    assert found["kehu_customers",] == 2
    assert found["kehu_customers_shared",] == 1
    assert found["kehu_customer_records",] == 3
    assert found["kehu_match_rate",] == pytest.approx(1 / 3)
    assert found["kehu_changes_total",] >= 2


def test_counters_do_not_fall_when_runs_are_forgotten(database: Database) -> None:
    old = datetime.now(UTC) - timedelta(days=40)
    with database.transaction() as connection:
        rows = [run(1, "succeeded", old, created=n) for n in range(50)] + [
            run(1, "succeeded", datetime.now(UTC), read=1)
        ]
        connection.execute(insert(sync_run), [{"created": 0, "read": 0, **row} for row in rows])
        before = totals(connection)
    assert retention.forget(database) == 50
    assert retention.forget(database) == 0
    with database.reading() as connection:
        assert totals(connection) == before
        assert len(connection.execute(select(sync_run.c.id)).all()) == 1


def test_a_broker_that_does_not_answer_leaves_its_queues_out(database: Database) -> None:
    assert not [key for key in read(database, None) if key[0] == "kehu_queue_messages"]


def test_no_customer_is_named(database: Database) -> None:
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(database, dict))
    assert b"Secret" not in generate_latest(registry)


def test_a_connection_that_was_removed_is_not_told(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(update(connections).where(connections.c.name == "shop").values(removed_at=NOW))
    assert not [key for key in read(database) if "shop" in key]


def test_reading_them_is_cheap_at_ten_thousand_runs(database: Database) -> None:
    with database.transaction() as connection:
        rows = [run(1 + n % 2, "succeeded", NOW, created=1) for n in range(10_000)]
        connection.execute(insert(sync_run), rows)
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(database, dict))
    generate_latest(registry)
    began = time.process_time()
    for _ in range(5):
        generate_latest(registry)
    assert (time.process_time() - began) / 5 < 0.25, "CPU seconds a scrape"


def test_a_new_customer_counts_at_the_next_scrape(database: Database) -> None:
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(database, dict))
    assert b"kehu_customers 2.0" in generate_latest(registry)
    sync(database, 1, record("new", name="New"))
    assert b"kehu_customers 3.0" in generate_latest(registry)


def test_every_metric_of_the_grafana_dashboard_exists(database: Database) -> None:
    board = orjson.loads((ROOT / "docs" / "grafana" / "kehu.json").read_bytes())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    named = {name for text in expressions for name in re.findall(r"\bkehu_[a-z_]+", text)}
    assert len(named) > 12
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(database, dict))
    there = {line.split()[2] for line in generate_latest(registry).decode().splitlines() if line.startswith("# TYPE")}
    there |= {
        f"kehu_http_request_seconds_{part}" for part in ("bucket", "count", "sum")
    }  # tests/dashboard/test_metrics
    assert named <= there
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert board["uid"] == "kehu"
