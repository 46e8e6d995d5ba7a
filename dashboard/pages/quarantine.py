"""Records that did not fit: by cause, one by one, corrected and tried again, or left out with a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import orjson
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from connectors.errors import ConnectorError
from dashboard.api.quarantine import without_value
from dashboard.forms import Form, Sent
from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.rendering import render
from mappings.errors import MappingError
from sync import audit
from sync.errors import Misused, NotFound
from sync.privacy.masking import HIDDEN, masked_id
from sync.project import Project
from sync.runs import amending, services
from sync.runs.amending import Group, Tried
from sync.runs.services import Quarantined
from sync.runs.wording import failure

reading = APIRouter(dependencies=[Depends(Requires(Permission.QUARANTINE_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.QUARANTINE_WRITE))])
PAGE = 50
CAUSES = 100
TOGETHER = 1_000
"""Records that one replay takes at most; the rest stays and is said to."""
LONGEST_PAYLOAD = 100_000
Words = Annotated[str, Query(max_length=400)]
State = Literal["open", "ignored", "resolved"]


@reading.get("/quarantine")
def show_all(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    state: State = "open",
    connection: Words = "",
    path: Words = "",
) -> Response:
    """Causes with their counts, and a page of records."""
    with _project(request).database.reading() as reader:
        grouped = [one for one in services.causes(reader) if not connection or one.connection == connection]
        causes = [(cause, services.show_quarantined(reader, cause.example_id)) for cause in grouped[:CAUSES]]
        ids = _stream_ids(request, reader, connection)
        found = services.quarantined(reader, stream_ids=ids, path=path or None, state=state, after_id=after, limit=PAGE)
    causes = [(cause, _seen(request, example)) for cause, example in causes]
    found = [_seen(request, one) for one in found]
    more = found[-1].id if len(found) == PAGE else None
    values: dict[str, Any] = {"causes": causes if state == "open" else [], "records": found, "more": more}
    return render(request, "quarantine.html", state=state, connection=connection, chosen=path, after=after, **values)


@reading.get("/quarantine/group")
def show_group(
    request: Request,
    connection: Words,
    stream: Words,
    code: Words,
    path: Words = "",
    rule: Words = "",
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> Response:
    """The records of one cause, to be tried again or left out together."""
    group = Group(connection, stream, code, path, rule)
    with _project(request).database.reading() as reader:
        cause = next((one for one in services.causes(reader) if _group_of(one) == group), None)
        if cause is None:
            return redirect("/quarantine")
        found = services.quarantined(
            reader,
            stream_ids=[services.find_stream(reader, connection, stream).id],
            code=code,
            path=path,
            rule=rule,
            after_id=after,
            limit=PAGE,
        )
        upto = amending.newest_of(reader, group)
    found = [_seen(request, one) for one in found]
    example = found[0] if found else None
    more = found[-1].id if len(found) == PAGE else None
    values: dict[str, Any] = {"cause": cause, "records": found, "example": example, "more": more, "upto": upto}
    return render(request, "quarantine_group.html", group=group, together=TOGETHER, **values)


@reading.get("/quarantine/{record_id}")
def show(request: Request, record_id: int) -> Response:
    """One record with what came, the failing field marked."""
    return _record(request, _one(request, record_id))


@writing.post("/quarantine/replay")
def replay_many(request: Request, form: Form) -> Response:
    """Try records again: first as a trial that stores nothing, then for good."""
    project, ids, whole = _project(request), *_chosen(request, form)
    trial = form.text("for_good") != "yes"
    outcome = services.replay(project, ids, dry_run=trial)
    good = [one.id for one in outcome if one.failure is None]
    if not trial:
        _note(request, "quarantine.replayed", {"records": len(ids), "landed": len(good)})
        return redirect("/quarantine", "replayed", len(good))
    values: dict[str, Any] = {"ids": ids, "good": good, "whole": whole, "reasons": _told(outcome)}
    return render(request, "quarantine_trial.html", **values)


@writing.post("/quarantine/ignore")
def ignore_many(request: Request, form: Form) -> Response:
    """Leave records out, with a reason."""
    ids, _whole = _chosen(request, form)
    reason = form.text("note", 500)
    if not reason:
        raise Misused("Say why these records are to stay out.", remedy="Go back and enter a reason.")
    with _project(request).database.transaction() as connection:
        count = services.ignore_quarantined(connection, ids, reason)
        details = {"records": count, "first": ids[:50]}
        audit.record(connection, principal_of(request).actor, "quarantine.ignored", "quarantine", details)
    return redirect("/quarantine", "ignored", count, state="ignored")


@writing.post("/quarantine/reopen")
def reopen_many(request: Request, form: Form) -> Response:
    """Take an "ignore" back."""
    with _project(request).database.transaction() as connection:
        count = amending.reopen(connection, form.numbers("id")[:TOGETHER])
        audit.record(connection, principal_of(request).actor, "quarantine.reopened", "quarantine", {"records": count})
    return redirect("/quarantine", "reopened", count)


@writing.post("/quarantine/{record_id}/try")
def try_one(request: Request, record_id: int, form: Form) -> Response:
    """What would become of a record as it was corrected; a part of the page."""
    record = _one(request, record_id)
    tried, fault = None, None
    try:
        tried = _tried(request, record, _corrected(record, form))
    except (Misused, ConnectorError, MappingError) as error:
        fault = failure(error)
    return render(request, "quarantine_tried.html", tried=tried, fault=fault)


@writing.post("/quarantine/{record_id}/replay")
def replay_one(request: Request, record_id: int, form: Form) -> Response:
    """Store the correction and land the record; back to the page where it still does not fit."""
    project, record = _project(request), _one(request, record_id)
    payload = _corrected(record, form)
    tried = _tried(request, record, payload)
    if tried.failure is not None:
        return _record(request, record, tried=tried, typed=payload, status=422)
    with project.database.transaction() as connection:
        if payload != record.payload:
            amending.store(connection, record, payload)
            details = {"path": record.path, "stream": f"{record.connection}.{record.stream}"}
            audit.record(
                connection, principal_of(request).actor, "quarantine.corrected", f"quarantine:{record.id}", details
            )
    outcome = services.replay(project, [record_id])
    landed = sum(one.failure is None for one in outcome)
    _note(request, "quarantine.replayed", {"ids": [record_id], "landed": landed})
    return redirect("/quarantine", "replayed", landed)


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes])


def _record(
    request: Request, record: Quarantined, *, tried: Tried | None = None, typed: bytes | None = None, status: int = 200
) -> Response:
    open_to = _is_open(request)
    values: dict[str, Any] = {
        "record": _seen(request, record),
        "open_to": open_to,
        "lines": _lines(record) if open_to else [],
        "value": amending.value_at(typed or record.payload, record.path) if record.path and open_to else None,
        "text": _pretty(typed or record.payload) if open_to else "",
        "editable": record.state == "open" and record.code != "record_rejected",
        "tried": tried,
        "fault": None,
        "group": "/quarantine/group?" + urlencode(_query(record)),
        "mapping": f"/mappings/{quote(record.connection)}/{quote(record.stream)}?record={record.id}",
    }
    return render(request, "quarantined.html", status=status, **values)


def _is_open(request: Request) -> bool:
    """Whether the visitor sees what stood in records: to repair them, or because they may read personal data."""
    visitor = principal_of(request)
    return visitor.may(Permission.QUARANTINE_WRITE) or visitor.may(Permission.PERSONAL_READ)


def _seen(request: Request, record: Quarantined) -> Quarantined:
    """The record as the visitor may see it in a list: what it is called, and why it does not fit."""
    if _is_open(request):
        return record
    value = HIDDEN if record.value else ""
    return replace(record, source_id=masked_id(record.source_id), value=value, message=without_value(record.message))


def _corrected(record: Quarantined, form: Sent) -> bytes:
    """The record as somebody has corrected it: a single value, the whole text, or nothing."""
    if form.text("edit") == "whole":
        return amending.checked(form.raw("payload"))
    value = form.raw("value")
    if form.text("edit") == "value" and value != amending.value_at(record.payload, record.path):
        return amending.amended(record.payload, record.path, value)
    return record.payload


def _tried(request: Request, record: Quarantined, payload: bytes) -> Tried:
    return amending.tried(_project(request).mapping(record.connection, record.stream), payload)


def _chosen(request: Request, form: Sent) -> tuple[list[int], int]:
    """The numbers a bulk action is about, as they stood on the page; and how many there were in all."""
    ids = form.numbers("id")
    if form.text("scope") != "group":
        if not ids:
            raise Misused("No record was chosen.", remedy="Go back and choose some.")
        return ids[:TOGETHER], len(ids)
    group = Group(*(form.raw(name, 2_000) for name in Group._fields))
    upto = (form.numbers("upto") or [0])[-1]
    with _project(request).database.reading() as connection:
        found = amending.ids_of(connection, group, upto=upto, limit=100_000)
    return found[:TOGETHER], len(found)


def _told(outcome: list[services.Replayed]) -> list[tuple[Any, int]]:
    found: dict[tuple[str, str], tuple[Any, int]] = {}
    for one in outcome:
        if one.failure is not None:
            key = (one.failure.code, one.failure.message.template)
            found[key] = (one.failure, found.get(key, (None, 0))[1] + 1)
    return sorted(found.values(), key=lambda pair: -pair[1])


def _lines(record: Quarantined) -> list[tuple[str, bool]]:
    """The record line by line, those of the failing field marked."""
    last = record.path.rpartition(".")[2].partition("[")[0].strip("'\"`") if record.path else ""
    mark = f'"{last}":'
    return [(line, bool(last) and mark in line) for line in _pretty(record.payload).splitlines()[:2_000]]


def _pretty(payload: bytes) -> str:
    try:
        text = orjson.dumps(orjson.loads(payload), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, TypeError):
        text = payload.decode(errors="replace")
    return text[:LONGEST_PAYLOAD]


def _one(request: Request, record_id: int) -> Quarantined:
    with _project(request).database.reading() as connection:
        try:
            return services.show_quarantined(connection, record_id)
        except (NotFound, OverflowError):
            raise HTTPException(404) from None


def _group_of(cause: services.Cause) -> Group:
    return Group(cause.connection, cause.stream, cause.code, cause.path, cause.rule)


def _query(record: Quarantined) -> dict[str, str]:
    return {name: str(getattr(record, name)) for name in Group._fields}


def _stream_ids(request: Request, reader: Any, connection: str) -> list[int] | None:
    if not connection:
        return None
    from sync import overview

    return [one.id for one in overview.streams(reader) if one.connection == connection]


def _note(request: Request, action: str, details: dict[str, Any]) -> None:
    with _project(request).database.transaction() as connection:
        audit.record(connection, principal_of(request).actor, action, "quarantine", details)


def _project(request: Request) -> Project:
    project: Project = request.app.state.project
    return project
