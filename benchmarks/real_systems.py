"""Real servers, filled with many records behind their backs: for figures that a simulator cannot give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from connectors.conformance import Source
from tests.connectors.directus.test_directus import DirectusSource
from tests.connectors.imap.test_imap import ImapSource, message
from tests.connectors.medusa.test_medusa import MedusaSource
from tests.connectors.tryton.test_tryton import TrytonSource
from tests.systems import directus as directus_system
from tests.systems import dovecot as imap_system
from tests.systems import medusa as medusa_system
from tests.systems import tryton as tryton_system

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
STAMP = "strftime('%Y-%m-%d %H:%M:%f', '2026-01-01', '+' || i || ' seconds')"


@contextmanager
def tryton(rows: int) -> Iterator[Source]:
    """A Tryton with so many parties beside its own, each with an address and an email."""
    with tryton_system.tryton() as server:
        first = 1_000_000
        server.sql(
            f"INSERT INTO party_party (id, active, code, name, create_date, create_uid) "
            f"{NUMBERS} SELECT {first} + i, 1, 'B' || i, '客户 ' || i, {STAMP}, 1 FROM n",
            rows,
        )
        server.sql(
            f"INSERT INTO party_address (active, party, street_unstructured, city, create_date, create_uid) "
            f"{NUMBERS} SELECT 1, {first} + i, '人民路' || i || '号', '上海', {STAMP}, 1 FROM n",
            rows,
        )
        server.sql(
            f"INSERT INTO party_contact_mechanism (active, party, type, value, create_date, create_uid) "
            f"{NUMBERS} SELECT 1, {first} + i, 'email', 'user' || i || '@example.com', {STAMP}, 1 FROM n",
            rows,
        )
        yield TrytonSource(server)


@contextmanager
def imap(rows: int) -> Iterator[Source]:
    """A Dovecot mailbox with so many messages, each of another contact."""
    with imap_system.dovecot() as server:
        source = ImapSource(server, server.mailbox("sales@ours.example"))
        start = datetime(2026, 1, 1, tzinfo=UTC)
        for number in range(rows):
            content = message(f"Contact {number} <user{number}@example.com>")
            source.mailbox.deliver(content, "", start + timedelta(seconds=number))
        yield source


@contextmanager
def directus(rows: int) -> Iterator[Source]:
    """A Directus with so many contacts beside its own, and a limit of calls that no reader reaches."""
    with directus_system.directus(calls_per_second=100_000) as server:
        server.sql(
            "INSERT INTO contacts (name, email, date_created) "
            "SELECT '客户 ' || i, 'user' || i || '@example.com', now() FROM generate_series(1, %s) AS i",
            rows,
        )
        yield DirectusSource(server)


@contextmanager
def medusa(rows: int) -> Iterator[Source]:
    """A Medusa with so many customers beside its own."""
    with medusa_system.medusa() as shop:
        shop.sql(
            "INSERT INTO customer (id, email, last_name) SELECT 'cus_' || lpad(i::text, 26, '0'), "
            "'user' || i || '@example.com', '客户 ' || i FROM generate_series(1, %s) AS i",
            rows,
        )
        yield MedusaSource(shop)


SYSTEMS = {"tryton": tryton, "imap": imap, "directus": directus, "medusa": medusa}
