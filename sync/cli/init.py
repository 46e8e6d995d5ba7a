"""``kehu init``: make a project folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.registry import load_registry
from sync import language
from sync.cli.console import emit, emit_json, next_step, say
from sync.cli.options import DryRun, Json, Yes
from sync.cli.reporting import refuse_without_terminal
from sync.cli.skeleton import Wanted, drafted_name, files
from sync.errors import Misused, NotFound
from sync.language import _
from sync.settings import Settings

if TYPE_CHECKING:
    from sync.cli.begun import Begun


def init(
    folder: Annotated[Path, typer.Argument(help=_("The folder to make."))] = Path("."),
    region: Annotated[str | None, typer.Option(help=_("Default country of phone numbers, e.g. CN."))] = None,
    time_zone: Annotated[str | None, typer.Option(help=_("Time zone of your systems, e.g. Asia/Shanghai."))] = None,
    database: Annotated[str | None, typer.Option(help=_("Database URL; by default SQLite in the folder."))] = None,
    broker: Annotated[str | None, typer.Option(help=_("Redis URL; by default one is started for you."))] = None,
    connection: Annotated[
        list[str] | None,
        typer.Option(help=_("NAME=CONNECTOR or NAME=FILE; may be repeated. See `kehu connector list`.")),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Write a commented project folder; asks for what no option says, if there is a terminal."""
    if (folder / "kehu.yaml").exists():
        raise Misused(
            "{folder} is a project already.",
            remedy="Edit its kehu.yaml, or name another folder.",
            folder=str(folder.resolve().name),
        )
    ask = not yes and not as_json and not refuse_without_terminal()
    connections = _connections(connection or [], ask)
    begun = _begun(connections)
    wanted = Wanted(
        folder=folder,
        language=language.current(),
        region=_region(region, ask),
        time_zone=_time_zone(time_zone, ask),
        database=database,
        broker=_broker(broker),
        connections={name: "files" if name in begun else connector for name, connector in connections.items()},
        begun=begun,
    )
    made = files(wanted, load_registry())
    if not dry_run:
        _write(folder, made)
    if as_json:
        emit_json("project", {"folder": str(folder.resolve()), "files": sorted(made), "written": not dry_run})
        return
    for name in made:
        emit(str(folder / name))
    for name, start in begun.items():
        say(f"{name}: {start.recognised or _told_draft(name, start.stream)}", "green" if start.recognised else "yellow")
    if not dry_run:
        say(_("The project is ready. Secrets belong into .env, everything else into kehu.yaml."), "green")
        say(
            _(
                "Phone numbers without a country are read as {region}, times without a zone as {zone}.",
                region=wanted.region,
                zone=wanted.time_zone,
            )
        )
        next_step(_first_command(folder))


def _begun(connections: dict[str, str]) -> dict[str, Begun]:
    """The connections that are given as a file, looked at."""
    found = {name: Path(given) for name, given in connections.items() if Path(given).is_file()}
    if not found:
        return {}
    from sync.cli.begun import begin_with

    return {name: begin_with(file) for name, file in found.items()}


def _told_draft(name: str, stream: str) -> str:
    return _(
        "A mapping was drafted from the file's columns: check {file}.", file=f"mappings/{drafted_name(name, stream)}"
    )


def _first_command(folder: Path) -> str:
    return f"cd {shlex.quote(str(folder))} && kehu doctor" if folder != Path() else "kehu doctor"


def _region(given: str | None, ask: bool) -> str:
    default = "CN" if language.current() == "zh" else "US"
    value = given or (typer.prompt(_("Default country of phone numbers"), default=default) if ask else default)
    remedy = _("Write the two letters of ISO 3166-1, e.g. CN, US or DE.")
    return _require_region(_checked("region", value.strip().upper(), remedy), remedy)


def _time_zone(given: str | None, ask: bool) -> str:
    default = "Asia/Shanghai" if language.current() == "zh" else "UTC"
    value = given or (typer.prompt(_("Time zone of your systems"), default=default) if ask else default)
    return _checked("time_zone", value.strip(), _("Write an IANA name, e.g. Asia/Shanghai or UTC."))


def _broker(given: str | None) -> str | None:
    if given is None:
        return None
    return _checked("broker", given, _("Write it like redis://host:6379/0, the password as a reference."))


def _checked(key: str, value: str, remedy: str) -> str:
    from pydantic import ValidationError

    try:
        Settings.model_validate({key: value})
    except ValidationError:
        raise Misused("{value} cannot be the {key}.", value=value[:60], key=key, remedy=remedy) from None
    return value


def _require_region(value: str, remedy: str) -> str:
    """The code itself if phone numbers of that country are known. Raises Misused."""
    from phonenumbers import SUPPORTED_REGIONS  # slow to import

    if value not in SUPPORTED_REGIONS:
        raise Misused("{value} cannot be the {key}.", value=value[:60], key="region", remedy=remedy)
    return value


def _connections(given: list[str], ask: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in given:
        name, equals, connector = pair.partition("=")
        if not (name and equals and connector):
            raise Misused("{pair} is not of the form NAME=CONNECTOR.", pair=pair[:80])
        if name in found:
            raise Misused("The connection {name} is named twice.", name=name[:80], remedy="Give each its own name.")
        found[name] = connector
    if ask and not found:
        connector = typer.prompt(_("First system to connect (`kehu connector list`; empty for none)"), default="")
        if connector.strip():
            found[connector.strip()] = connector.strip()
    for name, connector in found.items():
        _checked_name(name)
        _require_file(connector)
    return found


def _require_file(given: str) -> None:
    """What is written like a file must be one: a connector's id has no dots and no folders. Raises NotFound."""
    if ("." in given or "/" in given or "\\" in given) and not Path(given).is_file():
        raise NotFound("There is no file {file}.", file=given[:400], remedy="Check the path; it is taken from here.")


def _checked_name(name: str) -> None:
    from pydantic import ValidationError

    try:
        Settings.model_validate({"connections": {name: {"connector": "files"}}})
    except ValidationError:
        raise Misused("{name} cannot be a connection's name: use letters, digits, - and _.", name=name[:80]) from None


def _write(folder: Path, made: dict[str, str]) -> None:
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():  # never over something of the user's, e.g. a .gitignore
            continue
        path.touch(mode=0o600 if name == ".env" else 0o644)
        path.write_text(text, encoding="utf-8")
