"""How right the probabilistic matcher is on labelled sets: pairs within clusters, precision, recall and F1.

``python benchmarks/accuracy.py FOLDER`` with fake_1000.csv, febrl3.csv and organisations_chicago.csv in FOLDER. One
default model and one setting for all sets; no label is used but for counting. A true pair is any two records of one
entity; "blocked" is the share of true pairs that share a key, "pairs" the compared pairs per record.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from mappings.contract import Member
from mappings.matching.calibrate import calibrate
from mappings.matching.probabilistic import VALUES, FellegiSunterMatcher, default_model
from mappings.normalise.phones import normalise_phone

TARGETS = {"febrl3": 0.999, "fake_1000": 0.925, "organisations_chicago": 0.896}


class Labelled(NamedTuple):
    """Canonical customers and the entity of each."""

    customers: list[dict[str, Any]]
    entities: list[str]


class Result(NamedTuple):
    """What one set gave."""

    precision: float
    recall: float
    f1: float
    blocked_recall: float
    pairs_per_record: float
    seconds: float


def main(folder: Path) -> int:
    """Measure every set; 1 if one is below its target."""
    below = 0
    print("set                     records   prec.  recall      F1  target  blocked  pairs      s")
    for name, read in (("febrl3", febrl), ("fake_1000", fake), ("organisations_chicago", chicago)):
        labelled = read(folder / f"{name}.csv")
        r = measure(labelled)
        below += r.f1 < TARGETS[name]
        print(
            f"{name:22} {len(labelled.customers):8} {r.precision:7.4f} {r.recall:7.4f} {r.f1:7.4f} "
            f"{TARGETS[name]:7.3f} {r.blocked_recall:8.4f} {r.pairs_per_record:6.1f} {r.seconds:6.1f}"
        )
    return int(below > 0)


def measure(labelled: Labelled) -> Result:
    """Calibrate the default model on the set, match it, and count."""
    started = time.perf_counter()
    matcher = calibrated(labelled.customers)
    features = [matcher.features(customer) for customer in labelled.customers]
    pairs = blocked(matcher, features)
    edges = [(a, b) for a, b in pairs if (e := matcher.compare(features[a], features[b])) and e.weight >= -1]
    found: set[tuple[int, int]] = set()
    for component in components(len(features), edges):
        members = [Member(i, (1, 1, str(i), ""), features[i]) for i in component]
        found |= {pair for group in matcher.cluster(members, []) for pair in combinations(sorted(group), 2)}
    truth = true_pairs(labelled.entities)
    right = len(found & truth)
    precision, recall = right / max(len(found), 1), right / max(len(truth), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    seconds = time.perf_counter() - started
    return Result(precision, recall, f1, len(pairs & truth) / len(truth), len(pairs) / len(features), seconds)


def calibrated(customers: Sequence[dict[str, Any]]) -> FellegiSunterMatcher:
    """The default models fitted to the customers."""
    plain = FellegiSunterMatcher()
    features = [plain.features(customer) for customer in customers]
    models = {
        kind: calibrate(default_model(kind), [f[VALUES:] for f in features if f[0] == kind[0]])
        for kind in ("person", "organisation")
    }
    return FellegiSunterMatcher(models["person"], models["organisation"])


def blocked(matcher: FellegiSunterMatcher, features: Sequence[tuple[Any, ...]]) -> set[tuple[int, int]]:
    """Pairs of indices that share a key."""
    blocks: dict[int, list[int]] = defaultdict(list)
    for number, found in enumerate(features):
        for key in matcher.keys(found):
            blocks[key].append(number)
    return {pair for members in blocks.values() for pair in combinations(members, 2)}


def components(count: int, edges: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """Connected components of 0..count-1."""
    near: dict[int, list[int]] = defaultdict(list)
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    seen: set[int] = set()
    for start in range(count):
        if start in seen:
            continue
        component, stack = [], [start]
        seen.add(start)
        while stack:
            component.append(node := stack.pop())
            fresh = [other for other in near[node] if other not in seen]
            seen.update(fresh)
            stack += fresh
        yield component


def true_pairs(entities: Sequence[str]) -> set[tuple[int, int]]:
    """All pairs of records of one entity."""
    by_entity: dict[str, list[int]] = defaultdict(list)
    for number, entity in enumerate(entities):
        by_entity[entity].append(number)
    return {pair for members in by_entity.values() for pair in combinations(members, 2)}


def febrl(path: Path) -> Labelled:
    """FEBRL data set 3: persons with addresses and a number."""
    found = Labelled([], [])
    for row in rows(path):
        r = {k.strip(): v.strip() for k, v in row.items()}
        birth = r["date_of_birth"]
        street = " ".join(filter(None, (r["street_number"], r["address_1"])))
        address = present(street=street, city=r["suburb"], postcode=r["postcode"], region=r["state"])
        customer = present(
            kind="person",
            given_name=r["given_name"],
            family_name=r["surname"],
            birth_date=f"{birth[:4]}-{birth[4:6]}-{birth[6:]}" if len(birth) == 8 else "",
            addresses=[address] if address else [],
            identifiers=[{"scheme": "febrl.number", "value": r["soc_sec_id"]}] if r["soc_sec_id"] else [],
        )
        found.customers.append(customer)
        found.entities.append(str(re.match(r"rec-\d+", r["rec_id"])[0]))  # type: ignore[index]
    return found


def fake(path: Path) -> Labelled:
    """Splink's fake_1000: sparse persons."""
    found = Labelled([], [])
    for r in rows(path):
        customer = present(
            kind="person",
            given_name=r["first_name"],
            family_name=r["surname"],
            birth_date=r["dob"],
            addresses=[{"city": r["city"]}] if r["city"] else [],
            emails=[{"value": r["email"].lower()}] if r["email"] else [],
        )
        found.customers.append(customer)
        found.entities.append(r["cluster"])
    return found


def chicago(path: Path) -> Labelled:
    """Childcare sites from several registers."""
    found = Labelled([], [])
    for r in rows(path):
        phone = normalise_phone(r["Phone"], "US") if r["Phone"] else None
        address = present(street=r["Address"], postcode=r["Zip"])
        customer = present(
            kind="organisation",
            name=" ".join(r["Site name"].split()),
            phones=[{"value": phone.value}] if phone else [],
            emails=[{"value": r["Email Address"].lower()}] if "@" in r["Email Address"] else [],
            addresses=[address] if address else [],
        )
        found.customers.append(customer)
        found.entities.append(r["True Id"])
    return found


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def present(**values: Any) -> dict[str, Any]:
    """Only the values that there are."""
    return {name: value for name, value in values.items() if value}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
