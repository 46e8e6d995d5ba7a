"""Writing customers: found by number within their organisation, saved by their id, only the fields that differ.

``Save`` deletes rows of entries that are not sent unless told not to, so it is always told. A create that is refused or
whose answer was lost is looked for by its number before anything else is done.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken
from connectors.kingdee.client import KingdeeClient
from connectors.kingdee.config import KingdeeConfig
from connectors.kingdee.customers import KEY, NUMBER, Customers, quoted
from connectors.listed.numbered import whole_number
from connectors.listed.stream import Row
from connectors.listed.writing import KeyedWriter

DRAFT = ("A", "D", "Z")
"""Document statuses that can be submitted: made, to be approved again, saved for the time being."""


class CustomerWriter(KeyedWriter):
    """Writes the customers of one data centre."""

    number: ClassVar[str] = NUMBER
    longest: ClassVar[int] = 80

    def __init__(self, client: KingdeeClient, customers: Customers, config: KingdeeConfig) -> None:
        super().__init__(config.number_prefix)
        self._client, self._customers, self._config = client, customers, config

    def by_key(self, key: str) -> Row | None:
        """The customer with this id."""
        number = whole_number(key)
        return None if number is None else self._customers.one(f"{KEY} = {number}")

    def by_number(self, number: str, write: Write) -> Row | None:
        """The customer with this number in the organisation that makes it (and in it: copies have the same number)."""
        organization = quoted(self._organization(write))
        return self._customers.one(
            f"{NUMBER} = {quoted(number)} and FCreateOrgId.FNumber = {organization}"
            f" and FUseOrgId.FNumber = {organization}"
        )

    def key(self, row: Row) -> str:
        """The customer's id."""
        return self._customers.key(row)

    def changed(self, row: Row) -> datetime | None:
        """The customer's change stamp."""
        return self._customers.changed(row)

    def body(self, write: Write) -> Row:
        """What is wanted, without the id."""
        return {name: value for name, value in write.body.items() if name != KEY}

    def create(self, write: Write, body: Row) -> WriteResult:
        """Save a customer without an id, then submit and audit it where that is set."""
        organization = {"FNumber": self._organization(write)}
        needed = {"FCreateOrgId": organization, "FUseOrgId": organization}
        currency = {"FTRADINGCURRID": {"FNumber": self._config.currency}}
        try:
            key = self._save({**currency, **body, **needed, KEY: 0}, [], repeat="true")
        except RecordRejected:
            there = self.by_number(str(body[NUMBER]), write)  # an earlier try may have been carried out after all
            if there is None:
                raise
            return self.same(write, there)
        self._approve(key)
        return WriteResult(key, created=True)

    def update(self, key: str, there: Row, changed: Row) -> None:
        """Save the changed fields by the id."""
        self._save({KEY: int(key), **changed}, list(changed), repeat="false")

    def found_again(self, key: str, there: Row) -> None:
        """Submit and audit what an earlier try has only saved."""
        if there.get("FDocumentStatus") in DRAFT:
            self._approve(key)

    def _save(self, model: dict[str, Any], fields: list[str], *, repeat: str) -> str:
        data = {
            "NeedUpDateFields": fields,
            "NeedReturnFields": [NUMBER],
            "IsDeleteEntry": "false",
            "IsVerifyBaseDataField": "false",
            "ValidateRepeatJson": repeat,
            "Model": model,
        }
        result = self._client.operate("Save", data)
        entities = result["ResponseStatus"].get("SuccessEntitys") or [{}]
        key = whole_number(result.get("Id")) or whole_number(entities[0].get("Id")) or model[KEY]
        if not key:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._client.connection
            )
        return str(key)

    def _approve(self, key: str) -> None:
        wanted = {"draft": (), "submit": ("Submit",), "audit": ("Submit", "Audit")}[self._config.after_create]
        for operation in wanted:
            try:
                self._client.operate(operation, {"Ids": key})
            except RecordRejected as error:
                raise RecordRejected(
                    "The customer {key} was made in Kingdee, but it could not be approved: {reason}",
                    key=key,
                    reason=str(error),
                    remedy="Submit and audit it in Kingdee, or set `after_create: draft`.",
                ) from error

    def _organization(self, write: Write) -> str:
        """The organisation that the record names, or else that of the settings."""
        named = write.body.get("FCreateOrgId")
        number = named.get("FNumber") if isinstance(named, dict) else None
        return str(number or self._config.create_organization)
