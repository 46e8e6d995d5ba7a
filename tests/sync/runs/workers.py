"""Real worker processes for tests of runs.

As a program: ``python -m tests.sync.runs.workers RUN_ID`` works on one run; as a module it is what dramatiq imports
(``dramatiq tests.sync.runs.workers``) and has the broker with our actors. Both find the lab in ``KEHU_LAB``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.sync.runs.lab import Lab

ROOT = Path(__file__).parents[3]


def wait_until(condition: Callable[[], Any], seconds: float) -> None:
    """Fail if it does not become true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def environment(lab: Lab, **options: Any) -> dict[str, str]:
    """What a process needs to find the lab."""
    spec = {"url": lab.url, "folder": str(lab.folder), "config": lab.workspace.config, **options}
    failpoint = spec.pop("failpoint", None)
    found = {**os.environ, "KEHU_LAB": json.dumps(spec, default=str)}
    return found | ({"KEHU_FAILPOINT": failpoint} if failpoint else {})


def start_run(lab: Lab, run_id: int, **options: Any) -> subprocess.Popen[bytes]:
    """A process that works on one run."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.sync.runs.workers", str(run_id)],
        env=environment(lab, **options),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )


@contextlib.contextmanager
def dramatiq_worker(lab: Lab, broker: str, log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A real dramatiq worker of one process with two threads; killed at the end, children included."""
    process = start_worker(lab, broker, log, **options)
    try:
        yield process
    finally:
        kill(process)


def start_worker(lab: Lab, broker: str, log: Path, **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dramatiq", "tests.sync.runs.workers", "--processes", "1", "--threads", "2"]
    return _start(command, lab, broker, log, **options)


@contextlib.contextmanager
def maintenance(lab: Lab, broker: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The maintenance loop in a process of its own."""
    process = _start([sys.executable, "-m", "tests.sync.runs.workers", "maintain"], lab, broker, log)
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for the process and all its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


def _start(command: list[str], lab: Lab, broker: str, log: Path, **options: Any) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            env=environment(lab, broker=broker, **options),
            cwd=ROOT,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _lab(spec: dict[str, Any]) -> Lab:
    lab = Lab(spec["url"], Path(spec["folder"]))
    lab.workspace.config |= spec["config"]
    return lab


def _pace(spec: dict[str, Any]) -> Any:
    from dataclasses import replace

    from tests.sync.runs.lab import QUICK

    return replace(QUICK, **{name: spec[name] for name in ("lease", "beat") if name in spec})


def _work_on_one_run(spec: dict[str, Any], run_id: int) -> None:
    from sync.runs import faults
    from sync.runs.run import execute

    answer = faults.answer

    def told(session: Any, error: Exception) -> Any:
        print("refused", type(error).__name__, flush=True)
        return answer(session, error)

    faults.answer = told
    print(execute(_lab(spec).workspace, run_id, pace=_pace(spec)), flush=True)


def _maintain(spec: dict[str, Any]) -> None:
    from threading import Event

    from sync.runs.maintenance import maintain

    maintain(_lab(spec).database, spec["broker"], Event())


if "KEHU_LAB" in os.environ:
    _spec = json.loads(os.environ["KEHU_LAB"])
    if __name__ == "__main__":
        if sys.argv[1] == "maintain":
            _maintain(_spec)
        else:
            _work_on_one_run(_spec, int(sys.argv[1]))
    elif "broker" in _spec:
        import dramatiq

        from sync.runs import actors
        from sync.runs.dispatch import make_broker

        broker = make_broker(_spec["broker"])
        dramatiq.set_broker(broker)
        actors.register(broker, _lab(_spec).workspace, pace=_pace(_spec))
