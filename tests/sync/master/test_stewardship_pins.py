"""A pinned value stays, wherever the record goes that it is pinned on; the last pin of a field holds."""

from __future__ import annotations

from typing import Any

import pytest

from sync.database import Database
from sync.errors import Misused, Refused
from sync.master import queries
from sync.provenance import of_customer
from sync.stewardship import services as s
from sync.stewardship.pinning import canonical_value
from tests.master_kit import RULES, consistent, record, sync
from tests.steward_kit import customers, do, golden_of, number_of, rebuild

ANN, BOB, CAT = "erp/customers/1", "shop/customers/2", "shop/customers/3"


def pair(database: Database) -> str:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    sync(database, 2, record("2", name="Anna", tags=["a"]), record("3", name="Cat", tags=["c"]))
    return number_of(database, ANN)


def name(database: Database, of: str = ANN) -> str | None:
    return golden_of(database, of).get("name")


def test_a_pin_is_in_effect_at_once_and_survives_syncs_and_a_rebuild(database: Database) -> None:
    number = pair(database)
    before = consistent(database)
    pinned = do(database, s.pin, number, "name", "Dr Ann").decision
    assert name(database) == "Dr Ann"
    sync(database, 1, record("1", name="ANN", tags=["a"]))
    assert name(database) == "Dr Ann"
    content = consistent(database)
    rebuild(database)
    assert consistent(database) == content
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    do(database, s.undo, pinned)
    assert consistent(database) == before


def test_none_keeps_a_field_empty_and_unpin_lets_the_sources_speak_again(embedded: Database) -> None:
    number = pair(embedded)
    before = consistent(embedded)
    do(embedded, s.pin, number, "owner", "Kim")
    do(embedded, s.pin, number, "tags", None)
    assert "tags" not in golden_of(embedded, ANN)
    assert golden_of(embedded, ANN)["owner"] == "Kim"
    freed = do(embedded, s.unpin, number, "tags").decision
    do(embedded, s.unpin, number, "owner")
    assert consistent(embedded) == before
    do(embedded, s.undo, freed)
    assert "tags" not in golden_of(embedded, ANN)
    with pytest.raises(Refused):
        do(embedded, s.unpin, number, "owner")


def test_a_pin_follows_its_record_through_splits_and_merges(database: Database) -> None:
    number = pair(database)
    do(database, s.pin, number, "name", "Pinned", record=BOB)
    do(database, s.decide, ANN, BOB, "different")
    assert (name(database, ANN), name(database, BOB)) == ("Ann", "Pinned")
    do(database, s.merge, [number_of(database, BOB), number_of(database, CAT)])
    assert name(database, CAT) == "Pinned"
    sync(database, 2, deleted=["2"])
    assert name(database, CAT) == "Cat"
    sync(database, 2, record("2", name="Anna again", tags=["a"]))
    assert name(database, CAT) == "Pinned"
    consistent(database)


def test_where_pins_meet_the_last_one_holds_until_it_is_undone(embedded: Database) -> None:
    pair(embedded)
    do(embedded, s.pin, number_of(embedded, CAT), "name", "first")
    last = do(embedded, s.pin, number_of(embedded, ANN), "name", "last").decision
    do(embedded, s.decide, CAT, ANN, "same")
    assert name(embedded) == "last"
    with embedded.reading() as connection:
        assert [(one.value, one.holds, one.record) for one in s.pins(connection, number_of(embedded, ANN))] == [
            ("last", True, ANN),
            ("first", False, CAT),
        ]
    do(embedded, s.undo, last)
    assert name(embedded) == "first"
    rebuild(embedded)
    assert name(embedded) == "first"


def test_why_a_value_is_golden_names_the_pin(embedded: Database) -> None:
    number = pair(embedded)
    do(embedded, s.pin, number, "name", "Dr Ann")
    with embedded.reading() as connection:
        view = queries.get(connection, number)
        assert view is not None
        found = {one.field: one for one in of_customer(connection, view, RULES)}
    assert (found["name"].value, found["name"].rule, found["name"].runner_up) == ("Dr Ann", "pinned", "Ann")
    assert found["tags"].rule == "united"


def test_values_are_checked_and_brought_into_the_canonical_shape() -> None:
    assert canonical_value("birth_date", "1990-02-03") == "1990-02-03"
    assert canonical_value("credit_limit", "12.50") == "12.50"
    assert canonical_value("name", "  Ann ") == "Ann"
    assert canonical_value("emails", [{"value": "a@b.example", "verified": False}]) == [{"value": "a@b.example"}]
    assert canonical_value("consents", [{"channel": "sms", "granted": False}]) == [{"channel": "sms", "granted": False}]
    assert canonical_value("emails", []) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "person"),
        ("source_changed_at", "2026-01-01T00:00:00Z"),
        ("nonsense", "x"),
        ("birth_date", "soon"),
        ("name", "x" * 301),
        ("name", "a\x00b"),
        ("name", "\udcff"),
        ("name", ["a"]),
        ("currency", "euro"),
        ("emails", "a@b.example"),
        ("emails", [{"value": "a@b.example", "nonsense": 1}]),
        ("attributes", {"a": "x" * 30_000}),
        ("attributes", object()),
    ],
)
def test_a_value_that_the_field_cannot_have_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Misused):
        canonical_value(field, value)


def test_a_pin_needs_a_record_of_the_customer(embedded: Database) -> None:
    number = pair(embedded)
    assert {"e1", "s2"} in customers(embedded)
    with pytest.raises(Refused):
        do(embedded, s.pin, number, "name", "x", record=CAT)
