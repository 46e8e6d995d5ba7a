"""Erasure of the person behind a customer (GDPR art. 17, PIPL art. 47).

Everything in the database happens in one transaction: the person's records, the golden record, the history, and what
others hold are wiped, tombstones are left, `customer.erased` is published. Files and free pages of the database follow
(``finish``); whoever dies in between is followed by the next who calls it, until a receipt is issued.
"""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, insert, select, update

from sync import audit
from sync.database import Database
from sync.errors import NotFound, Refused
from sync.master import resolving, tombstones
from sync.master.bulk import bulk_for
from sync.master.cause import caused_by
from sync.master.identity import parse_public_id, public_id
from sync.master.inforce import reading_with
from sync.master.lookup import customer as look_up
from sync.master.search import index
from sync.master.tombstones import CONTACT, RECORD, Guard
from sync.privacy import holders, ledger, person, receipts, wiping
from sync.privacy.person import Person
from sync.privacy.sealing import marks_key
from sync.privacy.tables import erasure, tombstone
from sync.project import Project
from sync.vault import Vault

WIPED, DONE = "wiped", "done"
_TRIES = 12


class AlreadyErased(Refused):
    """The person behind this customer was erased before."""

    code = "already_erased"
    default_remedy = "There is nothing left to do; its receipt is kept."


class Stale(Refused):
    """The customer has changed since somebody looked at it."""

    code = "changed_meanwhile"
    default_remedy = "Look at it again, then decide."


class Precheck(NamedTuple):
    """What an erasure would take, and what to know before. ``records`` are where the person stands in systems."""

    customer: str
    version: int
    kind: str
    records: list[dict[str, str]]
    ids: list[str]
    contacts: int
    shared_contacts: int
    blockers: list[str]


class Erasure(NamedTuple):
    """One erasure, done or under way."""

    id: str
    customer: str
    state: str
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    counts: dict[str, Any]
    receipt: dict[str, Any] | None


def precheck(project: Project, customer_id: str) -> Precheck:
    """Look before: nothing is changed. Raises NotFound."""
    with project.database.reading() as connection:
        number = _number(connection, customer_id)
        row, _old = look_up(connection, customer_id)
        assert row is not None  # noqa: S101 - _number has found it
        found = person.find(connection, number)
        stage = reading_with(project.matcher, bulk_for(connection)).stage
    whole = {words for one in found.records if one.canonical for words in _contacts(one.canonical)}
    records = [
        {"connection": one.connection, "stream": one.stream, "id": one.source_id, "part": one.part}
        for one in found.records
    ]
    blockers = (["already_erased"] if row.status == wiping.ERASED else []) + (["switch_under_way"] if stage else [])
    own = len(found.contacts)
    ids = [public_id(one) for one in found.ids]
    return Precheck(public_id(number), row.version, row.kind, records, ids, own, len(whole) - own, blockers)


def erase(project: Project, customer_id: str, *, by: str, version: int | None = None) -> Erasure:
    """Erase the person, whole. Safe to repeat after a crash; who is erased already gets the same receipt.

    ``version``: refused with Stale if the customer is not at it. Raises NotFound, SwitchUnderWay, VaultError.
    """
    index.catch_up(project.database)
    with project.database.reading() as connection:
        known = _of_customer(connection, _number(connection, customer_id))
        resolving.require_no_switch(reading_with(project.matcher, bulk_for(connection)))
    number = known.id if known is not None else _trying(project, customer_id, by, version)
    finish(project)
    with project.database.reading() as connection:
        return get(connection, number)


def finish(project: Project) -> int:
    """Bring to the end what is wiped and has no receipt yet: files, then free pages; answers how many."""
    with project.database.reading() as connection:
        rows = connection.execute(select(erasure.c.id).where(erasure.c.state == WIPED)).all()
    if not rows:
        return 0
    files = _drop_files(project)
    scrub(project.database)
    for (number,) in rows:
        with project.database.transaction() as connection:
            _close(connection, project, number, files)
    ledger.keep(project)
    return len(rows)


def scrub(database: Database) -> None:
    """Overwrite what deleted rows have left in the pages of the database."""
    with database.engine.connect() as made:
        connection = made.execution_options(isolation_level="AUTOCOMMIT")
        if database.is_postgres:
            connection.exec_driver_sql("VACUUM customer, change, source_record, match_key, search_term, quarantine")
            return
        driver: Any = connection.connection.driver_connection
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            driver.execute(statement).fetchall()


def get(connection: Connection, number: str) -> Erasure:
    """An erasure by its id. Raises NotFound."""
    row = connection.execute(select(erasure).where(erasure.c.id == number)).one_or_none()
    if row is None:
        raise NotFound("There is no erasure {erasure}.", erasure=number[:40], remedy="Check the id on the receipt.")
    return _view(row)


def of_customer(connection: Connection, customer_id: str) -> Erasure | None:
    """The erasure that ended a customer; None where there was none."""
    number = parse_public_id(customer_id)
    return None if number is None else _of_customer(connection, number)


def readmit(project: Project, kind: str, value: str, *, by: str) -> int:
    """Let somebody be a customer again who has the contact; answers how many tombstones were lifted.

    The records that stood for the person stay away: at their systems they are to be deleted.
    """
    with project.database.transaction() as connection:
        guard = Guard(bulk_for(connection), marks_key(connection, project.vault))
        value = value.strip().casefold() if kind == "email" else value.strip()
        mark = guard.mark(CONTACT, kind, value)
        lifted = connection.execute(tombstone.delete().where(tombstone.c.mark == mark)).rowcount
        if lifted:
            audit.record(connection, by, "customer.readmitted", "contact", {"kind": kind})
    ledger.keep(project)
    return int(lifted)


