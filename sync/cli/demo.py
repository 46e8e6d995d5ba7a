"""``kehu demo``: an example company, from its systems to one list of customers."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sync import demo as company
from sync import oneshot, overview
from sync.cli import console, logfile, run_showing
from sync.cli.console import emit, next_step, say
from sync.cli.options import DryRun
from sync.cli.session import Globals, Session
from sync.cli.up import run
from sync.errors import Refused
from sync.language import _
from sync.project import LOCK_FILE, Project
from sync.runs.services import RunView
from sync.up import Supervisor, runs

SHOWN = 5
SETTLING = 60.0
"""Seconds in which a worker may learn from the records how to match them, before the customers are shown."""


def demo(
    folder: Annotated[Path, typer.Option(help=_("Where to make the example."))] = Path("kehu-demo"),
    customers: Annotated[int, typer.Option(min=10, max=100_000, help=_("How many customers to invent."))] = 500,
    seed: Annotated[int, typer.Option(help=_("The same number gives the same company."))] = 2026,
    real: Annotated[
        bool,
        typer.Option("--real", help=_("On real systems (Tryton, Medusa, Directus, Dovecot), installed if need be.")),
    ] = False,
    once: Annotated[bool, typer.Option("--once", help=_("Sync once and end, without dashboard."))] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help=_("Forget an earlier example first."))] = False,
    dry_run: DryRun = False,
) -> None:
    """Make the example company, sync it, and show what came out."""
    if dry_run:
        say(_("Would make the example company in {folder} and sync it.", folder=str(folder)))
        return
    if runs(folder / ".kehu" / LOCK_FILE):
        raise Refused(
            "The example in {folder} is running already.",
            remedy="Stop it first, or make another with --folder.",
            folder=str(folder),
        )
    if fresh and (folder / "truth.csv").exists():
        shutil.rmtree(folder)
    systems = list(company.generate(folder, customers, seed))
    console.begin(sys.argv[0], folder)  # from here on the example is the project
    logfile.keep(Globals(folder))
    say(
        _(
            "南洋贸易 (Nanyang Trading) has its customers in {count} systems: {names}.",
            count=len(systems),
            names=", ".join(systems),
        ),
        "bold",
    )
    if real or once:
        _beside(folder, real=real, once=once)
        return
    project = Session(Globals(folder)).ready
    run_ids = oneshot.request(project, oneshot.targets(project, []))  # before any schedule asks for them
    run(project, [company.services(folder)], lambda supervisor: _first_sync(folder, run_ids, supervisor))


def _beside(folder: Path, *, real: bool, once: bool) -> None:
    """Start the systems first; then sync once, or run everything beside them."""
    supervisor = Supervisor([company.real_systems(folder) if real else company.services(folder)])
    if real:
        say(_("Starting the real systems; the first time installs them, which takes minutes …"))
    with supervisor.signals():
        supervisor.start()
    if supervisor.stopped.is_set():
        raise KeyboardInterrupt
    try:
        if real:
            _say_systems(folder)
        project = Session(Globals(folder)).ready
        run_ids = oneshot.request(project, oneshot.targets(project, []))
        if once:
            _sync(project, run_ids, supervisor)
            next_step("kehu master search 有限公司")
        else:
            run(project, then=lambda running: _first_sync(folder, run_ids, running))
    finally:
        supervisor.stop()


def _say_systems(folder: Path) -> None:
    running, missing = company.told(folder)
    say(_("These run: {names}.", names=", ".join(running) or "-"), "green")
    for name, reason in missing.items():
        say(_("{name} is left out: {reason}", name=name, reason=reason), "yellow")


def _first_sync(folder: Path, run_ids: list[int], supervisor: Supervisor) -> None:
    project = Project.load(folder)  # anew: the services have told where they are
    try:
        _sync(project, run_ids, supervisor)
    finally:
        project.close()
    next_step("kehu master search 有限公司")


def _sync(project: Project, run_ids: list[int], supervisor: Supervisor) -> None:
    def go_on() -> None:
        if supervisor.stopped.is_set():
            raise KeyboardInterrupt

    with console.progress() as bar:

        def show(views: Sequence[RunView]) -> None:
            go_on()
            run_showing.show_progress(bar, views)

        views = oneshot.finish(project, run_ids, show)
    run_showing.show_table(views)
    if not oneshot.settled(project):
        say(_("How to match these customers is learnt from them …"))
        oneshot.settle(project, SETTLING, go_on)
    _result(project)


def _result(project: Project) -> None:
    from sync.master import queries

    with project.database.reading() as connection:
        stats = queries.stats(connection)
        shared = overview.most_shared(connection, SHOWN)
    say(
        _(
            "{records} source records are {customers} customers; {shared} of them were found more than once.",
            records=stats.source_records,
            customers=stats.customers,
            shared=stats.shared,
        ),
        "bold green",
    )
    for customer in shared:
        systems = ", ".join(customer.connections)
        line = _("{name}: {count} records in {systems}", name=customer.name, count=customer.records, systems=systems)
        emit(console.clean(line))
