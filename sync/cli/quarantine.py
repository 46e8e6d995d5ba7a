"""``kehu quarantine``: records that did not fit; why, and trying them again."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

import orjson
import typer

from connectors.errors import RecordRejected
from sync import oneshot
from sync.cli import console
from sync.cli.console import emit_json, emit_table, moment, next_step, say
from sync.cli.exits import Exit
from sync.cli.options import DryRun, Json, Limit, Yes
from sync.cli.reporting import refuse_without_terminal
from sync.cli.run_showing import told
from sync.cli.session import session
from sync.errors import Misused
from sync.language import _, text
from sync.project import Project
from sync.runs import services
from sync.runs.services import Quarantined

app = typer.Typer(no_args_is_help=True)

Ids = Annotated[list[int] | None, typer.Argument(help=_("Numbers of records; see `kehu quarantine list`."))]
All = Annotated[bool, typer.Option("--all", help=_("All records that the options select."))]
From = Annotated[str | None, typer.Option("--from", help=_("Only of this CONNECTION or CONNECTION.STREAM."))]
Path = Annotated[str | None, typer.Option("--path", help=_("Only where this field is at fault."))]
MOST = 1_000_000


@app.command("list", help=_("List records in quarantine, by cause first."))
def list_(
    context: typer.Context,
    source: From = None,
    path: Path = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Causes, then records."""
    project = session(context).ready
    with project.database.reading() as connection:
        streams = _stream_ids(project, connection, source)
        causes = services.causes(connection, stream_ids=streams)
        records = services.quarantined(connection, stream_ids=streams, path=path, limit=limit)
        examples = [services.show_quarantined(connection, cause.example_id) for cause in causes[:limit]]
    if as_json:
        emit_json("quarantine", {"causes": [c._asdict() for c in causes], "records": [data(r) for r in records]})
        return
    if not records:
        say(_("Nothing is in quarantine."), "green")
        return
    if console.out().is_terminal:  # programs read one table, or --json
        columns = (_("Records"), _("Stream"), _("Field"), _("For example"))
        grouped = zip(causes, examples, strict=False)
        emit_table(
            columns,
            [(c.records, f"{c.connection}.{c.stream}", c.path, told(one.message)) for c, one in grouped],
            right=(0,),
        )
    rows = [(r.id, f"{r.connection}.{r.stream}", r.source_id, told(r.message)) for r in records]
    emit_table((_("Id"), _("Stream"), _("Key"), _("Reason")), rows, right=(0,))
    next_step(f"kehu quarantine show {records[0].id}")


@app.command(help=_("Show one record in quarantine: field, value, rule, remedy, and the record as it came."))
def show(
    context: typer.Context,
    record: Annotated[int, typer.Argument(help=_("Number of the record."))],
    as_json: Json = False,
) -> None:
    """Show one quarantined record."""
    project = session(context).migrated
    with project.database.reading() as connection:
        found = services.show_quarantined(connection, record)
    if as_json:
        emit_json("quarantined", {**data(found), "payload": _payload(found)})
        return
    say(f"{found.connection}.{found.stream} {found.source_id}: {told(found.message)}", "bold")
    say(told(found.remedy))
    rows = [
        (_("Field"), found.path),
        (_("Value"), found.value),
        (_("Rule"), found.rule),
        (_("Tries"), found.attempts),
        (_("First seen"), moment(found.first_seen_at)),
        (_("Last seen"), moment(found.last_seen_at)),
        (_("State"), found.state),
    ]
    emit_table((_("What"), _("Value")), rows)
    shown = _payload(found)
    console.emit(console.clean(shown if isinstance(shown, str) else orjson.dumps(shown).decode()))
    refused = found.code == RecordRejected.code  # replaying maps again what could be read
    stream = console.word(f"{found.connection}.{found.stream}")
    next_step(f"kehu sync run {stream}" if refused else f"kehu quarantine replay {found.id}")


