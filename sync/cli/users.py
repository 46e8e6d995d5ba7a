"""``kehu user``: who may sign in, and what they may do."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli.acting import operator
from sync.cli.console import emit, emit_json, emit_table, moment, next_step, say
from sync.cli.options import Json
from sync.cli.session import session
from sync.errors import Misused
from sync.identity import links, users
from sync.identity.permissions import Role
from sync.identity.users import User
from sync.language import _
from sync.project import Project

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help=_("Name of a user."), show_default=False)]
RoleName = Annotated[str, typer.Option("--role", help=_("admin, operator, steward, integrator or viewer."))]


@app.command(help=_("Make a user; prints a one-time link by which they set a password."))
def add(context: typer.Context, name: Name, role: RoleName = Role.VIEWER.value) -> None:
    """Make a user."""
    project = session(context).migrated
    with project.database.transaction() as connection:
        user = users.add(connection, name, _role(role), by=operator())
        token = links.make(connection, user.name, by=operator())
    say(_("{name} is a user with the role {role}.", name=user.name, role=user.role.value), "green")
    _say_link(project, token)


@app.command("list", help=_("List the users."))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the users."""
    with session(context).migrated.database.reading() as connection:
        found = users.all_users(connection)
    if as_json:
        emit_json("users", [_data(user) for user in found])
        return
    if not found:
        say(_("There are no users yet. `kehu up` prints a link that makes the first one."))
        next_step("kehu user add NAME --role admin")
        return
    columns = (_("Name"), _("Role"), _("State"), _("Last sign-in"))
    emit_table(columns, [(user.name, user.role.value, _state(user), moment(user.signed_in_at)) for user in found])


@app.command(help=_("Shut a user out at once: sessions and keys end."))
def disable(context: typer.Context, name: Name) -> None:
    """Shut a user out."""
    with session(context).migrated.database.transaction() as connection:
        user = users.disable(connection, name, by=operator())
    say(_("{name} is shut out; sessions and keys have ended.", name=user.name), "green")
    next_step(f"kehu user enable {user.name}")


@app.command(help=_("Let a disabled user in again."))
def enable(context: typer.Context, name: Name) -> None:
    """Let a user in again."""
    with session(context).migrated.database.transaction() as connection:
        user = users.enable(connection, name, by=operator())
    say(_("{name} may sign in again; keys that were revoked stay so.", name=user.name), "green")


@app.command(help=_("Give a user another role."))
def role(context: typer.Context, name: Name, role: Annotated[str, typer.Argument(help=_("The new role."))]) -> None:
    """Give another role."""
    with session(context).migrated.database.transaction() as connection:
        user = users.set_role(connection, name, _role(role), by=operator())
    say(_("{name} is a user with the role {role}.", name=user.name, role=user.role.value), "green")


@app.command(help=_("Print a one-time link by which a user sets a new password."))
def reset(context: typer.Context, name: Name) -> None:
    """Make a link to set a password."""
    project = session(context).migrated
    with project.database.transaction() as connection:
        token = links.make(connection, name, by=operator())
    _say_link(project, token)


def _role(text: str) -> Role:
    try:
        return Role(text.strip().lower())
    except ValueError:
        raise Misused(
            "There is no role {role}. There are: {known}.",
            role=text[:40],
            known=", ".join(Role),
            remedy="Choose one of them.",
        ) from None


def _say_link(project: Project, token: str) -> None:
    from sync.cli.up import address_of

    say(_("Hand on this link; it works once, within a day:"))
    emit(f"{address_of(project)}/set-password?token={token}")


def _state(user: User) -> str:
    if user.disabled_at is not None:
        return _("disabled")
    return _("active") if user.has_password else _("no password yet")


def _data(user: User) -> dict[str, object]:
    return {key: value for key, value in user._asdict().items() if key != "id"}
