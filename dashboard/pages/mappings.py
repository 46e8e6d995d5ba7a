"""The mapping editor: source, rule and result side by side on real records; versions, differences, publishing."""

from __future__ import annotations

import difflib
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from connectors.errors import BadConfiguration, ConnectorError
from dashboard.forms import Form
from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.rendering import render
from mappings.compile import Mapper
from mappings.errors import MappingError
from mappings.preview import absent
from sync import mapping_trials, mapping_versions
from sync.connecting import drafts
from sync.errors import NotFound, SyncError
from sync.mapping_trials import Effect, Sampled
from sync.project import Project
from sync.runs import services
from sync.runs.wording import Failure, failure

reading = APIRouter(dependencies=[Depends(Requires(Permission.CONNECTIONS_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.CONNECTIONS_WRITE))])
SHOWN = 5
LOOKED_AT = 100
Number = Annotated[int, Query(ge=0, le=2**62)]
FAULTS = (ConnectorError, MappingError, SyncError)


@reading.get("/mappings")
def show_all(request: Request) -> Response:
    """Every stream with its mapping."""
    project: Project = request.app.state.project
    found = []
    for name in project.settings.connections:
        try:
            streams = project.streams(name)
        except ConnectorError:
            continue
        for stream in streams:
            with project.database.reading() as connection:
                newest = next(iter(mapping_versions.versions(connection, name, stream, 1)), None)
            found.append((name, stream, _text(project, name, stream), newest))
    return render(request, "mappings.html", found=found)


@reading.get("/mappings/{name}/{stream}")
def edit(request: Request, name: str, stream: str, record: Number = 0, version: Number = 0) -> Response:
    """The editor. ``record``: a record in quarantine to begin with; ``version``: an older text to begin with."""
    project = _workspace(request, name, stream)
    text = _text(project, name, stream)
    contents = text.contents
    if version:
        with project.database.reading() as connection:
            contents = mapping_versions.version(connection, name, stream, version).contents
    elif not text.there:
        contents = _drafted(project, name, stream)
    return _editor(request, project, (name, stream), contents, record=record)


@writing.post("/mappings/{name}/{stream}/try")
def attempt(request: Request, name: str, stream: str, form: Form) -> Response:
    """What a text makes of the records; a part of the page."""
    project = _workspace(request, name, stream)
    record = (form.numbers("record") or [0])[-1]
    return render(request, "mapping_tried.html", **_tried(project, (name, stream), form.raw("contents"), record))


@writing.post("/mappings/{name}/{stream}")
def publish(request: Request, name: str, stream: str, form: Form) -> Response:
    """Put a text in force."""
    project, contents = _workspace(request, name, stream), form.raw("contents")
    try:
        number = mapping_versions.publish(
            project, name, stream, contents, over=form.text("over", 40), note=form.text("note", 500)
        )
    except FAULTS as error:
        return _editor(request, project, (name, stream), contents, fault=failure(error), status=422)
    request.app.state.project.refresh()
    if name in drafts.names(project):
        return redirect(f"/connections/drafts/{quote(name)}/preview", "mapping-published", number, stream=stream)
    return redirect(f"/mappings/{quote(name)}/{quote(stream)}", "mapping-published", number)


@reading.get("/mappings/{name}/{stream}/versions/{number}")
def compare(request: Request, name: str, stream: str, number: int) -> Response:
    """What an older version would change."""
    project = _workspace(request, name, stream)
    with project.database.reading() as connection:
        try:
            found = mapping_versions.version(connection, name, stream, number)
        except NotFound:
            raise HTTPException(404) from None
    text = _text(project, name, stream)
    return render(
        request,
        "mapping_version.html",
        name=name,
        stream=stream,
        found=found,
        over=text.digest,
        lines=_difference(text.contents, found.contents),
        same=text.contents == found.contents,
    )


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes])


