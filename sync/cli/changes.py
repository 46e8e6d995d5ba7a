"""``kehu changes``: the change feed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from sync.cli.console import clean, emit, emit_json_line
from sync.cli.options import Json, Limit
from sync.cli.session import session
from sync.database import Database
from sync.language import _
from sync.master import queries
from sync.master.queries import ChangeView

app = typer.Typer(no_args_is_help=True)
PAGE = 500


@app.callback()
def _group() -> None:
    """Makes ``tail`` a command of its own although it is the only one."""


@app.command(help=_("Print changes of the master in order; with --follow, as they come."))
def tail(
    context: typer.Context,
    after: Annotated[
        int | None, typer.Option(min=0, help=_("Start after this number; by default at the last few."))
    ] = None,
    limit: Limit = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help=_("Go on until interrupted."))] = False,
    as_json: Json = False,
) -> None:
    """Print the newest changes, or all after a position."""
    database = session(context).migrated.database
    start = _start(database, limit) if after is None else after
    for change in _changes(database, start, None if follow else limit, follow=follow):
        if as_json:
            emit_json_line("change", change._asdict())
        else:
            emit(clean(_line(change)))


def _line(change: ChangeView) -> str:
    at = f"{change.at:%Y-%m-%d %H:%M:%SZ}"
    return f"{change.seq:>8}  {at}  {change.type:8} {change.customer}  {_about(change)}".rstrip()


def _about(change: ChangeView) -> str:
    """Whom a change is about: the name, what it was merged into, or which fields it changed."""
    body = change.body
    if isinstance(body.get("into"), str):
        return f"→ {body['into']}"
    golden = body.get("golden")
    name = str(golden.get("name") or "") if isinstance(golden, dict) else ""
    changed = [*(body.get("set") or ()), *(body.get("unset") or ())]
    fields = ", ".join(map(str, changed))
    return "  ".join(filter(None, (name, fields)))


def _start(database: Database, limit: int) -> int:
    with database.reading() as connection:
        return max(0, queries.stats(connection).last_change - limit)


def _changes(database: Database, after: int, limit: int | None, *, follow: bool) -> Iterator[ChangeView]:
    left = limit
    while left is None or left > 0:
        with database.reading() as connection:
            page = queries.changes(connection, after, PAGE if left is None else min(PAGE, left))
        yield from page
        if page:
            after = page[-1].seq
            left = None if left is None else left - len(page)
        elif not follow:
            return
        else:
            time.sleep(0.5)
