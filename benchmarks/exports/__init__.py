"""Made-up exports that differ in schema and style of errors, with a column that says who is who.

They are read the way a user reads them: without a mapping. ``python -m benchmarks.exports`` measures all of them.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

from benchmarks.exports.contacts import CONTACTS_US
from benchmarks.exports.customers import KUNDEN_DE
from benchmarks.exports.making import Export
from benchmarks.exports.members import MEMBERS_CN
from benchmarks.exports.patients import PATIENTS_UK
from benchmarks.exports.suppliers import SUPPLIERS_CN
from benchmarks.exports.vendors import VENDORS_US

EXPORTS: dict[str, Export[Any]] = {
    "members_cn": MEMBERS_CN,
    "suppliers_cn": SUPPLIERS_CN,
    "patients_uk": PATIENTS_UK,
    "kunden_de": KUNDEN_DE,
    "contacts_us": CONTACTS_US,
    "vendors_us": VENDORS_US,
}


def write(name: str, folder: Path, seed: int = 1) -> Path:
    """Write one of ``EXPORTS`` as CSV, its rows in random order; the same seed gives the same bytes."""
    chance = random.Random(f"{name}{seed}")
    rows = EXPORTS[name].rows(chance)
    chance.shuffle(rows)
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, list(rows[0]))
        lines.writeheader()
        lines.writerows(rows)
    return path
