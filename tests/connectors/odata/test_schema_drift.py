"""Fields that come, go or change their kind while a copy is kept of an OData service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from connectors.conformance import Copy
from tests.connectors.odata.test_odata_batching import SYSTEMS, Case


@pytest.fixture(params=list(SYSTEMS))
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    make, source, name = SYSTEMS[request.param]
    with make(6) as server:
        case = Case(server, source(server), name)
        yield case
        case.connector.close()


@pytest.mark.parametrize("value", [{"nested": [None, "新"]}, ["x", 1], "\u0000odd\n", 10**15, None, False])
def test_a_new_field_of_any_shape_does_no_harm(case: Case, value: Any) -> None:
    first = sorted(case.source.keys())[0]
    copy = Copy(case.connector, case.source).full()
    case.change(first, brand_new=value)
    copy.incremental()
    assert set(copy.bodies) == case.source.keys()
    assert first in copy.changed


@pytest.mark.parametrize("value", [None, 7, ["x"], {"y": 1}])
def test_a_known_field_of_another_kind_does_no_harm(case: Case, value: Any) -> None:
    first = sorted(case.source.keys())[0]
    case.change(first, **{case.name: value})
    copy = Copy(case.connector, case.source).full()
    assert set(copy.bodies) == case.source.keys()
    assert orjson.loads(orjson.dumps(copy.bodies[first]))[case.name] == value


def test_a_field_that_is_gone_does_no_harm(case: Case) -> None:
    first = sorted(case.source.keys())[0]
    rows = case.server.rows if hasattr(case.server, "rows") else case.table.rows
    copy = Copy(case.connector, case.source).full()
    rows[first].pop(case.name)
    case.change(first)
    copy.incremental()
    assert case.name not in copy.bodies[first]
