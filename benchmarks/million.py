"""A large master on PostgreSQL, made by the product's own code: 1,000,000 customers, 14 connections, 10,000 runs.

``python -m benchmarks.million FOLDER`` starts a server below FOLDER (default durability), writes a project
(FOLDER/project), syncs made-up customers (``benchmarks.population``) from JSON lines through land, map and resolve with
the matching rules, builds the search index, adds a history of runs, and then keeps the server until it is interrupted:
``cd FOLDER/project && kehu up`` is a desk with a million customers, and ``benchmarks.search`` measures on it.

Three connections hold one to three records of each customer, eleven hold a few hundred each. Some records cannot be
mapped and stand in quarantine; pairs that the rules leave open stand in the review queue.
"""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from benchmarks.population import customers
from sync import migrations
from sync.database import Database
from sync.master.search.index import catch_up
from sync.oneshot import finish, request, targets
from sync.project import Project
from sync.runs.states import RunMode
from tests.services import postgres

LARGE = ("crm", "erp", "shop")
SMALL = ("mail", "fair", "wechat", "pos", "support", "loyalty", "b2b", "events", "app", "partner", "legacy")
SMALL_RECORDS = 300
RECORDS_A_CUSTOMER = 1.24
"""Of the large connections, as the rules put the population together."""
BROKEN = 1 / 3_000
REGISTERED_AGAIN = 0.11
"""So many organisations with a phone come with a second firm of the same name behind it, for stewards to judge."""
RUNS = 10_000
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
SETTINGS = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB"}
MAPPING = """\
customer:
  kind: {from: kind}
  name: name
  native_name: native_name
  given_name: given_name
  family_name: family_name
  birth_date: {from: birth_date, on_error: reject}
  emails: "emails[].value"
  phones: "phones[].value"
  identifiers: [{each: identifiers, scheme: {from: scheme}, from: value}]
  addresses: [{each: addresses, street: street, city: city, postcode: postcode}]
  status: status
  tags: tags
  source_changed_at: updated_at
"""
CONNECTION = """\
  {name}:
    connector: files
    settings: {{streams: {{customers: {{path: data/{name}.jsonl, key: id}}}}}}
    streams: {{customers: {{mapping: customers.yaml, every: never}}}}
"""


def write_project(folder: Path, url: str) -> None:
    """The settings of all connections, and the mapping that they share."""
    (folder / "mappings").mkdir(parents=True, exist_ok=True)
    (folder / "mappings" / "customers.yaml").write_text(MAPPING, encoding="utf-8")
    connections = "".join(CONNECTION.format(name=name) for name in (*LARGE, *SMALL))
    text = f"database: '{url}'\nmatching: {{model: rules}}\nconnections:\n{connections}"
    (folder / "kehu.yaml").write_text(text, encoding="utf-8")


def write_data(folder: Path, wanted: int, seed: int = 1) -> int:
    """The files of all connections, for about so many customers; answers the number of records."""
    chance = random.Random(seed)
    large = int(wanted * RECORDS_A_CUSTOMER)
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = {name: stack.enter_context((data / f"{name}.jsonl").open("wb")) for name in (*LARGE, *SMALL)}
        total = large + SMALL_RECORDS * len(SMALL)
        for number, (connection, contents) in enumerate(_placed(total, large, chance)):
            files[connection].write(orjson.dumps(_record(number, contents, chance)) + b"\n")
    return total


