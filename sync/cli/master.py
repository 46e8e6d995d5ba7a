"""``kehu master``: look customers up."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sync.cli import privacy
from sync.cli.console import emit_json, emit_table, field_rows, next_step, number, say
from sync.cli.options import Json, Limit
from sync.cli.session import session
from sync.errors import NotFound
from sync.language import _
from sync.master import queries
from sync.master.queries import CustomerView

app = typer.Typer(no_args_is_help=True)


@app.command(help=_("Show one customer by id (any it ever had) or by CONNECTION/STREAM/KEY of a source record."))
def get(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(help=_("The customer's id."), show_default=False)],
    as_json: Json = False,
) -> None:
    """Show a customer's golden record and its source records."""
    database = session(context).migrated.database
    with database.reading() as connection:
        parts = customer.split("/", 2)
        found = queries.by_source(connection, *parts) if len(parts) == 3 else queries.get(connection, customer)
    if found is None:
        raise NotFound(
            "There is no customer {id}.", id=customer[:200], remedy="Search by name with `kehu master search`."
        )
    if as_json:
        emit_json("customer", data(found))
        return
    say(f"{found.name or '-'}  {found.id}  {found.kind}, {found.status}, v{found.version}", "bold")
    if found.asked:
        say(_("{asked} is now part of {id}.", asked=found.asked, id=found.id))
    emit_table((_("Field"), _("Value")), field_rows(found.golden))
    rows = [(s.connection, s.stream, s.source_id, s.part, s.changed_at) for s in found.sources]
    say(_("From {count} source records:", count=len(rows)))
    emit_table((_("Connection"), _("Stream"), _("Key"), _("Part"), _("Changed")), rows)
    next_step("kehu changes tail")


@app.command(help=_("Find customers by name, email, phone, number or id."))
def search(
    context: typer.Context,
    text: Annotated[list[str], typer.Argument(help=_("Words that must all occur."), show_default=False)],
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Search active customers."""
    database = session(context).migrated.database
    with database.reading() as connection:
        found = queries.search(connection, " ".join(text), limit=limit)
    if as_json:
        emit_json("customers", [data(view) for view in found])
        return
    rows = [(v.id, v.name, v.kind, _first(v.golden, "emails"), _first(v.golden, "phones"), v.members) for v in found]
    emit_table((_("Id"), _("Name"), _("Kind"), _("Email"), _("Phone"), _("Records")), rows, right=(5,))
    if not found:
        say(_("Nobody was found."))
    elif len(found) == limit:
        say(_("There may be more: add words, or raise --limit."))
    next_step(f"kehu master get {found[0].id}" if found else "kehu master stats")


@app.command(help=_("Count customers and source records."))
def stats(context: typer.Context, as_json: Json = False) -> None:
    """Totals of the master."""
    database = session(context).migrated.database
    with database.reading() as connection:
        found = queries.stats(connection)
    streams = [{"connection": c, "stream": s, "records": n} for (c, s), n in found.by_stream.items()]
    if as_json:
        emit_json("stats", {**found._asdict(), "by_stream": streams})
        return
    rows = [
        (_("customers"), number(found.customers)),
        (_("customers found more than once"), number(found.shared)),
        (_("source records"), number(found.source_records)),
        (_("waiting to be matched"), number(found.pending)),
        (_("last change"), number(found.last_change)),
    ]
    emit_table((_("What"), _("Count")), rows, right=(1,))
    columns = (_("Connection"), _("Stream"), _("Records"))
    emit_table(columns, [(s["connection"], s["stream"], number(s["records"])) for s in streams], right=(2,))
    next_step("kehu changes tail")


privacy.add_to(app)


def data(view: CustomerView) -> dict[str, Any]:
    """A customer as JSON."""
    shown: dict[str, Any] = {
        "id": view.id,
        "status": view.status,
        "version": view.version,
        "kind": view.kind,
        "name": view.name,
        "members": view.members,
        "changed_at": view.changed_at,
        "golden": view.golden,
    }
    if view.asked:
        shown["asked"] = view.asked
    if view.sources:
        shown["sources"] = [
            {
                "connection": source.connection,
                "stream": source.stream,
                "source_id": source.source_id,
                "part": source.part,
                "changed_at": source.changed_at,
                "canonical": source.canonical,
            }
            for source in view.sources
        ]
    return shown


def _first(golden: dict[str, Any], field: str) -> str:
    values = golden.get(field) or [{}]
    return str(values[0].get("value", "")) if isinstance(values[0], dict) else str(values[0])
