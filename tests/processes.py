"""Server processes that never outlive the program that started them, and where their software is cached."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"
NOBODY = 65534
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class DidNotStart(RuntimeError):
    """A server did not become ready; the text ends with the last lines of its log."""


def cache_folder() -> Path:
    """Where downloaded software and prepared databases are kept between runs, outside every checkout."""
    return Path(os.environ.get("KEHU_TEST_CACHE", "~/.cache/kehu-tests")).expanduser()


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def unprivileged_user() -> int | None:
    """The uid for servers that refuse to run as root; None when we are not root (then our own is fine)."""
    return NOBODY if os.geteuid() == 0 else None


def own(folder: Path, user: int | None) -> None:
    """Give a folder and all in it to ``user``; nothing to do for None."""
    if user is None:
        return
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user, user, follow_symlinks=False)


def run_folder(prefix: str, user: int | None = None) -> Path:
    """A new temporary folder, removed at exit; with ``user`` it belongs to that uid."""
    folder = Path(tempfile.mkdtemp(prefix=f"kehu-{prefix}-"))
    own(folder, user)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def accepts_connections(port: int) -> bool:
    """Whether something listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


class Process:
    """One server process in its own process group, with its log in a file.

    It ends at ``stop`` or ``kill``, at the exit of this program and, on Linux, also when this program is
    killed (the kernel then sends ``death_signal``). That signal hangs on the *thread* that started the
    process: start servers from threads that live as long as the servers shall.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
        stop_signal: int = signal.SIGTERM,
        death_signal: int = signal.SIGKILL,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log, self.env, self.cwd, self.user = log, env, cwd, user
        self.stop_signal, self.death_signal = stop_signal, death_signal
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        """The running process's id; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, ready: Callable[[], bool], timeout: float = 60) -> None:
        """Start and wait until ``ready``; raises ``DidNotStart`` if that takes over ``timeout`` seconds."""
        self.launch()
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise DidNotStart(f"{self.command[0]} is not ready:\n{self.tail()}")
            time.sleep(0.05)

    def launch(self) -> None:
        """Start without waiting."""
        as_user = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if self.env is None else dict(self.env),
                cwd=self.cwd,
                start_new_session=True,
                preexec_fn=self._die_with_parent,
                **as_user,  # type: ignore[call-overload]
            )

    def stop(self, timeout: float = 20) -> None:
        """End it politely, then by force; the whole process group. Nothing to do when it does not run."""
        if self._process is None:
            return
        self._signal(self.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End it and its process group with SIGKILL."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def tail(self, lines: int = 30) -> str:
        """The last lines of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _signal(self, number: int) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _die_with_parent(self) -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, self.death_signal)