def _trying(project: Project, customer_id: str, by: str, version: int | None) -> str:
    for attempt in range(1, _TRIES + 1):
        try:
            with project.database.transaction() as connection, caused_by("erasure"):
                return wipe(connection, project.vault, customer_id, by=by, version=version)
        except Exception as error:
            if attempt == _TRIES or not resolving.is_conflict(getattr(error, "orig", error)):
                raise
            time.sleep(random.uniform(0, min(0.01 * 2**attempt, 0.5)))  # noqa: S311 - jitter
    raise AssertionError("unreachable")


def wipe(
    connection: Connection, vault: Vault, customer_id: str, *, by: str, version: int | None = None, again: bool = False
) -> str:
    """All of an erasure that happens in the database, inside the caller's transaction; answers its number.

    ``again``: an older copy of the database had brought the person back. Raises what ``erase`` raises.
    """
    bulk = bulk_for(connection)
    tombstones.exclude(bulk)
    landings = wiping.hold_landings(bulk)
    number = _locked(connection, customer_id, version)
    known = _of_customer(connection, number)
    if known is not None:
        return known.id
    found = person.find(connection, number)
    found = person.joined(connection, found, wiping.pending_of(bulk, landings, found))
    made = f"E{secrets.token_hex(8).upper()}"
    counts: dict[str, Any] = {"again": True} if again else {}
    counts["systems"] = dict(Counter(one.connection for one in found.records))
    counts["tombstones"] = _bury(connection, vault, found, made)
    counts |= holders.wipe(connection, found)
    wiping.out_of_landings(bulk, landings, found.record_ids)
    counts["records"] = wiping.records(bulk, found)
    now = datetime.now(UTC)
    counts["changes"] = wiping.customers(connection, found, now)
    values = {"id": made, "customer_id": number, "state": WIPED, "requested_by": by, "requested_at": now}
    connection.execute(insert(erasure).values(**values, counts=orjson.dumps(counts).decode()))
    audit.record(connection, by, "customer.erased", f"customer:{public_id(number)}", {"erasure": made, **counts})
    return made


def _locked(connection: Connection, customer_id: str, version: int | None) -> int:
    number = _number(connection, customer_id)
    bulk = bulk_for(connection)
    locking = " FOR UPDATE" if bulk.is_postgres else ""
    statement = f"SELECT version FROM customer WHERE id = ?{locking}"  # noqa: S608 - fixed words
    current = bulk.fetch(statement, number)[0][0]
    if version is not None and version != current:
        raise Stale(
            "The customer has changed: it is at version {current}, not {version}.", current=current, version=version
        )
    return number


def _bury(connection: Connection, vault: Vault, found: Person, made: str) -> int:
    """Tombstones of the records' addresses, and of contacts that nobody else has."""
    guard = Guard(bulk_for(connection), marks_key(connection, vault))
    marks = {
        guard.mark(RECORD, one.connection, one.stream, one.source_id): RECORD
        for one in found.records
        if _whole(one, found)
    }
    marks |= {guard.mark(CONTACT, *words): CONTACT for words in found.contacts}
    bulk = bulk_for(connection)
    known = {row[0] for row in bulk.fetch("SELECT mark FROM tombstone WHERE mark {texts}", sorted(marks))}
    rows = [{"mark": mark, "kind": kind, "erasure_id": made} for mark, kind in marks.items() if mark not in known]
    if rows:
        connection.execute(insert(tombstone), rows)
    return len(rows)


def _whole(record: person.Record, found: Person) -> bool:
    """Whether the record itself goes: a contact person inside a company's record is kept away by its contacts."""
    return not record.part or any(
        (one.stream_id, one.source_id) == (record.stream_id, record.source_id) and not one.part for one in found.records
    )


def _drop_files(project: Project) -> int:
    from sync.exporting import jobs, working

    with project.database.transaction() as connection:
        return jobs.expire(connection, working.folder_of(project), at_once=True)


def _close(connection: Connection, project: Project, number: str, files: int) -> None:
    found = get(connection, number)
    if found.state != WIPED:
        return
    now = datetime.now(UTC)
    counts = {**found.counts, "exports": files}
    done = found._replace(state=DONE, finished_at=now, counts=counts)
    signed = receipts.issue(connection, project.vault, done)
    values = {"state": DONE, "finished_at": now, "counts": orjson.dumps(counts).decode()}
    receipt = orjson.dumps(signed).decode()
    connection.execute(update(erasure).where(erasure.c.id == number).values(**values, receipt=receipt))
    audit.record(
        connection, found.requested_by, "customer.erasure_finished", f"customer:{found.customer}", {"erasure": number}
    )


def _number(connection: Connection, customer_id: str) -> int:
    """Today's number of a customer. Raises NotFound."""
    row, _old = look_up(connection, customer_id)
    if row is None:
        raise NotFound("There is no customer {customer}.", customer=customer_id[:40], remedy="Check the address.")
    return row.id


def _of_customer(connection: Connection, number: int) -> Erasure | None:
    """Of a customer that is erased at this moment: who came back since can be erased again."""
    row, _old = look_up(connection, public_id(number))
    if row is None or row.status != wiping.ERASED:
        return None
    newest = select(erasure).where(erasure.c.customer_id == row.id).order_by(erasure.c.requested_at.desc()).limit(1)
    found = connection.execute(newest).one_or_none()
    return None if found is None else _view(found)


def _contacts(canonical: str) -> Iterable[tuple[str, str]]:
    return tombstones.contacts_of(orjson.loads(canonical))


def _view(row: Any) -> Erasure:
    receipt = None if row.receipt is None else orjson.loads(row.receipt)
    times = row.requested_at, row.finished_at
    return Erasure(
        row.id, public_id(row.customer_id), row.state, row.requested_by, *times, orjson.loads(row.counts), receipt
    )
