"""Where the log lines of a command go: not between the lines that it says."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sync import logs

if TYPE_CHECKING:
    from sync.cli.session import Globals

FILE = "commands.log"


def keep(given: Globals) -> None:
    """From the next first line on: the project's folder of logs; with ``--debug``, or where there is none, stderr."""
    logs.configure_late(partial(_open, given))


def _open(given: Globals) -> None:
    from sync import telemetry
    from sync.project import STATE_FOLDER

    folder = given.project / STATE_FOLDER
    if given.debug or not folder.is_dir():
        return telemetry.configure()
    path = folder / "logs" / FILE
    logs.rotate(path)
    telemetry.configure(stream=path.open("a", encoding="utf-8"))
