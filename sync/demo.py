"""The example company: where its generator is, how its services are run."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import sync
from sync.errors import Misused, SyncError
from sync.up import ChildSpec

GENERATOR = Path(sync.__file__).parents[1] / "examples" / "company.py"
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
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
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