@app.command(help=_("Map and store records again, e.g. after the mapping was corrected."))
def replay(
    context: typer.Context,
    ids: Ids = None,
    every: All = False,
    source: From = None,
    path: Path = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Replay records; exit code 4 if some stay in quarantine."""
    project = session(context).ready
    chosen = _chosen(project, ids, every=every, source=source, path=path)
    if not dry_run:
        _confirm(_("Replay {count} records?", count=len(chosen)), sure=yes or not every or as_json)
    outcome = []
    with console.progress() as bar:
        for start in range(0, len(chosen), 200):
            outcome += services.replay(project, chosen[start : start + 200], dry_run=dry_run)
            bar.update(_("replayed"), len(outcome), len(chosen))
    failed = [one for one in outcome if one.failure is not None]
    if as_json:
        emit_json("replay", {"landed": len(outcome) - len(failed), "failed": [_failed(one) for one in failed]})
    else:
        for one in failed[:20]:
            assert one.failure is not None  # noqa: S101 - selected above
            say(f"{one.id}  {one.source_id}: {told(one.failure.message)}", "yellow")
        landed = len(outcome) - len(failed)
        if dry_run:
            say(_("{landed} records would be stored, {failed} would stay.", landed=landed, failed=len(failed)))
        else:
            say(_("{landed} records were stored, {failed} stay in quarantine.", landed=landed, failed=len(failed)))
        next_step("kehu quarantine list" if failed else "kehu master stats")
    if failed:
        raise typer.Exit(Exit.QUARANTINED)


@app.command(help=_("Leave records out for as long as they come with the same content."))
def ignore(
    context: typer.Context,
    ids: Ids = None,
    every: All = False,
    source: From = None,
    path: Path = None,
    note: Annotated[str, typer.Option(help=_("Why, for those who look later."))] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Ignore records."""
    project = session(context).ready
    chosen = _chosen(project, ids, every=every, source=source, path=path)
    if dry_run and as_json:
        emit_json("ignored", {"records": len(chosen), "dry_run": True})
        return
    if dry_run:
        say(_("Would ignore {count} records.", count=len(chosen)))
        return
    _confirm(_("Ignore {count} records?", count=len(chosen)), sure=yes or not every or as_json)
    with project.database.transaction() as connection:
        ignored = services.ignore_quarantined(connection, chosen, note)
    if as_json:
        emit_json("ignored", {"records": ignored})
    else:
        say(_("{count} records are ignored from now on.", count=ignored), "green")
        next_step("kehu quarantine list")


def data(record: Quarantined) -> dict[str, Any]:
    """A quarantined record as JSON, without its payload."""
    return {
        "id": record.id,
        "connection": record.connection,
        "stream": record.stream,
        "source_id": record.source_id,
        "state": record.state,
        "code": record.code,
        "path": record.path,
        "value": record.value,
        "rule": record.rule,
        "message": told(record.message),
        "remedy": told(record.remedy),
        "attempts": record.attempts,
        "first_seen_at": record.first_seen_at,
        "last_seen_at": record.last_seen_at,
        "note": record.note,
    }


def _chosen(project: Project, ids: list[int] | None, *, every: bool, source: str | None, path: str | None) -> list[int]:
    """The ids named, or a snapshot of all that the filters select: what comes in later is not touched."""
    if ids and every:
        raise Misused("Name records or use --all, not both.")
    if ids:
        return ids
    if not every:
        raise Misused("Name the records, or use --all.")
    with project.database.reading() as connection:
        streams = _stream_ids(project, connection, source)
        return services.open_quarantined_ids(connection, stream_ids=streams, path=path, limit=MOST)


def _stream_ids(project: Project, connection: Any, source: str | None) -> list[int] | None:
    if source is None:
        return None
    return [services.find_stream(connection, *target).id for target in oneshot.targets(project, [source])]


def _confirm(question: str, *, sure: bool) -> None:
    if sure:
        return
    if refuse_without_terminal():
        raise Misused("This changes many records; add --yes to confirm.")
    if not typer.confirm(question, err=True):
        raise typer.Abort


def _failed(one: services.Replayed) -> dict[str, Any]:
    assert one.failure is not None  # noqa: S101 - called for failures only
    message = text(one.failure.message.template, one.failure.message.params)
    return {"id": one.id, "source_id": one.source_id, "code": one.failure.code, "message": message}


def _payload(record: Quarantined) -> Any:
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(record.payload)
    return record.payload.decode(errors="replace")[:10_000]
