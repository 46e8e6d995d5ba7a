"""What happened to an endpoint: one row when it begins to fail, one when it recovers, none in between; also logged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from sync.delivery.tables import webhook_notice
from sync.logs import Logger
from sync.runs.wording import Wording, packed, unpacked

log = Logger(__name__)


class Notice(NamedTuple):
    """One notice; ``kind`` is stable, for programs that alert."""

    id: int
    endpoint_id: str
    at: datetime
    kind: str
    text: Wording


def failing(connection: Connection, endpoint_id: str) -> None:
    """Nothing is accepted any more."""
    _add(connection, endpoint_id, "failing", Wording("Nothing was accepted at several attempts in a row.", {}))


def recovered(connection: Connection, endpoint_id: str) -> None:
    """The first success after that."""
    _add(connection, endpoint_id, "recovered", Wording("Webhooks are accepted again.", {}))


def held(connection: Connection, endpoint_id: str, customer: str) -> None:
    """One customer's event is refused again and again; later ones of this customer wait."""
    text = Wording("The events of {customer} are refused; others go on.", {"customer": customer})
    _add(connection, endpoint_id, "held", text)


def released(connection: Connection, endpoint_id: str, customer: str) -> None:
    """It was accepted at last."""
    text = Wording("The events of {customer} are accepted again.", {"customer": customer})
    _add(connection, endpoint_id, "released", text)


def given_up(connection: Connection, endpoint_id: str, customer: str, seq: int) -> None:
    """An event was refused for three days."""
    places = {"customer": customer, "seq": seq}
    text = Wording("The event {seq} of {customer} was refused for three days and is given up; replay it later.", places)
    _add(connection, endpoint_id, "given_up", text)


def gone(connection: Connection, endpoint_id: str) -> None:
    """The receiver answered 410."""
    text = Wording("The receiver wants no more webhooks (410): the endpoint is disabled.", {})
    _add(connection, endpoint_id, "disabled", text)


def stopped(connection: Connection, endpoint_id: str) -> None:
    """Nothing was accepted for days."""
    text = Wording("Nothing was accepted for {days} days: the endpoint is disabled.", {"days": 5})
    _add(connection, endpoint_id, "disabled", text)


def enabled(connection: Connection, endpoint_id: str) -> None:
    """Somebody has enabled it."""
    _add(connection, endpoint_id, "enabled", Wording("The endpoint goes on where it stopped.", {}))


def lost(connection: Connection, endpoint_id: str, count: int) -> None:
    """While it was disabled, changes were compacted."""
    text = Wording(
        "{count} changes are no longer kept and were not delivered; read them from the feed.", {"count": count}
    )
    _add(connection, endpoint_id, "lost", text)


def latest(connection: Connection, endpoint_id: str, *, before: int | None = None, limit: int = 50) -> list[Notice]:
    """The notices of an endpoint, the newest first."""
    table = webhook_notice.c
    statement = select(webhook_notice).where(table.endpoint_id == endpoint_id)
    if before is not None:
        statement = statement.where(table.id < before)
    rows = connection.execute(statement.order_by(table.id.desc()).limit(limit))
    return [Notice(row.id, row.endpoint_id, row.at, row.kind, unpacked(row.text) or Wording("", {})) for row in rows]


def _add(connection: Connection, endpoint_id: str, kind: str, text: Wording) -> None:
    values: dict[str, Any] = {"endpoint_id": endpoint_id, "at": datetime.now(UTC), "kind": kind}
    connection.execute(insert(webhook_notice).values(**values, text=packed(text.template, text.params)))
    log.warning(f"webhook {kind}", endpoint=endpoint_id, text=str(text))
