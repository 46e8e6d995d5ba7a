"""A WooCommerce shop as its REST interface v3 behaves: bare arrays, Basic auth, UTC stamps without a zone."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from connectors.contract import Inbound
from tests.connectors.simulator import Answer, Request, Row, Simulator, keyed_hash, posted

BASE = "/wp-json/wc/v3"


def refusal(status: int, code: str, message: str, **data: Any) -> Answer:
    return Answer(status, {"code": code, "message": message, "data": {"status": status, **data}})


class WooCommerce(Simulator):
    """``orders`` are kept beside the customers; ``plural`` says which of both ``rows`` are for the suite."""

    KEY = "ck_test_1f2e:cs_test_9d8c7b"
    stamp_field = "date_modified_gmt"

    def __init__(self, rows: int = 8, plural: str = "customers") -> None:
        self.plural = plural
        self.ignores_guest_filter = False
        super().__init__(rows)

    def stamp(self, at: datetime) -> str:
        return at.strftime("%Y-%m-%dT%H:%M:%S")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        billing = {
            "first_name": "Ann", "last_name": "Lee", "company": "" if number % 2 else f"Acme {number}",
            "address_1": "1 Rd", "address_2": "", "city": "Leeds", "state": "", "postcode": "LS1", "country": "GB",
            "email": f"buyer{number}@shop.example", "phone": "+44 113 4960000",
        }  # fmt: skip
        row: Row = {"id": number, "date_created_gmt": stamp, "date_modified_gmt": stamp, "billing": billing}
        if self.plural == "orders":
            return str(number), row | {"customer_id": 0, "currency": "GBP", "status": "processing", "edits": 0}
        names = {"first_name": "Ann", "last_name": f"Lee {number}", "role": "customer", "username": f"ann{number}"}
        never = {"date_modified_gmt": None if number == 3 else stamp}
        email = {"email": f"c{number}@shop.example"}
        return str(number), row | never | names | email | {"shipping": {}, "meta_data": []}

    def change(self, row: Row) -> None:
        row["edits"] = row.get("edits", 0) + 1

    def answer(self, request: Request) -> None:
        if request.basic() != self.KEY:
            raise refusal(401, "woocommerce_rest_authentication_error", "Consumer key is invalid.")
        if self.habits.no_permission:
            raise refusal(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        path = request.path.removeprefix(BASE)
        if path == f"/{self.plural}" and request.method == "GET":
            raise Answer(200, self.listed(request.query))
        if path in ("/customers", "/orders") and request.method == "GET":
            raise Answer(200, [])
        if request.method == "GET" and path.startswith(f"/{self.plural}/"):
            key = path.rpartition("/")[2]
            raise (
                Answer(200, self.rows[key])
                if key in self.rows
                else refusal(404, "woocommerce_rest_invalid_id", "Invalid resource ID.")
            )
        if path == "/customers/batch":
            self.batch(request.json())
        if path == "/customers" and request.method == "POST":
            self.create(request.json())
        if path.startswith("/customers/") and request.method == "PUT":
            self.put(path.rpartition("/")[2], request.json())

    def hook(self, key: str, secret: str) -> Inbound:
        """What the shop sends after a change; a deleted record comes with its number alone."""
        body = json.dumps(self.rows.get(key, {"id": int(key)}), ensure_ascii=False).encode()
        kind = self.plural.rstrip("s")
        signed = base64.b64encode(keyed_hash(secret, body)).decode()
        headers = {"x-wc-webhook-topic": f"{kind}.updated", "x-wc-webhook-resource": kind}
        return posted(body, headers | {"x-wc-webhook-signature": signed, "x-wc-webhook-delivery-id": key})

    def listed(self, query: dict[str, str]) -> list[Row]:
        size = int(query.get("per_page", 10))
        if not 1 <= size <= 100:
            why = {"per_page": "per_page must be between 1 and 100"}
            raise refusal(400, "rest_invalid_param", "Invalid parameter(s): per_page", params=why)
        rows = sorted(self.rows.values(), key=lambda row: row["id"])
        if self.plural == "customers":
            rows = [row for row in rows if query.get("role") == "all" or row["role"] == "customer"]
            rows = [row for row in rows if query.get("email", row["email"]) == row["email"]]
        else:
            rows = self.orders(rows, query)
        start = int(query.get("offset", 0))
        return rows[start : start + size]

    def orders(self, rows: list[Row], query: dict[str, str]) -> list[Row]:
        if "modified_after" in query:
            assert query["dates_are_gmt"] == "true"  # else the shop reads its own zone into the filter
            rows = [row for row in rows if row["date_modified_gmt"] > query["modified_after"]]
        if "customer" in query and not self.ignores_guest_filter:
            rows = [row for row in rows if row["customer_id"] == int(query["customer"])]
        return rows

    def batch(self, sent: dict[str, list[Row]]) -> None:
        """Each record for itself, all under status 200; one that failed has the number 0."""
        if sum(map(len, sent.values())) > 100:
            raise refusal(413, "woocommerce_rest_request_entity_too_large", "Unable to accept more than 100 items.")
        answers: dict[str, list[Row]] = {}
        for verb, items in sent.items():
            for item in items:
                try:
                    self.create(item) if verb == "create" else self.put(str(item["id"]), item | {"id": int(item["id"])})
                except Answer as given:
                    told = json.loads(given.content)
                    answers.setdefault(verb, []).append(told if given.status < 300 else {"id": 0, "error": told})
        raise Answer(200, answers)

    def create(self, sent: Row) -> None:
        self.unique(sent, "", "registration-error-email-exists")
        key = self.add(**sent)
        raise Answer(201, self.rows[key])

    def put(self, key: str, sent: Row) -> None:
        if key not in self.rows:
            raise refusal(404, "woocommerce_rest_invalid_id", "Invalid resource ID.")
        self.unique(sent, key, "woocommerce_rest_customer_invalid_email")
        self.rows[key] |= sent
        self.touch(self.rows[key])
        raise Answer(200, self.rows[key])

    def unique(self, sent: Row, key: str, code: str) -> None:
        if any(row["email"] == sent.get("email") and str(row["id"]) != key for row in self.rows.values()):
            raise refusal(400, code, "An account is already registered with your email address.")
