"""What one incoming record costs: ``python -m benchmarks.online [--existing N,…] [--times T] [--changes N]``.

Loads N customers, learns a version from them and puts it in force, vacuums, then lands and resolves single records, one
after the other: half of them new, half other views of known customers. Normalising, blocking, scoring, deciding and
persisting are all in the time, both transactions too. With ``--times 10`` the customers are copied before, so that ten
times as many are there (see ``benchmarks.copies``). Prints p50 and p99 of the wall with fsync on and off (what the
disk takes is the difference), and the processor time of ours and of PostgreSQL, which a busy machine distorts less.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from typing import Any

import psycopg

from benchmarks.copies import multiply
from benchmarks.sync.api import customer
from benchmarks.sync.measure import server_cpu
from connectors.contract import Page, Record
from mappings.survivorship import SurvivorshipRules
from sync import collector
from sync.database import Database
from sync.master import landing, resolving, streams
from sync.master.streams import StreamRef
from sync.matching import calibration, switching
from sync.matching.active import ActiveVersion
from sync.matching.packed import PROBABILITY
from tests.master_kit import NOW, record
from tests.matching_kit import CustomerMapping, versioned
from tests.services import PostgresServer, postgres

REAL = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "512MB"}
PAGE = 2_000
RULES = SurvivorshipRules()
TARGET_P50, TARGET_P99, TARGET_GROWTH = 0.002, 0.010, 1.5


def canonical(number: int, view: int = 0) -> dict[str, Any]:
    """A made-up customer; another view of one has no street, and its name in capitals."""
    raw = customer(number)
    address = {key: raw["address"][key] for key in ("street", "city", "postcode", "country")}
    made = {
        "kind": "person",
        "name": f"{raw['first_name']} {raw['last_name']}",
        "given_name": raw["first_name"],
        "family_name": raw["last_name"],
        "emails": [{"value": raw["email"]}],
        "phones": [{"value": raw["phone"]}],
        "addresses": [address],
    }
    if view:
        made |= {"name": str(made["name"]).upper(), "addresses": [{"city": address["city"]}]}
    return made


class Master:
    """A master under load."""

    def __init__(self, database: Database) -> None:
        self.database, self.source = database, ActiveVersion()
        with database.reading() as connection:
            self.streams: dict[int, StreamRef] = streams.load(connection)

    def bring(self, stream: int, records: list[Record]) -> None:
        """Land records and resolve them."""
        with self.database.hot_transaction() as connection:
            page = Page(records, {})
            landed = landing.land(connection, self.streams[stream], page, CustomerMapping(), self.source, now=NOW)
            resolving.announce(connection, landed.landing_id, self.source, landed.batch)
        if landed.landing_id is not None:
            resolving.resolve(
                self.database,
                [landed.landing_id],
                matcher=self.source,
                survivorship=RULES,
                batch=landed.batch,
                derived_by=landed.version,
            )

    def learn(self) -> None:
        """Learn a version from what is there, and put it in force."""
        learnt = calibration.learn(self.database)
        with self.database.transaction() as connection:
            version = calibration.propose(connection, learnt, by="benchmark")
            switching.begin(connection, version.number, by="benchmark")
        assert switching.go_on(self.database)
        while True:
            with self.database.reading() as connection:
                waiting = resolving.pending(connection, 50)
            if not waiting:
                return
            resolving.resolve(self.database, waiting, matcher=self.source, survivorship=RULES)


def measure(master: Master, existing: int, changes: int, run: int) -> list[float]:
    """Seconds of each single record, sorted. New customers are spread over the numbers, as neighbours sound alike."""
    chance, took = random.Random(run), []
    for number in range(changes):
        known = number % 2 == 1
        body = canonical(chance.randrange(existing) + (0 if known else existing), int(known))
        one = record(f"N{run}-{number}", **body)
        began = time.perf_counter()
        master.bring(2, [one])
        took.append(time.perf_counter() - began)
    return sorted(took)


def processor_ms(master: Master, server: PostgresServer, existing: int, changes: int) -> str:
    """Milliseconds of ours and of PostgreSQL's processor time for one record."""
    ours, theirs = time.process_time(), server_cpu(server.pid)
    measure(master, existing, changes, 3)
    ours, theirs = time.process_time() - ours, server_cpu(server.pid) - theirs
    return f"{ours / changes * 1e3:5.2f} + {theirs / changes * 1e3:4.2f}"


def at_rest(url: str) -> None:
    """What autovacuum and the checkpointer do within minutes after a load is done, and not measured."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def without_disk(url: str) -> None:
    """From now on nobody waits for the disk."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)  # until every backend has read it


def main() -> None:
    """One line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--existing", default="100000,300000")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--changes", type=int, default=1_000)
    chosen = parser.parse_args()
    first = None
    print("existing   load s   learn s | fsync: p50 ms   p99 ms   growth | without: p50 ms   p99 ms | CPU ms ours + PG")
    for existing in map(int, chosen.existing.split(",")):
        with postgres(REAL) as server, server.database() as url, versioned(url, PROBABILITY) as database:
            master = Master(database)
            began = time.perf_counter()
            for start in range(0, existing, PAGE):
                master.bring(1, [record(f"{n}", **canonical(n)) for n in range(start, min(start + PAGE, existing))])
            loaded = time.perf_counter()
            master.learn()
            learnt = time.perf_counter()
            if chosen.times > 1:
                multiply(url, chosen.times)
            at_rest(url)
            measure(master, existing, 50, 0)  # caches and connections warm, as in a worker
            collector.settle()  # as workers do
            took = measure(master, existing, chosen.changes, 1)
            without_disk(url)
            free = measure(master, existing, chosen.changes, 2)
            middle, rest = statistics.median(took), statistics.median(free)
            first = first or middle
            print(
                f"{existing * chosen.times:8} {loaded - began:8.1f} {learnt - loaded:9.1f} | {middle * 1e3:13.2f} "
                f"{took[int(len(took) * 0.99)] * 1e3:8.2f} {middle / first:8.2f} | {rest * 1e3:15.2f} "
                f"{free[int(len(free) * 0.99)] * 1e3:8.2f} | {processor_ms(master, server, existing, chosen.changes)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
