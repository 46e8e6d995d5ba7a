"""Keys of a whole table are those that every record has by itself."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.matching.blocking import block_keys, oversized_keys
from mappings.matching.bulk_blocking import bulk_keys, bulk_oversized, shared_keys
from mappings.matching.columns import ORGANISATION_COLUMNS, PERSON_COLUMNS, Values
from mappings.matching.model import Kind
from mappings.matching.pairing import pairs_of
from mappings.matching.table import Table

TEXTS = st.sampled_from(["anna", "ann", "bo", "b", "", "smith", "1990-01-02", "1990-02-01", "12345", "a b c", "\ud800"])
LISTS = st.none() | st.lists(st.sampled_from(["a@x.cn", "b@x.cn", "@y", "555123", "55512345", ""]), max_size=3)
COLUMNS: dict[Kind, tuple[str, ...]] = {"person": PERSON_COLUMNS, "organisation": ORGANISATION_COLUMNS}


def values(kind: Kind) -> st.SearchStrategy[Values]:
    shapes = {"emails": LISTS, "phones": LISTS}
    columns = COLUMNS[kind]

    def with_words(found: Values) -> Values:
        """The words are those of the name."""
        named = dict(zip(columns, found, strict=True))
        if "words" in named:
            name = named["name_latin"] = named["name_latin"] or None
            named["words"] = sorted(set(name.split())) if name else None
        return tuple(named.values())

    return st.tuples(*[shapes.get(name, st.none() | TEXTS) for name in columns]).map(with_words)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["person", "organisation"])
@settings(max_examples=150, deadline=None)
@given(data=st.data(), cap=st.integers(1, 4))
def test_keys_of_a_table_are_those_of_its_records(kind: Kind, data: st.DataObject, cap: int) -> None:
    records = data.draw(st.lists(values(kind), max_size=12))
    words = {"a": 0.2, "acme": 0.1}
    table = Table(COLUMNS[kind], records)
    oversized = oversized_keys(kind, records, words, cap)
    assert bulk_oversized(kind, table, words, cap) == oversized
    rows, keyed = shared_keys(kind, table, oversized, words)
    whole = bulk_keys(kind, table, oversized, words)
    assert pairs_of(*rows, len(records)).tolist() == pairs_of(*whole, len(records)).tolist()
    assert [bool(one) for one in keyed] == [bool(block_keys(kind, r, oversized, words)) for r in records]
    found: dict[int, set[int]] = defaultdict(set)
    rows = bulk_keys(kind, table, oversized, words)
    for key, owner in zip(rows.keys.tolist(), rows.owners.tolist(), strict=True):
        assert key not in found[owner]
        found[owner].add(key)
    assert [found[n] for n in range(len(records))] == [set(block_keys(kind, r, oversized, words)) for r in records]


@given(st.lists(values("person"), max_size=6))
def test_a_table_gives_back_its_records(records: list[Values]) -> None:
    assert list(Table(PERSON_COLUMNS, records)) == records
    assert list(Table.of_records(PERSON_COLUMNS, records)) == records
    grown = Table(PERSON_COLUMNS, records[:2])
    grown.extend(records[2:4])
    grown.extend(records[4:])
    assert list(grown) == records
