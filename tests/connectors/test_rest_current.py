"""REST manifests that look at a record before they update it, and bounds whose parts come together or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import responses

from connectors.contract import Connector, Context, Mode, Read, Write
from connectors.errors import RecordRejected, WriteConflict
from connectors.rest import bind_file

HOST = "https://93.184.216.34"
MANIFEST = """\
id: acme
title: {en: Acme, zh: 极致}
kind: crm
base_url: https://93.184.216.34
streams:
  customers:
    title: {en: Customers, zh: 客户}
    path: /customers
    key: id
    changed_at: changed
    incremental:
      params: {a: changed, a_op: gte, a_value: "{cursor.value}"}
      until: {params: {b: changed, b_op: lt, b_value: "{cursor.until}"}}
      format: "%Y-%m-%d"
      lookback: 0
    write:
      current: {path: "/customers/{key}", record: data}
      update: {method: PATCH, path: "/customers/{key}"}
"""
THERE = {"id": "7", "name": "Ann", "city": "Leeds", "changed": "2026-01-02T00:00:00Z"}
SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
LOWER = {"a": "changed", "a_op": "gte", "a_value": "2026-01-01"}
UPPER = {"b": "changed", "b_op": "lt", "b_value": "2026-02-01"}


@pytest.fixture
def connector(tmp_path: Path) -> Connector[Any]:
    file = tmp_path / "acme.yaml"
    file.write_text(MANIFEST, encoding="utf-8")
    bound = bind_file(file)
    return bound(bound.config_model(), Context("acme"))


@responses.activate
def test_only_what_differs_is_sent(connector: Connector[Any]) -> None:
    responses.get(f"{HOST}/customers/7", json={"data": THERE})
    sent = responses.patch(f"{HOST}/customers/7", json={"id": "7"})
    (result,) = connector.write("customers", [Write({"name": "Ann", "city": "York"}, "1", key="7")])
    assert (result.key, result.error) == ("7", None)
    assert json.loads(sent.calls[0].request.body) == {"city": "York"}
    connector.write("customers", [Write({"name": "Ann", "city": "Leeds"}, "2", key="7")])
    assert sent.call_count == 1, "nothing differs"


@responses.activate
def test_what_changed_since_we_saw_it_is_not_overwritten(connector: Connector[Any]) -> None:
    responses.get(f"{HOST}/customers/7", json={"data": THERE})
    write = Write({"city": "York"}, "1", key="7", expected="2026-01-01T23:59:59.000000Z")
    (result,) = connector.write("customers", [write])
    assert isinstance(result.error, WriteConflict)


@responses.activate
@pytest.mark.parametrize("stamp", [None, "nonsense", {"odd": 1}])
def test_a_stamp_that_says_nothing_is_no_conflict(connector: Connector[Any], stamp: Any) -> None:
    responses.get(f"{HOST}/customers/7", json={"data": THERE | {"changed": stamp}})
    responses.patch(f"{HOST}/customers/7", json={"id": "7"})
    write = Write({"city": "York"}, "1", key="7", expected="2026-01-01T23:59:59.000000Z")
    assert connector.write("customers", [write])[0].error is None


@responses.activate
@pytest.mark.parametrize(("status", "body"), [(404, {}), (200, {"data": None})])
def test_a_record_that_is_not_there_is_refused_alone(connector: Connector[Any], status: int, body: Any) -> None:
    responses.get(f"{HOST}/customers/7", json=body, status=status)
    (result,) = connector.write("customers", [Write({"city": "York"}, "1", key="7")])
    assert isinstance(result.error, RecordRejected)


@responses.activate
@pytest.mark.parametrize(
    ("since", "until", "asked"),
    [(SINCE, UNTIL, LOWER | UPPER), (SINCE, None, LOWER), (None, UNTIL, UPPER), (None, None, {})],
)
def test_the_parts_of_a_bound_come_together_or_not_at_all(
    connector: Connector[Any], since: datetime | None, until: datetime | None, asked: dict[str, str]
) -> None:
    responses.get(f"{HOST}/customers", json=[THERE])
    list(connector.read(Read("customers", Mode.INCREMENTAL, since=since, until=until)))
    assert responses.calls[0].request.params == asked
