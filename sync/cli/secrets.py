"""``kehu secret``: passwords of connections, stored encrypted in the database and referred to as ``vault:NAME``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sync import vault
from sync.cli.acting import operator
from sync.cli.console import emit_json, emit_table, moment, say
from sync.cli.options import Json
from sync.cli.reporting import refuse_without_terminal
from sync.cli.session import session
from sync.language import _

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help=_("Name of a secret."), show_default=False)]


@app.command("set", help=_("Store a secret; asks for the value, or reads it from standard input."))
def set_(context: typer.Context, name: Name) -> None:
    """Store a secret. The value is never an argument: arguments are seen by others and kept in histories."""
    project = session(context).migrated
    value = sys.stdin.read().rstrip("\r\n") if refuse_without_terminal() else _asked()
    with project.database.transaction() as connection:
        project.vault.put(connection, name, value, by=operator())
    say(_("Stored. Write vault:{name} where kehu.yaml wants it.", name=name), "green")


@app.command("list", help=_("List the stored secrets, without values."))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the names."""
    with session(context).migrated.database.reading() as connection:
        found = vault.stored(connection)
    if as_json:
        emit_json("secrets", [one._asdict() for one in found])
        return
    emit_table((_("Name"), _("Changed"), _("Key")), [(one.name, moment(one.changed_at), one.key) for one in found])


@app.command(help=_("Forget a secret."))
def remove(context: typer.Context, name: Name) -> None:
    """Forget a secret."""
    project = session(context).migrated
    with project.database.transaction() as connection:
        project.vault.remove(connection, name, by=operator())
    say(_("Removed."), "green")


@app.command(help=_("Encrypt all secrets anew with a new key, wrapped by the current master key."))
def rotate(context: typer.Context) -> None:
    """Rotate the keys."""
    project = session(context).migrated
    with project.database.transaction() as connection:
        count = project.vault.rotate(connection, by=operator())
    say(_("{count} secrets are encrypted with a new key.", count=count), "green")


def _asked() -> str:
    return str(typer.prompt(_("Value"), hide_input=True, err=True))
