"""A SAP system with API_BUSINESS_PARTNER, as far as its documentation describes one."""

from __future__ import annotations

import base64
import itertools
import re
import secrets
from datetime import UTC, datetime
from typing import Any

from tests.connectors.odata_server import Answer, Call, ODataServer, Row

SERVICE = "/sap/opu/odata/sap/API_BUSINESS_PARTNER/"
_ENTITY = re.compile(r"^A_BusinessPartner\('([^']*)'\)(?:/(\w+))?$")
_ADDRESS = re.compile(r"^A_BusinessPartnerAddress\(BusinessPartner='(\w+)',AddressID='(\w+)'\)$")
_TERM = re.compile(r"^(\w+) (eq|ne|ge) (?:datetime)?'(.*)'$")
_DATE = re.compile(r"^/Date\((\d+)\)/$")
FIELDS = {
    "BusinessPartnerCategory", "BusinessPartnerGrouping", "OrganizationBPName1", "FirstName", "LastName",
    "to_BusinessPartnerRole", "to_BusinessPartnerAddress", "to_BuPaIdentification", "to_BusinessPartnerTax",
}  # fmt: skip


def v2_date(moment: datetime) -> str:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return f"/Date({int(day.timestamp() * 1000)})/"


def refused(status: int, code: str, message: str, *details: str) -> Answer:
    listed = [{"code": code, "message": text, "severity": "error"} for text in (message, *details)]
    listed.append({"code": "X/1", "message": "only a warning", "severity": "warning"})
    inner = {"transactionid": "ABC", "errordetails": listed}
    error = {"code": code, "message": {"lang": "en", "value": message}, "innererror": inner}
    return Answer(status, {"error": error})


