"""Exports as jobs: asked for, worked on by whichever worker takes them, kept for a time, deleted.

A worker holds the lease ``export:ID``; the file's name carries the lease's number, so that a worker that was stalled
and comes back can neither overwrite nor be mistaken for the one that took over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, text, update

from sync import audit
from sync.errors import NotFound
from sync.exporting.making import Exported
from sync.exporting.request import Request, stored
from sync.exporting.tables import export_job
from sync.runs import clock
from sync.runs import lease as leases
from sync.runs.lease import Lease
from sync.runs.tables import lease
from sync.runs.wording import Failure, Wording, packed, unpacked

OPEN = ("queued", "running")
MOST_ATTEMPTS = 3


class JobView(NamedTuple):
    """An export as it stands."""

    id: int
    request: Request
    state: str
    records: int
    expected: int | None
    bytes: int | None
    sha256: str | None
    token: str | None
    replaced: int
    file: str | None
    error_code: str | None
    error: Wording | None
    remedy: str
    user_id: int
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None


def ask(connection: Connection, request: Request, user_id: int, by: str) -> JobView:
    """Ask for an export, in the caller's transaction; audited. Ring for it after the commit."""
    values = {
        "request": request.json(),
        "masked": request.masked,
        "state": "queued",
        "user_id": user_id,
        "created_by": by[:200],
        "created_at": clock.now(),
    }
    number = connection.execute(insert(export_job).values(**values).returning(export_job.c.id)).scalar_one()
    details = {"format": request.format.value, "filters": request.filters, "masked": request.masked}
    audit.record(connection, by, "export.requested", f"export:{number}", details)
    return get(connection, number)


def get(connection: Connection, job_id: int, user_id: int | None = None) -> JobView:
    """One export; ``user_id``: only if it is theirs. Raises NotFound."""
    row = connection.execute(select(export_job).where(export_job.c.id == job_id)).one_or_none()
    if row is None or user_id not in (None, row.user_id):
        raise NotFound("There is no export {export}.", export=str(job_id), remedy="Check the address.")
    return _view(row)


def all_jobs(
    connection: Connection, *, user_id: int | None = None, before: int | None = None, limit: int = 50
) -> list[JobView]:
    """The newest first; of one user or of all."""
    statement = select(export_job).order_by(export_job.c.id.desc()).limit(limit)
    if user_id is not None:
        statement = statement.where(export_job.c.user_id == user_id)
    if before is not None:
        statement = statement.where(export_job.c.id < before)
    return [_view(row) for row in connection.execute(statement)]


def waiting(connection: Connection) -> list[int]:
    """Exports that nobody works on: new ones, and those whose worker has died."""
    known = connection.execute(select(export_job.c.id).where(export_job.c.state.in_(OPEN))).scalars().all()
    names = [lease_of(number) for number in known]
    now = clock.expression(connection.dialect.name)
    held = select(lease.c.name).where(lease.c.name.in_(names)).where(text(f"expires_at > {now}"))
    taken = set(connection.execute(held).scalars())
    return [number for number in known if lease_of(number) not in taken]


def lease_of(job_id: int) -> str:
    """The name of the lease that its worker holds."""
    return f"export:{job_id}"


def begin(connection: Connection, job_id: int) -> JobView | None:
    """Note that it is worked on; None if it has ended, or has been begun too often and is given up here."""
    row = connection.execute(select(export_job).where(export_job.c.id == job_id)).one_or_none()
    if row is None or row.state not in OPEN:
        return None
    if row.attempts >= MOST_ATTEMPTS:
        fail(connection, job_id, _given_up())
        return None
    values = {"state": "running", "attempts": row.attempts + 1, "records": 0, "started_at": clock.now()}
    connection.execute(update(export_job).where(export_job.c.id == job_id).values(**values))
    return _view(row)


def progress(connection: Connection, job_id: int, records: int, expected: int | None) -> None:
    """So many are written."""
    connection.execute(update(export_job).where(export_job.c.id == job_id).values(records=records, expected=expected))


def finish(connection: Connection, job: JobView, made: Exported, file: str, keep: timedelta) -> None:
    """The file stands in the folder under this name; audited."""
    now = clock.now()
    values = {
        **made._asdict(),
        "state": "done",
        "expected": made.records,
        "file": file,
        "finished_at": now,
        "expires_at": now + keep,
    }
    del values["lacking"]
    connection.execute(update(export_job).where(export_job.c.id == job.id).values(**values))
    audit.record(connection, job.created_by, "export.finished", f"export:{job.id}", made.details(job.request))


def fail(connection: Connection, job_id: int, why: Failure) -> None:
    """It ended without a file."""
    values = {"state": "failed", "error_code": why.code, "error": packed(*why.message), "remedy": why.remedy}
    connection.execute(update(export_job).where(export_job.c.id == job_id).values(**values, finished_at=clock.now()))


def give_back(connection: Connection, job_id: int) -> None:
    """Nobody works on it any more, and it was nobody's fault."""
    values = {"state": "queued", "attempts": export_job.c.attempts - 1}
    connection.execute(
        update(export_job).where(export_job.c.id == job_id, export_job.c.state == "running").values(**values)
    )


def forget_lease(connection: Connection, held: Lease) -> None:
    """Give the lease back in the transaction that ends the work. Raises LeaseLost."""
    leases.release(connection, held)
    connection.execute(delete(lease).where(lease.c.name == held.name))


def expire(connection: Connection, folder: Path, *, at_once: bool = False) -> int:
    """Delete the files whose time is over; answers how many.

    ``at_once``, for the erasure of a person: those of all exports, and what is being written is begun anew.
    """
    over = export_job.c.state == "done"
    if at_once:
        running = connection.execute(select(export_job.c.id).where(export_job.c.state == "running")).scalars().all()
        connection.execute(delete(lease).where(lease.c.name.in_([lease_of(number) for number in running])))
        connection.execute(update(export_job).where(export_job.c.id.in_(running)).values(state="queued"))
    else:
        over &= export_job.c.expires_at <= clock.now()
    rows = connection.execute(select(export_job.c.id, export_job.c.file).where(over)).all()
    for number, file in rows:
        (folder / file).unlink(missing_ok=True)
        connection.execute(update(export_job).where(export_job.c.id == number).values(state="expired", file=None))
    return len(rows)


def tidy(connection: Connection, folder: Path, older: timedelta) -> int:
    """Delete files in the folder that belong to no export: what a worker that was killed has left."""
    if not folder.is_dir():
        return 0
    known = set(connection.execute(select(export_job.c.file).where(export_job.c.file.is_not(None))).scalars())
    limit, gone = (clock.now() - older).timestamp(), 0
    for path in [*folder.glob("export-*"), *folder.glob(".export-*.part")]:
        if path.name not in known and path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _given_up() -> Failure:
    message = Wording("The workers died over this export {count} times.", {"count": MOST_ATTEMPTS})
    return Failure("given_up", message, "Look into the worker's log; then ask for a new one.")


def _view(row: Any) -> JobView:
    values = {name: getattr(row, name) for name in JobView._fields}
    return JobView(
        **{
            **values,
            "request": stored(row.request),
            "error": unpacked(row.error),
            "remedy": row.remedy or "",
        }
    )
