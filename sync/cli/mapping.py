"""``kehu mapping``: check mapping files, try them on real records, compare two, draft a new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from connectors.errors import ConnectorError
from mappings import preview as trial
from mappings.compile import Mapper, compile_mapping
from mappings.contract import Mapped
from mappings.spec import load_spec
from sync import language, oneshot
from sync.cli.connections import sample
from sync.cli.console import emit, emit_json, emit_table, field_rows, is_terminal, next_step, say, word
from sync.cli.exits import Exit
from sync.cli.options import DryRun, Json, Limit, Target
from sync.cli.session import session
from sync.errors import Misused
from sync.language import _
from sync.project import Project

app = typer.Typer(no_args_is_help=True)
LOOKED_AT = 50
"""So many records are searched for the fields that a mapping reads."""
MappingFile = Annotated[Path, typer.Option("--file", exists=True, dir_okay=False, help=_("Another mapping file."))]


@app.command(help=_("Check the mappings of all streams, or of those named."))
def check(
    context: typer.Context,
    targets: Annotated[list[str] | None, typer.Argument(help=_("CONNECTION or CONNECTION.STREAM."))] = None,
    as_json: Json = False,
) -> None:
    """Compile mappings and show faults and warnings."""
    project = session(context).project
    rows = [_checked(project, *target) for target in oneshot.targets(project, targets or [])]
    if as_json:
        emit_json("mapping_checks", rows)
    else:
        for row in rows:
            say(f"{'✗' if row['error'] else '✓'} {row['stream']}  {row['file']}", "red" if row["error"] else "green")
            for line in filter(None, (row["error"], row["remedy"], *row["warnings"])):
                say(f"    {line}")
    if any(row["error"] for row in rows):
        raise typer.Exit(Exit.CONFIGURATION)
    next_step(f"kehu mapping preview {word(rows[0]['stream'])}" if rows else "kehu connection list")


def _show_mapped(mapped: Mapped) -> None:
    """A table where a human reads it, one JSON object a line for programs."""
    if is_terminal():
        emit_table((_("Field"), _("Value")), field_rows({"part": mapped.part or "-", **mapped.customer}))
    else:
        emit(orjson.dumps({"part": mapped.part, **mapped.customer}).decode())


@app.command(help=_("Read a few records and show what the mapping makes of them; nothing is stored."))
def preview(
    context: typer.Context,
    target: Target,
    limit: Limit = 5,
    file: MappingFile | None = None,
    as_json: Json = False,
) -> None:
    """Map sample records with the stream's mapping or another file."""
    project = session(context).project
    connection, stream = _one(project, target)
    mapping = _mapper(project, connection, stream, file) if file else project.mapping(connection, stream)
    records = _records(project, connection, stream, max(limit, LOOKED_AT))
    rows = list(trial.preview(mapping, records[:limit]))
    if as_json:
        emit_json("mapping_preview", [_row(row) for row in rows])
        return
    for row in rows:
        say(orjson.dumps(row.source).decode(), "dim")
        for mapped in row.mapped:
            _show_mapped(mapped)
        for error in filter(None, (row.error, *row.notes)):
            say("    " + language.told(error)[0], "yellow")
    own = file is not None or not project.is_mapped_by_default(connection, stream)
    for path, meant in trial.absent(mapping, records) if records and own else ():
        say(_absent(path, meant, len(records)), "yellow")
    next_step(f"kehu sync run {word(target)}")


def _absent(path: str, meant: str, count: int) -> str:
    if meant:
        return _(
            "None of {count} records has the field {path}. Did you mean {nearest}?",
            count=count,
            path=path,
            nearest=meant,
        )
    return _("None of {count} records has the field {path}.", count=count, path=path)


