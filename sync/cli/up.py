"""``kehu up``: start everything and keep it running until told to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from sync import children
from sync.access import Access
from sync.cli.console import emit, next_step, say
from sync.cli.options import DryRun
from sync.cli.session import session
from sync.errors import Refused
from sync.language import _
from sync.project import LOCK_FILE, Project
from sync.up import Child, ChildFailed, ChildSpec, Supervisor, only_one, runs

PORT_FILE = "web.port"


def up(
    context: typer.Context,
    link: Annotated[
        bool, typer.Option("--link", help=_("Print a new one-time link to the running dashboard, and end."))
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Run broker, workers, schedules and dashboard in the foreground."""
    if link:
        emit(new_link(session(context).project))
        return
    if dry_run:
        with children.web_listener(session(context).project) as listener:
            for spec in children.specs(session(context).project, listener):
                emit(spec.name)
        return
    run(session(context).ready)


def run(
    project: Project,
    first: Sequence[ChildSpec] = (),
    then: Callable[[Supervisor], None] = lambda _supervisor: None,
) -> None:
    """Start all parts, say where to look, and watch them until a signal comes.

    ``first`` is started before our own parts; ``then`` is called once, when everything runs.
    """
    with only_one(project.state_folder / LOCK_FILE), children.web_listener(project) as listener:
        supervisor = Supervisor([*first, *children.specs(project, listener)], _died)
        with supervisor.signals():
            say(_("Starting …"))
            _warn_of_broker(project)
            try:
                supervisor.start()
            except ChildFailed as error:
                failed = next((child for child in supervisor.children if child.spec.name == error.params["name"]), None)
                if failed is not None:
                    say(failed.tail(), "dim")
                raise
            (project.state_folder / PORT_FILE).write_text(str(listener.getsockname()[1]))
            try:
                if not supervisor.stopped.is_set():
                    then(supervisor)
                    _say_where(project)
                supervisor.run()
            except KeyboardInterrupt:
                supervisor.stop()
            finally:
                supervisor.stop()
                (project.state_folder / PORT_FILE).unlink(missing_ok=True)
    say(_("Everything has stopped."))


def new_link(project: Project) -> str:
    """A fresh one-time address of the running dashboard. Raises Refused if none runs."""
    try:
        if not runs(project.state_folder / LOCK_FILE):
            raise ValueError("left behind by one that was killed")
        port = int((project.state_folder / PORT_FILE).read_text())
    except (OSError, ValueError):
        raise Refused("The dashboard does not run.", remedy="Start it with `kehu up`.") from None
    return f"{address_of(project, port)}/enter?token={Access(project.state_folder).link_token()}"


def address_of(project: Project, port: int | None = None) -> str:
    """Where the dashboard is reached: at its public address, else at the port given, or the one configured."""
    if project.settings.web.public_url is not None:
        return project.settings.web.public_url
    host = project.settings.web.host
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{project.settings.web.port if port is None else port}"


def _say_where(project: Project) -> None:
    say(_("Everything runs. Stop with Ctrl-C."), "green")
    say(_("Open the dashboard (the link works once; `kehu up --link` makes another):"))
    emit(new_link(project))
    say(_("Logs: {folder}", folder=str(children.logs(project))))
    next_step("kehu sync watch")


def _warn_of_broker(project: Project) -> None:
    if project.broker.embedded or project.broker.answers():
        return
    say(_("The broker does not answer. Everything starts, and works once it does."), "yellow")
    say(_("Check `broker:` in kehu.yaml, and that the server runs."))


def _died(child: Child, code: int, delay: float) -> None:
    say(
        _(
            "{name} ended with code {code}; it is started again in {delay} s.",
            name=child.spec.name,
            code=code,
            delay=f"{delay:g}",
        ),
        "yellow",
    )
