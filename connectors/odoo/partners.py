"""Reading partners: which fields, which filter, pages by ascending id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from connectors.contract import Field, Page, Read, Record, Rejected
from connectors.documents import nearest
from connectors.errors import BadConfiguration, RecordRejected, StreamBroken
from connectors.incremental import first_stamp, iso
from connectors.keyed import Asked, Part, keyed_pages
from connectors.odoo.client import OdooClient
from connectors.odoo.config import OdooConfig

MODEL = "res.partner"
LOOKBACK = 600
"""Seconds that are read again: all rows of a transaction bear the time at which it began, and are seen at its end."""
COARSE = 1
"""Seconds: stamps are shown without their fraction."""
LARGEST_PAGE = 1000
IDS_PAGE = 10_000
FIELDS = (
    "name", "display_name", "complete_name", "commercial_company_name", "commercial_partner_id", "parent_id", "type",
    "is_company", "company_type", "active", "ref", "vat", "company_registry", "email", "phone", "mobile", "website",
    "street", "street2", "zip", "city", "state_id", "country_id", "country_code", "function", "lang", "category_id",
    "user_id", "company_id", "credit_limit", "customer_rank", "supplier_rank", "is_blacklisted", "comment", "barcode",
    "create_date", "write_date",
)  # fmt: skip
"""What is asked for, as far as this Odoo has it; ``mobile`` is gone in newer ones, others come with their modules."""
_SIMPLE = {"boolean": "boolean", "integer": "number", "float": "number", "monetary": "number", "many2one": "array",
           "one2many": "array", "many2many": "array"}  # fmt: skip


class Partners:
    """The partners of one database. Which fields there are is asked once."""

    def __init__(self, client: OdooClient, config: OdooConfig) -> None:
        self._client, self._config = client, config

    @cached_property
    def known(self) -> Mapping[str, Mapping[str, Any]]:
        """All fields of this Odoo's partners that the user may see, with their types."""
        known = self._client.call(MODEL, "fields_get", attributes=["type", "string", "required"])
        if not isinstance(known, dict) or "name" not in known:
            raise StreamBroken(
                "{connection}: {call} answered something that is not Odoo's.",
                connection=self._client.connection,
                call=f"{MODEL}.fields_get",
            )
        return known

    @cached_property
    def names(self) -> list[str]:
        """The fields that are read. Raises BadConfiguration for one in the settings that there is not."""
        for name in self._config.fields:
            if name not in self.known:
                raise BadConfiguration(
                    "{connection}: partners have no field {field}. Nearest: {nearest}.",
                    setting="fields",
                    connection=self._client.connection,
                    field=name,
                    nearest=nearest(name, list(self.known)) or "-",
                )
        chosen = [name for name in FIELDS if name in self.known]
        return list(dict.fromkeys([*chosen, *self._config.fields]))

    def fields(self) -> tuple[Field, ...]:
        """The fields as they are discovered."""
        told = ((name, self.known[name]) for name in self.names)
        return (Field("id", "number"), *(Field(n, _kind(f), str(f.get("string", ""))) for n, f in told))

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; see ``connectors.keyed``."""
        yield from keyed_pages(request, self._part, lookback=LOOKBACK, coarse=COARSE)

    def ids(self) -> Iterator[list[str]]:
        """The keys of all partners, page by page."""
        last = 0
        while True:
            rows = self._rows(self._domain(last), ["id"], IDS_PAGE)
            if not rows:
                return
            yield [str(row["id"]) for row in rows]
            last = max(row["id"] for row in rows)

    def _part(self, asked: Asked) -> Part:
        size = min(asked.size, LARGEST_PAGE)
        rows = self._rows(self._domain(asked.after or 0, asked.since, asked.until), self.names, size)
        records, rejected = [], []
        for row in rows:
            body = normalised(row, self.known)
            stamp = first_stamp(body.get("write_date"), body.get("create_date"))
            try:
                content = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
            except (TypeError, ValueError):
                reason = RecordRejected("The record cannot be stored as JSON.", path="", rule="JSON")
                rejected.append(Rejected(str(row["id"]), b"{}", reason))
                continue
            records.append(Record(str(row["id"]), content, None if stamp is None else iso(stamp)))
        # A short page is no proof of the end: some server in between may show fewer rows than were asked for.
        following = max((row["id"] for row in rows), default=None)
        return Part(self._client.clock, following, records, rejected=rejected)

    def _rows(self, domain: list[Any], names: Sequence[str], size: int) -> list[dict[str, Any]]:
        rows = self._client.call(
            MODEL, "search_read", domain=domain, fields=list(names), limit=size, offset=0, order="id asc"
        )
        good = isinstance(rows, list) and all(isinstance(r, dict) and isinstance(r.get("id"), int) for r in rows)
        if not good:
            raise StreamBroken(
                "{connection}: {call} answered something that is not Odoo's.",
                connection=self._client.connection,
                call=f"{MODEL}.search_read",
            )
        return list(rows)

    def _domain(self, after: int, since: datetime | None = None, until: datetime | None = None) -> list[Any]:
        """The filter: partners behind an id, changed within the bounds. Rows that never were are kept in view."""
        domain: list[Any] = [["id", ">", int(after)], *self._customers(), *self._companies()]
        if since is not None:
            domain += ["|", ["write_date", ">=", odoo_stamp(since)], ["write_date", "=", False]]
        if until is not None:
            domain += [["write_date", "<", odoo_stamp(until)]]
        return domain

    def _companies(self) -> list[Any]:
        chosen = self._config.companies
        return ["|", ["company_id", "=", False], ["company_id", "in", list(chosen)]] if chosen else []

    def _customers(self) -> list[Any]:
        if not self._config.customers_only:
            return []
        for name, wanted in (("customer_rank", (">", 0)), ("customer", ("=", True))):  # the latter before Odoo 13
            if name in self.known:
                return ["|", [name, *wanted], [f"commercial_partner_id.{name}", *wanted]]
        raise BadConfiguration(
            "{connection}: this Odoo does not tell which partners are customers.",
            setting="customers_only",
            connection=self._client.connection,
            remedy="Install Odoo's Invoicing, or set `customers_only` to false and choose by the mapping.",
        )


def normalised(row: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The row with null where Odoo says false for an empty field; booleans stay what they are."""
    return {
        name: None if value is False and known.get(name, {}).get("type") != "boolean" else value
        for name, value in row.items()
    }


def odoo_stamp(moment: datetime) -> str:
    """A moment (UTC) as Odoo's filters take it: whole seconds, never later than the moment."""
    return moment.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")


def _kind(told: Mapping[str, Any]) -> str:
    return _SIMPLE.get(str(told.get("type", "")), "string")
