"""Sending a test, and showing what was sent."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, insert

from connectors.redaction import MASK
from sync import audit
from sync.database import Database
from sync.delivery import addresses, attempts, endpoints, messages
from sync.delivery.attempts import Attempt
from sync.delivery.endpoints import Endpoint
from sync.delivery.sending import AGENT, Sender
from sync.delivery.tables import webhook_attempt
from sync.vault import Vault

LONGEST_BODY = 20_000
"""Characters shown of a body that was sent."""


def send_test(
    database: Database, vault: Vault, endpoint_id: str, *, by: str, allow_private: Sequence[str] = ()
) -> Attempt:
    """Send a message that tells of nothing, now, whether the endpoint is active or not; it is in the log. Commits.

    Raises NotFound. A receiver that does not accept it is no error: the attempt says so.
    """
    with database.transaction() as connection:
        endpoint = endpoints.get(connection, endpoint_id)
        keys = endpoints.signing_keys(connection, vault, endpoint_id)
        audit.record(connection, by, "webhook.tested", f"webhook:{endpoint_id}")
    sender = Sender(endpoint.url, keys, allow_private)
    try:
        message = messages.of_test(endpoint_id, secrets.token_hex(8), datetime.now(UTC))
        outcome = sender.send(message)
    finally:
        sender.close()
    row = attempts.row(endpoint_id, addresses.shown(endpoint.url), None, None, messages.TEST, 1, outcome)
    with database.transaction() as connection:
        number = connection.execute(insert(webhook_attempt).values(row).returning(webhook_attempt.c.id)).scalar_one()
        return attempts.get(connection, endpoint_id, number)


def request_of(connection: Connection, endpoint: Endpoint, attempt: Attempt, *, personal: bool) -> dict[str, Any]:
    """The request of an attempt, made again from the change; the body is null when the change is no longer kept."""
    message = None
    if attempt.seq is not None:
        event = messages.load(connection, [attempt.seq]).get(attempt.seq)
        message = None if event is None else messages.of_event(event, thin=endpoint.thin or not personal)
    headers = {"content-type": "application/json", "user-agent": AGENT, "webhook-signature": MASK}
    headers["webhook-timestamp"] = str(int(attempt.at.timestamp()))
    if message is not None:
        headers["webhook-id"] = message.id
    body: Any = None
    if message is not None:
        body = orjson.loads(message.body) if len(message.body) <= LONGEST_BODY else message.body[:LONGEST_BODY]
    return {"method": "POST", "url": attempt.url, "headers": headers, "body": body}
