"""Runs as the command line shows them: bars while they go, a table and what they had to tell, a sum that adds up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync import language, oneshot
from sync.cli.console import Bar, emit_table, next_step, number, say
from sync.language import _
from sync.project import Project
from sync.runs.history import RunView
from sync.runs.states import Level, Status
from sync.runs.wording import Wording

_ROUTINE = ("The run starts.", "Read {read}: ")
"""Remarks that say what the table says."""


def told(wording: Wording | None) -> str:
    """A stored text in the user's language."""
    return "" if wording is None else language.text(wording.template, wording.params)


def data(view: RunView) -> dict[str, Any]:
    """A run as JSON."""
    return {
        "id": view.id,
        "connection": view.connection,
        "stream": view.stream,
        "mode": view.mode,
        "status": view.status,
        "state": view.state,
        **view.counts._asdict(),
        "ignored": view.ignored,
        "pages": view.pages,
        "expected": view.expected,
        "queued_at": view.queued_at,
        "started_at": view.started_at,
        "finished_at": view.finished_at,
        "waiting_until": view.waiting_until,
        "error": None if view.error is None else {"code": view.error_code, "message": told(view.error)},
        "remedy": told(view.remedy) or None,
    }


def show_progress(bar: Bar, views: Sequence[RunView]) -> None:
    """Bring the bars up to date; say why a run waits."""
    for view in views:
        name = f"{view.connection}.{view.stream}"
        bar.update(name, view.counts.read, view.expected, state_of(view))
        if view.status is Status.WAITING and view.error is not None:
            bar.note(f"{name}: {told(view.error)}")


def state_of(view: RunView) -> str:
    """A run's state in words."""
    words = {
        "queued": _("queued"),
        "running": _("running"),
        "waiting": _("waiting"),
        "succeeded": _("succeeded"),
        "partial": _("partial"),
        "failed": _("failed"),
        "cancelled": _("cancelled"),
        "not_responding": _("not responding"),
    }
    return words.get(view.state, view.state)


def show_table(views: Sequence[RunView]) -> None:
    """Runs with their counts, then the reasons of those that failed."""
    columns = (_("Run"), _("Stream"), _("State"), _("Read"), _("Created"), _("Updated"), _("Unchanged"))
    rows = [(v.id, f"{v.connection}.{v.stream}", state_of(v), *(number(count) for count in v.counts)) for v in views]
    emit_table((*columns, _("Quarantined"), _("Deleted")), rows, right=(0, 3, 4, 5, 6, 7, 8))
    for view in views:
        if view.error is not None:
            say(f"{view.connection}.{view.stream}: {told(view.error)}", "red")
            say("  " + told(view.remedy))


def show_summary(project: Project, views: Sequence[RunView]) -> None:
    """What all runs read is what became of it; how many customers there are now; what to type next."""
    from sync.master import queries

    with project.database.reading() as connection:
        stats = queries.stats(connection)
    total = [sum(counts) for counts in zip(*(view.counts for view in views), strict=True)]
    say(
        _(
            "Read {read} = created {created} + updated {updated} + unchanged {unchanged} + quarantined {quarantined}"
            " + deleted {deleted}.",
            **dict(zip(("read", "created", "updated", "unchanged", "quarantined", "deleted"), total, strict=True)),
        )
    )
    say(
        _(
            "The master holds {customers} customers from {records} source records.",
            customers=stats.customers,
            records=stats.source_records,
        ),
        "bold",
    )
    if any(view.error is not None for view in views):
        next_step("kehu doctor")
    elif any(view.counts.quarantined for view in views):
        next_step("kehu quarantine list")
    else:
        next_step("kehu master stats")


def show_remarks(project: Project, views: Sequence[RunView]) -> None:
    """What else the runs had to tell, e.g. that a mapping has changed; the same thing once."""
    for view in views:
        remarks = [one for one in oneshot.remarks(project, view.id) if one.level is not Level.ERROR]
        notable = dict.fromkeys(told(one.text) for one in remarks if not one.text.template.startswith(_ROUTINE))
        for remark in notable:
            say(f"{view.connection}.{view.stream}: {remark}", "yellow")
