"""A Magento 2 shop as its REST interface behaves: criteria in the query, stamps without a zone, updates that replace.

Start it with N customers: ``with Magento(rows=N) as shop: shop.url``.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from tests.connectors.simulator import Answer, Request, Row, Simulator

BASE = "/rest/all/V1"
_FILTER = re.compile(r"^searchCriteria\[filter_groups\]\[(\d+)\]\[filters\]\[(\d+)\]\[(\w+)\]$")
_FORM = "%Y-%m-%d %H:%M:%S"
_REQUIRED = ("email", "firstname", "lastname")


def refusal(status: int, message: str, **parameters: Any) -> Answer:
    return Answer(status, {"message": message, "parameters": parameters, "trace": "#0 …"})


class Magento(Simulator):
    """``plural`` says whether ``rows`` are customers or orders."""

    KEY = "token_test_77aa"
    stamp_field = "updated_at"

    def __init__(self, rows: int = 8, plural: str = "customers") -> None:
        self.plural, self.id = plural, "id" if plural == "customers" else "entity_id"
        self.zone_of_filters = timedelta(0)
        """What is added to a filter's stamp to get UTC, where the shop reads it in a zone of its own."""
        self.ignores_key = False
        super().__init__(rows)

    def stamp(self, at: datetime) -> str:
        return at.strftime(_FORM)

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        address = {
            "id": number, "region": {"region_code": None, "region": None, "region_id": 0}, "country_id": "GB",
            "street": ["1 Rd", "Floor 2"], "company": "" if number % 2 else f"Acme {number}",
            "telephone": "+44 113 4960000", "postcode": "LS1", "city": "Leeds", "firstname": "Ann",
            "lastname": f"Lee {number}", "vat_id": None,
        }  # fmt: skip
        row: Row = {self.id: number, "created_at": stamp, "updated_at": stamp, "edits": 0}
        if self.plural == "orders":
            guest = {"customer_is_guest": 1, "customer_email": f"g{number}@shop.example", "order_currency_code": "GBP"}
            return str(number), row | guest | {"billing_address": address | {"region": "West Yorkshire"}}
        names = {"email": f"c{number}@shop.example", "firstname": "Ann", "lastname": f"Lee {number}"}
        places = {"website_id": 1, "store_id": 1, "group_id": 1, "addresses": [address | {"default_billing": True}]}
        more: Row = {"extension_attributes": {"is_subscribed": number % 2 == 0}} if number % 3 else {}
        return str(number), row | names | places | more

    def change(self, row: Row) -> None:
        row["edits"] += 1

    def answer(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.KEY}":
            raise refusal(401, "The consumer isn't authorized to access %resources.", resources="self")
        if self.habits.no_permission:
            text = "The consumer isn't authorized to access %resources."
            raise refusal(403, text, resources="Magento_Customer::customer")
        path = request.path.removeprefix(BASE)
        if request.method == "GET" and path in ("/customers/search", "/orders"):
            self.list(request.query, mine=path == ("/customers/search" if self.plural == "customers" else "/orders"))
        if path == "/customers" and request.method == "POST":
            self.create(request.json()["customer"])
        if path.startswith("/customers/"):
            self.one(request, path.rpartition("/")[2])

    def list(self, query: dict[str, str], *, mine: bool) -> None:
        if not any(name.startswith("searchCriteria") for name in query):
            raise refusal(400, '"%fieldName" is required. Enter and try again.', fieldName="searchCriteria")
        size = int(query.get("searchCriteria[pageSize]", 20))
        if size > 300:
            raise refusal(400, "Maximum SearchCriteria pageSize is 300")
        asked = self.filters(query)
        rows = list(self.rows.values()) if mine else []
        for one in asked:
            if one["field"] == "entity_id" and not self.ignores_key:  # by which all pages are asked for
                after, key = int(one["value"]), self.id
                rows = [row for row in rows if row[key] > after]
            else:
                rows = [row for row in rows if self.meets(row, **one)]
        if query.get("searchCriteria[sortOrders][0][field]"):
            assert query["searchCriteria[sortOrders][0][field]"] == "entity_id"
            rows = sorted(rows, key=lambda row: row[self.id])
        page = min(int(query.get("searchCriteria[currentPage]", 1)), max(1, -(-len(rows) // size)))
        items = rows[(page - 1) * size : page * size]
        if query.get("fields", "").startswith("items[id]"):
            items = [{"id": row[self.id]} for row in items]
        raise Answer(200, {"items": items, "search_criteria": {"page_size": size}, "total_count": len(rows)})

    def filters(self, query: dict[str, str]) -> Collection[dict[str, str]]:
        filters: dict[tuple[str, str], dict[str, str]] = {}
        for name, value in query.items():
            if found := _FILTER.match(name):
                filters.setdefault((found[1], found[2]), {})[found[3]] = value
        return filters.values()

    def meets(self, row: Row, field: str, value: str, condition_type: str = "eq") -> bool:
        here = row[self.id] if field == "entity_id" else row.get(field)
        if field == "entity_id":
            return self.ignores_key or here > int(value)
        if field == "updated_at":
            value = (datetime.fromisoformat(value) + self.zone_of_filters).strftime(_FORM)
            return bool(here >= value if condition_type == "gteq" else here < value)
        return str(here) == value

    def create(self, sent: Row) -> None:
        self.complete(sent, "")
        raise Answer(200, self.rows[self.add(**{"addresses": [], **sent})])

    def one(self, request: Request, key: str) -> None:
        if key not in self.rows:
            text = "No such entity with %fieldName = %fieldValue"
            raise refusal(404, text, fieldName="customerId", fieldValue=key)
        if request.method == "GET":
            raise Answer(200, self.rows[key])
        sent = request.json()["customer"]
        self.complete(sent, key)
        kept = {name: self.rows[key][name] for name in ("id", "created_at", "edits")}
        self.rows[key] = {"addresses": [], "group_id": 1, "store_id": 1} | sent | kept  # an update replaces
        self.touch(self.rows[key])
        raise Answer(200, self.rows[key])

    def complete(self, sent: Row, key: str) -> None:
        for name in _REQUIRED:
            if not sent.get(name):
                raise refusal(400, '"%fieldName" is required. Enter and try again.', fieldName=name)
        others = [row for row in self.rows.values() if str(row["id"]) != key]
        if any((row["email"], row["website_id"]) == (sent["email"], sent.get("website_id")) for row in others):
            raise refusal(400, "A customer with the same email address already exists in an associated website.")
