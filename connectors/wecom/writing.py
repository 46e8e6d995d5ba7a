"""Writing to WeCom: the remark that an employee has made of a customer. Nothing else of a customer can be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected
from connectors.tencent.answers import Refused
from connectors.wecom.client import WeComClient
from connectors.wecom.customers import Customers

SHOWN_AS = {
    "remark": "remark",
    "description": "description",
    "remark_company": "remark_corp_name",
    "remark_mobiles": "remark_mobiles",
}
"""What can be set, and as what a read shows it."""


class RemarkWriter:
    """Looks at the remark as it is and sends what differs: the same write sent again sends nothing."""

    def __init__(self, client: WeComClient, customers: Customers) -> None:
        self._client, self._customers = client, customers

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order; faults of one record are its result."""
        return [self._result(write) for write in batch]

    def _result(self, write: Write) -> WriteResult:
        try:
            return self._one(write)
        except RecordRejected as error:
            return WriteResult(write.key, error=error)
        except Refused as error:
            reason = RecordRejected(error.template, rule=str(error.params.get("reason", "")), **error.params)
            return WriteResult(write.key, error=reason)

    def _one(self, write: Write) -> WriteResult:
        if write.key is None:
            raise RecordRejected(
                "WeCom customers cannot be created: they are added by an employee or by scanning a code.",
                remedy="Write back only to customers that were read from this connection.",
            )
        unknown = sorted(set(write.body) - set(SHOWN_AS))
        if unknown:
            raise RecordRejected(
                "WeCom lets us set {allowed} of a customer, and not {path}.",
                path=unknown[0],
                allowed=", ".join(SHOWN_AS),
                rule="one of the fields that can be set",
            )
        found = self._customers.one(write.key)
        if found is None:
            raise RecordRejected("There is no {what} {key} in the target.", path="id", what="customer", key=write.key)
        contact, relation = found
        changed = _differing(write.body, relation)
        if changed:
            target = {"userid": relation["userid"], "external_userid": contact.get("external_userid")}
            self._client.remark({**target, **changed})
        return WriteResult(write.key)


def _differing(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """What is not so yet. An empty list of phones is written as one empty text: that clears it."""
    changed = {}
    for name, value in wanted.items():
        empty: Any = [] if name == "remark_mobiles" else ""
        value = empty if value is None else value
        if value != (there.get(SHOWN_AS[name]) or empty):
            changed[name] = [""] if value == [] else value
    return changed