def _editor(
    request: Request,
    project: Project,
    names: tuple[str, str],
    contents: str,
    *,
    record: int = 0,
    fault: Failure | None = None,
    status: int = 200,
) -> Response:
    text = _text(project, *names)
    with project.database.reading() as connection:
        versions = mapping_versions.versions(connection, *names)
    visitor = principal_of(request)
    open_to = visitor.may(Permission.CONNECTIONS_WRITE) or visitor.may(Permission.PERSONAL_READ)
    tried = _tried(project, names, contents, record) if open_to else _nothing()
    values: dict[str, Any] = {"text": text, "contents": contents, "versions": versions, "record": record}
    values |= {"name": names[0], "stream": names[1], "publish_fault": fault, "open_to": open_to, **tried}
    return render(request, "mapping.html", status=status, **values)


def _tried(project: Project, names: tuple[str, str], contents: str, record: int) -> dict[str, Any]:
    """A text held against real records: rows, faults, fields that nobody reads, and what would change."""
    values = _nothing()
    same = contents == _text(project, *names).contents
    try:
        found = _sample(project, names, record, LOOKED_AT if same else mapping_trials.SAMPLE)
        values |= {"sampled": found, "sources": found.records[:SHOWN]}
        mapper = mapping_versions.compiled(project, *names, contents)
    except FAULTS as error:
        return values | {"fault": failure(error)}
    looked = found.records[:LOOKED_AT]
    guesses = mapping_trials.suggestions(mapper, looked)
    values |= {
        "rows": mapping_trials.rows(mapper, found.records[:SHOWN]),
        "absent": absent(mapper, [one.source for one in looked])[:8] if looked else [],
        "likely": [one for one in guesses if mapping_trials.is_likely(one.guess)][:12],
        "unread": [one for one in guesses if not mapping_trials.is_likely(one.guess)],
        "filled": mapping_trials.mapped_targets(mapper),
        "effect": _effect(project, names, mapper, found, same) if found.stored else None,
    }
    return values


def _nothing() -> dict[str, Any]:
    return {
        "rows": [],
        "sources": [],
        "sampled": None,
        "absent": [],
        "likely": [],
        "unread": [],
        "filled": set(),
        "effect": None,
        "fault": None,
    }


def _effect(project: Project, names: tuple[str, str], mapper: Mapper, found: Sampled, same: bool) -> Effect:
    """``same``: the text is the one in force, which changes nothing."""
    if same:
        return Effect(len(found.records), 0, 0, None, 0, [])
    return mapping_trials.effect(_in_force(project, names), mapper, found)


def _sample(project: Project, names: tuple[str, str], record: int, limit: int) -> Sampled:
    found = mapping_trials.sampled(project, *names, limit)
    if not record:
        return found
    with project.database.reading() as connection:
        try:
            wanted = services.show_quarantined(connection, record)
        except NotFound:
            return found
    first = mapping_trials.quarantined(wanted)
    if first is None or (wanted.connection, wanted.stream) != names:
        return found
    return found._replace(records=[first, *found.records])


def _in_force(project: Project, names: tuple[str, str]) -> Mapper | None:
    text = _text(project, *names)
    try:
        return mapping_versions.compiled(project, *names, text.contents) if text.there else None
    except MappingError:
        return None


def _text(project: Project, name: str, stream: str) -> mapping_versions.MappingText:
    try:
        return mapping_versions.current(project, name, stream)
    except BadConfiguration:
        return mapping_versions.MappingText("", own=True, there=False)


def _drafted(project: Project, name: str, stream: str) -> str:
    from mappings.suggest import suggest_mapping

    try:
        found = mapping_trials.sampled(project, name, stream, LOOKED_AT)
    except FAULTS:
        return "customer:\n  kind: organisation\n"
    return suggest_mapping([one.source for one in found.records])


def _difference(now: str, then: str) -> list[tuple[str, str]]:
    lines = difflib.unified_diff(now.splitlines(), then.splitlines(), lineterm="", n=3)
    return [(line[:1], line[1:]) for line in lines if not line.startswith(("---", "+++"))]


def _workspace(request: Request, name: str, stream: str) -> Project:
    """The project, or the one with a draft in it. 404 for a stream that there is not."""
    project: Project = request.app.state.project
    if name not in project.settings.connections and name in drafts.names(project):
        project = drafts.trial(project, name)
    if name not in project.settings.connections or stream not in project.streams(name):
        raise HTTPException(404)
    return project
