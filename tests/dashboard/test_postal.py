"""Addresses in one line: as their country writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.postal import PARTS, one_line


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (
            {"region": "浙江", "city": "义乌", "street": "港口一路368号", "postcode": "322292", "country": "CN"},
            "浙江义乌港口一路368号 322292 CN",
        ),
        ({"region": "上海", "city": "上海", "street": "工业三路55号"}, "上海工业三路55号"),
        ({"region": "上海", "city": "Shanghai", "street": "工业三路55号"}, "上海 Shanghai 工业三路55号"),
        ({"street": "12 High Street", "city": "Leeds", "postcode": "LS1 4DY", "country": "GB"},
         "12 High Street, Leeds, LS1 4DY, GB"),
        ({"street": "1 Main St", "city": "Springfield", "region": "IL", "postcode": "62701", "country": "US"},
         "1 Main St, Springfield, IL 62701, US"),
        ({"text": "东京都千代田区1-1", "latin": "1-1 Chiyoda, Tokyo"}, "东京都千代田区1-1 / 1-1 Chiyoda, Tokyo"),
        ({"latin": "Chiyoda"}, "Chiyoda"),
        ({"label": "billing"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_an_address_reads_as_its_country_writes_it(address: dict[str, str], line: str) -> None:
    assert one_line(address) == line


@given(st.dictionaries(st.sampled_from(PARTS), st.text(min_size=1, max_size=20), max_size=8))
def test_nothing_that_is_known_is_lost(address: dict[str, str]) -> None:
    line = one_line(address)
    wanted = {"text", "latin"} if "text" in address else set(PARTS)
    assert all(part in line for name, part in address.items() if name in wanted)
