"""A Business Central with one company or more, as far as its documentation describes one."""

from __future__ import annotations

import base64
import re
from typing import Any
from uuid import uuid4

from tests.connectors.odata_server import Answer, Call, Row, Table, V4Server

_BELOW = re.compile(r"^companies\(([\w-]+)\)/customers(?:\((.+)\))?$")
FIELDS = {"number", "displayName", "additionalName", "type", "email", "phoneNumber", "city", "blocked", "creditLimit"}
CORRELATION = "  CorrelationId:  00000000-0000-0000-0000-000000000009."


def refused(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message + CORRELATION}})


class BusinessCentralServer(V4Server):
    ROOT = "/v2.0/contoso/Production/api/v2.0"
    PAGE = 20_000
    COMPANY = "0a000000-0000-0000-0000-000000000001"
    KEY = ("ADMIN", "web-service-key-77aa")

    def __init__(self, customers: int = 0) -> None:
        super().__init__(Table("customers", "id", "lastModifiedDateTime"))
        self.companies = {self.COMPANY: "CRONUS Ltd."}
        self.set_up = True
        self.conflict_status = 409
        self.ignores_filter = False
        for _ in range(customers):
            self.add()

    def add(self, **fields: Any) -> str:
        number = len(self.tables["customers"].versions) + 1
        row = {
            "id": str(uuid4()), "number": f"{10000 + number}", "displayName": f"Customer {number} 客户",
            "additionalName": "", "type": "Company", "email": f"c{number}@example.com", "phoneNumber": "",
            "city": "Leeds", "blocked": "_x0020_", "creditLimit": 0, "balanceDue": 0,
        }  # fmt: skip
        return self.put("customers", row | fields)

    def stamped(self, moment: Any) -> str:
        text: str = moment.isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")

    def path_of(self, table: Table) -> str:
        return f"companies({self.COMPANY})/{table.name}"

    def expired(self) -> Answer:
        gone = refused(410, "Request_ResyncRequired", "The delta token is no longer valid.")
        gone.headers["Location"] = f"{self.url}{self.ROOT}/{self.path_of(self.tables['customers'])}"
        return gone

    def authorise(self, call: Call) -> None:
        given = call.headers.get("Authorization", "")
        if given == "Basic " + base64.b64encode(":".join(self.KEY).encode()).decode():
            return
        try:
            super().authorise(call)
        except Answer:
            raise refused(401, "Authentication_InvalidCredentials", "The server has rejected the client.") from None
        if not self.set_up:
            raise refused(401, "Authentication_InvalidCredentials", "The server has rejected the client.")

    def route(self, call: Call) -> None:
        self.authorise(call)
        path = call.path.removeprefix(self.ROOT + "/")
        if path == "companies":
            raise Answer(200, {"value": [{"id": key, "name": name} for key, name in self.companies.items()]})
        below = _BELOW.match(path)
        if below is None or below[1] not in self.companies:
            raise refused(404, "BadRequest_ResourceNotFound", "Resource not found for the segment.")
        if ("read" if call.method == "GET" else "write") in self.habits.forbidden:
            text = "Sorry, the current permissions prevented the action. (TableData 18 Customer Read: Base Application)"
            raise refused(403, "Internal_ServerError", text)
        table = self.tables["customers"]
        if below[2] is None:
            self.list(call, table) if call.method == "GET" else self._insert(call, table)
        key = below[2] if below[2] in table.rows else None
        if key is None:
            raise refused(404, "Internal_RecordNotFound", "The record does not exist.")
        if call.method == "GET":
            raise Answer(200, table.rows[key])
        self._modify(call, table, key)

    def _matches(self, row: Row, condition: str) -> bool:
        return self.ignores_filter or super()._matches(row, condition)

    def _insert(self, call: Call, table: Table) -> None:
        self._valid(call.body, table, None)
        number = call.body.get("number") or f"S{len(table.versions)}"
        row = {"id": str(uuid4()), "displayName": "", "type": "Company", "blocked": "_x0020_"} | call.body
        key = self.put("customers", row | {"number": number})
        raise Answer(201, table.rows[key])

    def _modify(self, call: Call, table: Table, key: str) -> None:
        wanted = call.headers.get("If-Match")
        if wanted is None:
            raise refused(428, "Request_IfMatchMissing", "If-Match is required.")
        if wanted not in ("*", table.rows[key]["@odata.etag"]):
            raise refused(self.conflict_status, "Request_EntityChanged", "Another user has already changed the record.")
        self._valid(call.body, table, key)
        self.change("customers", key, **call.body)
        raise Answer(200, table.rows[key])

    def _valid(self, body: Row, table: Table, key: str | None) -> None:
        for name, value in body.items():
            if name not in FIELDS:
                raise refused(400, "BadRequest", f"The property '{name}' does not exist on type 'customer'.")
            if isinstance(value, str) and len(value) > (20 if name == "number" else 100):
                raise refused(
                    400, "Application_StringExceededLength", f"The length of the string for {name} is too long."
                )
        number = body.get("number")
        if number and any(k != key and row["number"] == number for k, row in table.rows.items()):
            raise refused(400, "Internal_EntityWithSameKeyExists", "The record already exists.")
