"""One customer from all sides: values with their origin, people, records, history; pins and merges taken apart."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, NamedTuple

import orjson
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from dashboard import companies, showing
from dashboard.notices import redirect
from dashboard.pages.duplicates import Numbers, engine, worklist
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.posting import Form, Posted, status_of, told
from dashboard.rendering import render, voice_of
from mappings.survivorship import FIELDS
from sync import provenance
from sync.errors import Misused, SyncError
from sync.master import queries, relatives
from sync.master.queries import ChangeView, CustomerView
from sync.project import Project
from sync.stewardship import services
from sync.stewardship.effect import Work
from sync.stewardship.services import Entry, PinView, Steward

reading = APIRouter(dependencies=[Depends(Requires(Permission.CUSTOMERS_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.STEWARDSHIP_WRITE))])

CHANGES = 20
LONGEST_VALUE = 20_000
LONGEST_REASON = 1_000
CustomerId = Annotated[str, Path(max_length=40)]
Before = Annotated[int | None, Query(ge=1, le=2**62)]


class Event(NamedTuple):
    """A change as the timeline shows it: each changed field with its lines before (None: not known) and after."""

    change: ChangeView
    fields: list[tuple[str, list[str] | None, list[str]]]
    decision: int | None


class _Sight(NamedTuple):
    """What a visitor sees, and how they are told."""

    eyes: showing.Eyes
    voice: showing.Voice


@reading.get("/customers/{customer_id}")
def show(request: Request, customer_id: CustomerId, before: Before = None, done: Numbers = "") -> Response:
    """One customer; an older id leads to the customer it stands for now."""
    project = _project(request)
    with project.database.reading() as connection:
        found = _found(connection, customer_id)
        if found.asked:
            return RedirectResponse(f"/customers/{found.id}", status_code=308, headers={"Merged-Into": found.id})
        fields = provenance.of_customer(connection, found, project.survivorship)
        changes = queries.history(connection, found.id, CHANGES + 1, before)
        family = relatives.relatives(connection, found.id)
        employers = companies.named(connection, [found.golden, *_other_companies(fields)])
        alive = found.status == "active"
        decided = services.log(connection, found.id, 50) if alive else []
        pins = {one.field: one for one in services.pins(connection, found.id) if one.holds} if alive else {}
    eyes, voice = showing.eyes_of(request), voice_of(request, companies.names(employers))
    company = employers.get(showing.record_of(found.golden.get("organisation") or {}))
    return render(
        request, "customer.html", voice=voice, customer=found, fields=fields, eyes=eyes, pretty=showing.pretty,
        events=_events(changes[:CHANGES], found, _Sight(eyes, voice)), more=_more(changes),
        newest=before is None, family=family, pins=pins, merges=_merges(decided), decided=decided, done=done,
        company=None if company is None or company.id == found.id else company,
        pinnable=services.PINNABLE, unset=_unset(found, pins),
    )  # fmt: skip


@writing.post("/customers/{customer_id}")
def act(request: Request, customer_id: CustomerId, form: Form) -> Response:
    """Take a merge apart, take a record out, or let the sources rule a field again."""
    project, by = _project(request), _steward(request, form)
    said = form.word("act")
    try:
        work = _work(said, customer_id, form, by, project)
        outcome = services.carry_out(project.database, work, engine(project))
    except SyncError as error:
        back = f"/customers/{customer_id}"
        return render(request, "refused.html", status=status_of(error), faults=told(request, error), back=back)
    worklist(request).renew()
    return redirect(f"/customers/{customer_id}", f"did-{said}", done=outcome.decision)


@writing.get("/customers/{customer_id}/pin")
def choose_value(request: Request, customer_id: CustomerId, field: Annotated[str, Query(max_length=60)]) -> Response:
    """The values that the sources have for a field, to pin one of them or another."""
    return _choices(request, customer_id, field)


@writing.post("/customers/{customer_id}/pin")
def pin(request: Request, customer_id: CustomerId, form: Form) -> Response:
    """Give a field the value that was chosen."""
    project, by, field = _project(request), _steward(request, form), form.word("field")
    try:
        value = _value(form, field)
        work = partial(services.pin, by=by, customer=customer_id, field=field, value=value)
        outcome = services.carry_out(project.database, work, engine(project))
    except SyncError as error:
        return _choices(request, customer_id, field, error, form.text("own", LONGEST_VALUE))
    return redirect(f"/customers/{customer_id}", "did-pin", done=outcome.decision)


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes])


def _choices(
    request: Request, customer_id: str, field: str, error: SyncError | None = None, own: str | None = None
) -> Response:
    project = _project(request)
    if field not in services.PINNABLE:
        raise HTTPException(404)
    with project.database.reading() as connection:
        found = _found(connection, customer_id)
    offered: dict[str, list[str]] = {}
    for source in found.sources:
        if field in source.canonical:
            text = _written(source.canonical[field], field)
            part = f"#{source.part}" if source.part else ""
            offered.setdefault(text, []).append(f"{source.connection}/{source.stream}/{source.source_id}{part}")
    now = found.golden.get(field)
    return render(
        request, "pin.html", status=200 if error is None else status_of(error), customer=found, field=field,
        offered=offered, now="" if now is None else _written(now, field), structured=field in services.STRUCTURED,
        own=own, faults=[] if error is None else told(request, error), eyes=showing.eyes_of(request),
    )  # fmt: skip


def _written(value: Any, field: str) -> str:
    """A value as it is typed: JSON for fields that hold lists or objects, else text."""
    return showing.pretty(value) if field in services.STRUCTURED else str(value)


def _value(form: Posted, field: str) -> Any:
    chosen = form.text("value", LONGEST_VALUE)
    if chosen == "empty":
        return None
    text = form.text("own", LONGEST_VALUE) if chosen == "own" else chosen.removeprefix("=")
    if not text:
        raise Misused("Choose a value, or write one.")
    if field not in services.STRUCTURED:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Misused(
            "{field} holds a list or an object: the value must be JSON.",
            field=field[:60],
            remedy="See docs/canonical-customer.md for what the field holds.",
        ) from None


def _work(said: str, customer: str, form: Posted, by: Steward, project: Project) -> Work:
    if said == "unmerge":
        settle = engine(project).settle
        return partial(services.unmerge, by=by, customer=customer, settle=settle, merge_act=form.number("merge"))
    if said == "exclude":
        return partial(services.exclude, by=by, customer=customer, record=form.text("record", 800))
    if said == "unpin":
        return partial(services.unpin, by=by, customer=customer, field=form.word("field"))
    raise Misused("There is nothing of that kind to do.")


def _found(connection: Any, customer_id: str) -> CustomerView:
    found = queries.get(connection, customer_id)
    if found is None:
        raise HTTPException(404)
    return found


def _other_companies(fields: list[provenance.Explained]) -> list[dict[str, Any]]:
    """The organisations that came second, as goldens."""
    return [{one.field: one.runner_up} for one in fields if one.field == "organisation" and one.runner_up is not None]


def _events(changes: list[ChangeView], customer: CustomerView, sight: _Sight) -> list[Event]:
    """The changes with what each field was before, as far as the older ones shown tell it."""
    known: dict[str, Any] = {}
    found: list[Event] = []
    whole = False
    for change in reversed(changes):
        if "golden" in change.body:
            known, whole, fields = dict(change.body["golden"]), True, []
        else:
            fields = _changed(change, known, customer.kind, sight, whole)
            known.update(change.body.get("set", {}))
            for name in change.body.get("unset", ()):
                known.pop(name, None)
        cause = change.cause or {}
        found.append(Event(change, fields, cause.get("decision") if cause.get("kind") == "decision" else None))
    return found[::-1]


def _changed(
    change: ChangeView, known: dict[str, Any], kind: str, sight: _Sight, whole: bool
) -> list[tuple[str, list[str] | None, list[str]]]:
    now = {**dict.fromkeys(change.body.get("unset", ())), **change.body.get("set", {})}
    lines = []
    for name in sorted(now, key=lambda one: FIELDS.index(one) if one in FIELDS else len(FIELDS)):
        before = _lines(kind, name, known.get(name), sight) if whole or name in known else None
        lines.append((name, before, _lines(kind, name, now[name], sight)))
    return lines


def _lines(kind: str, field: str, value: Any, sight: _Sight) -> list[str]:
    return [] if value is None else showing.plain(sight.eyes.value(kind, field, value), sight.voice, field)


def _more(changes: list[ChangeView]) -> int | None:
    return changes[CHANGES - 1].seq if len(changes) > CHANGES else None


def _merges(decided: list[Entry]) -> list[Entry]:
    """The merges in force."""
    return [one for one in decided if one.act == "merge" and one.undone_by is None]


def _unset(customer: CustomerView, pins: dict[str, PinView]) -> list[str]:
    """The fields without a value, which can be given one."""
    return [name for name in services.PINNABLE if name not in customer.golden and name not in pins]


def _steward(request: Request, form: Posted) -> Steward:
    return Steward(principal_of(request).user, form.text("reason", LONGEST_REASON))


def _project(request: Request) -> Project:
    found: Project = request.app.state.project
    return found
