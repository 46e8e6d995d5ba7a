"""What is learnt depends on the records alone, not on how they are held."""

from __future__ import annotations

import pytest

from benchmarks.population import customers
from mappings.matching.calibrate import calibrate
from mappings.matching.columns import organisation_values, person_values
from mappings.matching.model import Kind
from mappings.matching.probabilistic import FellegiSunterMatcher, default_model
from mappings.matching.table import Table

MADE = [customer for _entity, customer in customers(600)]


@pytest.mark.parametrize("kind", ["person", "organisation"])
def test_a_table_teaches_what_its_records_teach(kind: Kind) -> None:
    values_of = person_values if kind == "person" else organisation_values
    records = [values_of(customer) for customer in MADE if customer["kind"] == kind]
    model = default_model(kind)
    table = Table(model.columns, records)
    table.close()
    assert calibrate(model, table).to_json() == calibrate(model, records).to_json()


def test_a_closed_table_does_not_grow() -> None:
    table = Table(("name",), [("ann",)])
    table.close()
    with pytest.raises(ValueError, match="does not grow"):
        table.append(("bob",))
    assert list(table) == [("ann",)]


def test_matchers_of_other_models_have_other_versions() -> None:
    persons = [person_values(customer) for customer in MADE if customer["kind"] == "person"]
    learnt = FellegiSunterMatcher(person=calibrate(default_model("person"), persons))
    shipped = FellegiSunterMatcher()
    assert shipped.version == FellegiSunterMatcher().version == shipped.without_blocks(frozenset({2})).version
    assert len({shipped.version, learnt.version, FellegiSunterMatcher(accept_from=3.0).version}) == 3
