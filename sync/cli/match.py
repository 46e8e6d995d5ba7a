"""``kehu match``: how records are matched, in which version, and what another version would change."""

from __future__ import annotations

import typer

from sync.cli import match_training
from sync.cli.console import emit_json, emit_table, moment
from sync.cli.options import Json
from sync.cli.session import session
from sync.language import _
from sync.matching import store

app = typer.Typer(no_args_is_help=True)
app.add_typer(match_training.app)


@app.command(help=_("List the versions of the match model: where they come from, and which is in force."))
def versions(context: typer.Context, as_json: Json = False) -> None:
    """All versions, newest first."""
    with session(context).migrated.database.reading() as connection:
        found = store.versions(connection)
    if as_json:
        emit_json("match_versions", [one._asdict() for one in found])
        return
    columns = (_("Version"), _("State"), _("Family"), _("Origin"), _("Made"), _("By"), _("Note"))
    emit_table(
        columns, [(v.number, v.state, v.family, v.origin, moment(v.made_at), v.made_by, v.note) for v in found], (0,)
    )
