"""Installing other people's systems into a cache outside the checkout: once, whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.processes import cache_folder

INSTALL_TIMEOUT = 900
"""Seconds that one installing command may take."""


class Unavailable(RuntimeError):
    """A system cannot be had on this machine; the text says why."""


def installed(name: str, build: Callable[[Path], None]) -> Path:
    """The folder ``name`` of the cache, made by ``build(folder)`` the first time.

    ``build`` fills a temporary folder that is renamed when it is complete, so that an interrupted build leaves
    nothing half-done. One build at a time on the whole machine; others wait. Raises ``Unavailable`` if it fails.
    """
    folder = cache_folder() / name
    if folder.exists():
        return folder
    with _one_at_a_time():
        if not folder.exists():
            _build(folder, build)
    return folder


def version_of(*sources: str | Path) -> str:
    """A short name for the contents of these files and texts: what was made from others gets another name."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes() if isinstance(source, Path) else source.encode())
    return digest.hexdigest()[:12]


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run one installing command; its output. Raises ``Unavailable`` with the end of its output if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=INSTALL_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{words[0]} did not run: {error}") from None
    if done.returncode:
        raise Unavailable(f"{' '.join(words[:4])} failed:\n{(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


def python_environment(folder: Path, packages: Sequence[str]) -> None:
    """Make a virtual environment with these packages in ``folder``. Start its programs as ``bin/python bin/name``."""
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", *packages)


def node_packages(folder: Path, packages: dict[str, str]) -> None:
    """Install these npm packages, name to version, into ``folder`` without running their install scripts."""
    if shutil.which("npm") is None:
        raise Unavailable("Node.js is not installed (npm is missing)")
    wanted = [f"{name}@{version}" for name, version in packages.items()]
    (folder / "package.json").write_text('{"name": "system", "version": "1.0.0", "private": true}\n')
    quiet = ("--no-audit", "--no-fund", "--no-progress", "--ignore-scripts", "--save-exact")
    run("npm", "install", *quiet, *wanted, cwd=folder)


def node() -> str:
    """The path of Node.js; raises ``Unavailable``."""
    found = shutil.which("node")
    if found is None:
        raise Unavailable("Node.js is not installed (node is missing)")
    return found


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        build(unfinished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(folder)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
