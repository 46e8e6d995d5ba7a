"""``kehu audit``: who did what, and whether the log was touched."""

from __future__ import annotations

import re
from typing import Annotated

import orjson
import typer

from sync import audit
from sync.audit import Head
from sync.cli.console import emit, emit_json, emit_table, moment, next_step, say
from sync.cli.exits import Exit
from sync.cli.options import Json, Limit
from sync.cli.session import session
from sync.errors import Misused
from sync.language import _

app = typer.Typer(no_args_is_help=True)
_HEAD = re.compile(r"(?P<seq>\d{1,18}):(?P<hash>[0-9a-f]{64})")


@app.command("list", help=_("List entries of the audit log, the newest first."))
def list_(
    context: typer.Context,
    actor: Annotated[str | None, typer.Option(help=_("Only of this actor, e.g. user:anna."))] = None,
    action: Annotated[str | None, typer.Option(help=_("Only this action, e.g. sign_in."))] = None,
    about: Annotated[str | None, typer.Option("--object", help=_("Only about this, e.g. connection:erp."))] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the newest entries."""
    with session(context).migrated.database.reading() as connection:
        found = audit.entries(connection, limit=limit, actor=actor, action=action, object=about)
    if as_json:
        emit_json("audit", [entry._asdict() for entry in found])
        return
    columns = (_("Number"), _("When"), _("Who"), _("Action"), _("What"), _("Details"))
    rows = [(e.seq, moment(e.at), e.actor, e.action, e.object, orjson.dumps(e.details).decode()) for e in found]
    emit_table(columns, rows, right=(0,))


@app.command(help=_("Check the whole log; with --head, that it still holds an entry whose hash was kept outside."))
def verify(
    context: typer.Context,
    head: Annotated[str | None, typer.Option(help=_("NUMBER:HASH as `kehu audit head` printed it."))] = None,
    as_json: Json = False,
) -> None:
    """Check the chain; exit code 1 if an entry was changed or is missing."""
    anchor = None if head is None else _parsed(head)
    with session(context).migrated.database.reading() as connection:
        found = audit.verify(connection, anchor)
    if as_json:
        findings = [finding._asdict() for finding in found.findings]
        emit_json("audit_check", {"entries": found.entries, "head": str(found.head), "findings": findings})
    else:
        for finding in found.findings:
            say(_("Entry {seq}: {what}.", seq=finding.seq, what=finding.what), "red")
        if not found.findings:
            say(_("{count} entries, none was touched.", count=found.entries), "green")
            next_step(f"kehu audit verify --head {found.head}")
    if found.findings:
        raise typer.Exit(Exit.FAULT)


@app.command(help=_("Print the newest entry's number and hash, to be kept where the database's owner cannot write."))
def head(context: typer.Context) -> None:
    """Print the head."""
    with session(context).migrated.database.reading() as connection:
        emit(str(audit.head(connection)))


def _parsed(written: str) -> Head:
    found = _HEAD.fullmatch(written.strip().lower())
    if found is None:
        raise Misused(
            "{head} is not the head of an audit log.",
            head=written[:80],
            remedy="Write it as `kehu audit head` printed it.",
        )
    return Head(int(found["seq"]), found["hash"])
