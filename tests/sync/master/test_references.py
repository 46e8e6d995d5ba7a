"""A contact person's organisation is a whole address in the golden record, however the mapping wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Page
from mappings.contract import Mapped
from sync.master import landing, queries, resolving, streams
from sync.master.references import anchored
from sync.master.streams import StreamRef
from tests.master_kit import MATCHER, NOW, RULES, PlainMapping, consistent, master, record

STREAM = StreamRef(1, 1, "erp", "customers")


@pytest.mark.parametrize(
    ("written", "whole"),
    [
        ({"source_id": "#"}, {"stream": "customers", "source_id": "C1"}),
        ({"source_id": "#owner"}, {"stream": "customers", "source_id": "C1", "part": "owner"}),
        ({"source_id": "##7"}, {"stream": "customers", "source_id": "#7"}),
        ({"source_id": "53"}, {"stream": "customers", "source_id": "53"}),
        ({"source_id": "53", "stream": "companies"}, {"stream": "companies", "source_id": "53"}),
        ({"source_id": "#", "role": "buyer"}, {"stream": "customers", "source_id": "C1", "role": "buyer"}),
    ],
)
def test_a_reference_becomes_a_whole_address(written: dict[str, str], whole: dict[str, str]) -> None:
    customer = {"kind": "person", "name": "Ann", "organisation": written}
    assert anchored(customer, STREAM, "C1")["organisation"] == {"connection": "erp", **whole}
    assert customer["organisation"] is written


def test_a_customer_without_a_reference_stays_the_same_object() -> None:
    customer = {"kind": "person", "name": "Ann"}
    assert anchored(customer, STREAM, "C1") is customer


class WithOrganisation(PlainMapping):
    """Contacts belong to the organisation they were found in."""

    def __call__(self, fields: Mapping[str, Any]) -> list[Mapped]:
        return [
            found._replace(customer={**found.customer, "organisation": {"source_id": "#"}}) if found.part else found
            for found in super().__call__(fields)
        ]


@pytest.mark.parametrize("alone", [True, False])
def test_the_crosswalk_leads_from_a_contact_to_its_organisation(tmp_path: Path, alone: bool) -> None:
    with master(f"sqlite:///{tmp_path}/m.db") as database:
        company = record("C1", name="ACME", tags=["acme"], contacts=[{"id": 7, "name": "Eve", "tags": ["eve"]}])
        others = [] if alone else [record("S1", name="Eve", tags=["eve"])]
        for stream_id, records in ((1, [company]), (2, others)):
            with database.hot_transaction() as connection:
                stream = streams.load(connection)[stream_id]
                landing.land(connection, stream, Page(records, {}), WithOrganisation(), MATCHER, now=NOW)
        with database.reading() as connection:
            waiting = resolving.pending(connection)
        resolving.resolve(database, waiting, matcher=MATCHER, survivorship=RULES)
        consistent(database)
        with database.reading() as connection:
            contact = queries.by_source(connection, "erp", "customers", "C1", "contact:7")
            assert contact is not None
            assert contact.members == (1 if alone else 2)
            address = contact.golden["organisation"]
            assert address == {"connection": "erp", "stream": "customers", "source_id": "C1"}
            found = queries.by_source(connection, address["connection"], address["stream"], address["source_id"])
        assert found is not None
        assert found.name == "ACME"
