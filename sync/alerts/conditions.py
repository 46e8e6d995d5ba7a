"""What may be wrong, as the database tells at this moment."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from sync.delivery.tables import webhook_endpoint
from sync.monitoring.streams import StreamHealth, health
from sync.runs.pauses import ON_PURPOSE
from sync.runs.wording import Wording, packed
from sync.settings import AlertSettings

CONNECTION, STREAM, QUARANTINE, WEBHOOK = "connection", "stream", "quarantine", "webhook"
_LONGEST = 250


class Condition(NamedTuple):
    """One thing that can be right or wrong. ``text`` and ``remedy`` say why it is wrong; empty if it is right."""

    kind: str
    subject: str
    wrong: bool
    text: str = ""
    remedy: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What names it."""
        return self.kind, self.subject


def look(connection: Connection, settings: AlertSettings) -> list[Condition]:
    """Everything that alerts are about. What was paused on purpose is neither wrong nor late."""
    streams = health(connection)
    return [
        *_connections(streams),
        *(_freshness(one, settings.stale_after) for one in streams),
        *(_quarantine(one, settings.quarantine) for one in streams),
        *_webhooks(connection),
    ]


def _connections(streams: list[StreamHealth]) -> list[Condition]:
    """A connection is bad when it or one of its streams was paused by a fault, or a stream's newest run failed."""
    found: dict[str, Condition] = {}
    for one in streams:
        known = found.get(one.connection)
        if known is None or not known.wrong:
            found[one.connection] = _connection(one)
    return list(found.values())


def _connection(one: StreamHealth) -> Condition:
    subject = one.connection[:_LONGEST]
    if one.paused in ON_PURPOSE:
        return Condition(CONNECTION, subject, False)
    if one.paused is not None:
        return Condition(CONNECTION, subject, True, _stored(one.reason), _filled(one.remedy, one.reason))
    if one.error is not None:
        return Condition(CONNECTION, subject, True, _stored(one.error), _filled(one.error_remedy, one.error))
    return Condition(CONNECTION, subject, False)


def _freshness(one: StreamHealth, stale_after: float | None) -> Condition:
    if not one.late(stale_after):
        return Condition(STREAM, _name(one), False)
    minutes, target = int(one.fresh_seconds // 60), int((one.target(stale_after) or 0) // 60)
    text = packed(
        "{stream} has not been synced for {minutes} minutes; its target is {target}.",
        {"stream": _name(one), "minutes": minutes, "target": target},
    )
    return Condition(STREAM, _name(one), True, text, packed("Look at its runs: `kehu sync list`.", {}))


def _quarantine(one: StreamHealth, most: int) -> Condition:
    if one.quarantined <= most:
        return Condition(QUARANTINE, _name(one), False)
    text = packed(
        "{stream} has {count} records in quarantine; the alert is set to {most}.",
        {"stream": _name(one), "count": one.quarantined, "most": most},
    )
    return Condition(QUARANTINE, _name(one), True, text, packed("See why with `kehu quarantine list`.", {}))


def _webhooks(connection: Connection) -> list[Condition]:
    rows = connection.execute(select(webhook_endpoint).order_by(webhook_endpoint.c.id))
    found = []
    for row in rows:
        disabled = row.state == "disabled" and row.reason != "by_hand"
        wrong = disabled or (row.state == "active" and row.failing_since is not None)
        if not wrong:
            found.append(Condition(WEBHOOK, row.id, False))
            continue
        places = {"endpoint": row.id, "failures": row.failures}
        text = (
            packed("The webhook endpoint {endpoint} was disabled after {failures} failures.", places)
            if disabled
            else packed("The webhook endpoint {endpoint} has failed {failures} times in a row.", places)
        )
        remedy = packed("Look at its deliveries, and whether the receiver works.", {})
        found.append(Condition(WEBHOOK, row.id, True, text, remedy))
    return found


def _name(one: StreamHealth) -> str:
    return f"{one.connection}.{one.stream}"[:_LONGEST]


def _stored(wording: Wording | None) -> str:
    return "" if wording is None else packed(*wording)


def _filled(remedy: str, wording: Wording | None) -> str:
    """A remedy with what fills its places."""
    return packed(remedy, {} if wording is None else wording.params) if remedy else ""
