"""What Prometheus reads: counted by the database when it asks, in a few milliseconds, whatever process did the work.

Labels name connections, streams and states, never customers. Counts that cost more (customers, records) are kept for
some minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select

from sync.alerts.tables import alert_state
from sync.database import Database
from sync.delivery.tables import webhook_due, webhook_endpoint
from sync.exporting.tables import export_job
from sync.feed import tokens
from sync.master import tally
from sync.master.bulk import bulk_for
from sync.master.tables import change, landing, match_block
from sync.monitoring.streams import StreamHealth, health
from sync.monitoring.totals import OUTCOMES, totals
from sync.runs.states import ENDED, Status
from sync.runs.tables import sync_run

Depths = Callable[[], Mapping[str, int] | None]
Labels = tuple[str, ...]
Values = Iterable[tuple[Labels, float]]


class DatabaseCollector(Collector):
    """Everything that stands in the database; ``depths`` tells how full the broker's queues are."""

    def __init__(self, database: Database, depths: Depths) -> None:
        self._database, self._depths = database, depths

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry would otherwise ask the database when it is set up."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All families, from one snapshot of the database."""
        with self._database.reading() as connection:
            streams = health(connection)
            yield from _streams(streams)
            yield from _runs(connection, {one.id: (one.connection, one.stream) for one in streams})
            yield from _work(connection)
            yield from _feed(connection)
            yield from _rest(connection)
            yield from _sizes(connection)
        yield _gauge("kehu_queue_messages", "Messages that wait or are worked on.", ("queue",), _depths(self._depths()))


def _streams(streams: list[StreamHealth]) -> Iterator[Metric]:
    def each(value: Callable[[StreamHealth], float | None]) -> Values:
        found = (((one.connection, one.stream), value(one)) for one in streams)
        return [(labels, number) for labels, number in found if number is not None]

    by = ("connection", "stream")
    yield _gauge("kehu_stream_age_seconds", "Since the last good run.", by, each(lambda one: one.fresh_seconds))
    yield _gauge("kehu_stream_target_seconds", "How old it may become.", by, each(lambda one: one.target()))
    yield _gauge("kehu_stream_late", "1: older than it may be.", by, each(lambda one: float(one.late())))
    yield _gauge("kehu_stream_paused", "1: paused.", by, each(lambda one: float(one.paused is not None)))
    yield _gauge("kehu_quarantine_open", "Records in quarantine.", by, each(lambda one: float(one.quarantined)))


def _runs(connection: Connection, names: Mapping[int, Labels]) -> Iterator[Metric]:
    runs = CounterMetricFamily("kehu_runs", "Runs that have ended.", labels=("connection", "stream", "status"))
    records = CounterMetricFamily("kehu_records", "Records read.", labels=("connection", "stream", "outcome"))
    done: dict[tuple[str, ...], int] = {}
    for total in totals(connection):
        labels = names.get(total.stream_id)
        if labels is None:
            continue
        if total.status in ENDED:
            runs.add_metric((*labels, total.status), total.runs)
        for outcome, count in zip(OUTCOMES, total.outcomes, strict=True):
            done[*labels, outcome] = done.get((*labels, outcome), 0) + count
    for key, count in sorted(done.items()):
        records.add_metric(key, count)
    yield from (runs, records)
    states = [status.value for status in Status if status not in ENDED]
    opened = dict.fromkeys(states, 0)
    statement = select(sync_run.c.status, func.count()).where(sync_run.c.finished_at.is_(None))
    opened |= {row[0]: row[1] for row in connection.execute(statement.group_by(sync_run.c.status)) if row[0] in opened}
    values = [((state,), float(count)) for state, count in opened.items()]
    yield _gauge("kehu_runs_open", "Runs that have not ended.", ("status",), values)


def _work(connection: Connection) -> Iterator[Metric]:
    pages, records = connection.execute(
        select(func.count(), func.coalesce(func.sum(landing.c.records), 0)).select_from(landing)
    ).one()
    yield _gauge("kehu_pending_pages", "Landed pages that are not resolved yet.", (), [((), float(pages))])
    yield _gauge("kehu_pending_records", "Landed records that are not resolved yet.", (), [((), float(records))])
    rows = connection.execute(select(match_block.c.action, func.count()).group_by(match_block.c.action))
    values = [((row[0],), float(row[1])) for row in rows]
    yield _gauge("kehu_oversized_blocks", "Blocking keys that too many records share.", ("action",), values)


def _feed(connection: Connection) -> Iterator[Metric]:
    head = tokens.bounds(bulk_for(connection)).head
    yield CounterMetricFamily("kehu_changes", "Changes of the feed so far: its head.", value=head)
    waiting = dict(_rows(connection.execute(_due())))
    lag, due, state = [], [], []
    for row in connection.execute(select(webhook_endpoint)):
        oldest, count = waiting.get((row.id,), (None, 0))
        lag.append(((row.id,), 0.0 if oldest is None else max(0.0, time.time() - oldest.timestamp())))
        due.append(((row.id,), float(count + (max(0, head - row.position) if row.state == "active" else 0))))
        state.append(((row.id,), float(row.state == "active" and row.failing_since is None)))
    by = ("endpoint",)
    yield _gauge("kehu_webhook_lag_seconds", "Age of the oldest change that is not delivered.", by, lag)
    yield _gauge("kehu_webhook_due", "Changes that are not delivered yet.", by, due)
    yield _gauge("kehu_webhook_healthy", "1: active, and the last delivery succeeded.", by, state)


def _due() -> Any:
    return (
        select(webhook_due.c.endpoint_id, func.min(change.c.at).label("oldest"), func.count().label("due"))
        .outerjoin(change, change.c.seq == webhook_due.c.seq)
        .group_by(webhook_due.c.endpoint_id)
    )


def _rows(rows: Iterable[Any]) -> Iterator[tuple[Labels, tuple[Any, int]]]:
    for row in rows:
        yield (row.endpoint_id,), (row.oldest, row.due)


def _rest(connection: Connection) -> Iterator[Metric]:
    rows = connection.execute(select(export_job.c.state, func.count()).group_by(export_job.c.state))
    yield _gauge("kehu_exports", "Exports by state.", ("state",), [((row[0],), float(row[1])) for row in rows])
    wrong = select(alert_state.c.kind, func.count()).where(alert_state.c.told).group_by(alert_state.c.kind)
    values = [((row[0],), float(row[1])) for row in connection.execute(wrong)]
    yield _gauge("kehu_alerts", "Things that are wrong and were told.", ("kind",), values)


def _sizes(connection: Connection) -> Iterator[Metric]:
    kept = tally.read(connection)
    yield _gauge("kehu_customers", "Customers.", (), [((), float(kept.customers))])
    yield _gauge("kehu_customers_shared", "Customers of more than one record.", (), [((), float(kept.shared))])
    yield _gauge("kehu_customer_records", "Live records of customers.", (), [((), float(kept.placed))])
    rate = 0.0 if not kept.placed else 1 - kept.customers / kept.placed
    yield _gauge("kehu_match_rate", "Share of records that joined another one's customer.", (), [((), rate)])


def _depths(depths: Mapping[str, int] | None) -> Values:
    return [((queue,), float(count)) for queue, count in (depths or {}).items()]


def _gauge(name: str, about: str, labels: Labels, values: Values) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for given, value in values:
        family.add_metric(given, value)
    return family
