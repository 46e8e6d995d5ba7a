"""``kehu webhook``: who is told of changes, and whether they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer

from sync.cli.acting import operator
from sync.cli.console import emit, emit_json, emit_table, moment, next_step, number, say
from sync.cli.options import Json, Limit, Yes
from sync.cli.session import session
from sync.delivery import services
from sync.delivery.services import LONGEST_OVERLAP, Attempt, Endpoint, Wanted
from sync.errors import Misused
from sync.language import _, text
from sync.master.identity import parse_public_id
from sync.project import Project

app = typer.Typer(no_args_is_help=True)

Id = Annotated[str, typer.Argument(help=_("Id of the webhook; see `kehu webhook list`."), show_default=False)]


@app.command(help=_("Tell an address of every change from now on; its secret is shown this once."))
def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help=_("Where to send: https://…"), show_default=False)],
    event: Annotated[
        list[str] | None, typer.Option("--event", help=_("Only these, e.g. customer.merged; may be repeated."))
    ] = None,
    description: Annotated[str, typer.Option(help=_("What it is for."))] = "",
    thin: Annotated[bool, typer.Option("--thin", help=_("Send which fields changed, not their values."))] = False,
    as_json: Json = False,
) -> None:
    """Make an endpoint."""
    project = session(context).migrated
    wanted = Wanted(url, event or (), description, "thin" if thin else "full")
    with project.database.transaction() as connection:
        made = services.create(
            connection, project.vault, wanted, by=operator(), allow_private=project.settings.webhooks.allow_private
        )
    secret = made.secret.get_secret_value()
    if as_json:
        emit_json("webhook", {**_plain(made.endpoint), "secret": secret})
        return
    say(_("The webhook {id} is told of every change. Its secret is shown this once:", id=made.endpoint.id))
    emit(secret)
    next_step(f"kehu webhook test {made.endpoint.id}")


@app.command("list", help=_("List the webhooks."))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the endpoints."""
    with session(context).migrated.database.reading() as connection:
        found = [(one, services.queue_length(connection, one.id)) for one in services.all_endpoints(connection)]
    if as_json:
        emit_json("webhooks", [{**_plain(one), "waiting": waiting} for one, waiting in found])
        return
    columns = (_("Id"), _("Address"), _("Events"), _("State"), _("Waiting"), _("Last success"))
    rows = [
        (one.id, one.url, " ".join(one.types) or _("all"), _state(one), number(waiting), moment(one.delivered_at))
        for one, waiting in found
    ]
    emit_table(columns, rows, right=[4])


@app.command(help=_("Show a webhook: how it stands, what happened to it, its latest deliveries."))
def show(context: typer.Context, webhook: Id, limit: Limit = 20, as_json: Json = False) -> None:
    """Show an endpoint with its notices and its log."""
    with session(context).migrated.database.reading() as connection:
        found = services.get(connection, webhook)
        waiting = services.queue_length(connection, webhook)
        log = services.latest_attempts(connection, webhook, limit=limit)
        notices = services.latest_notices(connection, webhook, limit=limit)
    if as_json:
        told = [{"at": one.at, "kind": one.kind, "text": str(one.text)} for one in notices]
        data = {**_plain(found), "waiting": waiting, "notices": told, "deliveries": [_logged(one) for one in log]}
        emit_json("webhook", data)
        return
    emit_table(
        ("", ""),
        [
            (_("Address"), found.url),
            (_("Events"), " ".join(found.types) or _("all")),
            (_("State"), _state(found)),
            (_("Waiting"), number(waiting)),
        ],
    )
    for one in reversed(notices):
        emit(f"{moment(one.at)}  {text(one.text.template, one.text.params)}")
    emit_table((_("Time"), _("Event"), _("Customer"), _("Outcome"), _("Reason")), [_row(one) for one in log])


@app.command("test", help=_("Send a message that tells of nothing, now."))
def send_test(context: typer.Context, webhook: Id, as_json: Json = False) -> None:
    """Send a test; ends with an error if it was not accepted."""
    project = session(context).migrated
    sent = services.send_test(
        project.database,
        project.vault,
        webhook,
        by=operator(),
        allow_private=project.settings.webhooks.allow_private,
    )
    if as_json:
        emit_json("delivery", _logged(sent))
    elif sent.error is None:
        say(_("It was accepted within {milliseconds} ms.", milliseconds=sent.milliseconds), "green")
    else:
        say(_("It was not accepted: {reason}", reason=_reason(sent)), "red")
    if sent.error is not None:
        raise typer.Exit(1)