@app.command(help=_("Show what another mapping file would change on real records."))
def diff(
    context: typer.Context,
    target: Target,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=_("The other mapping file."))],
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Compare the stream's mapping with another file, field by field."""
    project = session(context).project
    connection, stream = _one(project, target)
    after = _mapper(project, connection, stream, file)
    records = _records(project, connection, stream, limit)
    changed = list(trial.diff(project.mapping(connection, stream), after, records))
    if as_json:
        emit_json("mapping_diff", [_change(one) for one in changed])
        return
    rows = [
        (one[0] + 1, change.part, change.field, _json(change.before), _json(change.after))
        for one in changed
        for change in one.changes
    ]
    emit_table((_("Record"), _("Part"), _("Field"), _("Before"), _("After")), rows, right=(0,))
    say(_("{changed} of {count} records would change.", changed=len(changed), count=len(records)))


@app.command(help=_("Draft a mapping file from a few records of a stream."))
def suggest(
    context: typer.Context,
    target: Target,
    limit: Limit = 50,
    dry_run: DryRun = False,
) -> None:
    """Write a first draft into the mappings folder (to stdout with --dry-run)."""
    from mappings.suggest import suggest_mapping
    from sync.recognition import tell

    project = session(context).project
    connection, stream = _one(project, target)
    text = suggest_mapping(_records(project, connection, stream, limit), tell=tell)
    own = project.connection(connection).streams.get(stream)
    name = own.mapping if own is not None and own.mapping else f"{connection}.{stream}.yaml"
    path = project.folder / project.settings.mappings / name
    if dry_run:
        emit(text)
        return
    if path.exists():
        raise Misused("{file} exists already.", file=name, remedy="Look at a new draft with --dry-run.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    emit(str(path))
    if own is None or own.mapping is None:
        say(_("It is used from now on; check every line."), "yellow")
    next_step(f"kehu mapping preview {word(target)}")


def _one(project: Project, target: str) -> tuple[str, str]:
    found = oneshot.targets(project, [target])
    if len(found) != 1:
        names = ", ".join(f"{connection}.{stream}" for connection, stream in found) or "-"
        raise Misused("Name one stream: {names}.", names=names)
    return found[0]


def _records(project: Project, connection: str, stream: str, limit: int) -> list[Any]:
    return list(_objects(project, connection, stream, limit))


def _objects(project: Project, connection: str, stream: str, limit: int) -> Iterator[Any]:
    for record in sample(project, connection, stream, limit):
        try:
            yield orjson.loads(record.body)
        except orjson.JSONDecodeError:
            say(_("The record {key} is not JSON.", key=record.key), "yellow")


def _mapper(project: Project, connection: str, stream: str, file: Path) -> Mapper:
    spec = load_spec(file, default=project.default_mapping_file(connection, stream))
    return compile_mapping(spec, defaults=project.mapping_defaults(connection))


def _checked(project: Project, connection: str, stream: str) -> dict[str, Any]:
    row: dict[str, Any] = {"stream": f"{connection}.{stream}", "file": "", "error": "", "remedy": "", "warnings": []}
    try:
        path = project.mapping_file(connection, stream)
    except ConnectorError as error:
        row["error"], row["remedy"] = language.told(error)
        return row
    shipped = project.default_mapping_file(connection, stream)
    found = trial.check(path, default=shipped, defaults=project.mapping_defaults(connection))
    row |= {"file": path.name, "warnings": [language.told(doubt)[0] for doubt in found.doubts]}
    if found.error is not None:
        row["error"], row["remedy"] = language.told(found.error)
    return row


def _row(row: trial.Row) -> dict[str, Any]:
    return {
        "source": row.source,
        "customers": [{"part": mapped.part, "customer": mapped.customer} for mapped in row.mapped],
        "error": None if row.error is None else language.told(row.error)[0],
        "notes": [language.told(note)[0] for note in row.notes],
    }


def _change(one: trial.Changed) -> dict[str, Any]:
    return {
        "index": one[0],
        "source": one.source,
        "changes": [change._asdict() for change in one.changes],
        "error_before": None if one.error_before is None else language.told(one.error_before)[0],
        "error_after": None if one.error_after is None else language.told(one.error_after)[0],
    }


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()