def _placed(total: int, large: int, chance: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records with their connections: copies of one customer in different ones, at most three."""
    made, entity, first, copy = 0, "", 0, 0
    for name, contents in customers(total * 2, seed=1):
        copy = copy + 1 if name == entity else 0
        first, entity = (first if name == entity else first + 1), name
        if copy == len(LARGE):
            continue
        for one in _registered(contents, chance) if copy == 0 else (contents,):
            yield (LARGE[(first + copy) % len(LARGE)] if made < large else SMALL[made % len(SMALL)]), one
            made += 1
            if made == total:
                return


def _registered(contents: dict[str, Any], chance: random.Random) -> Iterator[dict[str, Any]]:
    """The record, and for some organisations another one with all the same but its tax number."""
    twice = contents["kind"] == "organisation" and "phones" in contents and chance.random() < REGISTERED_AGAIN
    for _ in range(2) if twice else ():
        yield {**contents, "identifiers": [{"scheme": "cn.uscc", "value": _uscc(chance)}]}
    if not twice:
        yield contents


def _uscc(chance: random.Random) -> str:
    """A valid unified social credit code (GB 32100-2015)."""
    code = "91310115" + "".join(chance.choices(_USCC, k=9))
    total = sum(_USCC.index(letter) * pow(3, place, 31) for place, letter in enumerate(code))
    return code + _USCC[-total % 31]


def _record(number: int, contents: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    changed = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(20_000_000))
    record = {"id": f"{number:07}", "updated_at": changed.isoformat(), **contents, "status": "active"}
    record["tags"] = chance.sample(("vip", "newsletter", "wholesale", "2025", "复购", "展会"), chance.randrange(3))
    if chance.random() < BROKEN:
        record["birth_date"] = "31.02.19xx"
    return record


def sync(project: Project) -> None:
    """Every connection in turn, as ``kehu sync`` does it."""
    with project.database.transaction() as connection:
        project.register(connection)
    for target in targets(project, []):
        began = time.monotonic()
        [run] = finish(project, request(project, [target], RunMode.FULL), lambda _: None)
        took = time.monotonic() - began
        print(f"{target.connection:8} {run.status} {run.counts} in {took:,.0f} s", flush=True)


def add_history(database: Database, runs: int, seed: int = 1) -> None:
    """Runs of the last month, with what such runs tell; by SQL, since a run takes its time."""
    chance = random.Random(seed)
    with database.transaction() as connection:
        streams = connection.exec_driver_sql("SELECT id FROM stream_state ORDER BY id").scalars().all()
        # The runs of this filling become the newest ones.
        connection.exec_driver_sql(f"UPDATE sync_run SET id = id + {runs}")
        connection.exec_driver_sql(f"UPDATE run_event SET run_id = run_id + {runs}")
        connection.exec_driver_sql(f"UPDATE quarantine SET run_id = run_id + {runs}")
        now = datetime.now(UTC)
        rows, events = [], []
        for number in range(1, runs + 1):
            began = now - timedelta(days=30) * (1 - (number - 1) / runs) - timedelta(hours=1)
            row, told = _run(number, chance.choice(streams), began, chance)
            rows.append(row)
            events += told
        connection.exec_driver_sql(_INSERT_RUN, rows)
        connection.exec_driver_sql(_INSERT_EVENT, events)
        for table in ("sync_run", "run_event"):
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )


_INSERT_RUN = """
INSERT INTO sync_run (id, stream_id, mode, status, trigger, generation, pages, read, created, updated, unchanged,
  quarantined, deleted, attempts, error_code, error, remedy, queued_at, started_at, finished_at)
VALUES (%(id)s, %(stream)s, %(mode)s, %(status)s, %(trigger)s, 1, %(pages)s, %(read)s, %(created)s, %(updated)s,
  %(unchanged)s, 0, %(deleted)s, 1, %(code)s, %(error)s, %(remedy)s, %(began)s, %(began)s, %(ended)s)
"""
_INSERT_EVENT = "INSERT INTO run_event (run_id, at, level, text) VALUES (%(run)s, %(at)s, %(level)s, %(text)s)"
_UNREACHABLE = '{"template":"The server cannot be reached: {detail}","params":{"detail":"timed out"}}'


def _run(
    number: int, stream: int, began: datetime, chance: random.Random
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    status = chance.choices(("succeeded", "partial", "failed", "cancelled"), (93, 3, 3, 1))[0]
    created, updated, deleted = chance.randrange(40), chance.randrange(200), chance.randrange(5)
    unchanged = chance.randrange(2_000)
    ended = began + timedelta(seconds=chance.expovariate(1 / 20))
    failed = status == "failed"
    row = {
        "id": number, "stream": stream, "mode": "full" if chance.random() < 0.05 else "incremental", "status": status,
        "trigger": chance.choices(("schedule", "webhook", "manual"), (85, 10, 5))[0], "pages": 1 + unchanged // 1_000,
        "read": created + updated + deleted + unchanged, "created": created, "updated": updated, "deleted": deleted,
        "unchanged": unchanged, "code": "unreachable" if failed else None, "error": _UNREACHABLE if failed else None,
        "remedy": "Check the address and the network." if failed else None, "began": began, "ended": ended,
    }  # fmt: skip
    told = [{"run": number, "at": ended, "level": "error", "text": _UNREACHABLE}] if failed else []
    return row, told


def fill(folder: Path, url: str, wanted: int) -> None:
    """Make everything in an empty database; tells what came out and how long it took."""
    began = time.monotonic()
    write_project(folder, url)
    print(f"{write_data(folder, wanted):,} records written in {time.monotonic() - began:,.0f} s", flush=True)
    project = Project.load(folder)
    migrations.migrate(project.database)
    sync(project)
    add_history(project.database, RUNS)
    at = time.monotonic()
    print(f"search index: {catch_up(project.database):,} changes in {time.monotonic() - at:,.0f} s", flush=True)
    with project.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")
    tell(project)
    print(f"{time.monotonic() - began:,.0f} s in all", flush=True)
    project.database.dispose()


def tell(project: Project) -> None:
    """What is in the database."""
    from sync.stewardship.review import queue

    with project.database.reading() as connection:
        for what, statement in (
            ("customers", "SELECT count(*) FROM customer WHERE status = 'active'"),
            ("of several records", "SELECT count(*) FROM customer WHERE status = 'active' AND members > 1"),
            ("source records", "SELECT count(*) FROM source_record"),
            ("changes", "SELECT count(*) FROM change"),
            ("search terms", "SELECT count(*) FROM search_term"),
            ("runs", "SELECT count(*) FROM sync_run"),
            ("in quarantine", "SELECT count(*) FROM quarantine WHERE state = 'open'"),
        ):
            print(f"{what:20} {connection.exec_driver_sql(statement).scalar_one():>12,}", flush=True)
        print(f"{'to review':20} {len(queue(connection, project.matcher, 1_000_000)):>12,}", flush=True)


def main() -> None:
    """Fill a server of its own and keep it, or fill the database that is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument(
        "--database", help="SQLAlchemy URL of an empty PostgreSQL database; default: a server of its own"
    )
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    if given.database:
        fill(folder / "project", given.database, given.customers)
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # the server runs as another user where we are root
    tempfile.tempdir = str(folder)
    with postgres(SETTINGS) as server, server.database() as url:
        fill(folder / "project", url, given.customers)
        (folder / "url").write_text(url + "\n", encoding="utf-8")
        print(f"{url}\nThe server runs until it is interrupted (Ctrl+C), and is removed then.", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
