"""The supervisor: restarts what dies, stops in order, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sync.errors import Refused
from sync.up import Child, ChildFailed, ChildSpec, Supervisor, only_one

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(1000)"]
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(1000)"
)


def spec(tmp_path: Path, name: str, command: list[str], **options: object) -> ChildSpec:
    return ChildSpec(name, command, tmp_path / f"{name}.log", **options)  # type: ignore[arg-type]


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_child_that_dies_is_started_again_with_growing_delays(tmp_path: Path) -> None:
    deaths: list[tuple[int, float]] = []
    supervisor = Supervisor(
        [spec(tmp_path, "short", [sys.executable, "-c", "raise SystemExit(7)"])],
        lambda _child, code, delay: deaths.append((code, delay)),
    )
    child = supervisor.children[0]
    child.start()
    assert until(lambda: child.watch(supervisor._tell) or child.starts >= 3, 15)  # type: ignore[func-returns-value]
    supervisor.stop()
    assert deaths[:2] == [(7, 0.5), (7, 1.0)]


def test_children_stop_last_started_first_and_by_force_if_need_be(tmp_path: Path) -> None:
    ready = tmp_path / "stubborn.log"
    supervisor = Supervisor(
        [
            spec(tmp_path, "polite", SLEEP),
            spec(
                tmp_path,
                "stubborn",
                [sys.executable, "-c", STUBBORN],
                ready=lambda: ready.exists() and "up" in ready.read_text(),
                stop_patience=0.3,
            ),
        ]
    )
    supervisor.start()
    pids = [child.pid for child in supervisor.children]
    supervisor.stop()
    assert not any(lives(pid) for pid in pids)
    assert supervisor.children[1]._process is not None
    assert supervisor.children[1]._process.returncode == -signal.SIGKILL


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    command = f"import subprocess, sys; p = subprocess.Popen({SLEEP!r}); print(p.pid, flush=True); p.wait()"
    log = tmp_path / "parent.log"
    supervisor = Supervisor(
        [spec(tmp_path, "parent", [sys.executable, "-c", command], ready=lambda: bool(log.read_text().strip()))]
    )
    supervisor.start()
    grandchild = int(log.read_text())
    assert lives(grandchild)
    supervisor.stop()
    assert until(lambda: not lives(grandchild))


def test_a_child_that_does_not_get_ready_stops_all_and_shows_its_log(tmp_path: Path) -> None:
    supervisor = Supervisor(
        [
            spec(tmp_path, "good", SLEEP),
            spec(tmp_path, "bad", [sys.executable, "-c", "print('no such port'); exit(1)"], ready=lambda: False),
        ]
    )
    with pytest.raises(ChildFailed, match="bad did not start"):
        supervisor.start()
    assert not any(child.alive for child in supervisor.children)
    assert "no such port" in supervisor.children[1].tail()


def test_a_log_that_grew_too_large_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    log.write_bytes(b"x" * 10_000_001)
    child = Child(spec(tmp_path, "child", [sys.executable, "-c", ""]))
    child.start()
    child.stop()
    assert log.stat().st_size == 0
    assert (tmp_path / "child.log.1").exists()


def test_only_one_supervisor_runs_a_project(tmp_path: Path) -> None:
    lock = tmp_path / "up.lock"
    with only_one(lock), pytest.raises(Refused, match="running already"), only_one(lock):
        pass
    with only_one(lock):
        pass


def test_a_signal_ends_the_watch_and_all_children(tmp_path: Path) -> None:
    supervisor = Supervisor([spec(tmp_path, "child", SLEEP)])
    with supervisor.signals():
        supervisor.start()
        pid = supervisor.children[0].pid
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
        supervisor.run()
    assert not lives(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_nothing_stays_behind_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from sync.up import ChildSpec, Supervisor
        supervisor = Supervisor([ChildSpec("a", {SLEEP!r}, Path({str(tmp_path)!r}) / "a.log")])
        supervisor.start()
        print(supervisor.children[0].pid, flush=True)
        supervisor.run()
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert lives(child)
        process.kill()
        process.wait()
        assert until(lambda: not lives(child))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
