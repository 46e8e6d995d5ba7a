"""Writing customers: found by number within their organisation, saved by their id, only the fields that differ.

``Save`` deletes rows of entries that are not sent unless told not to, so it is always told. A create that is refused or
whose answer was lost is looked for by its number before anything else is done.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken
from connectors.kingdee.client import KingdeeClient, saving
from connectors.kingdee.config import KingdeeConfig
from connectors.kingdee.customers import KEY, NUMBER, Customers, quoted
from connectors.listed.numbered import whole_number
from connectors.listed.stream import Row
from connectors.listed.writing import KeyedWriter
from connectors.wording import phrase_of
from connectors.writing import differing

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
        organization = quoted(self.organization(write))
        return self._customers.one(
            f"{NUMBER} = {quoted(number)} and FCreateOrgId.FNumber = {organization}"
            f" and FUseOrgId.FNumber = {organization}"
        )

    def by_keys(self, keys: Collection[int]) -> list[Row]:
        """The customers with these ids."""
        return self._customers.several(f"{KEY} in ({', '.join(map(str, sorted(keys)))})", len(keys)) if keys else []

    def by_numbers(self, numbers: Collection[str], organization: str) -> list[Row]:
        """The customers with these numbers that an organisation has made for itself."""
        wanted, maker = ", ".join(map(quoted, sorted(numbers))), quoted(organization)
        return self._customers.several(
            f"{NUMBER} in ({wanted}) and FCreateOrgId.FNumber = {maker} and FUseOrgId.FNumber = {maker}", len(numbers)
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

    def changes(self, write: Write, there: Row) -> Row:
        """What is wanted and not there yet; of a reference only what is wanted of it counts, such as its code."""
        return {
            name: value for name, value in super().changes(write, there).items() if not _within(value, there.get(name))
        }

    def create(self, write: Write, body: Row) -> WriteResult:
        """Save a customer without an id, then submit and audit it where that is set."""
        try:
            key = self._save(self.new(write, body), [], repeat=True)
        except RecordRejected:
            there = self.by_number(str(body[NUMBER]), write)  # an earlier try may have been carried out after all
            if there is None:
                raise
            return self.same(write, there)
        self.approve(key)
        return WriteResult(key, created=True)

    def new(self, write: Write, body: Row) -> Row:
        """What is sent for a new customer: what it cannot be without is added."""
        organization = {"FNumber": self.organization(write)}
        needed = {"FCreateOrgId": organization, "FUseOrgId": organization}
        return {"FTRADINGCURRID": {"FNumber": self._config.currency}, **body, **needed, KEY: 0}

    def update(self, key: str, there: Row, changed: Row) -> None:
        """Save the changed fields by the id."""
        self._save({KEY: int(key), **changed}, list(changed), repeat=False)

    def found_again(self, key: str, there: Row) -> None:
        """Submit and audit what an earlier try has only saved."""
        if self.unfinished(there):
            self.approve(key)

    def unfinished(self, there: Row) -> bool:
        """Whether a customer of ours is still to be submitted."""
        return self._config.after_create != "draft" and there.get("FDocumentStatus") in DRAFT

    def _save(self, model: dict[str, Any], fields: list[str], *, repeat: bool) -> str:
        result = self._client.operate("Save", saving(model, fields, repeat=repeat))
        entities = result["ResponseStatus"].get("SuccessEntitys") or [{}]
        key = whole_number(result.get("Id")) or whole_number(entities[0].get("Id")) or model[KEY]
        if not key:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._client.connection
            )
        return str(key)

    def approve(self, key: str) -> None:
        """Submit and audit a new customer, as far as the settings say. Raises ``RecordRejected`` where refused."""
        wanted = {"draft": (), "submit": ("Submit",), "audit": ("Submit", "Audit")}[self._config.after_create]
        for operation in wanted:
            try:
                self._client.operate(operation, {"Ids": key})
            except RecordRejected as error:
                raise RecordRejected(
                    "The customer {key} was made in Kingdee, but it could not be approved: {reason}",
                    key=key,
                    reason=phrase_of(error),
                    remedy="Submit and audit it in Kingdee, or set `after_create: draft`.",
                ) from error

    def organization(self, write: Write) -> str:
        """The organisation that the record names, or else that of the settings."""
        named = write.body.get("FCreateOrgId")
        number = named.get("FNumber") if isinstance(named, dict) else None
        return str(number or self._config.create_organization)


def _within(wanted: Any, there: Any) -> bool:
    """Whether a reference that is there has all that is wanted of it."""
    if not isinstance(wanted, dict) or not isinstance(there, dict) or not wanted:
        return False
    return not differing(wanted, there)
