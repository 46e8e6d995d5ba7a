"""Who is behind each record of each system: what kehu should find out."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FILE_NAME = "truth.csv"


class Sighting(NamedTuple):
    """One customer as one system knows it. ``part`` is the mapping's name for a further customer in the record."""

    source: str
    stream: str
    id: str
    part: str
    customer: str


def write_truth(folder: Path, sightings: Iterable[Sighting]) -> None:
    """Write truth.csv, sorted."""
    with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Sighting._fields)
        writer.writerows(sorted(sightings))


def read_truth(folder: Path) -> list[Sighting]:
    """What ``write_truth`` wrote."""
    with (folder / FILE_NAME).open(encoding="utf-8", newline="") as file:
        return [Sighting(**row) for row in csv.DictReader(file)]
