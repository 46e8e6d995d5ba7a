"""Links and customers do not depend on how many processes work on them."""

from __future__ import annotations

import os

import pytest

from benchmarks.population import customers
from mappings.matching import bulk, bulk_blocking
from mappings.matching.probabilistic import FellegiSunterMatcher
from sync.dedupe.matching import Links, Matching
from sync.dedupe.records import Records


def records() -> Records:
    matcher, found = FellegiSunterMatcher(), Records()
    for number, (_entity, customer) in enumerate(customers(300, seed=6)):
        found.profile_of.append(found.profiles.number(matcher.features(customer)))
        found.file.append(0)
        found.line.append(number)
        found.row.append(number)
    found.profiles.close()
    return found


def silent(done: int, total: int) -> None:
    """Nobody watches."""


def matched(processes: int) -> tuple[object, Links, list[list[int]]]:
    matching = Matching(records(), processes=processes)
    links = matching.links(silent)
    models = {kind: model.to_json() for kind, model in matching.matcher.models.items()}
    return models, links, matching.clusters(links, silent)


def test_the_result_does_not_depend_on_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = matched(1)
    monkeypatch.setattr(bulk, "_PAIRS", 200)
    monkeypatch.setattr(bulk_blocking, "_MANY", 1)
    forked = []
    fork = os.fork

    def noted() -> int:
        forked.append(1)
        return fork()

    monkeypatch.setattr(os, "fork", noted)
    assert matched(3) == alone
    assert len(forked) > 4
    assert len(alone[2]) < 300
