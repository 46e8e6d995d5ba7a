"""Connecting a system without touching a file: gallery → settings and test → streams → preview → rehearsal → start."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from connectors.errors import ConnectorError
from connectors.registry import ConnectorInfo
from dashboard.bell import ring
from dashboard.forms import Form, Sent
from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.rendering import language_of, render
from mappings.errors import MappingError
from sync.connecting import drafts, forms, probing, rehearsal, settings
from sync.errors import Misused, SyncError
from sync.identity.errors import Forbidden
from sync.master.resolving import SwitchUnderWay
from sync.project import Project
from sync.runs import services

router = APIRouter(dependencies=[Depends(Requires(Permission.CONNECTIONS_WRITE))])
RESERVED = frozenset({"new", "drafts"})
Words = Annotated[str, Query(max_length=100)]


@router.get("/connections/new")
def gallery(request: Request, q: Words = "", kind: Words = "") -> Response:
    """The systems that can be connected, by kind, with their grades."""
    chosen = language_of(request)
    infos = list(_project(request).registry)
    found = [one for one in infos if _fits(one, q, kind, chosen)]
    kinds = sorted({one.kind for one in infos})
    return render(request, "gallery.html", found=found, total=len(infos), kinds=kinds, q=q, kind=kind)


@router.get("/connections/new/{connector}")
def begin(request: Request, connector: str) -> Response:
    """The form of a system."""
    return _form(request, _info(request, connector), None, {}, {})


@router.post("/connections/new/{connector}")
def create(request: Request, connector: str, form: Form) -> Response:
    """Store a draft and test it."""
    info, name = _info(request, connector), form.text("name", 80)
    try:
        if name in RESERVED:
            raise Misused("{name} cannot be a connection's name: use letters, digits, - and _.", name=name)
        drafts.begin(_project(request), name, info.id)
    except Misused as error:
        return _form(request, info, None, form.below("s."), {"name": _say(request, error)}, typed_name=name)
    return _tested(request, info, name, form, fresh=True)


@router.get("/connections/drafts/{name}")
def edit(request: Request, name: str) -> Response:
    """The form of a draft."""
    draft, document = drafts.load(_project(request), name)
    info = _info(request, draft.connector)
    shown = forms.shown(settings.form_of(_project(request), info.id), draft.settings)
    return _form(request, info, name, shown, {}, data=document.data)


@router.post("/connections/drafts/{name}")
def change(request: Request, name: str, form: Form) -> Response:
    """Store a draft anew and test it."""
    draft, _ = drafts.load(_project(request), name)
    return _tested(request, _info(request, draft.connector), name, form)


@router.get("/connections/drafts/{name}/streams")
def streams(request: Request, name: str) -> Response:
    """What the system offers."""
    return _streams(request, name, "")


@router.post("/connections/drafts/{name}/streams")
def choose(request: Request, name: str, form: Form) -> Response:
    """Note which streams are wanted; those without a mapping get a draft of one."""
    project, chosen = _project(request), form.all("stream")[:200]
    if not chosen:
        return _streams(request, name, "none")
    data = {**drafts.own_data(project, name), "streams": {stream: {} for stream in chosen}}
    try:
        drafts.save(project, name, data)
        trial = drafts.trial(project, name)
        for stream in chosen:
            probing.draft_mapping(trial, name, stream)
    except (ConnectorError, MappingError, SyncError) as error:
        return _streams(request, name, "", error)
    return redirect(f"/connections/drafts/{quote(name)}/preview")


@router.get("/connections/drafts/{name}/preview")
def preview(request: Request, name: str, stream: Words = "") -> Response:
    """Some real records, mapped."""
    trial = drafts.trial(_project(request), name)
    chosen = _stream(trial, name, stream)
    found, fault = None, None
    try:
        found = probing.mapped(trial, name, chosen)
    except (ConnectorError, MappingError, SyncError) as error:
        fault = error
    values: dict[str, Any] = {"name": name, "streams": trial.streams(name), "stream": chosen, "found": found}
    return render(request, "adding_preview.html", **values, fault=_told(request, fault))


@router.get("/connections/drafts/{name}/rehearsal")
def rehearsal_page(request: Request, name: str) -> Response:
    """Where the first sync is rehearsed."""
    trial = drafts.trial(_project(request), name)
    found = trial.streams(name)
    return render(request, "adding_rehearsal.html", name=name, streams=found, most=rehearsal.MOST)


@router.post("/connections/drafts/{name}/rehearsal")
def rehearse(request: Request, name: str, form: Form) -> Response:
    """What the first sync of a stream would do; a part of the page."""
    trial = drafts.trial(_project(request), name)
    stream = _stream(trial, name, form.text("stream"))
    found, fault = None, None
    try:
        found = rehearsal.rehearse(trial, name, stream)
    except (ConnectorError, MappingError, SwitchUnderWay) as error:
        fault = error
    return render(request, "adding_rehearsed.html", stream=stream, found=found, fault=_told(request, fault))


@router.post("/connections/drafts/{name}/start")
def start(request: Request, name: str) -> Response:
    """The draft becomes a connection, and its first sync is asked for."""
    project = _project(request)
    require_rights(request, drafts.own_data(project, name))
    drafts.publish(project, name)
    with project.database.transaction() as connection:
        found = [services.find_stream(connection, name, stream) for stream in project.streams(name)]
        asked = [services.request_run(connection, stream.id) for stream in found]
    ring(request, [one.run_id for one in asked])
    return redirect(f"/connections/{quote(name)}", "requested", len(asked))


@router.post("/connections/drafts/{name}/discard")
def discard(request: Request, name: str) -> Response:
    """Forget a draft."""
    project = _project(request)
    with project.database.transaction() as connection:
        drafts.discard(project, connection, name)
    return redirect("/connections", "draft-discarded")


def _tested(request: Request, info: ConnectorInfo, name: str, form: Sent, *, fresh: bool = False) -> Response:
    """Check what was typed, store it, log in; back to the form where something is wrong."""
    project, typed = _project(request), form.below("s.")
    data = drafts.own_data(project, name)
    data["connector"] = info.id
    faults = _general(request, data, form)
    found, secrets, wrong = settings.read(project, info.id, typed, data.get("settings", {}))
    faults = {**{field: _reason(request, why) for field, why in wrong.items()}, **faults}
    if not faults:
        require_rights(request, {**data, "settings": found})
        data["settings"] = {**found, **settings.store_secrets(project, name, secrets)}
        drafts.save(project, name, data)
        try:
            checked = probing.check(drafts.trial(project, name), name)
        except ConnectorError as error:
            fields = settings.form_of(project, info.id)
            given = [field for field, value in data["settings"].items() if value not in (None, "")]
            blamed = {field: "" for field in forms.blamed(fields, error, given)}
            return _form(request, info, name, typed, blamed, data=data, fault=_told(request, error))
        del checked
        return redirect(f"/connections/drafts/{quote(name)}/streams", "connected")
    if fresh:  # nothing worth keeping
        with project.database.transaction() as connection:
            drafts.discard(project, connection, name)
        return _form(request, info, None, typed, faults, typed_name=name, data=data)
    return _form(request, info, name, typed, faults, data=data)


def _general(request: Request, data: dict[str, Any], form: Sent) -> dict[str, str]:
    """What every connection has: its interval, and the private addresses it may reach."""
    faults: dict[str, str] = {}
    try:
        data["every"] = settings.every_of(form.text("every", 20))
    except Misused as error:
        faults["every"] = _say(request, error)
    allowed = form.raw("allow_private", 4_000).split()
    data.pop("allow_private", None)
    if allowed:
        data["allow_private"] = allowed
    return faults


def require_rights(request: Request, data: dict[str, Any]) -> None:
    """Raises Forbidden for settings that only an administrator may set."""
    needed = settings.needs_administrator(data["connector"], data.get("settings", {}), data)
    if needed and not principal_of(request).may(Permission.USERS_WRITE):
        raise Forbidden(
            "Only an administrator may set {settings}: it reaches into the server or its network.",
            settings=", ".join(needed),
            remedy="Ask an administrator to add this connection.",
        )


def _form(
    request: Request,
    info: ConnectorInfo,
    name: str | None,
    typed: dict[str, str],
    faults: dict[str, str],
    *,
    typed_name: str | None = None,
    data: dict[str, Any] | None = None,
    fault: tuple[str, str] | None = None,
) -> Response:
    project = _project(request)
    stored = (data or {}).get("settings", {})
    suggested = info.id if info.id not in project.settings.connections else f"{info.id}-2"
    return render(
        request,
        "adding_settings.html",
        status=422 if faults or fault else 200,
        info=info,
        name=name,
        suggested=typed_name if typed_name is not None else suggested,
        fields=settings.form_of(project, info.id),
        typed=typed,
        stored=[field for field in stored if str(stored[field]).startswith("vault:")],
        every=str((data or {}).get("every", "15m")),
        allow_private="\n".join((data or {}).get("allow_private", [])),
        faults=faults,
        fault=fault,
        administrator=principal_of(request).may(Permission.USERS_WRITE),
    )


def _streams(request: Request, name: str, wrong: str, fault: Exception | None = None) -> Response:
    project = _project(request)
    draft, _ = drafts.load(project, name)
    found = []
    try:
        found = probing.discover(drafts.trial(project, name), name)
    except ConnectorError as error:
        fault = fault or error
    shipped = {one.name for one in found if one.mapping}
    status = 422 if wrong or fault else 200
    chosen = set(draft.streams) or shipped or {one.name for one in found[:1]}
    values: dict[str, Any] = {"name": name, "found": found, "chosen": chosen, "shipped": shipped, "wrong": wrong}
    return render(request, "adding_streams.html", status=status, **values, fault=_told(request, fault))


def _stream(project: Project, name: str, wanted: str) -> str:
    found = project.streams(name)
    if wanted in found:
        return wanted
    if wanted or not found:
        raise HTTPException(404)
    return found[0]


def _fits(info: ConnectorInfo, words: str, kind: str, chosen: str) -> bool:
    about = info.manifest.about.to(chosen) if info.manifest and info.manifest.about else ""
    text = f"{info.id} {info.title.en} {info.title.zh} {about}".casefold()
    return (not kind or info.kind == kind) and all(word in text for word in words.casefold().split())


def _info(request: Request, connector: str) -> ConnectorInfo:
    registry = _project(request).registry
    if connector not in registry:
        raise HTTPException(404)
    return registry.get(connector)


def _project(request: Request) -> Project:
    project: Project = request.app.state.project
    return project


def _told(request: Request, error: Exception | None) -> tuple[str, str] | None:
    from sync import language

    return None if error is None else language.told(error, language_of(request))


def _say(request: Request, error: Exception) -> str:
    told = _told(request, error)
    return " ".join(told) if told else ""


def _reason(request: Request, why: str) -> str:
    from sync import language
    from sync.language import Phrase

    return language.text(why.template, why.params, language_of(request)) if isinstance(why, Phrase) else why
