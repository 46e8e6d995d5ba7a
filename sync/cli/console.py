"""Data on stdout, messages on stderr; colour and progress only where a terminal shows them."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sync.language import _

SCHEMA_VERSION = 1
_PREFIX: ContextVar[str] = ContextVar("kehu_as_typed", default="kehu")
_PLAIN_WORD = re.compile(r"[\w@%+=:,./-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def out() -> Console:
    """For data."""
    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False, soft_wrap=True)


def err() -> Console:
    """For messages."""
    return Console(file=sys.stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)


def clean(value: object) -> str:
    """A value as one harmless line: what comes from outside may hold escape codes for the terminal."""
    text = "" if value is None else str(value)
    return _CONTROL.sub("\ufffd", text.replace("\n", " ").replace("\t", " "))


def say(message: str, style: str = "") -> None:
    """A message for the human, on stderr."""
    lines = "\n".join(_CONTROL.sub("\ufffd", line) for line in message.split("\n"))
    err().print(Text(lines, style=style))


def next_step(command: str) -> None:
    """The command that the human probably types next; a leading ``kehu`` is written as it works from here."""
    if command.startswith("kehu "):
        command = _PREFIX.get() + command.removeprefix("kehu")
    err().print(Text.assemble((_("Next:") + " ", "dim"), (command, "bold")))


def begin(program: str, project: Path) -> None:
    """Remember how we were called: commands that we propose name the program and the project in the same way."""
    words = [_program(program)]
    if project != Path():
        words += ["-C", shlex.quote(str(project))]
    _PREFIX.set(" ".join(words))


def word(value: str) -> str:
    """A name as a word of a command to be typed: in quotes where the shell would take it apart."""
    return value if _PLAIN_WORD.fullmatch(value) else shlex.quote(value)


def _program(called: str) -> str:
    """``kehu`` where the shell finds it, else the path by which it was called."""
    path = Path(called)
    if path.name != "kehu" or not path.exists():
        return "kehu"
    found = shutil.which("kehu")
    if found is not None and Path(found).resolve() == path.resolve():
        return "kehu"
    folder = Path.cwd()
    near = path.absolute()
    return shlex.quote(str(near.relative_to(folder) if near.is_relative_to(folder) else near))


def emit(line: str) -> None:
    """One line of data on stdout."""
    out().print(Text(line))


def emit_json(kind: str, data: Any) -> None:
    """Data as JSON under a versioned schema name, e.g. ``kehu.connections/1``."""
    body = {"schema": f"kehu.{kind}/{SCHEMA_VERSION}", "data": data}
    sys.stdout.write(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=str).decode())


def emit_json_line(kind: str, data: Any) -> None:
    """One line of a stream of JSON objects, at once."""
    body = {"schema": f"kehu.{kind}/{SCHEMA_VERSION}", "data": data}
    sys.stdout.write(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE, default=str).decode())
    sys.stdout.flush()


def is_terminal() -> bool:
    """Whether a human reads what goes to stdout."""
    return out().is_terminal


def emit_table(columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[int] = ()) -> None:
    """A table for humans on a terminal, tab-separated lines for programs."""
    cells = [[clean(value) for value in row] for row in rows]
    console = out()
    if not console.is_terminal:
        for row in cells:
            sys.stdout.write("\t".join(row) + "\n")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table, soft_wrap=False)


def field_rows(customer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A canonical customer as rows of field and value: one row for each entry of a list."""
    rows = []
    for field, value in customer.items():
        entries = value if isinstance(value, list) else [value]
        rows += [(field if place == 0 else "", _spelt(entry)) for place, entry in enumerate(entries)]
    return rows


def _spelt(entry: Any) -> str:
    """``value`` first, then what is known of it: ``+8613800001111  kind: mobile, verified``."""
    if not isinstance(entry, dict):
        return entry if isinstance(entry, str) else orjson.dumps(entry).decode()
    about = [key if known is True else f"{key}: {_spelt(known)}" for key, known in entry.items() if key != "value"]
    return "  ".join(filter(None, (_spelt(entry["value"]) if "value" in entry else "", ", ".join(about))))


def moment(value: datetime | None) -> str:
    """A time with its zone, to the second."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def number(value: object) -> str:
    """A count with thousands separated; a dash for none."""
    return f"{value:,}" if isinstance(value, int) else "–"


class Bar:
    """A progress bar on stderr that shows nothing where no terminal is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}
        self._said: set[str] = set()

    def update(self, name: str, done: int, total: int | None = None, state: str = "") -> None:
        """Set how far the part ``name`` is, and in which state."""
        shown = clean(f"{name} {state}".rstrip())
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(shown, total=total)
        self._progress.update(self._tasks[name], description=shown, completed=done, total=total)

    def note(self, message: str) -> None:
        """Say something above the bars; the same thing once only."""
        if message not in self._said:
            self._said.add(message)
            self._progress.console.print(Text(clean(message), style="yellow"))


@contextmanager
def progress() -> Iterator[Bar]:
    """Progress bars while the block runs."""
    console = err()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    shown = Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal)
    with shown:
        yield Bar(shown)
