"""Makes the company: its systems' data, the truth, and a kehu project that connects them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from examples.nanyang.erp import Erp
from examples.nanyang.mail import Mail
from examples.nanyang.sheets import Fair, Wechat
from examples.nanyang.shop import Shop
from examples.nanyang.truth import Sighting, write_truth
from examples.nanyang.world import build

PROJECT = Path(__file__).parents[1] / "project"
SYSTEMS = "systems"
DEFAULT_SEED = 2026
DEFAULT_CUSTOMERS = 500


class System(Protocol):
    """One of the company's systems: writes its data and knows who is who in them."""

    sightings: list[Sighting]

    def write(self, folder: Path) -> None:
        """Write the system's data into the folder."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: so many true customers, and so many records of customers by system."""

    customers: int
    records: dict[str, int]


def generate(folder: Path, *, customers: int = DEFAULT_CUSTOMERS, seed: int = DEFAULT_SEED) -> Made:
    """Write project, systems (below ``systems/``) and truth.csv into the folder; the same seed gives the same bytes."""
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".kehu"))
    data = folder / SYSTEMS
    data.mkdir(parents=True, exist_ok=True)
    world = build(seed, customers)
    systems: dict[str, System] = {
        "erp": Erp(seed, world),
        "shop": Shop(seed, world),
        "mailbox": Mail(seed, world),
        "wechat": Wechat(seed, world),
        "fair": Fair(seed, world),
    }
    for system in systems.values():
        system.write(data)
    sightings = [sighting for system in systems.values() for sighting in system.sightings]
    write_truth(folder, sightings)
    found = len({sighting.customer for sighting in sightings})
    return Made(found, {name: len(system.sightings) for name, system in systems.items()})
