"""A Dataverse environment of accounts and contacts, as far as its documentation describes one."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from tests.connectors.odata_server import Answer, Call, Row, Table, V4Server

CURRENCY = "00000000-0000-0000-0000-0000000000aa"
_ENTITY = re.compile(r"^(accounts|contacts)\((.+)\)$")
_ALTERNATE = re.compile(r"^(\w+)='(.*)'$")
COLUMNS = {"name", "accountnumber", "firstname", "lastname", "fullname", "emailaddress1", "telephone1", "creditlimit"}


class DataverseServer(V4Server):
    ROOT = "/api/data/v9.2"

    def __init__(self, accounts: int = 0) -> None:
        super().__init__(Table("accounts", "accountid", "modifiedon"), Table("contacts", "contactid", "modifiedon"))
        self.RESOURCE = self.url  # tokens are made for one environment
        self.alternate_keys = {"accountnumber"}
        for _ in range(accounts):
            self.add()

    def add(self, **fields: Any) -> str:
        number = len(self.tables["accounts"].versions) + 1
        row = {
            "accountid": str(uuid4()), "name": f"Customer {number} 客户", "accountnumber": f"C{number}",
            "emailaddress1": f"c{number}@example.com", "telephone1": None, "statecode": 0,
            "_transactioncurrencyid_value": CURRENCY,
            "_ownerid_value@OData.Community.Display.V1.FormattedValue": "Li Na",
            "createdon": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        return self.put("accounts", row | fields)

    def route(self, call: Call) -> None:
        self.authorise(call)
        if call.headers.get("OData-Version") != "4.0" or not call.path.startswith(self.ROOT + "/"):
            raise Answer(404, {"error": {"code": "0x80060888", "message": "Resource not found."}})
        path = call.path.removeprefix(self.ROOT + "/")
        self._permitted(call, path)
        if path == "WhoAmI()":
            raise Answer(200, {"UserId": "00000000-0000-0000-0000-000000000007"})
        if path == "transactioncurrencies":
            raise Answer(200, {"value": [{"transactioncurrencyid": CURRENCY, "isocurrencycode": "CNY"}]})
        if path in self.tables:
            self.list(call, self.tables[path])
        found = _ENTITY.match(path)
        if found is None:
            raise Answer(404, {"error": {"code": "0x8006088a", "message": "Resource not found for the segment."}})
        self._entity(call, self.tables[found[1]], found[2])

    def check_query(self, call: Call, table: Table, *, track: bool) -> None:
        if "$skip" in call.query:
            raise Answer(400, {"error": {"code": "0x80060888", "message": "Skip is not supported."}})
        if track and not table.tracked:
            raise Answer(400, {"error": {"code": "0x80040203", "message": "Change tracking is not enabled."}})

    def _permitted(self, call: Call, path: str) -> None:
        what = ("read " if call.method == "GET" else "write ") + re.split(r"[(?]", path)[0]
        tracks = "odata.track-changes" in call.headers.get("Prefer", "")
        if what in self.habits.forbidden or (tracks and "track" in self.habits.forbidden):
            text = "Principal user (Id=…) is missing prvReadAccount privilege."
            raise Answer(403, {"error": {"code": "0x80040220", "message": text}})

    def _entity(self, call: Call, table: Table, inside: str) -> None:
        alternate = _ALTERNATE.match(inside)
        if alternate:
            name, value = alternate.groups()
            if name not in self.alternate_keys:
                raise Answer(
                    404, {"error": {"code": "0x80060891", "message": "A record with these keys cannot exist."}}
                )
            value = value.replace("''", "'")
            key = next((k for k, row in table.rows.items() if row.get(name) == value), None)
            given = {name: value}
        else:
            key, given = (inside if inside in table.rows else None), {table.key: inside}
        if call.method == "GET":
            self._shown_one(call, table, key)
        if call.method == "PATCH":
            self._patch(call, table, key, given)
        raise Answer(405, {"error": {"code": "0x80060888", "message": "Method not allowed."}})

    def _shown_one(self, call: Call, table: Table, key: str | None) -> None:
        if key is None:
            raise Answer(404, {"error": {"code": "0x80040217", "message": "Entity Does Not Exist."}})
        raise Answer(200, self.selected(table.rows[key], call.query.get("$select", "")))

    def _patch(self, call: Call, table: Table, key: str | None, given: Row) -> None:
        unknown = [name for name in call.body if name not in COLUMNS]
        if unknown:
            raise Answer(400, {"error": {"code": "0x0", "message": f"Could not find a property named '{unknown[0]}'."}})
        wanted, absent = call.headers.get("If-Match"), call.headers.get("If-None-Match")
        if key is None and wanted:
            raise Answer(404, {"error": {"code": "0x80040217", "message": "Entity Does Not Exist."}})
        if key is not None and absent == "*":
            raise Answer(412, {"error": {"code": "0x80040237", "message": "A record with matching key exists."}})
        if key is not None and wanted not in (None, "*", table.rows[key]["@odata.etag"]):
            raise Answer(412, {"error": {"code": "0x80060882", "message": "The version does not match."}})
        self._unique(call, table, key)
        created = key is None
        old: Row = {} if key is None else table.rows[key]
        row = {table.key: str(uuid4()), "statecode": 0, **old, **given, **call.body}
        key = self.put(table.name, row)
        where = {"OData-EntityId": f"{self.url}{self.ROOT}/{table.name}({key})"}
        if "return=representation" in call.headers.get("Prefer", ""):
            raise Answer(201 if created else 200, table.rows[key], where)
        raise Answer(204, None, where)

    def _unique(self, call: Call, table: Table, key: str | None) -> None:
        for name in self.alternate_keys & set(call.body):
            if any(k != key and row.get(name) == call.body[name] for k, row in table.rows.items()):
                text = "A record that has the attribute values already exists."
                raise Answer(412, {"error": {"code": "0x80040237", "message": text}})
