"""Work shared out among the processors: calculations over tables that are in memory already.

Children are forks: they see the tables without copying them, and answer through pipes. What a child leaves unanswered
(it was killed, memory ran out) is worked out here, so that the results never depend on how many there were.

``concurrent.futures`` would send each task with its tables through a pipe, and gives up all when one child is killed.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, NamedTuple, NoReturn, TypeVar

T = TypeVar("T")
_MOST = 8
_TASKS = 256


def processors() -> int:
    """How many processes a command may let work at a time; one where they cannot be forked safely."""
    return min(len(os.sched_getaffinity(0)), _MOST) if sys.platform == "linux" else 1


def shared_out(tasks: Sequence[Callable[[], T]], processes: int) -> list[T]:
    """The results of tasks (at most 256, that write nothing), in their order. Give those first that take longest.

    One process works in threads of others' safely, more do only where no other thread holds a lock that a task wants:
    in commands, not in workers. Raises what a task raises.
    """
    if len(tasks) > _TASKS:
        raise ValueError("too many tasks")
    found: dict[int, T] = {}
    waiting = _Waiting(len(tasks))
    children: list[_Child] = []
    try:
        for _ in range(min(processes, len(tasks)) - 1):
            child = _forked(tasks, waiting)
            if child is None:
                break
            children.append(child)
        while (number := waiting.take()) is not None:
            found[number] = tasks[number]()
        for child in children:
            found |= child.answer()
    finally:
        waiting.close()
        for child in children:
            child.end()
    return [found[number] if number in found else task() for number, task in enumerate(tasks)]


class _Waiting:
    """The numbers of the tasks that nobody has taken, in a pipe that all processes read from."""

    def __init__(self, count: int) -> None:
        self._read, write = os.pipe()
        os.write(write, bytes(range(count)))
        os.close(write)

    def take(self) -> int | None:
        """The next one; None if there is none."""
        found = os.read(self._read, 1)
        return found[0] if found else None

    def close(self) -> None:
        """Let go."""
        os.close(self._read)


class _Child(NamedTuple):
    """A forked process and the pipe that it answers through."""

    pid: int
    pipe: BinaryIO

    def answer(self) -> dict[int, Any]:
        """What it has worked out, by number of the task; nothing if it did not come to its end."""
        try:
            found: dict[int, Any] = pickle.load(self.pipe)  # noqa: S301 - of our own child
        except (EOFError, pickle.UnpicklingError, OSError):
            return {}
        return found

    def end(self) -> None:
        """See that it is gone."""
        self.pipe.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _forked(tasks: Sequence[Callable[[], Any]], waiting: _Waiting) -> _Child | None:
    """A process that takes tasks; None if the machine has no room for one."""
    read, write = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(read)
        os.close(write)
        return None
    if pid:
        os.close(write)
        return _Child(pid, os.fdopen(read, "rb"))
    os.close(read)
    _work(tasks, waiting, write)


def _work(tasks: Sequence[Callable[[], Any]], waiting: _Waiting, write: int) -> NoReturn:
    """The life of a child. It leaves nothing behind: no buffers are flushed, no connections said goodbye to."""
    status = 1
    try:
        gc.disable()  # a collection would copy what is shared
        found = {}
        while (number := waiting.take()) is not None:
            found[number] = tasks[number]()
        with os.fdopen(write, "wb") as pipe:
            pickle.dump(found, pipe, protocol=5)
        status = 0
    finally:
        os._exit(status)
