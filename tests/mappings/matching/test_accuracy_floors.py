"""Accuracy does not fall: F1 by pair on made-up customers, with the default models and no training.

The floors are a little below what was measured when they were set. The sets are hard on purpose (twins, fathers and
sons of one name, branches of one company count as different), so that they move when the recipe does.
"""

from __future__ import annotations

import pytest

from benchmarks.population import customers
from mappings.matching.probabilistic import FellegiSunterMatcher
from sync.dedupe.accuracy import Score, by_pair
from sync.dedupe.matching import Matching
from sync.dedupe.records import Records


def measured(count: int, share_of_persons: float, chinese: float) -> Score:
    matcher, records, entities = FellegiSunterMatcher(), Records(), []
    for number, (entity, customer) in enumerate(customers(count, 11, share_of_persons, chinese)):
        records.profile_of.append(records.profiles.number(matcher.features(customer)))
        records.file.append(0)
        records.line.append(number)
        records.row.append(number)
        entities.append(entity)
    records.profiles.close()
    matching = Matching(records)
    groups = matching.clusters(matching.links(lambda done, total: None), lambda done, total: None)
    cluster = {record: number for number, group in enumerate(groups) for record in group}
    return by_pair([(cluster[number], entity) for number, entity in enumerate(entities)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share_of_persons", "chinese", "floor"),
    [(1.0, 0.0, 0.86), (1.0, 1.0, 0.88), (0.0, 0.0, 0.9), (0.0, 1.0, 0.93), (0.7, 0.5, 0.88)],
    ids=["persons", "persons in Chinese", "organisations", "organisations in Chinese", "all mixed"],
)
def test_accuracy_stays_above_its_floor(share_of_persons: float, chinese: float, floor: float) -> None:
    found = measured(2_000, share_of_persons, chinese)
    assert found.f1 >= floor, found
