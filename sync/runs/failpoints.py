"""Named places where a run can be made to die, so that tests can prove that dying there changes nothing.

    KEHU_FAILPOINT=checkpoint:after:2            SIGKILL itself at the second time it comes by
    KEHU_FAILPOINT=land:before:1:raise           raise ``Tripped`` instead
    KEHU_FAILPOINT=commit:before:3:stop          SIGSTOP itself (whoever wants it to go on sends SIGCONT)
    KEHU_FAILPOINT=resolve:before:1:exit         leave by ``os._exit``, as a crashing C library would

Without the variable a failpoint costs one comparison.
"""

from __future__ import annotations

import os
import signal
from types import TracebackType

VERBS = (
    "claim",
    "open",
    "land",
    "checkpoint",
    "beat",
    "commit",
    "resolve",
    "complete",
    "sweep",
    "reconcile",
    "close",
)
"""The verbs of a run in their order; ``commit`` is the commit of a page's transaction."""

NAMES = tuple(f"{verb}:{side}" for verb in VERBS for side in ("before", "after"))
"""Every failpoint there is."""

MODES = ("kill", "raise", "stop", "exit")
VARIABLE = "KEHU_FAILPOINT"


class Tripped(Exception):
    """A failpoint in the mode ``raise`` was reached."""


class _Armed:
    """The one failpoint that is switched on: counts its visits and acts at the nth."""

    def __init__(self, setting: str) -> None:
        parts = setting.split(":")
        self.name = ":".join(parts[:2])
        self.nth = int(parts[2]) if len(parts) > 2 else 1
        self.mode = parts[3] if len(parts) > 3 else "kill"
        if self.name not in NAMES or self.mode not in MODES or len(parts) > 4:
            raise ValueError(f"{VARIABLE}={setting}: there is no such failpoint; see sync.runs.failpoints.NAMES")
        self.visits = 0

    def visit(self, name: str) -> None:
        if name != self.name:
            return
        self.visits += 1
        if self.visits == self.nth:
            self.act()

    def act(self) -> None:
        if self.mode == "raise":
            raise Tripped(self.name)
        if self.mode == "exit":
            os._exit(70)
        os.kill(os.getpid(), signal.SIGKILL if self.mode == "kill" else signal.SIGSTOP)


_armed: _Armed | None = None


def arm(setting: str | None) -> None:
    """Switch one failpoint on (``name:side:nth:mode``), or all off with None. Raises ValueError for an unknown one."""
    global _armed
    _armed = _Armed(setting) if setting else None


def reach(name: str) -> None:
    """The run comes by this place."""
    if _armed is not None:
        _armed.visit(name)


class around:  # noqa: N801 - reads as a verb: with around("land"):
    """Both failpoints of a verb: before the block, and after it when it did not raise."""

    __slots__ = ("verb",)

    def __init__(self, verb: str) -> None:
        self.verb = verb

    def __enter__(self) -> None:
        if _armed is not None:
            _armed.visit(f"{self.verb}:before")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if _armed is not None and kind is None:
            _armed.visit(f"{self.verb}:after")


arm(os.environ.get(VARIABLE))
