"""Running everything in the foreground: a small supervisor of child processes.

A child that dies is started again with growing delays; a signal ends all of them in reverse order. Every child leads
its own process group and asks the kernel for a signal on the supervisor's death, so that nothing stays behind even
when the supervisor is killed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from sync.errors import Refused, SyncError
from sync.lifeline import die_with_parent
from sync.logs import rotate

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
STEADY = 60.0
"""A child that lived so many seconds starts again at the first delay."""
POLL = 0.1


class ChildFailed(SyncError):
    """A part did not become ready in time."""

    code = "child_failed"
    default_remedy = "Read {log}, then run `kehu doctor`."


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to run one part. ``ready`` is asked until it is true; ``patience`` seconds at most.

    ``inherits`` are open file descriptors that it is given.
    """

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    patience: float = 30.0
    stop_signal: int = signal.SIGTERM
    stop_patience: float = 15.0
    inherits: Sequence[int] = ()


class Child:
    """One part: started, watched, started again, stopped."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._delay = FIRST_DELAY
        self._started_at = 0.0
        self._due = 0.0

    @property
    def pid(self) -> int:
        """The process id; 0 before the first start."""
        return self._process.pid if self._process is not None else 0

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process, with its output appended to its log. Call from the main thread only."""
        rotate(self.spec.log)
        with self.spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(self.spec.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.spec.env},
                start_new_session=True,
                preexec_fn=die_with_parent,
                pass_fds=self.spec.inherits,
            )
        self.starts += 1
        self._started_at = time.monotonic()

    def wait_ready(self, stopped: threading.Event) -> None:
        """Wait until it answers. Raises ChildFailed when it ends or takes too long."""
        deadline = time.monotonic() + self.spec.patience
        while not stopped.is_set() and not self.spec.ready():
            if not self.alive or time.monotonic() > deadline:
                raise ChildFailed("{name} did not start.", name=self.spec.name, log=str(self.spec.log))
            stopped.wait(POLL)

    def watch(self, tell: Callable[[Child, int, float], None]) -> None:
        """Start it again if it died and its delay is over; ``tell(child, exit code, delay)`` once per death."""
        now = time.monotonic()
        if self.alive or self._process is None:
            return
        if not self._due:
            if now - self._started_at > STEADY:
                self._delay = FIRST_DELAY
            tell(self, self._process.returncode, self._delay)
            _signal_group(self._process.pid, signal.SIGKILL)  # what it may have left of its own children
            self._due = now + self._delay
            self._delay = min(self._delay * 2, LONGEST_DELAY)
        elif now >= self._due:
            self._due = 0.0
            self.start()

    def stop(self) -> None:
        """End it politely, then by force, with everything it started."""
        if self._process is None:
            return
        if self.alive:
            _signal_group(self._process.pid, self.spec.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self.spec.stop_patience)
        _signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        text = self.spec.log.read_text(errors="replace") if self.spec.log.exists() else ""
        return "\n".join(line[:300] for line in text.splitlines()[-lines:])


class Supervisor:
    """Children in the order in which they need each other."""

    def __init__(self, specs: Sequence[ChildSpec], tell: Callable[[Child, int, float], None] = lambda *_: None) -> None:
        self.children = [Child(spec) for spec in specs]
        self.stopped = threading.Event()
        self._tell = tell

    def start(self) -> None:
        """Start all, each once the one before is ready. Raises ChildFailed; then nothing is left running."""
        try:
            for child in self.children:
                if self.stopped.is_set():
                    return
                child.start()
                child.wait_ready(self.stopped)
        except BaseException:
            self.stop()
            raise

    def run(self) -> None:
        """Watch the children until ``stopped`` is set, then stop them."""
        try:
            while not self.stopped.wait(POLL):
                for child in self.children:
                    child.watch(self._tell)
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop all, last started first."""
        self.stopped.set()
        for child in reversed(self.children):
            child.stop()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """SIGINT, SIGTERM and SIGHUP set ``stopped`` while the block runs."""

        def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
            self.stopped.set()

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, ask_to_stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def only_one(lock_file: Path) -> Iterator[None]:
    """Hold the project's lock; raises Refused while another supervisor holds it. The kernel frees it at any end."""
    with lock_file.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(
                "This project is running already.", remedy="Stop the other `kehu up` first, or use that one."
            ) from None
        yield


def runs(lock_file: Path) -> bool:
    """Whether a supervisor holds the project's lock now."""
    if not lock_file.exists():
        return False
    try:
        with only_one(lock_file):
            return False
    except Refused:
        return True


def _signal_group(leader: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
