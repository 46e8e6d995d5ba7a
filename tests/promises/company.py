"""A small company for the promise tests: an ERP database and a shop's export that overlap, and a project to sync them.

``evolve`` moves the sources through stages; after each, ``sync_all`` brings the master up to date. Everything is
real: the sql and files connectors, mapping files, the rule matcher, and the runs of the engine.
"""

from __future__ import annotations

import csv
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import select

from sync.database import metadata
from sync.master import resolving
from sync.project import Project
from sync.runs import requests, run
from sync.runs.states import RunMode
from sync.runs.tables import sync_run
from sync.runs.workspace import Pace

QUICK = Pace(first=0.02, most=0.1, retries=20, in_process=1.0, beat=0.1, lease=0.6)
STAGES = 2

SETTINGS = """\
database: {database}
{broker}connections:
  erp:
    connector: sql
    every: {every}
    settings:
      url: sqlite:///erp.db
      streams: {{customers: {{table: customers, key: id, cursor: updated_at}}}}
    streams: {{customers: {{mapping: erp.yaml, page_size: {page}, deletes: {{brake: 1.0}}}}}}
  shop:
    connector: files
    every: {every}
    settings: {{settle_seconds: 0, streams: {{customers: {{path: shop.csv, key: number}}}}}}
    streams: {{customers: {{mapping: shop.yaml, page_size: {page}, deletes: {{brake: 1.0}}}}}}
"""

ERP_MAPPING = """\
customer:
  kind: organisation
  name: name
  emails: email
  phones: phone
  identifiers: [{scheme: cn.uscc, from: tax}]
  source_changed_at: updated_at
"""

SHOP_MAPPING = """\
customer: {kind: organisation, name: company, emails: mail, phones: tel}
"""


def build(
    folder: Path, database: str, broker: str = "", *, scale: int = 1, page: int = 17, every: str = "never"
) -> None:
    """The project and its sources in their first stage.

    ``broker`` is a Redis URL, if one is used; ``scale`` multiplies the number of customers.
    """
    (folder / "mappings").mkdir(parents=True)
    broker_line = f"broker: {broker}\n" if broker else ""
    (folder / "kehu.yaml").write_text(
        SETTINGS.format(database=database, broker=broker_line, page=page, every=every), encoding="utf-8"
    )
    (folder / "mappings" / "erp.yaml").write_text(ERP_MAPPING, encoding="utf-8")
    (folder / "mappings" / "shop.yaml").write_text(SHOP_MAPPING, encoding="utf-8")
    project = Project.load(folder)
    metadata.create_all(project.database.engine)
    project.database.dispose()
    evolve(folder, 0, scale)


def evolve(folder: Path, stage: int, scale: int = 1) -> None:
    """Bring the sources into a stage: 0 as founded; 1 with edits, moves, new customers and deletes."""
    with closing(sqlite3.connect(folder / "erp.db")) as db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY, name TEXT, email TEXT, phone TEXT, tax TEXT, "
            "updated_at TEXT)"
        )
        db.execute("DELETE FROM customers")
        db.executemany(
            "INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?)", list(map(_erp_row(stage), _erp_numbers(stage, scale)))
        )
        db.commit()
    part = folder / "shop.csv.part"
    with part.open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "company", "mail", "tel"])
        writer.writerows(map(_shop_row(stage), _shop_numbers(stage, scale)))
    part.rename(folder / "shop.csv")


def _erp_numbers(stage: int, scale: int) -> list[int]:
    return [n for n in range(60 * scale + 10 * stage) if not (stage and n % 13 == 5)]


def _shop_numbers(stage: int, scale: int) -> list[int]:
    return [n for n in range(30, 75 * scale) if not (stage and n % 7 == 3)]


def _erp_row(stage: int) -> Callable[[int], tuple[Any, ...]]:
    def row(n: int) -> tuple[Any, ...]:
        edited = stage and n % 6 == 0
        name = f"上海{_name(n)}有限公司" if n % 3 else f"{_name(n)} Trading Ltd"
        email = f"c{n + 1 if edited and n % 12 == 0 else n}@example.com"
        stamp = f"2026-05-0{2 if edited else 1}T10:{n // 600 % 60:02d}:{n // 10 % 60:02d}Z"
        return (f"E{n:03d}", name + (" 新" if edited else ""), email, None, None, stamp)

    return row


def _shop_row(stage: int) -> Callable[[int], tuple[Any, ...]]:
    def row(n: int) -> tuple[Any, ...]:
        name = f"上海{_name(n)}有限公司" if n % 3 else f"{_name(n).upper()} TRADING LTD"
        moved = stage and n % 10 == 1
        return (f"S{n}", name, f"c{n}@example.com" if not moved else f"moved{n}@example.com", f"+8613800{n:06d}")

    return row


def _name(n: int) -> str:
    return "".join(chr(ord("A") + int(digit)) for digit in f"{n:03d}") + "hua"


def sync_all(folder: Path) -> None:
    """Register, sync both streams and resolve, until nothing is open or pending. Goes on wherever another died."""
    project = Project.load(folder)
    with project.database.transaction() as connection:
        project.register(connection)
        for name, mode in (("erp", RunMode.INCREMENTAL), ("erp", RunMode.FULL), ("shop", RunMode.INCREMENTAL)):
            stream = requests.find_stream(connection, name, "customers")
            requests.request_run(connection, stream.id, mode)
    finish_open_runs(project)
    settle(project)
    project.database.dispose()


def finish_open_runs(project: Project, seconds: float = 60, pace: Pace = QUICK) -> None:
    """Work on every open run until it has ended; leases of the dead are waited for."""
    deadline = time.monotonic() + seconds
    while numbers := open_runs(project):
        assert time.monotonic() < deadline, "the runs do not end"
        for number in numbers:
            run.execute(project, number, pace=pace)
        time.sleep(0.02)


def open_runs(project: Project) -> list[int]:
    """The runs that have not ended, oldest first."""
    with project.database.reading() as connection:
        statement = select(sync_run.c.id).where(sync_run.c.finished_at.is_(None)).order_by(sync_run.c.id)
        return list(connection.execute(statement).scalars())


def settle(project: Project) -> None:
    """Resolve whatever was landed and left."""
    with project.database.reading() as connection:
        waiting = resolving.pending(connection, 10_000)
    resolving.resolve(project.database, waiting, matcher=project.matcher, survivorship=project.survivorship)


def in_child(work: Callable[[], None]) -> int:
    """Run in a forked process; answers its exit status as ``os.waitpid`` tells it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]
