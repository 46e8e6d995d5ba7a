"""The customers of one data centre: pages by key, what changed by the server's local change stamp.

Fields are asked for by name, and one unknown name fails the whole query; versions and industries differ. So the first
refused query makes us try the fields that are not essential one by one, once, and go on with those there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from connectors.errors import BadConfiguration, CursorExpired, EndlessPages, RecordRejected, StreamBroken
from connectors.kingdee.client import KingdeeClient
from connectors.kingdee.config import KingdeeConfig
from connectors.kingdee.faults import QueryRefused
from connectors.listed.numbered import whole_number
from connectors.listed.stream import Found, Listed, Row

KEY, NUMBER = "FCUSTID", "FNumber"
ESSENTIAL = (KEY, NUMBER, "FName", "FModifyDate", "FCreateDate", "FDocumentStatus", "FForbidStatus",
             "FUseOrgId.FNumber", "FCreateOrgId.FNumber")  # fmt: skip
WELCOME = ("FShortName", "FINVOICETITLE", "FTAXREGISTERCODE", "FSOCIALCRECODE", "FTEL", "FINVOICETEL", "FFAX",
           "FWEBSITE", "FADDRESS", "FZIP", "FCOUNTRY.FDataValue", "FPROVINCIAL.FDataValue", "FRegisterAddress",
           "FTRADINGCURRID.FNumber", "FTRADINGCURRID.FCODE", "FISCREDITCHECK", "FSELLER.FNumber", "FSELLER.FName",
           "FGroup.FNumber", "FCustTypeId.FNumber", "FRECCONDITIONID.FNumber")  # fmt: skip
LARGEST = 2000
"""Rows: the most that every version takes."""


class Customers(Listed):
    """The stream of customers."""

    name: ClassVar[str] = "customers"
    title: ClassVar[str] = "Customers"
    stamps: ClassVar[Sequence[str]] = ("FModifyDate", "FCreateDate")
    largest: ClassVar[int] = LARGEST
    largest_of_keys: ClassVar[int] = LARGEST

    def __init__(self, client: KingdeeClient, config: KingdeeConfig) -> None:
        self._client, self._config, self.zone = client, config, ZoneInfo(config.zone)
        self._fields = tuple(dict.fromkeys((*ESSENTIAL, *WELCOME, *config.extra_fields)))
        self._tried = False

    def pages(self, size: int, since: datetime | None, start: Any = None) -> Iterator[Found]:
        """Everything after the last key seen, until nothing comes: no page is short for sure on every version."""
        for rows, last, at in self._batches(None, size, self._changed_since(since), start):
            yield Found([nested(self._fields, row) for row in rows], at, last if rows else None)

    def key_pages(self) -> Iterator[Found]:
        """The keys alone."""
        for rows, last, at in self._batches((KEY,), LARGEST, self._changed_since(None), None):
            yield Found([{KEY: row[0]} for row in rows], at, last if rows else None)

    def key(self, row: Row) -> str:
        """The customer's id."""
        key = whole_number(row.get(KEY))
        if key is None:
            raise RecordRejected("The record has no key at {path}.", path=KEY, rule="required")
        return str(key)

    def one(self, condition: str) -> Row | None:
        """The customer that a condition finds."""
        return next(iter(self.several(condition, 1)), None)

    def several(self, condition: str, limit: int) -> list[Row]:
        """The customers that a condition finds, no more than ``limit``."""
        rows, _ = self._query(condition, limit)
        return [nested(self._fields, row) for row in rows]

    def _batches(
        self, fields: Sequence[str] | None, size: int, condition: str, start: Any
    ) -> Iterator[tuple[list[list[Any]], int, datetime]]:
        last = 0 if start is None else _position(start)
        while True:
            after = " and ".join(filter(None, (condition, f"{KEY} > {last}")))
            rows, at = self._query(after, size) if fields is None else self._client.query(fields, after, size)
            last = self._in_order(rows, last)
            yield rows, last, at
            if not rows:
                return

    def _in_order(self, rows: list[list[Any]], last: int) -> int:
        """The last key. Raises where keys do not grow: then the next page would pass over some."""
        for row in rows:
            key = whole_number(row[0])
            if key is None:
                raise StreamBroken("{connection}: {path} answered a row without its key {key}.",
                                   connection=self._client.connection, path="ExecuteBillQuery", key=KEY)  # fmt: skip
            if key <= last:
                raise EndlessPages(
                    "{connection}: Kingdee does not keep to the order or the filter by {key}.",
                    connection=self._client.connection,
                    key=KEY,
                    remedy="If `extra_fields` names a field of an entry (such as a contact's), take it out: it gives "
                    "every customer once per row of the entry.",
                )
            last = key
        return last

    def _changed_since(self, since: datetime | None) -> str:
        terms = []
        if self._config.organizations:
            terms.append(f"FUseOrgId.FNumber in ({', '.join(map(quoted, self._config.organizations))})")
        if since is not None:
            earliest = datetime(1900, 1, 2, tzinfo=self.zone)
            local = quoted(max(since, earliest).astimezone(self.zone).strftime("%Y-%m-%dT%H:%M:%S"))
            terms.append(f"(FModifyDate >= {local} or FCreateDate >= {local})")
        return " and ".join(terms)

    # --- fields that this version may not have

    def _query(self, condition: str, limit: int) -> tuple[list[list[Any]], datetime]:
        try:
            return self._client.query(self._fields, condition, limit)
        except QueryRefused as refused:
            if self._tried or not self._fewer(refused):
                raise
        return self._client.query(self._fields, condition, limit)

    def _fewer(self, refused: QueryRefused) -> bool:
        """Leave out the fields that there are not; whether there were any. The essential ones must all be there."""
        self._client.query(ESSENTIAL, "", 1)
        there = [name for name in self._fields if name in ESSENTIAL or self._exists(name)]
        self._tried, fewer = True, len(there) < len(self._fields)
        for name in self._config.extra_fields:
            if name not in there:
                raise BadConfiguration(
                    "{connection}: the customer form of Kingdee has no field {field} ({reason}).",
                    setting="extra_fields",
                    connection=self._client.connection,
                    field=name,
                    reason=str(refused.params.get("reason", "")),
                    remedy="Check the field's key in the BOS designer, or take it out of `extra_fields`.",
                ) from refused
        self._fields = tuple(there)
        return fewer

    def _exists(self, field: str) -> bool:
        try:
            self._client.query((KEY, field), "", 1)
        except QueryRefused:
            return False
        return True


def nested(fields: Sequence[str], values: Sequence[Any]) -> Row:
    """A row as an object; fields of a referenced record are members of it: ``FSELLER.FName`` of ``FSELLER``."""
    row: Row = {}
    for field, value in zip(fields, values, strict=True):
        name, _, member = field.partition(".")
        if member:
            inner = row.setdefault(name, {})
            if isinstance(inner, dict):
                inner[member] = value
        else:
            row[name] = value
    return row


def quoted(text: str) -> str:
    """A text within a filter."""
    return "'" + text.replace("'", "''") + "'"


def _position(start: Any) -> int:
    last = whole_number(start)
    if last is None:
        raise CursorExpired("The stored position is not one this connector can continue from.")
    return last
