"""How long a change at a source takes to be visible in the master: ``python -m benchmarks.latency [--changes N]``.

A SQLite ERP polled every second by real workers and the maintenance loop, PostgreSQL with fsync on, Valkey. Each
change is a row edited at a random moment; the clock stops when the golden record read from the master shows it.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sync.master import queries
from sync.project import Project
from tests.promises.company import build
from tests.promises.plant import plant
from tests.services import postgres, valkey

REAL = {"fsync": "on", "full_page_writes": "on"}
PATIENCE = 30.0


def edit(folder: Path, key: str, name: str) -> None:
    """Change one customer's name in the ERP."""
    stamp = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    with closing(sqlite3.connect(folder / "erp.db", timeout=30)) as db:
        db.execute("UPDATE customers SET name = ?, updated_at = ? WHERE id = ?", (name, stamp, key))
        db.commit()


def seen(project: Project, key: str, name: str) -> bool:
    """Whether the master shows the name."""
    with project.database.reading() as connection:
        found = queries.by_source(connection, "erp", "customers", key)
    return found is not None and any(source.canonical.get("name") == name for source in found.sources)


def measure(project: Project, changes: int) -> list[float]:
    """Seconds of each change."""
    rng, took = random.Random(1), []
    for number in range(changes):
        key, name = f"E{rng.randrange(60):03d}", f"Renamed {number} Ltd"
        time.sleep(rng.uniform(0, 1.2))
        edit(project.folder, key, name)
        began = time.monotonic()
        while not seen(project, key, name):
            if time.monotonic() - began > PATIENCE:
                raise SystemExit(f"change {number} of {key} did not arrive in {PATIENCE:.0f} s")
            time.sleep(0.01)
        took.append(time.monotonic() - began)
    return took


def main() -> None:
    """Measure and print the distribution."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100)
    changes = parser.parse_args().changes
    with postgres(REAL) as server, server.database() as url, valkey() as broker, tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "project"
        build(folder, url, broker.url(), every="1s")
        project = Project.load(folder)
        with project.database.transaction() as connection:
            project.register(connection)
        with plant(folder):
            measure(project, 2)
            took = sorted(measure(project, changes))
    p99 = took[min(int(len(took) * 0.99), len(took) - 1)]
    print(f"source change → master, {changes} changes, 1 s poll: p50 {statistics.median(took):.2f} s, p99 {p99:.2f} s")


if __name__ == "__main__":
    main()
