"""CPU seconds and peak memory of a command and of the PostgreSQL it works on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What one command used: CPU seconds of its own and of PostgreSQL, seconds of the wall, peak MB of its own."""

    client: float
    server: float
    wall: float
    peak_mb: float

    @property
    def cpu(self) -> float:
        """CPU seconds in all."""
        return self.client + self.server


def run(command: Sequence[str], postmaster: int | None = None, cwd: Path | None = None) -> Cost:
    """Run the command to its end; raises if it fails.

    It may keep its bytecode, as every installed program does: else it would compile itself at each start.
    """
    before = server_cpu(postmaster)
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{output[-3000:]}")
    wall = time.monotonic() - started
    own = usage.ru_utime + usage.ru_stime
    return Cost(own, server_cpu(postmaster) - before, wall, usage.ru_maxrss / 1024)


def server_work(statement: str, url: str, postmaster: int) -> Cost:
    """One statement, outside of any transaction."""
    before, started = server_cpu(postmaster), time.monotonic()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement.encode())
    return Cost(0.0, server_cpu(postmaster) - before, time.monotonic() - started, 0.0)


def server_cpu(postmaster: int | None) -> float:
    """CPU seconds of a PostgreSQL: the postmaster, its living children, and those it has already waited for."""
    return 0.0 if postmaster is None else tree_cpu(postmaster)


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process, of its living descendants, and of those that were waited for."""
    try:
        total = sum(_stat(pid)[:4]) / _TICK
        return total + sum(tree_cpu(child) for child in _children(pid))
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return 0.0


def peak_mb(pid: int) -> float:
    """The most memory that a process, or one of its living descendants, has held so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    own = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    return max([own, *(peak_mb(child) for child in _children(pid))])


def _children(pid: int) -> list[int]:
    """Of every thread: each has a list of what it started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for one in lists for child in one.read_text().split()]


def _stat(pid: int) -> list[int]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [int(value) for value in fields[11:15]]
