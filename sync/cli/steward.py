"""``kehu steward``: decide which records are one customer, and what a golden field says."""

from __future__ import annotations

import getpass
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import orjson
import typer

from sync.cli.console import emit_json, emit_table, next_step, say
from sync.cli.options import DryRun, Json, Limit
from sync.cli.session import session
from sync.errors import Misused
from sync.language import _, text
from sync.project import Project
from sync.stewardship import services
from sync.stewardship.effect import Work
from sync.stewardship.services import Blocker, Candidate, CustomerRef, Engine, Entry, MergeBlocked, Outcome, Steward

app = typer.Typer(no_args_is_help=True)


class Said(StrEnum):
    """What can be said of two records."""

    SAME = "same"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


Customer = Annotated[str, typer.Argument(help=_("The customer's id."), show_default=False)]
Record = Annotated[str, typer.Argument(help=_("A source record: CONNECTION/STREAM/KEY."), show_default=False)]
Field = Annotated[str, typer.Argument(help=_("A field of the golden record."), show_default=False)]
By = Annotated[str | None, typer.Option("--by", help=_("Who decides; by default the user of this terminal."))]
Reason = Annotated[str, typer.Option("--reason", "-r", help=_("Why, for those who look later."))]


@app.command(help=_("List pairs of records that may be one customer, the most consequential first."))
def queue(context: typer.Context, limit: Limit = 20, as_json: Json = False) -> None:
    """The review queue."""
    project = session(context).migrated
    with project.database.reading() as connection:
        found = services.queue(connection, project.matcher, limit)
    if as_json:
        emit_json("steward_queue", [_candidate(one) for one in found])
        return
    if not found:
        say(_("Nothing is to be reviewed."), "green")
        return
    columns = (_("Records"), _("Weight"), _("Evidence"), _("One"), _("Name"), _("Other"), _("Name"))
    rows = [
        (c.records, f"{c.weight:.1f}", c.rule, c.left.record, c.left.name, c.right.record, c.right.name) for c in found
    ]
    emit_table(columns, rows, right=(0, 1))
    next_step(f"kehu steward decide {found[0].left.record} {found[0].right.record} same --dry-run")


