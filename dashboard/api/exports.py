"""``/api/v1/exports``: the customers of one moment as a file. Whoever may not manage all sees and makes their own."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple

from fastapi import Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from dashboard.api import paging, schemas
from dashboard.api.answers import answer, matches
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.paging import Cursor, Limit
from dashboard.api.problems import Problem
from dashboard.api.routes import problem, resource, unit_of_work
from dashboard.api.runs import bell
from dashboard.api.wording import told
from dashboard.permissions import Permission, principal_of
from sync import audit
from sync.exporting import jobs
from sync.exporting.jobs import JobView
from sync.exporting.request import MOST_FIELDS, Encoding, Format, checked
from sync.exporting.request import Request as ExportRequest
from sync.exporting.working import folder_of
from sync.identity.permissions import Role
from sync.identity.principals import Principal
from sync.runs.wording import Wording

router = resource("exports", Permission.EXPORTS_RUN)

CHUNK = 1 << 18
MEDIA = {
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
}
_RANGE = re.compile(r"bytes=(?:(?P<first>\d{1,18})-(?P<last>\d{1,18})?|-(?P<tail>\d{1,18}))", re.ASCII)

ExportId = Annotated[int, Path(ge=1, lt=1 << 63, description="The export's number.", examples=[1])]
MISSING = problem(404, "No such export, or not yours: `not_found`.")


class Wanted(schemas.Body):
    """An export to be made. All filters must fit."""

    format: Format = Field(Format.NDJSON, examples=["csv"])
    encoding: Encoding = Field(Encoding.UTF8, description="of CSV; a character that GBK lacks becomes `\\uXXXX`")
    status: Literal["active", "merged", "deleted"] = "active"
    kind: Literal["person", "organisation"] | None = None
    tag: str | None = Field(None, max_length=200, description="with this tag")
    connection: str | None = Field(None, max_length=80, description="with a record in this system")
    fields: list[Annotated[str, Field(max_length=80)]] | None = Field(
        None, max_length=MOST_FIELDS, description="only these, e.g. `name`, `golden.emails`"
    )
    masked: bool | None = Field(
        None, description="mask personal data; always done for whoever has not the permission `personal:read`"
    )


class ExportOut(schemas.Schema):
    """An export."""

    id: int
    state: Literal["queued", "running", "done", "failed", "expired"]
    format: Format
    encoding: Encoding
    filters: dict[str, str]
    fields: list[str] | None
    masked: bool
    records: int = Field(description="written so far; in the end how many there are")
    expected: int | None = Field(description="how many there will be; null: not known")
    bytes: int | None
    sha256: str | None = Field(description="of the whole file, hexadecimal")
    token: str | None = Field(description="go on from here with the change feed: `changes?after=`")
    replaced: int = Field(description="characters that the encoding lacks, written as `\\uXXXX`")
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="the file is deleted then")
    error_code: str | None
    error: str | None
    remedy: str | None


@router.get("", response_model=None, responses={200: {"model": schemas.Page[ExportOut]}})
def list_exports(request: Request, limit: Limit = paging.DEFAULT, cursor: Cursor = None) -> Response:
    """List exports, the newest first: your own; an administrator sees all."""
    before = paging.decode(cursor, {}, [int])
    owner = _only(principal_of(request))
    with request.app.state.project.database.reading() as connection:
        found = jobs.all_jobs(connection, user_id=owner, before=before[0] if before else None, limit=limit + 1)
    return answer(request, paging.page(found, limit, {}, lambda one: [one.id], lambda one: _shown(request, one)))


@router.post(
    "",
    status_code=202,
    response_model=None,
    responses={202: {"model": ExportOut, "description": "It will be made; Location tells where to watch it."}},
)
def create_export(request: Request, body: Wanted, idempotency_key: IdempotencyKey = None) -> Response:
    """Ask for an export of the customers as they are when it begins."""
    visitor = principal_of(request)
    with unit_of_work(request) as unit:
        job = jobs.ask(unit.connection, _asked(body, visitor), visitor.user_id, visitor.actor)
        made = unit.answer(_shown(request, job), status=202, headers={"Location": f"{request.url.path}/{job.id}"})
    bell(request).export(job.id)
    return made


@router.get("/{id}", response_model=None, responses={200: {"model": ExportOut}, **MISSING})
def get_export(request: Request, id: ExportId) -> Response:
    """Get one export: how far it is, and what is known of its file."""
    with request.app.state.project.database.reading() as connection:
        return answer(request, _shown(request, jobs.get(connection, id, _only(principal_of(request)))))


@router.get(
    "/{id}/file",
    response_model=None,
    responses={
        200: {"description": "The whole file.", "content": {media: {} for media in MEDIA.values()}},
        206: {"description": "The part asked for by Range.", "content": {media: {} for media in MEDIA.values()}},
        304: {"description": "You hold it already."},
        **problem(404, "No such export, or not yours: `not_found`; no file, or not yet: `not_finished`."),
        **problem(410, "It was deleted when its time was over: `expired`."),
        **problem(416, "Nothing of the file lies in the range: `range_not_satisfiable`."),
    },
)
def download(
    request: Request,
    id: ExportId,
    range: Annotated[str | None, Header(max_length=100, description="One range of bytes.")] = None,
    if_range: Annotated[str | None, Header(max_length=100, description="The ETag the first part came with.")] = None,
) -> Response:
    """Download the file. A download that broke off goes on with Range and If-Range; ETag is the SHA-256."""
    project, visitor = request.app.state.project, principal_of(request)
    with project.database.reading() as connection:
        job = jobs.get(connection, id, _only(visitor))
    if not job.request.masked:
        visitor.require(Permission.PERSONAL_READ)
    file, tag = _opened(folder_of(project), job), f'"{job.sha256}"'
    try:
        size = os.fstat(file.fileno()).st_size
        headers = _headers(job, tag)
        if matches(request.headers.get("if-none-match", ""), tag):
            file.close()
            return Response(None, 304, headers)
        part = _part(range if if_range in (None, tag) else None, size)
        with project.database.transaction() as connection:
            details = {"bytes": part.length, "of": size, "masked": job.request.masked}
            audit.record(connection, visitor.actor, "export.downloaded", f"export:{id}", details)
    except BaseException:
        file.close()
        raise
    headers["Content-Length"] = str(part.length)
    if part.partial:
        headers["Content-Range"] = f"bytes {part.first}-{part.first + part.length - 1}/{size}"
    body = _chunks(file, part)
    return StreamingResponse(body, 206 if part.partial else 200, headers, media_type=_media(job))


def _media(job: JobView) -> str:
    """What the file is, with the encoding it is really in."""
    media = MEDIA[job.request.format]
    return f"{media}; charset={job.request.encoding}" if job.request.format is Format.CSV else media


class _Part(NamedTuple):
    first: int
    length: int
    partial: bool


def _part(wanted: str | None, size: int) -> _Part:
    """The part a Range header asks for; the whole for what is no single range (RFC 9110: such may be ignored)."""
    found = _RANGE.fullmatch((wanted or "").strip())
    if found is None:
        return _Part(0, size, False)
    if found["tail"] is not None:
        first, last = max(0, size - int(found["tail"])), size - 1
    else:
        first, last = int(found["first"]), min(int(found["last"] or size), size - 1)
        if found["last"] is not None and int(found["last"]) < first:
            return _Part(0, size, False)
    if first > last:
        raise Problem(
            "The file has {size} bytes.",
            status=416,
            code="range_not_satisfiable",
            size=size,
            headers={"Content-Range": f"bytes */{size}"},
            remedy="Ask for a range inside of it, or for the whole.",
        )
    return _Part(first, last - first + 1, True)


def _chunks(file: BinaryIO, part: _Part) -> Iterator[bytes]:
    left = part.length
    with file:
        file.seek(part.first)
        while left and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _opened(folder: FilePath, job: JobView) -> BinaryIO:
    gone = job.state == "expired"
    if job.file is not None:
        try:
            return (folder / job.file).open("rb")
        except FileNotFoundError:
            gone = True
    if gone:
        raise Problem("The file was deleted.", status=410, code="expired", remedy="Ask for a new export.")
    raise Problem(
        "The export is not finished.",
        status=404,
        code="not_finished",
        more={"state": job.state},
        remedy="Get the export until its state is `done`; if it is `failed`, its error tells why.",
    )


def _headers(job: JobView, tag: str) -> dict[str, str]:
    name = f"customers-{job.created_at:%Y%m%d-%H%M%S}-{job.id}.{job.request.format.value}"
    return {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Cookie",
        "Repr-Digest": f"sha-256=:{_base64(job.sha256 or '')}:",
    }


def _base64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()


def _asked(body: Wanted, visitor: Principal) -> ExportRequest:
    masked = bool(body.masked) or not visitor.may(Permission.PERSONAL_READ)
    given = body.model_dump(exclude={"fields", "masked"})
    fields = None if body.fields is None else tuple(body.fields)
    return checked(ExportRequest(**given, fields=fields, masked=masked))


def _only(visitor: Principal) -> int | None:
    return None if visitor.role is Role.ADMIN else visitor.user_id


def _shown(request: Request, job: JobView) -> dict[str, Any]:
    asked = job.request
    kept = ("id", "state", "records", "expected", "bytes", "sha256", "token", "replaced", "created_by", "created_at",
            "started_at", "finished_at", "expires_at", "error_code")  # fmt: skip
    return {
        **{name: getattr(job, name) for name in kept},
        "format": asked.format.value,
        "encoding": asked.encoding.value,
        "filters": asked.filters,
        "fields": None if asked.fields is None else list(asked.fields),
        "masked": asked.masked,
        "error": told(request, job.error),
        "remedy": told(request, Wording(job.remedy, job.error.params)) if job.error and job.remedy else None,
    }
