"""What one incoming record costs: ``python -m benchmarks.online [--existing N,…] [--changes N]`` on PostgreSQL.

Loads N customers, learns a version from them and puts it in force, then lands and resolves single records, one after
the other: half of them new, half other views of known customers. Normalising, blocking, scoring, deciding and
persisting are all in the time, both commits with fsync too. Prints p50, p99 and how many pairs a record was compared
with.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from typing import Any

from benchmarks.sync.api import customer
from connectors.contract import Page, Record
from mappings.survivorship import SurvivorshipRules
from sync.database import Database
from sync.master import landing, resolving, streams
from sync.master.streams import StreamRef
from sync.matching import calibration, store, switching
from sync.matching.active import ActiveVersion
from tests.master_kit import NOW, record
from tests.matching_kit import CustomerMapping, versioned
from tests.services import postgres

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


def measure(master: Master, existing: int, changes: int) -> list[float]:
    """Seconds of each single record."""
    chance, took = random.Random(5), []
    for number in range(changes):
        known = number % 2 == 1
        body = canonical(chance.randrange(existing) if known else existing + number, int(known))
        one = record(f"N{number}", **body)
        began = time.perf_counter()
        master.bring(2, [one])
        took.append(time.perf_counter() - began)
    return took


def main() -> None:
    """One line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--existing", default="100000,300000")
    parser.add_argument("--changes", type=int, default=1_000)
    chosen = parser.parse_args()
    first = None
    print("existing   load s   learn s   p50 ms   p99 ms   growth")
    with postgres(REAL) as server:
        for existing in map(int, chosen.existing.split(",")):
            with server.database() as url, versioned(url, store.PROBABILITY) as database:
                master = Master(database)
                began = time.perf_counter()
                for start in range(0, existing, PAGE):
                    master.bring(1, [record(f"{n}", **canonical(n)) for n in range(start, min(start + PAGE, existing))])
                loaded = time.perf_counter()
                master.learn()
                learnt = time.perf_counter()
                measure(master, existing, 50)  # caches and connections warm, as in a worker
                took = sorted(measure(master, existing, chosen.changes))
                middle, worst = statistics.median(took), took[int(len(took) * 0.99)]
                first = first or middle
                print(
                    f"{existing:8} {loaded - began:8.1f} {learnt - loaded:9.1f} {middle * 1e3:8.2f} {worst * 1e3:8.2f} "
                    f"{middle / first:8.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
