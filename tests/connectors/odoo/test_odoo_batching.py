"""Several partners written to Odoo at once: one look, one import, each with its own result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.contract import Write
from connectors.errors import RecordRejected, RetryLater, WriteConflict
from tests.connectors.odoo.odoo_simulator import Odoo
from tests.connectors.odoo.test_odoo import OdooSource
from tests.connectors.simulator import Answer


@pytest.fixture(params=["19.0", "16.0"])
def odoo(request: pytest.FixtureRequest) -> Iterator[Odoo]:
    with Odoo(version=request.param) as server:
        yield server


@pytest.fixture
def connector(odoo: Odoo) -> Iterator[Any]:
    made = OdooSource(odoo).connect()
    made.check()
    odoo.calls.clear()
    yield made
    made.close()


def new(*numbers: int) -> list[Write]:
    return [Write({"name": f"Neu {number}", "ref": f"N{number}"}, f"w{number}") for number in numbers]


def methods(odoo: Odoo) -> list[str]:
    """The methods that were called on partners and external ids."""
    found = []
    for call in odoo.calls:
        if call.path.startswith("/json/2/"):
            found.append(call.path.rpartition("/")[2])
        elif (params := json.loads(call.body)["params"])["service"] == "object":
            found.append(params["args"][4])
    return [name for name in found if name != "fields_get"]


def test_thirty_new_partners_take_four_calls(odoo: Odoo, connector: Any) -> None:
    results = connector.write("partners", new(*range(30)))
    assert methods(odoo) == ["search_read", "search_read", "load", "search_read"]
    assert [result.created for result in results] == [True] * 30
    assert [odoo.rows[result.key]["ref"] for result in results] == [f"N{number}" for number in range(30)]
    again = connector.write("partners", new(*range(30)))
    assert [result.key for result in again] == [result.key for result in results]
    assert len(odoo.rows) == 38


def test_the_order_of_the_answer_is_not_trusted(odoo: Odoo, connector: Any) -> None:
    odoo.mixes_ids = True
    results = connector.write("partners", new(1, 2, 3))
    assert [odoo.rows[result.key]["ref"] for result in results] == ["N1", "N2", "N3"]


def test_one_bad_partner_refuses_nobody_else(odoo: Odoo, connector: Any) -> None:
    bad = Write({"name": "x", "ref": "N9", "vat": "BAD1"}, "bad")
    same = [Write({"name": f"v{n}", "ref": f"V{n}", "vat": f"GOOD{n}"}, f"v{n}") for n in range(2)]
    results = connector.write("partners", [*same, bad, *new(1, 2)])
    assert [type(result.error) for result in results] == [type(None)] * 2 + [RecordRejected] + [type(None)] * 2
    assert "VAT" in str(results[2].error)
    assert len({result.key for result in results if result.key}) == 4


def test_two_new_partners_of_one_reference_are_one(odoo: Odoo, connector: Any) -> None:
    one, other, last = connector.write("partners", [*new(1, 2), Write({"name": "Später", "ref": "N1"}, "w9")])
    assert one.key == last.key != other.key
    assert odoo.rows[one.key]["name"] == "Später"


def test_known_references_are_updated_and_shared_ones_are_conflicts(odoo: Odoo, connector: Any) -> None:
    odoo.rows["3"]["ref"] = "C2"
    batch = [Write({"name": "a", "ref": "C1"}, "w1"), Write({"name": "b", "ref": "C2"}, "w2"), *new(1, 2)]
    known, shared, *made = connector.write("partners", batch)
    assert (known.key, known.created, odoo.rows["1"]["name"]) == ("1", False, "a")
    assert isinstance(shared.error, WriteConflict)
    assert [result.created for result in made] == [True, True]


def test_updates_are_found_by_one_look_and_send_only_what_differs(odoo: Odoo, connector: Any) -> None:
    batch = [Write({"name": f"n{key}", "email": odoo.rows[key]["email"]}, key, key) for key in ("1", "2", "3")]
    gone = Write({"name": "x"}, "gone", "99")
    results = connector.write("partners", [*batch, gone])
    assert odoo.writes == [(key, {"name": f"n{key}"}) for key in ("1", "2", "3")]
    assert isinstance(results[3].error, RecordRejected)


def test_what_must_not_overwrite_looks_just_before_it_writes(odoo: Odoo, connector: Any) -> None:
    seen = "2099-01-01T00:00:00Z"
    late = Write({"name": "ours"}, "late", "1", expected="2020-01-01T00:00:00Z")
    conflict, fine = connector.write("partners", [late, Write({"name": "gut"}, "fine", "2", expected=seen)])
    assert isinstance(conflict.error, WriteConflict)
    assert fine.error is None
    assert methods(odoo) == ["search_read", "search_read", "search_read", "write"]


def test_lists_are_written_after_the_import_of_their_partner(odoo: Odoo, connector: Any) -> None:
    tagged = Write({"name": "Tagged", "ref": "T", "category_id": [[4, 5, 0]]}, "t")
    one, *_ = connector.write("partners", [tagged, *new(1, 2)])
    assert odoo.rows[one.key]["category_id"] == [5]


def test_without_a_look_at_external_ids_partners_are_imported_one_by_one(odoo: Odoo, connector: Any) -> None:
    odoo.hides_data_model = True
    results = connector.write("partners", new(1, 2))
    assert methods(odoo).count("load") == 2
    assert [result.created for result in results] == [True, True]


def test_an_import_whose_answer_was_lost_makes_nobody_twice(odoo: Odoo, connector: Any) -> None:
    tries: list[int] = []

    def lose(request: Any) -> None:
        if b"__kehu__" in request.body and (request.path.endswith("/load") or b'"load"' in request.body):
            tries.append(1)
            if len(tries) == 1:
                odoo.habits.before = None
                with pytest.raises(Answer):
                    odoo.answer(request)
                odoo.habits.before = lose
            raise Answer(502, b"")

    odoo.habits.before = lose
    with pytest.raises(RetryLater):
        connector.write("partners", new(1, 2, 3))
    odoo.habits.before = None
    assert [result.error for result in connector.write("partners", new(1, 2, 3))] == [None] * 3
    assert len(odoo.rows) == 11
