"""References between records: relative as mappings write them, absolute in golden records.

A mapping says of a contact person "of the organisation in this record" (``#``), "of that part of it" (``#part``) or
"of record 53". A golden record is read without the record it came from, so there the address is whole: connection,
stream, source id and part, by which the crosswalk finds the customer. For the same reason a consent that does not say
where it was given has there the system that told of it.
"""

from __future__ import annotations

from typing import Any

from mappings.contract import Canonical
from mappings.customer import SAME_RECORD
from sync.master.streams import StreamRef


def anchored(customer: Canonical, stream: StreamRef, source_id: str) -> Canonical:
    """The customer with its reference to an organisation made absolute; ``source_id`` is the record it was found in."""
    consents = customer.get("consents")
    if consents is not None and not all("source" in one for one in consents):
        customer = {**customer, "consents": [_with_source(one, stream.connection) for one in consents]}
    reference = customer.get("organisation")
    if reference is None:
        return customer
    given = reference["source_id"]
    absolute: dict[str, Any] = {"connection": stream.connection, "stream": reference.get("stream", stream.name)}
    if given.startswith(SAME_RECORD * 2):  # an id that itself begins with the mark
        absolute["source_id"] = given[len(SAME_RECORD) :]
    elif given.startswith(SAME_RECORD):
        absolute |= {"stream": stream.name, "source_id": source_id}
        if given != SAME_RECORD:
            absolute["part"] = given[len(SAME_RECORD) :]
    else:
        absolute["source_id"] = given
    if "role" in reference:
        absolute["role"] = reference["role"]
    return {**customer, "organisation": absolute}


def _with_source(consent: dict[str, Any], connection: str) -> dict[str, Any]:
    """The consent with its fields in the order of the model."""
    if "source" in consent:
        return consent
    whole = {**consent, "source": connection}
    if "at" in consent:
        whole["at"] = whole.pop("at")
    return whole
