"""``kehu key``: API keys for programs."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli.acting import operator
from sync.cli.console import emit, emit_json, emit_table, moment, say
from sync.cli.options import Json
from sync.cli.session import session
from sync.identity import keys, users
from sync.identity.keys import KeyView
from sync.identity.permissions import PERMISSIONS, SCOPES, Role
from sync.identity.signing_in import LOCAL_ADMIN
from sync.language import _

app = typer.Typer(no_args_is_help=True)


@app.command(help=_("Make an API key; it is shown this once."))
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=_("What it is for."), show_default=False)],
    user: Annotated[str, typer.Option(help=_("Whose key it is; it may never more than its owner."))] = LOCAL_ADMIN,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help=_("What it may do, e.g. customers:read; may be repeated."))
    ] = None,
    days: Annotated[int, typer.Option(min=0, help=_("How long it lives; 0: until it is revoked."))] = 365,
    as_json: Json = False,
) -> None:
    """Make an API key; without scopes it may read customers and follow changes."""
    scopes = scope or ["customers:read", "changes:read"]
    with session(context).migrated.database.transaction() as connection:
        if user == LOCAL_ADMIN and users.find(connection, user) is None:
            users.add(connection, user, Role.ADMIN, by=operator())
        made = keys.create(connection, name, user, scopes, by=operator(), days=days or None)
    if as_json:
        emit_json("key", {**made.key._asdict(), "secret": made.secret})
        return
    say(_("The key {key} may: {scopes}. It is shown this once:", key=made.key.id, scopes=", ".join(made.key.scopes)))
    emit(made.secret)


@app.command("list", help=_("List the API keys, without their secrets."))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the API keys."""
    with session(context).migrated.database.reading() as connection:
        found = keys.all_keys(connection)
    if as_json:
        emit_json("keys", [key._asdict() for key in found])
        return
    columns = (_("Id"), _("Name"), _("User"), _("Scopes"), _("State"), _("Last use"))
    rows = [(k.id, k.name, k.user, " ".join(k.scopes), _state(k), moment(k.used_at)) for k in found]
    emit_table(columns, rows)


@app.command(help=_("End an API key at once."))
def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help=_("Id of the key; see `kehu key list`."), show_default=False)],
) -> None:
    """End an API key."""
    with session(context).migrated.database.transaction() as connection:
        found = keys.revoke(connection, key, by=operator())
    say(_("The key {key} ({name}) is revoked.", key=found.id, name=found.name), "green")


@app.command(help=_("List what a key may be allowed, and which roles have it."))
def scopes(context: typer.Context) -> None:
    """List the scopes."""
    rows = [(scope.value, " ".join(r.value for r in Role if scope in PERMISSIONS[r])) for scope in sorted(SCOPES)]
    emit_table((_("Scope"), _("Roles")), rows)


def _state(key: KeyView) -> str:
    if key.revoked_at is not None:
        return _("revoked")
    return _("until {moment}", moment=moment(key.expires_at)) if key.expires_at else _("without end")