@app.command(help=_("Send nothing more to a webhook; what changes meanwhile waits."))
def disable(context: typer.Context, webhook: Id) -> None:
    """Disable an endpoint."""
    with session(context).migrated.database.transaction() as connection:
        services.disable(connection, webhook, by=operator())
    say(_("The webhook {id} is disabled.", id=webhook), "green")
    next_step(f"kehu webhook enable {webhook}")


@app.command(help=_("Go on where a webhook stopped."))
def enable(context: typer.Context, webhook: Id) -> None:
    """Enable an endpoint."""
    with session(context).migrated.database.transaction() as connection:
        services.enable(connection, webhook, by=operator())
    say(_("The webhook {id} goes on where it stopped.", id=webhook), "green")


@app.command(help=_("Remove a webhook with its queue and its log."))
def remove(context: typer.Context, webhook: Id, yes: Yes = False) -> None:
    """Remove an endpoint."""
    project: Project = session(context).migrated
    if not yes:
        typer.confirm(_("Remove the webhook {id}, and forget what waits for it?", id=webhook), abort=True, err=True)
    with project.database.transaction() as connection:
        services.remove(connection, webhook, by=operator())
    say(_("The webhook {id} is removed.", id=webhook), "green")


@app.command(help=_("Make a new secret; the old one signs too for a while."))
def rotate(
    context: typer.Context,
    webhook: Id,
    hours: Annotated[int, typer.Option(min=0, max=LONGEST_OVERLAP, help=_("How long the old secret signs too."))] = 24,
    as_json: Json = False,
) -> None:
    """Rotate a secret."""
    project = session(context).migrated
    with project.database.transaction() as connection:
        made = services.rotate(connection, project.vault, webhook, by=operator(), overlap=timedelta(hours=hours))
    secret = made.secret.get_secret_value()
    if as_json:
        emit_json("webhook", {**_plain(made.endpoint), "secret": secret})
        return
    say(_("Until {until} both secrets sign. The new one is shown this once:", until=_until(made.endpoint)))
    emit(secret)


@app.command(help=_("Deliver changes once more, in order; see `kehu changes tail` for their numbers."))
def replay(
    context: typer.Context,
    webhook: Id,
    first: Annotated[int, typer.Option("--from", min=1, help=_("The first change."), show_default=False)],
    to: Annotated[int | None, typer.Option("--to", min=1, help=_("The last change; by default the newest."))] = None,
    customer: Annotated[str | None, typer.Option(help=_("Only this customer's."))] = None,
) -> None:
    """Replay a range."""
    chosen = None if customer is None else parse_public_id(customer)
    if customer is not None and chosen is None:
        raise Misused("{customer} is no customer's id.", customer=customer[:40], remedy="Check the id.")
    with session(context).migrated.database.transaction() as connection:
        found = services.get(connection, webhook)
        last = found.position if to is None else to
        count = services.replay(connection, found, first, last, by=operator(), customer_id=chosen)
    say(_("{count} changes are delivered once more.", count=count), "green")


def _plain(one: Endpoint) -> dict[str, Any]:
    return one._asdict()


def _logged(one: Attempt) -> dict[str, Any]:
    return {**one._asdict(), "error": None if one.error is None else str(one.error)}


def _row(one: Attempt) -> Sequence[object]:
    outcomes = {"delivered": _("delivered"), "failed": _("failed"), "given_up": _("given up")}
    return moment(one.at), one.type, one.customer or "", outcomes[one.outcome], _reason(one)


def _reason(one: Attempt) -> str:
    return "" if one.error is None else text(one.error.template, one.error.params)


def _until(one: Endpoint) -> str:
    return moment(one.old_secret_until or one.changed_at)


def _state(one: Endpoint) -> str:
    if one.is_active:
        return _("failing since {moment}", moment=moment(one.failing_since)) if one.failing_since else _("active")
    reasons = {"gone": _("disabled: the receiver wants no more"), "failing": _("disabled: it failed for days")}
    return reasons.get(one.reason or "", _("disabled"))
