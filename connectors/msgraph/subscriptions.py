"""Subscriptions to change notifications: made where there is none, renewed before they end.

Graph ends those of Outlook after a few days at the latest, so that each read looks after its own. A notification only
makes a change known sooner: where subscribing fails, reads go on as they are scheduled.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.errors import BadConfiguration, PermissionMissing, RecordRejected, StreamBroken, WriteConflict
from connectors.odata.client import ODataClient

LIFE = timedelta(minutes=4_000)
"""Below the shortest limit that Graph has had for Outlook (4,230 minutes)."""

RENEWED = timedelta(days=1, hours=12)
"""What a subscription has left when it is renewed: time for a day without reads."""

MOST_PAGES = 20
_FAULTS = (BadConfiguration, PermissionMissing, RecordRejected, StreamBroken, WriteConflict)


class Subscriptions:
    """The subscriptions of one connection, told from others by the address of notifications."""

    def __init__(self, client: ODataClient, address: str, state: str) -> None:
        self._client, self._address, self._state = client, address, state

    def ensure(self, resource: str, changes: str, now: datetime) -> datetime | None:
        """Make or renew the subscription to a resource; until when it then lasts, None where Graph refuses.

        Passing faults, and what concerns the whole connection, are raised.
        """
        try:
            return self._ensured(resource, changes, now)
        except _FAULTS:
            return None

    def until(self, resource: str) -> datetime | None:
        """Until when the subscription to a resource lasts; None without one, or where it may not be asked."""
        try:
            ends = [ends for _, ends in self._ours(resource)]
        except _FAULTS:
            return None
        return max(ends, default=None)

    def _ensured(self, resource: str, changes: str, now: datetime) -> datetime:
        until = now + LIFE
        ours = sorted(self._ours(resource), key=lambda one: one[1])
        if ours and ours[-1][1] - now > RENEWED:
            return ours[-1][1]
        stamp = until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if ours:
            self._client.send("PATCH", f"subscriptions/{ours[-1][0]}", {"expirationDateTime": stamp}, idempotent=True)
            return until
        body = {
            "changeType": changes, "resource": resource, "notificationUrl": self._address,
            "lifecycleNotificationUrl": self._address, "clientState": self._state, "expirationDateTime": stamp,
        }  # fmt: skip
        self._client.send("POST", "subscriptions", body)
        return until

    def _ours(self, resource: str) -> Iterator[tuple[str, datetime]]:
        """Id and end of each subscription of ours to a resource."""
        page = self._client.page("subscriptions")
        for _ in range(MOST_PAGES):
            for row in page.rows:
                ends = _end(row)
                if row.get("notificationUrl") == self._address and row.get("resource") == resource and ends:
                    yield str(row.get("id")), ends
            if not page.next:
                return
            page = self._client.follow(page.next)


def _end(row: dict[str, Any]) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(row.get("expirationDateTime", "")))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
