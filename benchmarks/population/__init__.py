"""Made-up customers with known truth, for measuring: seeded, so that every run sees the same.

``customers(count, seed)`` yields an entity and a canonical customer. What makes matching hard is in it: typing errors,
initials, swapped and married names, moved people, families behind one phone and mailbox, fathers and sons of one name,
twins, Chinese names in characters, traditional characters and pinyin; companies with branches, brands, legal forms and
English names, switchboards of 200 companies, placeholder contacts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from benchmarks.population import organisations, persons

Labelled = tuple[str, dict[str, Any]]


def customers(count: int, seed: int = 1, share_of_persons: float = 0.7, chinese: float = 0.5) -> Iterator[Labelled]:
    """About as many persons and organisations as asked for, exactly ``count`` records in all."""
    chance = random.Random(seed)
    made = 0
    people = persons.Maker(random.Random(seed + 1), chinese)
    firms = organisations.Maker(random.Random(seed + 2), chinese)
    while made < count:
        maker = people if chance.random() < share_of_persons else firms
        for labelled in maker.group():
            if made < count:
                yield labelled
                made += 1
