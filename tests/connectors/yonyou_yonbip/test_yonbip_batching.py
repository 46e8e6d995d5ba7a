"""Several changes of customers of YonBIP: two calls, each customer with its own result."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.contract import Read, Write
from connectors.errors import RecordRejected, WriteConflict
from tests.connectors.yonyou_yonbip.yonbip_simulator import YonBip


def calls(server: YonBip) -> list[str]:
    paths = [call.path for call in server.calls if "digitalModel" in call.path]
    return ["batch save" if "/batch/" in path else path.rpartition("/")[2] for path in paths]


def changes(server: YonBip, *places: int) -> list[Write]:
    keys = sorted(server.rows)
    return [Write({"name": {"simplifiedName": f"改{place}"}}, f"u{place}", keys[place]) for place in places]


def names(server: YonBip) -> list[str]:
    return [server.rows[key]["name"]["simplifiedName"] for key in sorted(server.rows)]


def test_eight_changes_take_two_calls_and_the_same_again_one(server: YonBip, connector: Any) -> None:
    results = connector.write("customers", changes(server, *range(8)))
    assert calls(server) == ["newBatchDetail", "batch save"]
    assert [result.error for result in results] == [None] * 8
    assert names(server) == [f"改{place}" for place in range(8)]
    server.calls.clear()
    connector.write("customers", changes(server, *range(8)))
    assert calls(server) == ["newBatchDetail"]


@pytest.mark.parametrize("details", ["odd", "none", "no stamps", "object", "list"])
def test_customers_that_the_look_does_not_show_are_written_alone(server: YonBip, connector: Any, details: str) -> None:
    server.details = details
    results = connector.write("customers", changes(server, 0, 1, 2))
    assert [result.error for result in results] == [None] * 3
    assert names(server)[:3] == ["改0", "改1", "改2"]
    assert calls(server).count("batch save") == (1 if details in ("list", "object") else 3)


def test_one_refused_customer_leaves_its_neighbours_alone(server: YonBip, connector: Any) -> None:
    one, two, three = changes(server, 0, 1, 2)
    taken = Write({"code": server.rows[str(three.key)]["code"]}, "w", two.key)
    gone = Write({"email": "x@x.example"}, "gone", "1700194312096059999")
    first, conflict, missing, last = connector.write("customers", [one, taken, gone, three])
    assert (first.error, last.error) == (None, None)
    assert isinstance(conflict.error, WriteConflict)
    assert isinstance(missing.error, RecordRejected)
    assert [names(server)[place] for place in (0, 2)] == ["改0", "改2"]


def test_a_customer_changed_meanwhile_is_not_overwritten(server: YonBip, connector: Any) -> None:
    seen = {r.key: r.changed_at for page in connector.read(Read("customers")) for r in page.records}
    one, two = changes(server, 0, 1)
    server.rows[str(one.key)]["pubts"] = "2099-01-01 00:00:00"
    late, fine = connector.write(
        "customers", [Write(write.body, "w", write.key, expected=seen[str(write.key)]) for write in (one, two)]
    )
    assert isinstance(late.error, WriteConflict)
    assert fine.error is None
    assert "改0" not in names(server)


def test_two_writes_of_one_customer_are_made_in_order(server: YonBip, connector: Any) -> None:
    one, two = changes(server, 0, 1)
    last = Write({"name": {"simplifiedName": "后"}}, "w9", one.key)
    assert [result.error for result in connector.write("customers", [one, two, last])] == [None] * 3
    assert names(server)[:2] == ["后", "改1"]


def test_new_customers_among_changes_are_made_by_the_interface_that_may_be_repeated(
    server: YonBip, connector: Any
) -> None:
    new = [Write({"code": f"N{n}", "name": {"simplifiedName": f"新{n}"}}, f"n{n}") for n in range(2)]
    results = connector.write("customers", [*new, *changes(server, 0, 1)])
    assert [result.created for result in results] == [True, True, False, False]
    assert [kind for kind, _ in server.sent] == ["save", "save", "insert", "insert"]
