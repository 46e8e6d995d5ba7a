"""``kehu connector``: what kinds of system can be connected, and making a new kind."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.errors import BadConfiguration
from connectors.quality import Grade
from connectors.registry import ConnectorInfo, Registry, load_registry
from sync import language
from sync.cli.console import emit, emit_json, emit_table, next_step, say, word
from sync.cli.exits import Exit
from sync.cli.options import DryRun, Json
from sync.cli.session import session
from sync.errors import NotFound
from sync.language import _

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help=_("Id of a connector, e.g. files."), show_default=False)]


@app.command("list", help=_("List every connector, broken ones with their reason."))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List all connectors."""
    infos = list(registry(context))
    if as_json:
        emit_json("connectors", [_data(info) for info in infos])
        return
    columns = (_("Connector"), _("Title"), _("Kind"), _("Grade"), _("Maturity"), _("From"), _("State"))
    emit_table(columns, [_row(info) for info in infos])
    next_step("kehu connector show files")


@app.command(help=_("Show one connector: its streams and the settings it takes."))
def show(context: typer.Context, connector: Name, as_json: Json = False) -> None:
    """Show one connector."""
    info = _named(registry(context), connector)
    if as_json:
        emit_json("connector", {**_data(info), "settings": _settings(info)})
        return
    say(f"{info.title.to(language.current())} ({info.id})", "bold")
    if info.manifest and info.manifest.about:
        say(info.manifest.about.to(language.current()))
    streams = [(name, note.title.to(language.current())) for name, note in info.streams.items()]
    if streams:
        emit_table((_("Stream"), _("Title")), streams)
    rows = [(s["name"], _yes(s["required"]), s["default"], s["about"]) for s in _settings(info)]
    emit_table((_("Setting"), _("Required"), _("Default"), _("Meaning")), rows)
    _show_quality(info)
    if info.docs:
        say(_("Read more in {path}", path=str(info.docs)))
    next_step(f"kehu init my-company --connection {info.id}={info.id}")


@app.command(help=_("Make a plugin package for a new connector; it passes the conformance suite as it is."))
def new(
    context: typer.Context,
    connector: Annotated[str, typer.Argument(help=_("Id of the new connector: small letters, digits, underscore."))],
    folder: Annotated[Path, typer.Option(help=_("Where to make it."))] = Path("."),
    dry_run: DryRun = False,
) -> None:
    """Scaffold a plugin package."""
    from connectors.scaffold import scaffold

    target = folder / f"kehu-{connector.replace('_', '-')}"
    written = scaffold(connector, target, dry_run=dry_run)
    for path in written:
        emit(str(path))
    if not dry_run:
        next_step(f"pip install -e {shlex.quote(f'{target}[test]')} && pytest {word(str(target))}")


@app.command(help=_("Load connectors and check what they promise about themselves."))
def check(
    context: typer.Context,
    connector: Annotated[str | None, typer.Argument(help=_("Id of a connector; by default all."))] = None,
    as_json: Json = False,
) -> None:
    """Import connectors and tell which are broken and why."""
    known = registry(context)
    infos = [_named(known, connector)] if connector else list(known)
    for info in infos:
        try:
            info.load()
        except BadConfiguration:
            continue  # remembered in info.broken
    if as_json:
        emit_json("connectors", [_data(info) for info in infos])
    else:
        emit_table((_("Connector"), _("Grade"), _("State")), [(i.id, _grade(i), _state(i)) for i in infos])
    if any(info.broken for info in infos):
        raise typer.Exit(Exit.CONFIGURATION)


def registry(context: typer.Context) -> Registry:
    """The project's registry; outside of a project that of the environment."""
    try:
        return session(context).project.registry
    except BadConfiguration:
        return load_registry()


def _named(known: Registry, connector: str) -> ConnectorInfo:
    """The connector of that id; NotFound, for what was typed is no fault of a configuration."""
    try:
        return known.get(connector)
    except BadConfiguration as error:
        raise NotFound(error.template, remedy=error.remedy, **error.params) from None


def _row(info: ConnectorInfo) -> tuple[object, ...]:
    title = info.title.to(language.current())
    return (info.id, title, info.kind, _grade(info), info.maturity, info.origin, _state(info))


def _grade(info: ConnectorInfo) -> str:
    """The grade in words: it is not left to colours."""
    words = {Grade.GOLD: _("gold"), Grade.SILVER: _("silver"), Grade.BRONZE: _("bronze"), Grade.NONE: _("none")}
    return words[info.grade]


def _show_quality(info: ConnectorInfo) -> None:
    """The grade, the rules that are open, and what could not be tried on the real system."""
    if info.quality is None:
        return
    say(_("Grade: {grade}", grade=_grade(info)))
    open_rules = [(verdict.rule, verdict.reason.to(language.current())) for verdict in info.quality.open()]
    if open_rules:
        emit_table((_("Open rule"), _("Why")), open_rules)
    if info.quality.unverified:
        points = "; ".join(point.to(language.current()) for point in info.quality.unverified)
        say(_("Not verified on the real system: {points}.", points=points))


def _state(info: ConnectorInfo) -> str:
    return language.told(info.broken)[0] if info.broken else _("ok")


def _yes(value: bool) -> str:
    return _("yes") if value else ""


def _data(info: ConnectorInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "title": info.title.model_dump(),
        "kind": info.kind,
        "maturity": info.maturity,
        "grade": str(info.grade),
        "unverified": [point._asdict() for point in info.quality.unverified] if info.quality else [],
        "origin": info.origin,
        "streams": list(info.streams),
        "broken": language.told(info.broken)[0] if info.broken else None,
    }


def _settings(info: ConnectorInfo) -> list[dict[str, Any]]:
    """A connector's settings; those of a REST manifest are described there in both languages."""
    described = getattr(info.manifest, "config", {})
    found = []
    for name, field in info.config_model.model_fields.items():
        setting = _setting(name, field)
        if name in described:
            setting["about"] = getattr(described[name], language.current())
        found.append(setting)
    return found


def _setting(name: str, info: FieldInfo) -> dict[str, Any]:
    plain = isinstance(info.default, str | int | float | bool)
    return {
        "name": info.alias or name,
        "required": info.is_required(),
        "secret": "Secret" in str(info.annotation),
        "default": str(info.default) if plain and info.default != "" else "",
        "about": language.text(info.description or ""),
    }
