"""An ERPNext site as Frappe's REST interface behaves: local stamps, twenty rows unless asked, errors of its own."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.contract import Inbound
from tests.connectors.simulator import Answer, Request, Row, Simulator, keyed_hash, posted


def refusal(status: int, kind: str, message: str) -> Answer:
    messages = json.dumps([json.dumps({"message": message, "indicator": "red"})])
    body = {"exc_type": kind, "exception": f"frappe.exceptions.{kind}: {message}", "_server_messages": messages}
    return Answer(status, body)


class ErpNext(Simulator):
    """``strips_login`` makes everybody a guest; names hold blanks, slashes and ampersands."""

    KEY = "key-41:secret-92"
    stamp_field = "modified"

    def __init__(self, rows: int = 8, doctype: str = "Customer", zone: str = "Asia/Shanghai") -> None:
        self.doctype, self.zone = doctype, ZoneInfo(zone)
        self.strips_login = False
        super().__init__(rows)

    def stamp(self, at: datetime) -> str:
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S.%f")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        if self.doctype == "Contact":
            row: Row = {
                "name": f"Ann-{number}",
                "first_name": "Ann",
                "email_id": f"c{number}@x.example",
                "unsubscribed": 0,
            }
        else:
            name = f"A/B & C {number} 客户"
            row = {
                "name": name, "customer_name": name, "customer_type": "Company", "tax_id": f"T{number:06}",
                "custom_external_id": None, "disabled": 0, "is_frozen": 0, "primary_address": "1 Rd<br>Leeds",
            }  # fmt: skip
        return str(row["name"]), row | {"creation": stamp, "modified": stamp}

    def change(self, row: Row) -> None:
        row["edits"] = row.get("edits", 0) + 1

    def answer(self, request: Request) -> None:
        given = "" if self.strips_login else request.basic()
        if given and given != self.KEY:
            raise refusal(401, "AuthenticationError", "Invalid key")
        if not given:
            raise refusal(403, "PermissionError", "You are not permitted to access this resource. Login to access")
        if request.path == "/api/method/frappe.auth.get_logged_user":
            raise Answer(200, {"message": "kehu@x.example"})
        if self.habits.no_permission:
            raise refusal(403, "PermissionError", f"User kehu@x.example does not have access to {self.doctype}")
        place, _, name = request.path.removeprefix("/api/resource/").partition("/")
        if place != self.doctype and not name:
            raise Answer(200, {"data": []})
        if request.method == "GET" and name:
            if name not in self.rows:
                raise refusal(404, "DoesNotExistError", f"{self.doctype} {name} not found")
            raise Answer(200, {"data": self.rows[name] | {"credit_limits": []}})
        if request.method == "GET":
            self.listed(request.query)
        self.saved(request.json(), name if request.method == "PUT" else "")

    def listed(self, query: dict[str, str]) -> None:
        rows = sorted(self.rows.values(), key=lambda row: row["name"])
        assert query.get("order_by", "name asc") == "name asc"
        for field, operator, value in json.loads(query.get("filters", "[]")):
            if self.rows and not any(field in row for row in self.rows.values()):
                raise refusal(500, "OperationalError", f"(1054, \"Unknown column '{field}' in 'WHERE'\")")
            rows = [row for row in rows if self.passes(row[field], operator, value)]
        start, size = int(query.get("limit_start", 0)), int(query.get("limit_page_length", 20))
        names = json.loads(query.get("fields", '["name"]'))
        page = [row if names == ["*"] else {name: row[name] for name in names} for row in rows[start : start + size]]
        raise Answer(200, {"data": page})

    def hook(self, key: str, secret: str) -> Inbound:
        """A webhook as its document was set up: the chosen fields, written and signed as Python writes them."""
        stamp = self.rows[key]["modified"] if key in self.rows else self.stamp(self.now())
        body = json.dumps({"doctype": self.doctype, "name": key, "modified": stamp}).encode()
        return posted(body, {"X-Frappe-Webhook-Signature": base64.b64encode(keyed_hash(secret, body)).decode()})

    def passes(self, held: Any, operator: str, value: str) -> bool:
        return held == value if operator == "=" else str(held) >= value

    def saved(self, sent: Row, name: str) -> None:
        if name and name not in self.rows:
            raise refusal(404, "DoesNotExistError", f"Customer {name} not found")
        if name and sent.get("modified", self.rows[name]["modified"]) != self.rows[name]["modified"]:
            raise refusal(417, "TimestampMismatchError", "Document has been modified after you have opened it")
        external = sent.get("custom_external_id")
        if external and any(row["custom_external_id"] == external and key != name for key, row in self.rows.items()):
            raise refusal(409, "DuplicateEntryError", f"Customer External ID {external} already exists")
        if not name and not sent.get("customer_group"):
            raise refusal(417, "MandatoryError", "Value missing for Customer: Customer Group")
        name = name or self.named(sent)
        self.rows[name] |= sent
        self.touch(self.rows[name])
        raise Answer(200, {"data": self.rows[name]})

    def named(self, sent: Row) -> str:
        """By the customer's name, with a number behind it where that is taken."""
        key = self.add()
        row = self.rows.pop(key)
        name = sent["customer_name"]
        while name in self.rows:
            name += " - 1"
        self.rows[name] = row | {"name": name}
        return str(name)
