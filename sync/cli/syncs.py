"""``kehu sync``: bring in what changed, watch it, stop it, bring in a range again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from sync import oneshot
from sync.cli import console
from sync.cli.console import emit_json, emit_json_line, emit_table, next_step, number, say
from sync.cli.exits import Exit, exit_of_code, worst
from sync.cli.options import DryRun, Json, Limit, Target
from sync.cli.run_showing import data, show_progress, show_remarks, show_summary, show_table, told
from sync.cli.session import session
from sync.errors import Misused
from sync.language import _
from sync.oneshot import Target as Stream
from sync.project import Project
from sync.runs import history, requests, services
from sync.runs.history import RunView
from sync.runs.states import RunMode, Status

app = typer.Typer(no_args_is_help=True)

RunId = Annotated[int, typer.Argument(help=_("Number of a run; see `kehu sync list`."), show_default=False)]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help=_("Wait for the end, or only ask the workers."))]


@app.command("run", help=_("Sync now: all streams, or those named CONNECTION or CONNECTION.STREAM."))
def run_(
    context: typer.Context,
    targets: Annotated[list[str] | None, typer.Argument(help=_("CONNECTION or CONNECTION.STREAM."))] = None,
    full: Annotated[bool, typer.Option("--full", help=_("Read everything, not only what changed."))] = False,
    accept_deletes: Annotated[
        bool, typer.Option("--accept-deletes", help=_("Allow the deletes that the brake has stopped."))
    ] = False,
    wait: Wait = True,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Sync streams, by the workers if they answer, else in this process."""
    project = session(context).ready
    wanted = oneshot.targets(project, targets or [])
    if not targets:
        wanted = _without_paused(project, wanted)
    mode = RunMode.FULL if full else RunMode.INCREMENTAL
    if _dry(wanted, mode, dry_run, as_json):
        return
    run_ids = oneshot.request(project, wanted, mode, accept_deletes=accept_deletes)
    _follow(project, run_ids, wait=wait, as_json=as_json)


