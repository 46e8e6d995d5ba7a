"""Writing customers by their code: looked up, then added or edited with the fields that differ.

``biz_id`` makes an addition safe to repeat: it is the code itself, one for each customer. Whether ``edit`` leaves alone
what is not sent is not documented. So the first edit is looked at afterwards: fields that it emptied are sent again at
once, and from then on every edit sends all that the customer has.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected
from connectors.listed.stream import Row
from connectors.listed.writing import KeyedWriter
from connectors.yonyou_u8.client import U8Client
from connectors.yonyou_u8.config import U8Config
from connectors.yonyou_u8.customers import KEY, LIST, PATH, Customers

OURS = frozenset({"changed_at", "ModifyDate", "timestamp"})
"""Fields that the system or we set ourselves."""
EMPTY: tuple[Any, ...] = (None, "", [], {})


class CustomerWriter(KeyedWriter):
    """Writes the customers of one ledger."""

    number: ClassVar[str] = KEY
    longest: ClassVar[int] = 20

    def __init__(self, client: U8Client, customers: Customers, config: U8Config) -> None:
        super().__init__(config.number_prefix)
        self._client, self._customers, self._config = client, customers, config
        self._sends_all: bool | None = None

    def by_key(self, key: str) -> Row | None:
        """The customer with this code."""
        return self._customers.one(key)

    def by_number(self, number: str, write: Write) -> Row | None:
        """The same: the code is key and number."""
        return self._customers.one(number)

    def key(self, row: Row) -> str:
        """The customer's code."""
        return self._customers.key(row)

    def changed(self, row: Row) -> datetime | None:
        """The day of the customer's last change."""
        return self._customers.changed(row)

    def body(self, write: Write) -> Row:
        """What is wanted, without what the system sets itself."""
        return {name: value for name, value in write.body.items() if name not in OURS}

    def create(self, write: Write, body: Row) -> WriteResult:
        """Add a customer under its code."""
        if self._config.customer_class:
            body = {"sort_code": self._config.customer_class, **body}
        code = str(body[KEY])
        try:
            self._client.post(f"{PATH}/add", {"biz_id": code, "sync": 1}, {LIST: body}, idempotent=True)
        except RecordRejected:
            there = self._customers.one(code)  # an earlier try may have been carried out after all
            if there is None:
                raise
            return self.same(write, there)
        if self._customers.one(code) is None:
            raise RecordRejected(
                "U8 accepted the customer {key}, but it is not there yet.",
                key=code,
                remedy="Look at the task of the open platform's client on the U8 server, then replay the write.",
            )
        return WriteResult(code, created=True)

    def update(self, key: str, there: Row, changed: Row) -> None:
        """Edit the customer."""
        if changed.get(KEY, key) != key:
            raise RecordRejected("The code of a customer cannot be changed in U8.", path=KEY, rule="unchanged")
        whole = {name: value for name, value in there.items() if name not in OURS and value not in EMPTY}
        self._edit({**whole, **changed, KEY: key} if self._sends_all else {**changed, KEY: key})
        if self._sends_all is not None:
            return
        after = self._customers.one(key) or {}
        emptied = [name for name in whole if name not in changed and after.get(name) in EMPTY]
        if emptied:
            self._edit({**whole, **changed, KEY: key})
        self._sends_all = bool(emptied)

    def _edit(self, customer: dict[str, Any]) -> None:
        params = {"tradeid": self._client.trade_id(), "sync": 1}
        self._client.post(f"{PATH}/edit", params, {LIST: customer}, idempotent=True)
