"""Schema drift: real changes are found, sparse data and small pages raise no alarm."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.drift import Drift, Retyped, Shape, check_page, compare, merge, observe, type_of

PATHS = frozenset({"name", "address.city", "contacts[]", "contacts[].phone", "level", "note"})


def record(number: int, **changes: Any) -> dict[str, Any]:
    made = {
        "id": number,
        "name": f"n{number}",
        "address": {"city": "深圳", "zip": "1"},
        "contacts": [{"phone": "1", "id": 1}],
        "level": number,
        "note": "x" if number % 7 == 0 else None,
    } | changes
    return {name: value for name, value in made.items() if value != "GONE"}


def page(count: int = 100, **changes: Any) -> list[dict[str, Any]]:
    return [record(number, **changes) for number in range(count)]


KNOWN = merge(observe(page(), PATHS, cap=100), observe(page(), PATHS, cap=100))


def drift(records: list[dict[str, Any]]) -> Drift | None:
    return check_page(KNOWN, records, PATHS)[0]


def test_the_same_shape_is_no_drift() -> None:
    assert drift(page()) is None


def test_a_removed_field_stops_the_stream() -> None:
    found = drift(page(name="GONE"))
    assert found == Drift(removed=("name",))
    assert found.stops
    assert found.lines() == ["- name"]


def test_a_renamed_field_is_recognised_as_renamed() -> None:
    assert drift([{**one, "full_name": "x"} for one in page(name="GONE")]) == Drift(renamed=(("name", "full_name"),))
    known = observe([{"客户名称": "甲"} for _ in range(60)], ["客户名称"], cap=60)
    found = check_page(known, [{"客户全称": "甲"} for _ in range(60)], ["客户名称"])[0]
    assert found is not None
    assert found.renamed == (("客户名称", "客户全称"),)
    assert found.lines() == ["~ 客户名称 -> 客户全称"]


def test_a_rename_needs_a_fitting_type_and_a_similar_name() -> None:
    found = drift([{**one, "name2": 5, "other": "x"} for one in page(name="GONE")])
    assert found == Drift(removed=("name",), added=("name2", "other"))


def test_a_retyped_field_stops_the_stream() -> None:
    found = drift(page(level="three"))
    assert found == Drift(retyped=(Retyped("level", ("number",), ("string",)),))
    assert found.lines() == ["~ level: number -> string"]


def test_nested_fields_count_by_the_objects_they_could_stand_in() -> None:
    assert drift(page(address={"zip": "1"})) == Drift(removed=("address.city",))
    assert drift(page(contacts=[{"id": 1}])) == Drift(removed=("contacts[].phone",))
    assert drift(page(contacts=[])) is None
    assert drift(page(address="GONE")) == Drift(removed=("address",))


def test_an_added_field_is_told_and_never_stops() -> None:
    found = drift(page(extra=1))
    assert found == Drift(added=("extra",))
    assert not found.stops
    assert found.lines() == ["+ extra"]


def test_fields_that_the_mapping_does_not_read_may_go() -> None:
    assert drift(page(id="GONE", address={"city": "x"})) is None


@pytest.mark.parametrize("empty", [None, "", [], {}, False, "  ", float("nan")])
def test_empty_values_have_no_type(empty: object) -> None:
    assert type_of(empty) is None
    assert drift(page(level=empty, name=empty, contacts=empty)) is None


@pytest.mark.parametrize("count", [0, 1, 5, 9])
def test_pages_too_small_to_say_anything_raise_no_alarm(count: int) -> None:
    assert drift(page(count, name="GONE", level="x")) is None


def test_small_pages_tell_together() -> None:
    pages = [observe(page(4, name="GONE"), PATHS) for _ in range(4)]
    whole = Shape()
    for one in pages:
        assert compare(KNOWN, one, PATHS) is None
        whole = merge(whole, one)
    assert compare(KNOWN, whole, PATHS) == Drift(removed=("name",))


def test_a_stream_known_by_few_records_raises_no_alarm() -> None:
    known = observe(page(20), PATHS)
    assert check_page(known, page(name="GONE"), PATHS)[0] is None
    assert compare(Shape(), observe(page(), PATHS), PATHS) is None


def test_a_field_that_was_optional_may_be_absent_from_a_page() -> None:
    known = observe([record(n, name="GONE" if n == 50 else "x") for n in range(100)], PATHS, cap=100)
    assert check_page(known, page(name="GONE"), PATHS)[0] is None


def test_the_sample_is_confirmed_on_the_whole_page() -> None:
    records = page(1000, name="GONE")
    for number in range(1, 1000, 40):
        records[number]["name"] = "x"
    assert observe(records, PATHS).fields["name"].present < 25
    assert drift(records) is None


def test_mixed_types_that_are_known_raise_no_alarm() -> None:
    known = observe([record(n, level="x" if n % 2 else n) for n in range(100)], PATHS, cap=100)
    assert check_page(known, page(level="y"), PATHS)[0] is None


def test_names_with_signs_are_spelled_as_in_mappings() -> None:
    known = observe([{"a.b": 1, "c": {"d'e": 2}} for _ in range(60)], cap=60)
    assert set(known.fields) == {"'a.b'", "c", "c.'d\\'e'"}
    seen = observe([{"c": {"x": 1}} for _ in range(60)], cap=60)
    assert compare(known, seen, ["'a.b'"]) == Drift(removed=("'a.b'",), added=("c.x",))


def test_objects_keyed_by_numbers_are_collections_not_fields() -> None:
    shape = observe([{"contacts": {str(n): {"phone": "1"}}} for n in range(50)], cap=50)
    assert set(shape.fields) == {"contacts", "contacts[]", "contacts[].phone"}


def test_a_shape_stays_bounded_whatever_records_look_like() -> None:
    shape = Shape()
    for turn in range(5):
        shape = merge(shape, observe([{f"k{turn}_{n}_{i}": n for i in range(300)} for n in range(25)]))
    assert len(shape.fields) <= 1_000
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"a": deep}
    assert len(observe([deep]).fields) < 10


values = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
records = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c", "d.e"]), values, max_size=4), max_size=30)


@given(records, records, records)
def test_merging_is_commutative_and_associative_and_shapes_are_json(
    one: list[dict[str, Any]], two: list[dict[str, Any]], three: list[dict[str, Any]]
) -> None:
    a, b, c = (observe(some, ["a", "b"]) for some in (one, two, three))
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert Shape.load(orjson.loads(orjson.dumps(a.dump()))) == a
    assert merge(a, Shape()) == a


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0.05, 0.95), st.integers(1, 300))
def test_sparse_fields_never_raise_an_alarm(seed: int, share: float, count: int) -> None:
    rng = random.Random(seed)

    def sparse() -> dict[str, Any]:
        found = {name: rng.choice([1, "x", None]) for name in "abc" if rng.random() < share}
        return {"id": 1, **found}

    known = observe([sparse() for _ in range(300)], ["a", "b", "c"], cap=300)
    found = check_page(known, [sparse() for _ in range(count)], ["a", "b", "c"])[0]
    assert found is None or not found.stops


@given(st.integers(0, 10**6), st.integers(60, 200), st.integers(10, 100))
def test_a_field_gone_from_every_record_is_always_found(seed: int, known: int, seen: int) -> None:
    rng = random.Random(seed)
    before = observe([{"a": rng.random(), "b": 1} for _ in range(known)], ["a"], cap=known)
    found, _ = check_page(before, [{"b": 1} for _ in range(seen)], ["a"])
    assert found == Drift(removed=("a",))
