"""All commands, by group."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from sync.cli import changes, connections, connectors, db, demo, doctor, init, mapping, master, quarantine, syncs, up
from sync.cli.session import Globals, Session
from sync.language import _

app = typer.Typer(
    name="kehu",
    help=_("One trusted record per real customer, from every system you use."),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _globals(
    context: typer.Context,
    project: Annotated[
        Path, typer.Option("--project", "-C", help=_("The project's folder; by default the current one."))
    ] = Path("."),
    lang: Annotated[str | None, typer.Option("--lang", help=_("en or zh; by default as kehu.yaml says."))] = None,
    debug: Annotated[bool, typer.Option("--debug", help=_("Show where an unexpected error happened."))] = False,
    show_version: Annotated[bool, typer.Option("--version", help=_("Print the version."))] = False,
) -> None:
    # The values were taken by Globals.extract before; the parameters stand here for --help.
    if show_version:
        typer.echo(f"kehu {version('kehu')}")
        raise typer.Exit


app.command("init", help=_("Make a project folder, with everything explained in it."))(init.init)
app.command("up", help=_("Start everything: database, broker, workers, schedules, dashboard."))(up.up)
app.command("demo", help=_("Watch an example company's systems become one list of customers."))(demo.demo)
app.command("doctor", help=_("Check everything, and say what to do about what is wrong."))(doctor.doctor)
app.add_typer(connectors.app, name="connector", help=_("What kinds of system can be connected."))
app.add_typer(connections.app, name="connection", help=_("The systems that this project connects."))
app.add_typer(syncs.app, name="sync", help=_("Bring in what changed."))
app.add_typer(quarantine.app, name="quarantine", help=_("Records that did not fit."))
app.add_typer(mapping.app, name="mapping", help=_("How source records become customers."))
app.add_typer(master.app, name="master", help=_("The customers."))
app.add_typer(changes.app, name="changes", help=_("What changed in the master, in order."))
app.add_typer(db.app, name="db", help=_("The database's schema."))


def invoke(arguments: Sequence[str], given: Globals) -> int:
    """Run a command line without its global options; returns the exit code, lets errors through."""
    session = Session(given)
    try:
        code = typer.main.get_command(app).main(
            args=list(arguments), prog_name="kehu", standalone_mode=False, obj=session
        )
    finally:
        session.close()
    return code if isinstance(code, int) else 0
