"""The example company: where its generator is, how its services are run."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import sync
from sync.errors import Misused, SyncError
from sync.up import ChildSpec

EXAMPLES = Path(sync.__file__).parents[1] / "examples"
GENERATOR = EXAMPLES / "company.py"
REAL_SYSTEMS = EXAMPLES / "real.py"
INSTALLING = 1800.0
"""Seconds that the real systems may take: the first time they are installed."""
LOOPBACK = "127.0.0.1"


class NoExample(Misused):
    """The example company is part of the repository, not of the installed package."""

    code = "no_example"
    default_remedy = "Clone the repository and run `make run` in it; for your own data see `kehu init`."


def generate(folder: Path, customers: int, seed: int) -> dict[str, int]:
    """Make the company's systems and project in ``folder``; answers how many records each system holds.

    Raises NoExample outside of a clone, Misused for a folder that holds something else.
    """
    if not GENERATOR.is_file():
        raise NoExample("The example company is not installed here.")
    if folder.exists() and any(folder.iterdir()) and not (folder / "truth.csv").exists():
        raise Misused(
            "{folder} holds something else.", remedy="Name an empty folder with --folder.", folder=str(folder)
        )
    command = [sys.executable, str(GENERATOR), "generate", str(folder)]
    command += ["--customers", str(customers), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["-"])[-1][:300]
        raise SyncError("The example company could not be made: {reason}", reason=reason)
    return dict(json.loads(done.stdout)["records"])


def services(folder: Path) -> ChildSpec:
    """The company's web shop and mailbox as a part to supervise; their ports stay over a restart."""
    ports = _free_ports(2)
    command = [sys.executable, str(GENERATOR), "serve", str(folder)]
    command += ["--shop-port", str(ports[0]), "--mail-port", str(ports[1])]
    log = folder / ".kehu" / "logs" / "company.log"
    return ChildSpec("company", command, log, ready=lambda: all(_answers(port) for port in ports))


def real_systems(folder: Path) -> ChildSpec:
    """The company on other people's systems as a part to supervise. It rewrites the project when they are ready."""
    log = folder / ".kehu" / "logs" / "systems.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    command = [sys.executable, str(REAL_SYSTEMS), str(folder)]
    return ChildSpec("systems", command, log, ready=lambda: _told(log) is not None, patience=INSTALLING)


def told(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Which real systems run, and which do not and why."""
    found = _told(folder / ".kehu" / "logs" / "systems.log") or {}
    return list(found.get("systems", ())), dict(found.get("missing", {}))


def _told(log: Path) -> dict[str, Any] | None:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    line = next((line for line in lines if line.startswith('{"systems"')), None)
    return None if line is None else dict(json.loads(line))


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
