"""An update whose answer was lost is sent again as it was: it finds what it wanted, and that is no conflict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connectors.contract import Read, Write
from connectors.errors import WriteConflict
from tests.connectors.test_wrong_settings import SYSTEMS

NAMES = {
    "kingdee": "FName",
    "yonyou_u8": "name",
    "yonyou_yonbip": "contactTel",
    "odoo": "name",
    "erpnext": "tax_id",
    "sap_s4hana": "OrganizationBPName1",
    "dynamics_dataverse": "name",
    "business_central": "displayName",
    "salesforce": "Name",
}
"""A field of each system's customers."""
FINE = {"kingdee", "erpnext", "business_central", "salesforce"}
"""Systems whose stamps are finer than this test is fast."""
ONES = [name for name in SYSTEMS if name.partition(",")[0] in NAMES]


@pytest.fixture(scope="module")
def systems() -> Iterator[Callable[[str], Any]]:
    """The source of each system, started when it is first asked for."""
    with ExitStack() as running:
        started: dict[str, Any] = {}

        def get(name: str) -> Any:
            if name not in started:
                make, source = SYSTEMS[name]
                started[name] = source(running.enter_context(make(4)))
            return started[name]

        yield get


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("name", ONES)
def test_the_same_update_again_is_no_conflict(systems: Callable[[str], Any], name: str, together: bool) -> None:
    source = systems(name)
    field = NAMES[name.partition(",")[0]]
    connector = source.connect()
    seen = {r.key: r.changed_at for page in connector.read(Read(source.stream)) for r in page.records}
    keys = sorted(seen)[: 2 if together else 1]
    batch = [
        Write({field: f"neu {together} {key}"}, f"again-{together}-{key}", key, expected=seen[key]) for key in keys
    ]
    for _ in range(2):
        assert [result.error for result in connector.write(source.stream, batch)] == [None] * len(keys)
    if name.partition(",")[0] in FINE:
        other = [Write({field: "anders"}, f"other-{write.key}", write.key, expected=write.expected) for write in batch]
        results = connector.write(source.stream, other)
        assert {type(result.error) for result in results} == {WriteConflict}
    connector.close()
