"""``kehu alert``: what is wrong at this moment, and whether notices reach people."""

from __future__ import annotations

from datetime import UTC, datetime

import typer
from sqlalchemy import select

from sync import language
from sync.alerts import judging, sending, wording
from sync.alerts.tables import alert_notice, alert_state
from sync.alerts.wording import TEST, Notice
from sync.cli.console import emit, emit_json, emit_table, moment, say
from sync.cli.exits import Exit
from sync.cli.options import Json
from sync.cli.session import session
from sync.errors import Refused
from sync.language import _

app = typer.Typer(no_args_is_help=True)


@app.command("list", help=_("List what is wrong now, and notices that nobody has received yet."))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List states and the outbox."""
    with session(context).migrated.database.reading() as connection:
        wrong = select(alert_state).where(alert_state.c.wrong | alert_state.c.told).order_by(alert_state.c.since)
        states = connection.execute(wrong).all()
        waiting = select(alert_notice).where(alert_notice.c.state != "sent").order_by(alert_notice.c.id)
        notices = [_notice(row) for row in connection.execute(waiting)]
    chosen = language.current()
    rows = [
        (wording.title(Notice(0, row.kind, row.subject, not row.wrong, "", None, row.since), chosen), row)
        for row in states
    ]
    if as_json:
        kept = ("kind", "subject", "wrong", "since", "told", "told_at")
        data = [{name: getattr(row, name) for name in kept} | {"title": title} for title, row in rows]
        emit_json("alerts", {"states": data, "notices": notices})
        return
    table = [(title, moment(row.since), moment(row.told_at) if row.told == row.wrong else "") for title, row in rows]
    emit_table((_("What"), _("Since"), _("Told")), table)
    if notices:
        say(_("Notices not received yet: {count}.", count=len(notices)), "yellow")


@app.command(help=_("Send a notice over every channel of `alerts:` in kehu.yaml, at once."))
def test(context: typer.Context) -> None:
    """Try the channels; exit code 1 if one failed."""
    project = session(context).project
    names = judging.channels(project.settings.alerts)
    if not names:
        raise Refused(
            "Nobody is told: kehu.yaml names neither `email` nor `webhook` under `alerts:`.",
            remedy="Write one of them; docs/operations.md shows how.",
        )
    failed = False
    for name in names:
        try:
            sending.deliver(project, name, Notice(0, TEST, "", True, "", None, datetime.now(UTC)))
            emit(_("{channel}: received", channel=name))
        except sending.NotSent as error:
            failed = True
            why = language.text(error.why.template, error.why.params)
            say(_("{channel}: {reason}", channel=name, reason=why), "red")
    if failed:
        raise typer.Exit(Exit.FAULT)


def _notice(row: object) -> dict[str, object]:
    kept = ("channel", "kind", "subject", "recovered", "at", "attempts", "state")
    return {name: getattr(row, name) for name in kept}
