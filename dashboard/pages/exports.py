"""Exports: all customers, or some of them, as a file; asked for here, made by a worker, kept for a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from dashboard.api.runs import bell
from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.posting import Form, Posted, status_of, told
from dashboard.rendering import render
from sync.errors import Misused, SyncError
from sync.exporting import jobs
from sync.exporting.request import Encoding, Format, checked
from sync.exporting.request import Request as ExportRequest
from sync.identity.permissions import Role
from sync.identity.principals import Principal
from sync.project import Project

router = APIRouter(dependencies=[Depends(Requires(Permission.EXPORTS_RUN))])
PAGE = 30
FORMS = {
    "csv": (Format.CSV, Encoding.UTF8),
    "gbk": (Format.CSV, Encoding.GBK),
    "parquet": (Format.PARQUET, Encoding.UTF8),
    "ndjson": (Format.NDJSON, Encoding.UTF8),
}
KINDS = ("person", "organisation")


@router.get("/exports")
def show(request: Request, before: Annotated[int | None, Query(ge=1, le=2**62)] = None) -> Response:
    """The exports of the visitor; an administrator sees all."""
    return _page(request, before=before)


@router.post("/exports")
def ask(request: Request, form: Form) -> Response:
    """Ask for an export; a worker makes it."""
    visitor = principal_of(request)
    try:
        wanted = _wanted(request, form, visitor)
        with _project(request).database.transaction() as connection:
            job = jobs.ask(connection, wanted, visitor.user_id, visitor.actor)
    except SyncError as error:
        return _page(request, error=error)
    bell(request).export(job.id)
    return redirect("/exports", "export-asked")


def _page(request: Request, *, before: int | None = None, error: SyncError | None = None) -> Response:
    project, visitor = _project(request), principal_of(request)
    owner = None if visitor.role is Role.ADMIN else visitor.user_id
    with project.database.reading() as connection:
        found = jobs.all_jobs(connection, user_id=owner, before=before, limit=PAGE + 1)
    page = found[:PAGE]
    return render(
        request, "exports.html", status=200 if error is None else status_of(error), jobs=page,
        more=page[-1].id if len(found) > PAGE else None, newest=before is None, forms=FORMS, kinds=KINDS,
        connections=sorted(project.settings.connections), working=any(one.state in jobs.OPEN for one in page),
        personal=visitor.may(Permission.PERSONAL_READ), faults=[] if error is None else told(request, error),
        keep=project.settings.exports.keep,
    )  # fmt: skip


def _wanted(request: Request, form: Posted, visitor: Principal) -> ExportRequest:
    if form.word("form") not in FORMS:
        raise Misused("Choose a form of the file.")
    format, encoding = FORMS[form.word("form")]
    kind, connection = form.word("kind") or None, form.word("connection") or None
    if kind not in (None, *KINDS) or connection not in (None, *_project(request).settings.connections):
        raise Misused("Choose what to export from the lists.")
    masked = form.has("masked") or not visitor.may(Permission.PERSONAL_READ)
    tag = form.word("tag") or None
    return checked(ExportRequest(format, encoding, kind=kind, connection=connection, tag=tag, masked=masked))


def _project(request: Request) -> Project:
    found: Project = request.app.state.project
    return found
