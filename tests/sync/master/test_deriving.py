"""A page goes through mapping and matching in stages; every record fares as if it had come alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.contract import Mapped
from mappings.errors import RecordInvalid
from mappings.matching.rules import RuleMatcher
from sync.master import deriving
from sync.master.deriving import Derived, Unforeseen, derive


class Contacts:
    """A mapping of records with a name and contacts; the name "reject" is refused."""

    fingerprint = "contacts"
    paths = frozenset({"name", "contacts"})

    def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
        if record.get("name") == "reject":
            raise RecordInvalid("{path}: refused", path="name", rule="test")
        people = [Mapped("", record), *(Mapped(f"c:{name}", {"name": name}) for name in record.get("contacts", ()))]
        return [Mapped(one.part, {"kind": "person", "name": one.customer["name"]}) for one in people]


MAPPING, MATCHER = Contacts(), RuleMatcher()
BODIES = st.one_of(
    st.sampled_from([b"{", b"[]", b"\xff", b'"text"', b"null", b'{"name":"reject"}', b"[" * 5_000]),
    st.fixed_dictionaries({"name": st.text(max_size=8), "contacts": st.lists(st.text(max_size=4), max_size=2)}).map(
        orjson.dumps
    ),
)


def shown(outcome: list[Derived] | Exception) -> object:
    return (type(outcome), str(outcome)) if isinstance(outcome, Exception) else outcome


@given(st.lists(BODIES, max_size=12))
def test_a_record_fares_on_a_page_as_it_does_alone(bodies: list[bytes]) -> None:
    together = derive(bodies, MAPPING, MATCHER)
    alone = [derive([body], MAPPING, MATCHER)[0] for body in bodies]
    assert [shown(one) for one in together] == [shown(one) for one in alone]


def test_the_order_is_kept_over_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deriving, "STAGED", 3)
    bodies = [orjson.dumps({"name": f"Ann {number}"}) for number in range(10)]
    outcomes = derive(bodies, MAPPING, MATCHER)
    names = [orjson.loads(one[0].canonical)["name"] for one in outcomes if isinstance(one, list)]
    assert names == [f"Ann {number}" for number in range(10)]


def test_every_part_gets_its_own_canonical_customer_features_and_keys() -> None:
    (outcome,) = derive([b'{"name":"Ann Lee","contacts":["Bo Chen"]}'], MAPPING, MATCHER)
    assert isinstance(outcome, list)
    assert [one.part for one in outcome] == ["", "c:Bo Chen"]
    for one in outcome:
        customer = orjson.loads(one.canonical)
        assert one.features == MATCHER.features(customer)
        assert one.keys == MATCHER.keys(one.features)


def test_a_fault_of_the_program_costs_only_the_record_it_is_met_at_and_tells_nothing_of_it() -> None:
    class Broken(Contacts):
        def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
            if record["name"] == "canary-7":
                raise KeyError(record["name"])
            return super().__call__(record)

    bad, good = derive([b'{"name":"canary-7"}', b'{"name":"Ann"}'], Broken(), MATCHER)
    assert isinstance(good, list)
    assert isinstance(bad, Unforeseen)
    assert "KeyError" in str(bad)
    assert "test_deriving.py:" in bad.place
    assert "canary" not in f"{bad} {bad.params} {bad.remedy} {bad.value} {bad.place}"


def test_a_matcher_that_fails_at_a_record_costs_only_that_record() -> None:
    class Broken(RuleMatcher):
        def keys(self, features: Any) -> list[int]:
            raise ZeroDivisionError

    (outcome,) = derive([b'{"name":"Ann"}'], MAPPING, Broken())
    assert isinstance(outcome, Unforeseen)


@pytest.mark.parametrize("stage", ["features", "keys"])
def test_neighbours_of_a_record_that_a_matcher_fails_at_are_derived_as_ever(stage: str) -> None:
    class Broken(RuleMatcher):
        def features(self, customer: Any) -> Any:
            return self._checked("features", super().features(customer))

        def keys(self, features: Any) -> list[int]:
            self._checked("keys", features)
            return super().keys(features)

        def _checked(self, here: str, features: Any) -> Any:
            if here == stage and "bad" in features[1]:
                raise ZeroDivisionError
            return features

    bodies = [orjson.dumps({"name": name, "contacts": ["Bo Chen"]}) for name in ("Ann Lee", "bad", "reject", "Cy Oz")]
    outcomes = derive(bodies, MAPPING, Broken())
    assert [type(one) for one in outcomes] == [list, Unforeseen, RecordInvalid, list]
    assert [outcomes[0], outcomes[3]] == derive([bodies[0], bodies[3]], MAPPING, MATCHER)


def test_running_out_of_memory_is_nobodys_record() -> None:
    class Hungry(Contacts):
        def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
            raise MemoryError

    with pytest.raises(MemoryError):
        derive([b"{}"], Hungry(), MATCHER)


@pytest.mark.parametrize(("body", "fault"), [(b"\xff", UnicodeDecodeError), (b"{", orjson.JSONDecodeError)])
def test_bytes_that_are_no_text_are_told_from_text_that_is_no_json(body: bytes, fault: type[Exception]) -> None:
    (outcome,) = derive([body], MAPPING, MATCHER)
    assert type(outcome) is fault