class SapServer(ODataServer):
    USER = ("KEHU", "sap-password-4711")

    def __init__(self, partners: int = 0) -> None:
        super().__init__()
        self.rows: dict[str, Row] = {}
        self.numbers = itertools.count(1000001)
        self.tags = itertools.count(1)
        self.session: tuple[str, str] | None = None
        self.tokens_given = 0
        self.page_limit = 1000
        self.counts = True
        self.children_move_the_stamp = True
        self.sets_cookies = True
        for _ in range(partners):
            self.add()

    # --- rows, for tests

    def add(self, **fields: Any) -> str:
        with self.lock:
            key = str(next(self.numbers))
            made = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
            address = {
                "BusinessPartner": key, "AddressID": f"9{key}", "CityName": "Walldorf", "Country": "DE",
                "StreetName": "Weg", "HouseNumber": "1", "PostalCode": "69190",
                "to_EmailAddress": [{"EmailAddress": f"bp{key}@example.com", "OrdinalNumber": "1"}],
                "to_PhoneNumber": [], "to_MobilePhoneNumber": [], "to_URLAddress": [],
            }  # fmt: skip
            self.rows[key] = {
                "BusinessPartner": key, "Customer": key, "BusinessPartnerCategory": "2",
                "BusinessPartnerFullName": f"Kunde {key}", "OrganizationBPName1": f"Kunde {key}",
                "BusinessPartnerIsBlocked": False, "CreationDate": v2_date(made), "CreationTime": "PT03H04M05S",
                "LastChangeDate": None, "LastChangeTime": "PT00H00M00S", "to_BusinessPartnerAddress": [address],
                "to_BusinessPartnerTax": [], "to_BusinessPartnerRole": [], "to_BuPaIdentification": [],
            } | fields  # fmt: skip
            self.touch(key, created=True)
            return key

    def touch(self, key: str, moment: datetime | None = None, *, created: bool = False) -> None:
        """A new stamp and entity tag."""
        row, now = self.rows[key], moment or self.now()
        row["tag"] = f"W/\"datetimeoffset'{next(self.tags)}'\""
        if not created:
            row["LastChangeDate"], row["LastChangeTime"] = v2_date(now), f"PT{now:%HH%MM%SS}"

    def change(self, key: str, moment: datetime | None = None, **fields: Any) -> None:
        with self.lock:
            self.rows[key].update(fields)
            self.touch(key, moment)

    # --- answers

    def route(self, call: Call) -> None:
        given = base64.b64encode(":".join(self.USER).encode()).decode()
        elsewhere = call.headers.get("sap-client", "100") != "100"  # users are those of one client
        if elsewhere or call.headers.get("Authorization") != f"Basic {given}":
            raise Answer(401, b"<html><body>Anmeldung fehlgeschlagen</body></html>", {"Content-Type": "text/html"})
        if not call.path.startswith(SERVICE):
            raise refused(403, "/IWFND/MED/170", "No service found for namespace '', name 'X', version '0001'")
        if ("read" if call.method == "GET" else "write") in self.habits.forbidden:
            raise refused(403, "/IWBEP/CX_MGW_BUSI_EXCEPTION", "No authorization for object B_BUPA_RLT")
        path = call.path.removeprefix(SERVICE)
        if call.method == "GET":
            self._get(call, path)
        self._ensure_token(call)
        self._change(call, path)

    def may_batch(self, call: Call) -> None:
        self._ensure_token(call)

    def _get(self, call: Call, path: str) -> None:
        if path == "":
            self._fetch_token(call)
        if path == "A_BusinessPartner":
            self._list(call)
        if path == "A_BuPaIdentification":
            self._marks(call)
        found = _ENTITY.match(path)
        if found and found[1] in self.rows:
            raise Answer(200, {"d": self._shown(found[1], self._expanded(call))})
        raise refused(404, "/IWBEP/CM_MGW_RT/020", "Resource not found")

    def _fetch_token(self, call: Call) -> None:
        headers = {}
        if call.headers.get("X-CSRF-Token", "").lower() == "fetch":
            self.session = (secrets.token_hex(8), secrets.token_hex(8))
            self.tokens_given += 1
            headers = {"x-csrf-token": self.session[0]}
            if self.sets_cookies:
                headers["Set-Cookie"] = f"SAP_SESSIONID_X_100={self.session[1]}; path=/; secure; HttpOnly"
        raise Answer(200, {"d": {"EntitySets": ["A_BusinessPartner"]}}, headers)

    def _ensure_token(self, call: Call) -> None:
        cookie = call.headers.get("Cookie", "")
        if self.session is None or (call.headers.get("X-CSRF-Token"), cookie) != (
            self.session[0], f"SAP_SESSIONID_X_100={self.session[1]}",
        ):  # fmt: skip
            text = b"CSRF token validation failed"
            raise Answer(403, text, {"x-csrf-token": "Required", "Content-Type": "text/plain"})

    def _list(self, call: Call) -> None:
        self.count_page()
        rows = [row for _, row in sorted(self.rows.items()) if matches(row, call.query.get("$filter", ""))]
        skip, top = int(call.query.get("$skip", 0)), int(call.query.get("$top", 10**6))
        size = min(top, self.page_limit)
        page = rows[skip : skip + size]
        shown = [self._shown(row["BusinessPartner"], self._expanded(call)) for row in page]
        if call.query.get("$select"):
            names = call.query["$select"].split(",")
            shown = [{name: row[name] for name in ("__metadata", *names)} for row in shown]
        body: dict[str, Any] = {"results": shown}
        if self.counts and call.query.get("$inlinecount") == "allpages":
            body["__count"] = str(len(rows))
        if size < top and skip + size < len(rows):
            body["__next"] = f"{self.url}{SERVICE}A_BusinessPartner?$skiptoken={skip + size}"
        raise Answer(200, {"d": body})

    def _marks(self, call: Call) -> None:
        marks = [m | {"BusinessPartner": k} for k, row in self.rows.items() for m in row["to_BuPaIdentification"]]
        raise Answer(200, {"d": {"results": [m for m in marks if matches(m, call.query.get("$filter", ""))]}})

    def _expanded(self, call: Call) -> set[str]:
        names = set(call.query.get("$expand", "").split(",")) - {""}
        known = {
            "to_BusinessPartnerAddress", "to_BusinessPartnerTax", "to_Customer",
            *(f"to_BusinessPartnerAddress/to_{n}Number" for n in ("Phone", "MobilePhone")),
            *(f"to_BusinessPartnerAddress/to_{n}Address" for n in ("Email", "URL")),
        }  # fmt: skip
        for name in names - known:
            raise refused(400, "/IWBEP/CM_MGW_RT/021", f"Resource not found for the segment '{name}'")
        return names

    def _shown(self, key: str, expanded: set[str]) -> Row:
        row, uri = self.rows[key], f"{self.url}{SERVICE}A_BusinessPartner('{key}')"
        shown: Row = {"__metadata": {"id": uri, "uri": uri, "etag": row["tag"]}}
        for name, value in row.items():
            if name.startswith("to_"):
                nested = {"results": [self._child(uri, name, item, row, expanded) for item in value]}
                shown[name] = nested if name in expanded else {"__deferred": {"uri": f"{uri}/{name}"}}
            elif name != "tag":
                shown[name] = value
        customer = {"__metadata": {"uri": uri}, "Customer": row["Customer"], "OrderIsBlockedForCustomer": ""}
        shown["to_Customer"] = customer if "to_Customer" in expanded else {"__deferred": {"uri": f"{uri}/to_Customer"}}
        return shown

    def _child(self, uri: str, name: str, item: Row, row: Row, expanded: set[str]) -> Row:
        shown: Row = {"__metadata": {"uri": uri, "etag": item.get("tag", row["tag"])}}
        for field, value in item.items():
            if isinstance(value, list):
                there = f"{name}/{field}" in expanded
                shown[field] = {"results": value} if there else {"__deferred": {"uri": uri}}
            elif field != "tag":
                shown[field] = value
        return shown

    # --- changes

    def _change(self, call: Call, path: str) -> None:
        entity, address = _ENTITY.match(path), _ADDRESS.match(path)
        if call.method == "POST" and path == "A_BusinessPartner":
            self._create(call)
        if call.method == "POST" and entity and entity[2]:
            self.rows[entity[1]][entity[2]].append({**call.body, "AddressID": secrets.token_hex(4)})
            self._touched(entity[1])
            raise Answer(201, {"d": call.body})
        if call.method == "PATCH" and entity:
            self._ensure_tag(call, self.rows[entity[1]]["tag"])
            self._valid(call.body)
            self.change(entity[1], **call.body)
            raise Answer(204)
        if call.method == "PATCH" and address:
            row = self.rows[address[1]]
            item = next(a for a in row["to_BusinessPartnerAddress"] if a["AddressID"] == address[2])
            self._ensure_tag(call, item.get("tag", row["tag"]))
            item.update(call.body)
            self._touched(address[1])
            raise Answer(204)
        raise refused(405, "/IWFND/CM_CONSUMER/1", "Method not allowed")

    def _touched(self, key: str) -> None:
        if self.children_move_the_stamp:
            self.touch(key)

    def _create(self, call: Call) -> None:
        self._valid(call.body)
        if not call.body.get("BusinessPartnerCategory"):
            raise refused(400, "R11/001", "Enter a business partner category", "Grouping is missing")
        nested = {name: value for name, value in call.body.items() if name.startswith("to_")}
        customer = any(r["BusinessPartnerRole"].startswith("FLCU") for r in nested.get("to_BusinessPartnerRole", []))
        now = self.now()
        made = {"CreationDate": v2_date(now), "CreationTime": f"PT{now:%HH%MM%SS}"}
        key = self.add(**made, to_BusinessPartnerAddress=[])
        self.rows[key].update(call.body | ({} if customer else {"Customer": ""}))
        raise Answer(201, {"d": self._shown(key, set())})

    def _valid(self, body: Row) -> None:
        for name in body:
            if name not in FIELDS:
                raise refused(400, "/IWBEP/CM_MGW_RT/022", f"Property {name} is invalid")

    def _ensure_tag(self, call: Call, tag: str) -> None:
        wanted = call.headers.get("If-Match")
        if wanted is None:
            raise refused(428, "/IWBEP/CM_MGW_RT/001", "If-Match is required")
        if wanted not in ("*", tag):
            raise refused(412, "/IWBEP/CM_MGW_RT/002", "Precondition failed")


def matches(row: Row, condition: str) -> bool:
    """Conjunctions of terms and of disjunctions in parentheses."""
    return all(
        any(_holds(row, term) for term in part.strip("()").split(" or "))
        for part in (condition.split(" and ") if condition else [])
    )


def _holds(row: Row, term: str) -> bool:
    found = _TERM.match(term)
    if found is None:
        raise refused(400, "/IWBEP/CM_MGW_RT/023", f"Invalid filter {term}")
    name, operator, literal = found.groups()
    if operator != "ge":
        same = row[name] == literal.replace("''", "'")
        return same if operator == "eq" else not same
    date = _DATE.match(row[name] or "")
    if date is None:
        return False
    return datetime.fromtimestamp(int(date[1]) / 1000, UTC) >= datetime.fromisoformat(literal).replace(tzinfo=UTC)