@app.command(help=_("Read again what changed in a range of time; the position for the next sync stays."))
def backfill(
    context: typer.Context,
    target: Target,
    since: Annotated[str | None, typer.Option(help=_("Start, e.g. 2024-01-31 or 2024-01-31T08:00+08:00."))] = None,
    until: Annotated[str | None, typer.Option(help=_("End, not included."))] = None,
    wait: Wait = True,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Backfill a range of one connection or stream."""
    project = session(context).ready
    wanted = oneshot.targets(project, [target])
    begin, end = moment(since, "--since"), moment(until, "--until")
    if _dry(wanted, RunMode.BACKFILL, dry_run, as_json):
        return
    run_ids = oneshot.request(project, wanted, RunMode.BACKFILL, since=begin, until=end)
    _follow(project, run_ids, wait=wait, as_json=as_json)


@app.command("list", help=_("List the latest runs."))
def list_(context: typer.Context, limit: Limit = 20, as_json: Json = False) -> None:
    """List runs, newest first."""
    database = session(context).migrated.database
    with database.reading() as connection:
        views = history.runs(connection, limit=limit)
    if as_json:
        emit_json("runs", [data(view) for view in views])
    else:
        show_table(views)


@app.command(help=_("Watch runs as they go, until none is open; or one run with its log."))
def watch(
    context: typer.Context,
    run: Annotated[int | None, typer.Argument(help=_("Number of a run; by default all open ones."))] = None,
    as_json: Json = False,
) -> None:
    """Follow open runs, or one run and its remarks."""
    project = session(context).migrated
    run_ids = [run] if run is not None else _open_runs(project)
    if not run_ids:
        say(_("No run is open."))
        next_step("kehu sync run")
        return
    with console.progress() as bar:
        while True:
            views = oneshot.look(project, run_ids)
            show_progress(bar, views)
            if as_json:
                for view in views:
                    emit_json_line("run", data(view))
            if not any(view.open for view in views):
                break
            time.sleep(1)
    if run is not None:
        for event in oneshot.remarks(project, run):
            say(f"{event.at:%H:%M:%S}  {event.level:8} {told(event.text)}")
    if not as_json:
        show_table(views)
    _leave(views)


@app.command(help=_("Cancel a run; what it has brought in stays."))
def cancel(context: typer.Context, run: RunId, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Cancel a run at the end of the page in hand."""
    project = session(context).migrated
    if dry_run:
        view = oneshot.look(project, [run])[0]
        if as_json:
            emit_json("cancelled", {"run": run, "status": view.status, "dry_run": True})
            return
        say(_("Would cancel run {run} of {stream}.", run=run, stream=f"{view.connection}.{view.stream}"))
        return
    with project.database.transaction() as connection:
        status = requests.cancel(connection, run)
    if as_json:
        emit_json("cancelled", {"run": run, "status": status})
    elif status is Status.CANCELLED:
        say(_("Run {run} is cancelled.", run=run), "green")
    else:
        say(_("Run {run} ends after the page in hand.", run=run))
        next_step(f"kehu sync watch {run}")


@app.command("retry-stuck", help=_("Try again what could not be matched and was set aside."))
def retry_stuck(context: typer.Context, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Give stored pages that were given up three more tries: by the workers if they answer, else here."""
    project = session(context).ready
    with project.database.reading() as connection:
        stuck = services.stuck_landings(connection)
    if stuck and not dry_run:
        with project.database.transaction() as connection:
            services.retry_stuck(connection)
        if not (project.broker.answers() and services.Doorbell.at(project.broker.url).pending()):
            services.resolve_pending(project)
    with project.database.reading() as connection:
        left = services.stuck_landings(connection)
    if as_json:
        emit_json("retried", {"pages": len(stuck), "stuck": len(left)})
    elif dry_run:
        say(_("Would try {count} stored pages again.", count=len(stuck)))
    else:
        say(_("{count} stored pages are tried again; {left} are still set aside.", count=len(stuck), left=len(left)))


@app.command(help=_("Compare with the source: counts, checksums and what differs."))
def reconcile(context: typer.Context, target: Target, as_json: Json = False) -> None:
    """Compare the keys the source lists with what is stored; exit code 4 if they differ."""
    from sync.cli.connections import opened
    from sync.runs.reconcile import reconcile as compare

    project = session(context).ready
    found = []
    for connection, stream in oneshot.targets(project, [target]):
        with project.database.reading() as reading:
            ref = requests.find_stream(reading, connection, stream)
        with opened(project, connection) as connector:
            found.append((f"{connection}.{stream}", compare(project.database, ref, connector)))
    if as_json:
        emit_json("reconciliations", [{"stream": name, **_reconciled(outcome)} for name, outcome in found])
    else:
        columns = (_("Stream"), _("Source"), _("Stored"), _("Missing"), _("Extra"))
        rows = [(n, number(o.source.count), number(o.live.count), o.missing_count, o.extra_count) for n, o in found]
        emit_table(columns, rows, right=(1, 2, 3, 4))
    if not all(outcome.agrees for _name, outcome in found):
        raise typer.Exit(Exit.QUARANTINED)


def moment(text: str | None, option: str) -> datetime | None:
    """A date or time as an aware moment; without a zone it is UTC. Raises Misused."""
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise Misused(
            "{option}: {text} is not a time. Write it like 2024-01-31 or 2024-01-31T08:00+08:00.",
            option=option,
            text=text[:40],
        ) from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _without_paused(project: Project, wanted: list[Stream]) -> list[Stream]:
    """All that were not named one by one: what somebody has paused is left out, and told, if anything is left."""
    going, paused = oneshot.split_paused(project, wanted)
    if not going:
        return wanted
    for one in paused:
        say(_("{stream} is paused and left out.", stream=f"{one.connection}.{one.stream}"), "yellow")
    return going


def _dry(wanted: Sequence[Stream], mode: RunMode, dry_run: bool, as_json: bool) -> bool:
    if dry_run and as_json:
        emit_json("plan", [{"connection": c, "stream": s, "mode": mode} for c, s in wanted])
    elif dry_run:
        emit_table((_("Stream"), _("Mode")), [(f"{c}.{s}", mode) for c, s in wanted])
    if not dry_run and not wanted:
        raise Misused(
            "There is nothing to sync.", remedy="Add a connection to kehu.yaml; `kehu init --help` shows how."
        )
    return dry_run


def _follow(project: Project, run_ids: list[int], *, wait: bool, as_json: bool) -> None:
    if not wait:
        rung = oneshot.ring(project, run_ids)
        if as_json:
            emit_json("requested", {"runs": run_ids, "workers_told": rung})
        else:
            emit_table((_("Run"),), [(run_id,) for run_id in run_ids], right=(0,))
            if not rung:
                say(_("The runs are queued; no workers are running yet."), "yellow")
        next_step("kehu sync watch" if rung else "kehu up")
        return
    try:
        with console.progress() as bar:
            views = oneshot.finish(project, run_ids, lambda views: show_progress(bar, views))
    except KeyboardInterrupt:
        say(_("Interrupted. What has come in stays; the next `kehu sync run` goes on from there."), "yellow")
        raise
    if as_json:
        emit_json("runs", [data(view) for view in views])
    else:
        show_table(views)
        show_remarks(project, views)
        show_summary(project, views)
    _leave(views)


def _open_runs(project: Project) -> list[int]:
    with project.database.reading() as connection:
        return [view.id for view in history.runs(connection, limit=500) if view.open]


def _leave(views: Sequence[RunView]) -> None:
    code = worst([_code(view) for view in views])
    if code:
        raise typer.Exit(code)


def _code(view: RunView) -> Exit:
    if view.status is Status.PARTIAL or (view.status is Status.SUCCEEDED and view.counts.quarantined):
        return Exit.QUARANTINED
    if view.status is Status.CANCELLED:
        return Exit.INTERRUPTED
    if view.status is not Status.FAILED:
        return Exit.OK
    return exit_of_code(view.error_code)


def _reconciled(outcome: Any) -> dict[str, Any]:
    return {
        "at": outcome.at,
        "source": {"count": outcome.source.count, "checksum": outcome.source.checksum},
        "stored": {"count": outcome.live.count, "checksum": outcome.live.checksum},
        "missing_count": outcome.missing_count,
        "extra_count": outcome.extra_count,
        "quarantined": outcome.quarantined,
        "missing": list(outcome.missing),
        "extra": list(outcome.extra),
    }