@app.command(help=_("Say of two source records: same, different or undecided."))
def decide(
    context: typer.Context,
    left: Record,
    right: Record,
    verdict: Annotated[Said, typer.Argument(help=_("same, different or undecided."), show_default=False)],
    by: By = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Decide about a pair."""
    word = partial(services.decide, by=_steward(by, reason), left=left, right=right, verdict=verdict.value)
    _act(session(context).migrated, word, dry_run=dry_run, as_json=as_json)


@app.command(help=_("Make one customer of several; says everything that stands against it at once."))
def merge(
    context: typer.Context,
    customers: Annotated[list[str], typer.Argument(help=_("Ids of the customers."), show_default=False)],
    by: By = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Merge customers."""
    word = partial(services.merge, by=_steward(by, reason), ids=customers)
    try:
        _act(session(context).migrated, word, dry_run=dry_run, as_json=as_json)
    except MergeBlocked as error:
        _show_blockers(error, as_json=as_json)
        raise


@app.command(help=_("Take a source record out of a customer, so that it stays out."))
def exclude(
    context: typer.Context,
    customer: Customer,
    record: Record,
    by: By = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Exclude one member of a customer."""
    word = partial(services.exclude, by=_steward(by, reason), customer=customer, record=record)
    _act(session(context).migrated, word, dry_run=dry_run, as_json=as_json)


@app.command(help=_("Give a golden field a value that no sync overwrites."))
def pin(
    context: typer.Context,
    customer: Customer,
    field: Field,
    value: Annotated[
        str | None, typer.Argument(help=_("The value; lists and objects as JSON."), show_default=False)
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help=_("Keep the field empty."))] = False,
    record: Annotated[
        str | None, typer.Option("--record", help=_("The source record it stays with; by default the senior one."))
    ] = None,
    by: By = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Pin a value."""
    if (value is None) != empty:
        raise Misused("Give a value, or --empty to keep the field empty.")
    steward = _steward(by, reason)
    word = partial(services.pin, by=steward, customer=customer, field=field, value=_value(field, value), record=record)
    _act(session(context).migrated, word, dry_run=dry_run, as_json=as_json)


@app.command(help=_("Let the sources rule a golden field again."))
def unpin(
    context: typer.Context,
    customer: Customer,
    field: Field,
    by: By = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take the pins of a field back."""
    word = partial(services.unpin, by=_steward(by, reason), customer=customer, field=field)
    _act(session(context).migrated, word, dry_run=dry_run, as_json=as_json)


@app.command(help=_("List the pinned values of a customer."))
def pins(context: typer.Context, customer: Customer, as_json: Json = False) -> None:
    """The pins of a customer."""
    with session(context).migrated.database.reading() as connection:
        found = services.pins(connection, customer)
    if as_json:
        emit_json("steward_pins", [one._asdict() for one in found])
        return
    if not found:
        say(_("Nothing is pinned."))
        return
    rows = [(one.decision, one.field, _shown(one.value), one.record, _("yes") if one.holds else "") for one in found]
    emit_table((_("Decision"), _("Field"), _("Value"), _("Record"), _("In force")), rows, right=(0,))
    next_step(f"kehu steward unpin {customer} {found[0].field}")


@app.command(help=_("Take a steward's merge apart: the customers are what they were, with what came in since."))
def unmerge(
    context: typer.Context,
    customer: Customer,
    merge_number: Annotated[
        int | None, typer.Option("--merge", help=_("Number of the merge; by default the latest in the customer."))
    ] = None,
    by: By = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Unmerge a customer."""
    project = session(context).migrated
    steward, settle = _steward(by, reason), _engine(project).settle
    word = partial(services.unmerge, by=steward, customer=customer, settle=settle, merge_act=merge_number)
    _act(project, word, dry_run=dry_run, as_json=as_json)


@app.command(help=_("Take a decision back."))
def undo(
    context: typer.Context,
    decision: Annotated[int, typer.Argument(min=1, help=_("Its number; see `kehu steward log`."), show_default=False)],
    by: By = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Undo one act."""
    word = partial(services.undo, by=_steward(by, reason), decision=decision)
    _act(session(context).migrated, word, dry_run=dry_run, as_json=as_json)


@app.command(help=_("List what stewards decided: who, when, why, and whether it holds."))
def log(
    context: typer.Context,
    about: Annotated[
        str | None, typer.Argument(help=_("Only about this customer or source record."), show_default=False)
    ] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """The acts, newest first."""
    with session(context).migrated.database.reading() as connection:
        found = services.log(connection, about, limit)
    if as_json:
        emit_json("steward_log", [one._asdict() for one in found])
        return
    if not found:
        say(_("Nothing was decided yet."))
        return
    columns = (_("Number"), _("When"), _("Who"), _("What"), _("About"), _("Why"), _("Undone by"))
    rows = [(o.decision, f"{o.at:%Y-%m-%d %H:%M}", o.by, _what(o), _about(o), o.reason, o.undone_by) for o in found]
    emit_table(columns, rows, right=(0, 6))
    next_step(f"kehu steward undo {found[0].decision}")


def _act(project: Project, word: Work, *, dry_run: bool, as_json: bool) -> None:
    """Carry an act out, or rehearse it, and show the customers before and after."""
    perform = services.rehearse if dry_run else services.carry_out
    outcome = perform(project.database, word, _engine(project))
    if as_json:
        emit_json("steward_outcome", _outcome(outcome, dry_run=dry_run))
        return
    moments = ((_("before"), outcome.before), (_("after"), outcome.after))
    rows = [(when, c.public_id, c.name, len(c.records), _records(c)) for when, found in moments for c in found]
    emit_table((_("When"), _("Id"), _("Name"), _("Records"), _("Source records")), rows, right=(3,))
    if dry_run:
        say(_("This is what would become of it. Nothing was changed."))
        return
    say(_("Decision {decision} is in effect.", decision=outcome.decision), "green")
    next_step(f"kehu steward undo {outcome.decision}")


def _steward(by: str | None, reason: str) -> Steward:
    if by is None:
        try:
            by = getpass.getuser()
        except (KeyError, OSError, ImportError):
            by = ""
    return Steward(by, reason)


def _engine(project: Project) -> Engine:
    return Engine(project.matcher, project.survivorship)


def _value(field: str, value: str | None) -> Any:
    """A value as it was typed: JSON for fields that hold lists or objects, else text."""
    if value is None or field not in services.STRUCTURED:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Misused(
            "{field} holds a list or an object: the value must be JSON.",
            field=field,
            remedy="See docs/canonical-customer.md for what the field holds.",
        ) from None


def _show_blockers(error: MergeBlocked, *, as_json: bool) -> None:
    if as_json:
        emit_json("steward_blockers", [_blocker(one) for one in error.blockers])
        return
    for one in error.blockers:
        say(f"{one.code}: {text(one.template, one.params)}", "red")


def _blocker(one: Blocker) -> dict[str, Any]:
    return {"code": one.code, "message": text(one.template, one.params), "params": one.params}


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "left": one.left._asdict(),
        "right": one.right._asdict(),
        "weight": one.weight,
        "rule": one.rule,
        "pairs": one.pairs,
        "records": one.records,
    }


def _outcome(outcome: Outcome, *, dry_run: bool) -> dict[str, Any]:
    return {
        "decision": None if dry_run else outcome.decision,
        "dry_run": dry_run,
        "before": [_customer(one) for one in outcome.before],
        "after": [_customer(one) for one in outcome.after],
    }


def _customer(one: CustomerRef) -> dict[str, Any]:
    return {
        "id": one.public_id,
        "kind": one.kind,
        "name": one.name,
        "golden": one.golden,
        "records": [record.address for record in one.records],
    }


def _records(customer: CustomerRef, most: int = 5) -> str:
    shown = [record.address for record in customer.records[:most]]
    return ", ".join(shown) + (", …" if len(customer.records) > most else "")


def _what(one: Entry) -> str:
    if one.field is not None:
        return f"{one.act} {one.field}" + (f" = {_shown(one.value)}" if one.act == "pin" else "")
    if one.target is not None:
        return f"{one.act} {one.target}"
    return f"{one.act} {one.verdict}" if one.act == "decide" else one.act


def _about(one: Entry, most: int = 3) -> str:
    sides = [", ".join(side[:most]) + (", …" if len(side) > most else "") for side in one.sides[:most]]
    return " | ".join(sides) + (" | …" if len(one.sides) > most else "")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
