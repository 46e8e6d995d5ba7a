"""A HubSpot account as its CRM interface behaves: a search that lags and shows 10,000 results, text values, 409s."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from connectors.contract import Inbound
from tests.connectors.simulator import Answer, Request, Row, Simulator, keyed_hash, posted

SINGULAR = {"contacts": "contact", "companies": "company"}


def refusal(status: int, category: str, message: str, **more: Any) -> Answer:
    body = {"status": "error", "message": message, "correlationId": str(uuid4()), "category": category}
    return Answer(status, body | more)


class HubSpot(Simulator):
    """``unindexed`` are keys that the search does not know yet; ``cap`` is how many results one search shows."""

    KEY = "pat-test-0a1b2c"

    def __init__(self, rows: int = 8, kind: str = "contacts", base: str = "/crm/v3/objects") -> None:
        self.kind, self.base, self.cap = kind, base, 10
        self.stamp_field = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"  # type: ignore[misc]
        self.unindexed: set[str] = set()
        self.refuses_batches = self.hides_traces = False
        super().__init__(rows)

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        key = str(96 + number)  # the keys grow from two digits to three: text and number sort differently
        own = (
            {"email": f"c{number}@x.example", "firstname": "Ann", "lastname": f"Lee {number}", "company": None}
            if self.kind == "contacts"
            else {"name": f"Acme {number}", "domain": f"acme{number}.example"}
        )
        properties = {"hs_object_id": key, "createdate": stamp, self.stamp_field: stamp, "edits": "0", **own}
        return key, {"id": key, "properties": properties, "createdAt": stamp, "archived": False}

    def add(self, at: datetime | None = None, **fields: Any) -> str:
        key = super().add(at)
        self.rows[key]["properties"] |= fields
        return key

    def holder(self, row: Row) -> Row:
        held: Row = row["properties"]
        return held

    def change(self, row: Row) -> None:
        row["properties"]["phone"] = f"+44 113 {row['properties']['edits']}"
        row["properties"]["edits"] = str(int(row["properties"]["edits"]) + 1)

    def answer(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.KEY}":
            raise refusal(401, "INVALID_AUTHENTICATION", "Authentication credentials not found")
        if self.habits.no_permission:
            raise refusal(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes")
        path = request.path.removeprefix(self.base)
        if path == f"/{self.kind}/search":
            self.search(request.json())
        if path.startswith(f"/{self.kind}/batch/"):
            self.batch(path.rpartition("/")[2], request.json()["inputs"])
        if path in ("/contacts/search", "/companies/search"):
            raise Answer(200, {"total": 0, "results": []})
        if path == f"/{self.kind}":
            self.create(request.json()) if request.method == "POST" else self.listed(request.query)
        if path == "/contacts":
            raise Answer(200, {"results": []})
        self.one(request, path.removeprefix(f"/{self.kind}/"))

    def shown(self, row: Row, names: list[str]) -> Row:
        held = row["properties"]
        always = ("hs_object_id", "createdate", self.stamp_field)
        return row | {"properties": {name: held.get(name) for name in dict.fromkeys((*always, *names))}}

    def search(self, asked: Row) -> None:
        (group,) = asked["filterGroups"]
        assert asked["sorts"] == [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        if int(asked["limit"]) > 200 or int(asked.get("after", 0)) + int(asked["limit"]) > max(self.cap, 200):
            raise refusal(400, "VALIDATION_ERROR", "The paging request is beyond 10,000 results")
        rows = [row for row in self.ordered() if row["id"] not in self.unindexed]
        for one in group["filters"]:
            assert isinstance(one["value"], str)
            rows = [row for row in rows if self.passes(row["properties"], one)]
        page = [self.shown(row, asked["properties"]) for row in rows[: int(asked["limit"])]]
        raise Answer(200, {"total": len(rows), "results": page})

    def passes(self, held: Row, asked: Row) -> bool:
        if asked["propertyName"] == "hs_object_id":
            assert asked["operator"] == "GT"
            return int(held["hs_object_id"]) > int(asked["value"])
        assert (asked["propertyName"], asked["operator"]) == (self.stamp_field, "GTE")
        since = datetime.fromtimestamp(int(asked["value"]) / 1000, UTC)
        return datetime.fromisoformat(held[self.stamp_field]) >= since

    def ordered(self) -> list[Row]:
        return sorted(self.rows.values(), key=lambda row: int(row["id"]))

    def listed(self, query: dict[str, str]) -> None:
        size = int(query.get("limit", 10))
        if size > 100:
            raise refusal(400, "VALIDATION_ERROR", "limit must be at most 100")
        rows = [row for row in self.ordered() if int(row["id"]) >= int(query.get("after", 0))]
        page: Row = {"results": [self.shown(row, query["properties"].split(",")) for row in rows[:size]]}
        if len(rows) > size:
            page["paging"] = {"next": {"after": rows[size]["id"]}}
        raise Answer(200, page)

    def one(self, request: Request, name: str) -> None:
        by_email = request.query.get("idProperty") == "email"
        found = [row for row in self.rows.values() if (row["properties"]["email"] if by_email else row["id"]) == name]
        if not found:
            raise refusal(404, "OBJECT_NOT_FOUND", "resource not found")
        if request.method == "PATCH":
            self.patch(found[0], request.json()["properties"])
        asked = request.lists.get("properties") or ["email"]
        raise Answer(200, self.shown(found[0], asked))

    def batch(self, verb: str, inputs: list[Row]) -> None:
        """Each record for itself; two of the same name break the whole call."""
        names = [str(one["id"]).lower() for one in inputs]
        if len(inputs) > 100 or len(names) != len(set(names)) or self.refuses_batches:
            raise refusal(400, "VALIDATION_ERROR", "Duplicate IDs found in batch input")
        results: list[Row] = []
        errors: list[Row] = []
        for one in inputs:
            trace = one["objectWriteTraceId"]
            try:
                row, new = self.written(verb, one)
                results.append(self.shown(row, ["email"]) | {"new": new, "objectWriteTraceId": trace})
            except Answer as fault:
                told = {name: json.loads(fault.content)[name] for name in ("status", "category", "message")}
                errors.append(told | ({} if self.hides_traces else {"context": {"objectWriteTraceId": [trace]}}))
        body = {"status": "COMPLETE", "results": results[::-1]}
        raise Answer(207 if errors else 200, body | ({"errors": errors, "numErrors": len(errors)} if errors else {}))

    def written(self, verb: str, one: Row) -> tuple[Row, bool]:
        name, sent = str(one["id"]), one["properties"]
        field = one.get("idProperty")
        rows = [row for row in self.rows.values() if (row["properties"].get(field) if field else row["id"]) == name]
        if rows:
            self.patch(rows[0], sent)
        elif verb == "update":
            raise refusal(404, "OBJECT_NOT_FOUND", "resource not found")
        else:
            self.unique(sent, "")
        return (rows[0], False) if rows else (self.rows[self.add(**sent)], True)

    def create(self, sent: Row) -> None:
        self.unique(sent["properties"], "")
        key = self.add(**sent["properties"])
        self.unindexed.add(key)
        raise Answer(201, self.rows[key])

    def patch(self, row: Row, sent: Row) -> None:
        self.unique(sent, row["id"])
        row["properties"] |= sent
        self.touch(row)

    def hook(self, key: str, secret: str, url: str) -> Inbound:
        """One event of a webhook: signed by version 3 over method, address, body and time."""
        with self.lock:
            number = next(self._numbers)
        event = {
            "eventId": 100, "subscriptionId": 7, "portalId": 62515, "appId": 54, "attemptNumber": 0,
            "occurredAt": 1767323045000 + number, "subscriptionType": f"{SINGULAR[self.kind]}.propertyChange",
            "objectId": int(key), "propertyName": "phone", "propertyValue": "+44 113",
        }  # fmt: skip
        return self.signed([event], secret, url)

    def signed(self, events: list[Row], secret: str, url: str) -> Inbound:
        """Events in one call."""
        body = json.dumps(events).encode()
        stamp = str(int(self.now().timestamp() * 1000))
        signed = base64.b64encode(keyed_hash(secret, b"POST" + url.encode() + body + stamp.encode())).decode()
        return posted(body, {"X-HubSpot-Signature-v3": signed, "X-HubSpot-Request-Timestamp": stamp})

    def unique(self, sent: Row, key: str) -> None:
        for name, value in sent.items():
            if not isinstance(value, str):
                raise refusal(400, "VALIDATION_ERROR", f"Property values were not valid: {name}")
        for row in self.rows.values():
            if row["id"] != key and "email" in sent and row["properties"].get("email") == sent["email"].lower():
                raise refusal(409, "CONFLICT", f"Contact already exists. Existing ID: {row['id']}")
