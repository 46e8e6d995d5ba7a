"""``kehu master report|erase|readmit``: the rights of the person behind a customer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from sync import language
from sync.cli.acting import operator
from sync.cli.console import emit, emit_json, emit_table, say
from sync.cli.options import Json
from sync.cli.session import session
from sync.errors import Misused, Refused
from sync.language import _

Customer = Annotated[str, typer.Argument(help=_("The customer's id."), show_default=False)]


def report(
    context: typer.Context,
    customer: Customer,
    html: Annotated[bool, typer.Option("--html", help=_("A page to print instead of JSON."))] = False,
) -> None:
    """Everything held on a person, on standard output; the audit log keeps that it was asked for."""
    from sync.privacy import reporting
    from sync.privacy.printing import printed

    project = session(context).migrated
    with project.database.transaction() as connection:
        found = reporting.report(connection, project, customer, by=operator())
    if html:
        emit(printed(found, language.current()))
    else:
        emit_json("report", found)


def erase(
    context: typer.Context,
    customer: Customer,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do it. Without this, only say what would go."))] = False,
    as_json: Json = False,
) -> None:
    """Erase the person behind a customer; without ``--yes`` only look."""
    from sync.privacy import erasing

    project = session(context).migrated
    looked = erasing.precheck(project, customer)
    if not yes:
        if as_json:
            emit_json("precheck", looked._asdict())
            return
        columns = (_("Connection"), _("Stream"), _("Key"), _("Part"))
        emit_table(columns, [tuple(one.values()) for one in looked.records])
        say(_("{count} contacts will keep the person away; {shared} are others' too.", count=looked.contacts,
              shared=looked.shared_contacts))  # fmt: skip
        say(_("Delete these records in their systems too. Then repeat this with --yes: it cannot be undone."))
        return
    if "switch_under_way" in looked.blockers:
        raise Refused("The match model is being switched; customers stay as they are until it is done.")
    done = erasing.erase(project, customer, by=operator())
    if as_json:
        emit_json("receipt", done.receipt)
        return
    say(_("Erased: {records} source records. The receipt:", records=done.counts["records"]))
    emit(orjson.dumps(done.receipt).decode())


def readmit(
    context: typer.Context,
    contact: Annotated[str, typer.Argument(help=_("An email, or a phone number like +86138…."), show_default=False)],
) -> None:
    """Let somebody who was erased be a customer again."""
    from sync.privacy import erasing

    project = session(context).migrated
    kind = "email" if "@" in contact else "phone"
    if not erasing.readmit(project, kind, contact, by=operator()):
        raise Misused("Nobody with this contact was erased.", remedy="Write it as it stood in the golden record.")
    say(_("Records with this contact are taken in again from the next sync on."))


def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help=_("The receipt, as JSON."), show_default=False)],
) -> None:
    """Say whether a receipt is ours and unchanged; ends with 1 if not."""
    from sync.privacy import receipts

    project = session(context).migrated
    try:
        found = orjson.loads(file.read_bytes()[:100_000])
    except (OSError, ValueError):
        raise Misused("This is no receipt of an erasure.", remedy="Send the JSON as it was issued.") from None
    with project.database.reading() as connection:
        right = receipts.verify(connection, found)
    say(_("The receipt is ours and unchanged.") if right else _("The receipt is not ours, or was changed."))
    if not right:
        raise typer.Exit(1)


def erasures(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option("--out", help=_("Write the ledger into this file, for a restore."))
    ] = None,
    as_json: Json = False,
) -> None:
    """Who was erased when; with ``--out`` the ledger that keeps them away after a restore."""
    from sync.master.identity import public_id
    from sync.privacy import ledger

    project = session(context).migrated
    with project.database.reading() as connection:
        found = ledger.read(connection, project.vault)
    rows = () if found is None else found.erasures
    if out is not None:
        if found is None:
            raise Refused("Nobody was ever erased.")
        ledger.save(found, out, project.vault)
        say(_("{count} erasures written; the file opens with the master key only.", count=len(rows)), "green")
        return
    told = [
        {"erasure": one["id"], "customer": public_id(one["customer_id"]), "state": one["state"],
         "requested_by": one["requested_by"], "requested_at": one["requested_at"]}
        for one in rows
    ]  # fmt: skip
    if as_json:
        emit_json("erasures", told)
        return
    columns = (_("Erasure"), _("Customer"), _("State"), _("By"), _("When"))
    emit_table(columns, [tuple(one.values()) for one in told])


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``kehu master``."""
    app.command("report", help=_("Tell everything held on a person, by source."))(report)
    app.command("erase", help=_("Erase the person behind a customer, whole."))(erase)
    app.command("readmit", help=_("Let somebody who was erased be a customer again."))(readmit)
    app.command("erasures", help=_("List erasures, or write down what a restore needs to keep them."))(erasures)
    app.command("verify-receipt", help=_("Check the receipt of an erasure."))(verify)
