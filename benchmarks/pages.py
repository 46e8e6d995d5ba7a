"""How long every page of the dashboard takes the server, on a project of any size.

``python -m benchmarks.pages PROJECT`` serves the project by a process of its own, as ``kehu up`` does, signs in as the
administrator (a session and its audit entry are all that is written), and asks for each page in turn, round after
round, so that a busy machine slows all alike. Told of each page: the first look after the start, p50 and p95 of the
rest by the wall (request to last byte, on the loopback), and the CPU of our process and of PostgreSQL's, which a busy
machine does not change. ``python -m benchmarks.million`` makes a project with a million customers and 10,000 runs.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, text

from sync.access import Access
from sync.master import lookup
from sync.master.identity import public_id
from sync.project import Project
from sync.stewardship import services
from tests.processes import free_port

TARGET = 0.1
_TICK = os.sysconf("SC_CLK_TCK")


class Look(NamedTuple):
    """One request: seconds by the wall, CPU seconds of ours and of PostgreSQL's, bytes."""

    wall: float
    cpu: float
    database: float
    size: int


def pages(project: Project) -> list[str]:
    """The address of every page, with something to show on it."""
    with project.database.reading() as connection:
        rows = lookup.customers(connection, limit=2_000)
        largest = max(rows, key=lambda row: row.members)
        pairs = services.queue(connection, project.matcher, 1)
        found = [f"/customers/{public_id(largest.id)}", *_numbered(connection)]
        words = [word for word in (largest.name or "").split()[:1] if word]
    if pairs:
        pair = {"left": pairs[0].left.record, "right": pairs[0].right.record}
        found += [f"/duplicates/review?{urlencode(pair)}", f"/duplicates/review?{urlencode(pair)}&blind=1"]
    searches = [*words, "zhang wei", "张", "0138", "example.com"]
    found += [f"/customers?{urlencode({'q': one})}" for one in searches]
    found += [f"/palette?{urlencode({'q': one})}" for one in searches[:2]]
    for name in list(project.settings.connections)[:2]:
        tabs = ("status", "runs", "schema", "mapping", "settings")
        found += [f"/connections/{quote(name)}?tab={tab}" for tab in tabs]
        found += [f"/mappings/{quote(name)}/{quote(stream)}" for stream in project.streams(name)[:1]]
    fixed = "/ /?range=30d /connections /connections/new /runs /runs?trouble=1 /quarantine /quarantine?state=resolved"
    fixed += " /mappings /customers /duplicates /duplicates/log /matching /changes /webhooks /exports /keys /users"
    return [*f"{fixed} /audit /settings".split(), *found]


def _numbered(connection: Connection) -> Iterator[str]:
    for table, address in (("sync_run", "/runs/{}"), ("quarantine", "/quarantine/{}")):
        newest = connection.execute(text(f"SELECT max(id) FROM {table}")).scalar_one()
        if newest is not None:
            yield address.format(newest)


@contextmanager
def served(project: Project) -> Iterator[tuple[int, int]]:
    """The dashboard of the project in a process of its own: its port and its process id."""
    port = free_port()
    command = [sys.executable, "-m", "dashboard", str(project.path), "--port", str(port), "--die-with-parent"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with suppress(OSError):
                ask(port, "/healthz", "", process.pid)
                break
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def backends(project: Project) -> list[int]:
    """The processes of PostgreSQL that serve this database; none of SQLite."""
    if not project.database.is_postgres:
        return []
    with project.database.reading() as connection:
        asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return list(connection.execute(text(asked)).scalars())


def ask(port: int, address: str, cookie: str, pid: int, others: Sequence[int] = ()) -> Look:
    """One page. Raises RuntimeError for an answer that is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    before, theirs, began = _cpu(pid), sum(map(_cpu, others)), time.perf_counter()
    connection.request("GET", address, headers={"Cookie": cookie})
    answer = connection.getresponse()
    body = answer.read()
    wall = time.perf_counter() - began
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{address}: {answer.status}")
    return Look(wall, _cpu(pid) - before, max(0.0, sum(map(_cpu, others)) - theirs), len(body))


def signed_in(project: Project, port: int) -> str:
    """The cookie of a session."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/enter?token={Access(project.state_folder).link_token()}")
    answer = connection.getresponse()
    answer.read()
    return str(answer.headers["set-cookie"]).partition(";")[0]


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except FileNotFoundError:  # a connection that was given back meanwhile
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK


def p95(values: list[float]) -> float:
    """The value that one in twenty exceeds."""
    return sorted(values)[max(0, int(len(values) * 0.95 + 0.5) - 1)]


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages")
    parser.add_argument("project", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    project = Project.load(arguments.project)
    try:
        addresses = pages(project)
        with served(project) as (port, pid):
            cookie = signed_in(project, port)
            first = {one: ask(port, one, cookie, pid) for one in addresses}
            looks: dict[str, list[Look]] = {one: [] for one in addresses}
            for _ in range(arguments.rounds):
                others = backends(project)
                for one in addresses:
                    looks[one].append(ask(port, one, cookie, pid, others))
    finally:
        project.close()
    print(f"{'page':<58} {'first':>7} {'p50':>7} {'p95':>7} {'CPU':>7} {'PG CPU':>7} {'KB':>6}   (ms)")
    slow = 0
    for one in sorted(addresses, key=lambda one: -p95([look.wall for look in looks[one]])):
        walls, cpus = [look.wall for look in looks[one]], [look.cpu for look in looks[one]]
        database = statistics.mean(look.database for look in looks[one])
        figures = (first[one].wall, statistics.median(walls), p95(walls), statistics.mean(cpus), database)
        told = " ".join(f"{figure * 1000:7.1f}" for figure in figures)
        print(f"{one[:58]:<58} {told} {first[one].size / 1000:6.0f}")
        slow += p95(walls) > TARGET
    print(f"{len(addresses)} pages, {arguments.rounds} rounds; p95 over {TARGET * 1000:.0f} ms: {slow}")


if __name__ == "__main__":
    main()
