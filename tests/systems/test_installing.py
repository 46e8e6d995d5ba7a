"""The installer of other people's systems: once, whole or not at all, and never in the checkout."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from tests.systems.fixtures import available
from tests.systems.installing import Unavailable, installed, run, version_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEHU_TEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder: Path) -> None:
    time.sleep(0.2)
    with (folder / "built").open("a") as file:
        file.write(f"{os.getpid()}\n")


def test_what_is_installed_is_not_installed_again() -> None:
    first = installed("thing", write)
    assert installed("thing", write) == first
    assert len((first / "built").read_text().splitlines()) == 1


def test_two_processes_install_once() -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=installed, args=("thing", write)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len((installed("thing", write) / "built").read_text().splitlines()) == 1


def test_an_interrupted_installation_leaves_nothing_and_is_done_anew(cache: Path) -> None:
    def interrupted(folder: Path) -> None:
        write(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        installed("thing", interrupted)
    assert not (cache / "thing").exists()
    assert (installed("thing", write) / "built").exists()


def test_leftovers_of_a_killed_installation_are_cleared_away(cache: Path) -> None:
    (cache / "thing.unfinished").mkdir(parents=True)
    (cache / "thing.unfinished" / "half").touch()
    assert not (installed("thing", write) / "half").exists()


def test_a_failed_command_says_what_it_printed() -> None:
    with pytest.raises(Unavailable, match="no space left"):
        run("/bin/sh", "-c", "echo no space left; exit 1")


def test_another_seed_is_another_version() -> None:
    assert version_of("a") != version_of("b")


def test_what_cannot_be_had_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise Unavailable("no network")

    class Broken:
        __enter__ = staticmethod(unavailable)

        def __exit__(self, *raised: object) -> None: ...

    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no network"):
        next(available(Broken))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no network"):
        next(available(Broken))
