"""Writing customers by their code: made by the interface that is safe to repeat, changed by the one for batches.

Both name the same things differently; bodies use the names of the first. The batch interface is not safe to repeat for
new customers, so it is used for changes only, one at a time. What is null would be emptied and is therefore left out.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, ClassVar

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken
from connectors.listed.stream import Row
from connectors.listed.writing import KeyedWriter
from connectors.yonyou_yonbip.client import YonBipClient
from connectors.yonyou_yonbip.config import YonBipConfig
from connectors.yonyou_yonbip.customers import COPY, Customers
from connectors.yonyou_yonbip.faults import Existing

INSERT = "yonbip/digitalModel/merchant/idempotent/newinsert"
SAVE = "yonbip/digitalModel/batch/merchant/save"
RENAMED = {"createOrgCode": "org_code", "customerClassCode": "customerClass_code"}
LANGUAGES = {"simplifiedName": "zh_CN", "englishName": "en_US", "traditionalName": "zh_TW"}
OURS = frozenset({"id", "changed_at", "pubts", "modifyTime", "createTime", "resubmitCheckKey"})


class CustomerWriter(KeyedWriter):
    """Writes the customers of one tenant."""

    number: ClassVar[str] = "code"
    longest: ClassVar[int] = 50

    def __init__(self, client: YonBipClient, customers: Customers, config: YonBipConfig) -> None:
        super().__init__(config.number_prefix)
        self._client, self._customers, self._config = client, customers, config

    def by_key(self, key: str) -> Row | None:
        """The customer with this key."""
        return self._customers.by_key(key)

    def by_number(self, number: str, write: Write) -> Row | None:
        """The customer with this code."""
        return self._customers.by_code(number)

    def key(self, row: Row) -> str:
        """The customer's key."""
        return self._customers.key(row)

    def changed(self, row: Row) -> datetime | None:
        """The customer's change stamp."""
        return self._customers.changed(row)

    def body(self, write: Write) -> Row:
        """What is wanted: without nulls, which would empty fields, and without what the system sets itself."""
        return {name: value for name, value in write.body.items() if name not in OURS and value is not None}

    def changes(self, write: Write, there: Row) -> Row:
        """As everywhere; a name that comes as mere text stands for the simplified one."""
        plain = {name: {"simplifiedName": there[name]} for name, value in write.body.items()
                 if isinstance(value, dict) and isinstance(there.get(name), str)}  # fmt: skip
        return super().changes(write, {**there, **plain})

    def create(self, write: Write, body: Row) -> WriteResult:
        """Make a customer; a repeated write is recognised by its key, which the system keeps for an hour."""
        defaults = {"createOrgCode": self._config.organization}
        if self._config.customer_class:
            defaults["customerClassCode"] = self._config.customer_class
        once = hashlib.sha256(write.idempotency_key.encode()).hexdigest()[:32]
        try:
            data = self._client.change(
                INSERT, {"data": {**defaults, **body, "resubmitCheckKey": once}}, idempotent=True
            )
        except Existing as existing:
            there = self._customers.by_key(existing.key) if existing.key else self._customers.by_code(str(body["code"]))
            if there is None:
                raise
            return self.same(write, there)
        first = data[0] if isinstance(data, list) and data else data
        key = first.get("id") if isinstance(first, dict) else None
        if not key:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._client.connection
            )
        return WriteResult(str(key), created=True)

    def update(self, key: str, there: Row, changed: Row) -> None:
        """Save the changed fields of a customer."""
        self._client.change(SAVE, {"data": [self.row(key, there, changed)]}, idempotent=True)

    def row(self, key: str, there: Row, changed: Row) -> Row:
        """A change of a customer as the batch interface takes it."""
        for name, value in changed.items():
            if isinstance(value, list):
                raise RecordRejected(
                    "YonBIP takes changes of {path} row by row, which is not done yet.",
                    path=name,
                    rule="no list",
                    remedy="Leave it out of the mapping, or change it in YonBIP.",
                )
        organisation = there.get("createOrgCode") or self._config.organization
        row = {
            "_status": "Update",
            "id": int(key.partition(COPY)[0]),
            "code": there.get("code"),
            "org_code": organisation,
        }
        return {**row, **_renamed(changed)}


def _renamed(changed: Row) -> Row:
    """Names and languages as the batch interface calls them."""
    return {RENAMED.get(name, name): _languages(value) for name, value in changed.items()}


def _languages(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {LANGUAGES.get(name, name): text for name, text in value.items() if text is not None}
