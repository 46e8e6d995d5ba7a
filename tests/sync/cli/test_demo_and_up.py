"""The whole program as a user runs it: the example company, workers, dashboard; and its end, polite or not."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "KEHU_LANG": "en", "NO_COLOR": "1"}

pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc"),
]


def command(*arguments: str, cwd: Path, timeout: float = 180) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sync.cli", *arguments],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def processes_of(folder: Path) -> list[int]:
    """All living processes whose command line or environment names the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            named = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if str(folder).encode() in named and state not in "ZX" and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def gone(folder: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while processes_of(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


class Running:
    """A `kehu up` in the background, with what it has said so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors = folder / "up.err"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sync.cli", "--project", str(folder), "up"],
                cwd=ROOT,
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()

    def said(self, word: str, seconds: float = 20) -> bool:
        deadline = time.monotonic() + seconds
        while word not in self.errors.read_text():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text("customer:\n  kind: person\n  name: name\n")
    (tmp_path / "customers.csv").write_text("id,name\n1,Zhang Wei\n2,Li Na\n")
    (tmp_path / "kehu.yaml").write_text(
        "connections:\n  sheet:\n    connector: files\n    every: 1s\n"
        "    settings: {streams: {customers: {path: customers.csv, key: id}}, settle_seconds: 0}\n"
        "    streams: {customers: {mapping: customers.yaml}}\n"
    )
    return tmp_path


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    started = Running(folder)
    assert started.link.startswith("http://127.0.0.1:"), started.errors.read_text()
    yield started
    if started.process.poll() is None:
        started.process.terminate()
        started.process.wait(60)


def test_the_example_company_becomes_one_list_of_customers(tmp_path: Path) -> None:
    done = command("demo", "--once", "--folder", "demo", "--customers", "60", cwd=tmp_path)
    assert done.returncode in (0, 4), done.stderr
    assert "failed" not in done.stdout
    assert '"event"' not in done.stderr, "what is logged does not stand between what is said"
    found = re.search(r"(\d+) source records are (\d+) customers; (\d+) of them", done.stderr.replace(",", ""))
    assert found, done.stderr
    records, customers, shared = map(int, found.groups())
    assert records > customers > shared > 0
    stats = json.loads(command("-C", "demo", "master", "stats", "--json", cwd=tmp_path).stdout)["data"]
    assert stats["customers"] == customers
    assert gone(tmp_path, 10)


@pytest.mark.systems
@pytest.mark.timeout(1900)
def test_the_example_company_on_real_systems(tmp_path: Path) -> None:
    done = command("demo", "--real", "--once", "--folder", "demo", "--customers", "60", cwd=tmp_path, timeout=1800)
    if "is left out" in done.stderr:
        reason = done.stderr
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    assert done.returncode in (0, 4), done.stderr
    states = {line.split("\t")[1]: line.split("\t")[2] for line in done.stdout.splitlines() if "\t" in line}
    assert {"erp.parties", "shop.customers", "crm.contacts", "mailbox.contacts"} <= set(states)
    assert set(states.values()) <= {"succeeded", "partial"}
    assert gone(tmp_path, 20), processes_of(tmp_path)


def test_everything_starts_syncs_answers_and_stops(running: Running) -> None:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    assert "sheet" in browser.open(running.link).read().decode()
    deadline = time.monotonic() + 30
    base = running.link.partition("/enter")[0]
    while "Li Na" not in browser.open(f"{base}/customers").read().decode():
        assert time.monotonic() < deadline, "the schedule did not bring the customers in"
        time.sleep(0.3)
    fresh = command("-C", str(running.folder), "up", "--link", cwd=ROOT).stdout.strip()
    assert fresh.startswith(f"{base}/enter?token=")
    assert fresh != running.link
    second = command("-C", str(running.folder), "up", cwd=ROOT)
    assert (second.returncode, "running already" in second.stderr) == (1, True)
    asked = command("-C", str(running.folder), "sync", "run", "--json", cwd=ROOT)
    assert json.loads(asked.stdout)["data"][0]["status"] == "succeeded"
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0
    assert gone(running.folder, 5), processes_of(running.folder)


def test_a_part_that_is_killed_is_started_again(running: Running) -> None:
    web = next(pid for pid in processes_of(running.folder) if b"dashboard" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(web, signal.SIGKILL)
    assert running.said("web ended with code -9")
    base = running.link.partition("/enter")[0]
    deadline = time.monotonic() + 30
    while True:
        try:
            assert urllib.request.urlopen(f"{base}/healthz", timeout=2).status == 200
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_nothing_stays_behind_after_kill_9(running: Running) -> None:
    assert len(processes_of(running.folder)) >= 5
    running.process.kill()
    running.process.wait()
    assert gone(running.folder, 30), processes_of(running.folder)
