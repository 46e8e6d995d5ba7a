"""``kehu db``: the database's schema."""

from __future__ import annotations

import typer

from sync import migrations
from sync.cli.console import emit, emit_json, next_step, say
from sync.cli.options import DryRun, Json
from sync.cli.session import session
from sync.language import _

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Makes ``migrate`` a command of its own although it is the only one."""


@app.command(help=_("Bring the database to this version's schema; safe to repeat."))
def migrate(context: typer.Context, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Bring the database to this program's schema."""
    database = session(context).project.database
    if dry_run:
        plan = migrations.plan(database)
        if as_json:
            emit_json("migration_plan", {"sql": plan, "dry_run": True})
        else:
            emit(plan or "-- " + _("Nothing to do."))
        return
    before, after = migrations.migrate(database)
    if as_json:
        emit_json("migration", {"before": before.revision, "after": after.revision})
        return
    if before.revision == after.revision:
        say(_("The database is already at {revision}.", revision=after.revision))
    else:
        say(_("The database is now at {revision}.", revision=after.revision), "green")
    next_step("kehu doctor")
