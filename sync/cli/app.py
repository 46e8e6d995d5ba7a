"""All commands, by group. Only the group that was asked for is imported, so that every command starts at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from sync.cli import help, logfile
from sync.cli.session import Globals, Session
from sync.language import _

COMMANDS = {
    "init": ("sync.cli.init", _("Make a project folder, with everything explained in it.")),
    "up": ("sync.cli.up", _("Start everything: database, broker, workers, schedules, dashboard.")),
    "demo": ("sync.cli.demo", _("Watch an example company's systems become one list of customers.")),
    "dedupe": ("sync.cli.dedupe", _("Find duplicates in files; needs no project.")),
    "export": ("sync.cli.export", _("Write the customers into a file: NDJSON, CSV or Parquet.")),
    "backup": ("sync.cli.backup", _("Save the whole database in one file, and check it.")),
    "restore": ("sync.cli.backup", _("Go back to a backup.")),
    "doctor": ("sync.cli.doctor", _("Check everything, and say what to do about what is wrong.")),
}
"""Commands without subcommands: the function has the command's name."""

GROUPS = {
    "connector": ("sync.cli.connectors", _("What kinds of system can be connected.")),
    "connection": ("sync.cli.connections", _("The systems that this project connects.")),
    "sync": ("sync.cli.syncs", _("Bring in what changed.")),
    "quarantine": ("sync.cli.quarantine", _("Records that did not fit.")),
    "mapping": ("sync.cli.mapping", _("How source records become customers.")),
    "master": ("sync.cli.master", _("The customers.")),
    "match": ("sync.cli.match", _("How records are matched: versions of the model, and why two records are one.")),
    "steward": ("sync.cli.steward", _("Decide which records are one customer, and take it back.")),
    "changes": ("sync.cli.changes", _("What changed in the master, in order.")),
    "webhook": ("sync.cli.webhook", _("Who is told of changes.")),
    "user": ("sync.cli.users", _("Who may sign in, and what they may do.")),
    "key": ("sync.cli.keys", _("API keys for programs.")),
    "secret": ("sync.cli.secrets", _("Passwords of connections, stored encrypted in the database.")),
    "audit": ("sync.cli.audit", _("Who did what, and whether the log was touched.")),
    "alert": ("sync.cli.alerts", _("What is wrong at this moment, and who is told.")),
    "db": ("sync.cli.db", _("The database's schema.")),
}
"""Groups of commands: the module's ``app``."""


def build(arguments: Sequence[str]) -> typer.Typer:
    """The command line as far as these arguments need it; what they do not name is there by name and help only."""
    app = typer.Typer(
        name="kehu",
        help=_("One trusted record per real customer, from every system you use."),
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_globals)
    chosen = next((word for word in arguments if not word.startswith("-")), "")
    everything = "_KEHU_COMPLETE" in os.environ
    for name, (module, about) in COMMANDS.items():
        command: Any = getattr(import_module(module), name) if everything or name == chosen else _unnamed
        app.command(name, help=about)(command)
    for name, (module, about) in GROUPS.items():
        group: typer.Typer = import_module(module).app if everything or name == chosen else _placeholder()
        app.add_typer(group, name=name, help=about)
    return app


def invoke(arguments: Sequence[str], given: Globals) -> int:
    """Run a command line without its global options; returns the exit code, lets errors through."""
    session = Session(given)
    logfile.keep(given)
    command = typer.main.get_command(build(arguments))
    help.translate(command)
    try:
        code = command.main(args=list(arguments), prog_name="kehu", standalone_mode=False, obj=session)
    finally:
        session.close()
    return code if isinstance(code, int) else 0


def _globals(
    project: Annotated[
        Path, typer.Option("--project", "-C", help=_("The project's folder; by default the current one."))
    ] = Path("."),
    lang: Annotated[str | None, typer.Option("--lang", help=_("en or zh; by default as kehu.yaml says."))] = None,
    debug: Annotated[bool, typer.Option("--debug", help=_("Show where an unexpected error happened."))] = False,
    show_version: Annotated[bool, typer.Option("--version", help=_("Print the version."))] = False,
) -> None:
    # The values were taken by Globals.extract before; the parameters stand here for --help.
    if show_version:
        typer.echo(f"kehu {_version()}")
        raise typer.Exit


def _version() -> str:
    try:
        return version("kehu")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0 (not installed)"


def _unnamed() -> None:
    """Stands for a command that was not asked for."""


def _placeholder() -> typer.Typer:
    """Stands for a group that was not asked for."""
    group = typer.Typer()
    group.callback()(_unnamed)
    return group
