"""A Brevo account as its interface v3 behaves: offsets, newest first unless asked otherwise, 204s, its own headers."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from connectors.contract import Inbound
from tests.connectors.simulator import Answer, Request, Row, Simulator, posted


def refusal(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"code": code, "message": message})


class Brevo(Simulator):
    """``count_is_wrong`` and ``since_excludes`` are what the documentation leaves open."""

    KEY = "xkeysib-test-77"
    stamp_field = "modifiedAt"

    def __init__(self, rows: int = 8) -> None:
        self.count_is_wrong = self.since_excludes = False
        super().__init__(rows)

    def stamp(self, at: datetime) -> str:
        return at.isoformat(timespec="milliseconds")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        row = {
            "id": number, "email": f"c{number}@x.example", "emailBlacklisted": number == 4, "smsBlacklisted": False,
            "createdAt": stamp, "modifiedAt": stamp, "listIds": [2], "listUnsubscribed": None,
            "attributes": {"FIRSTNAME": "Ann", "LASTNAME": f"Lee {number}", "SMS": f"4411349600{number:02}"},
        }  # fmt: skip
        if number == 5:
            del row["email"]  # known by phone alone
        return str(number), row

    def change(self, row: Row) -> None:
        row["attributes"]["EDITS"] = row["attributes"].get("EDITS", 0) + 1

    def answer(self, request: Request) -> None:
        if request.headers.get("api-key") != self.KEY:
            raise refusal(401, "unauthorized", "Key not found")
        if self.habits.no_permission:
            raise refusal(403, "permission_denied", "You are not authorised to perform this action")
        if request.path == "/v3/account":
            raise Answer(200, {"email": "owner@x.example"})
        if request.path == "/v3/contacts" and request.method == "POST":
            self.create(request.json())
        if request.path == "/v3/contacts":
            self.listed(request.query)
        self.one(request, request.path.rpartition("/")[2])

    def listed(self, query: dict[str, str]) -> None:
        size = int(query.get("limit", 50))
        if size > 1000:
            raise refusal(400, "out_of_range", "Limit exceeds max value")
        rows = sorted(self.rows.values(), key=lambda row: row["id"], reverse=query.get("sort") != "asc")
        if "modifiedSince" in query:
            since = datetime.fromisoformat(query["modifiedSince"])
            rows = [row for row in rows if self.since(datetime.fromisoformat(row["modifiedAt"]), since)]
        start = int(query.get("offset", 0))
        page = rows[start : start + size]
        raise Answer(200, {"contacts": page, "count": len(page) if self.count_is_wrong else len(rows)})

    def since(self, changed: datetime, since: datetime) -> bool:
        return changed > since if self.since_excludes else changed >= since

    def one(self, request: Request, name: str) -> None:
        field = {"email_id": "email", "contact_id": "id"}[request.query["identifierType"]]
        found = next((row for row in self.rows.values() if str(row.get(field)) == name), None)
        if found is None:
            raise refusal(404, "document_not_found", "Contact does not exist")
        if request.method == "GET":
            raise Answer(200, found)
        sent = request.json()
        attributes = sent.get("attributes", {})
        self.unique(attributes.get("EMAIL"), found)
        if attributes.get("EMAIL"):
            found["email"] = attributes.pop("EMAIL")
        found["attributes"] |= attributes
        self.touch(found)
        raise Answer(204)

    def create(self, sent: Row) -> None:
        self.unique(sent["email"], None)
        key = self.add(email=sent["email"], attributes=sent.get("attributes", {}))
        raise Answer(201, {"id": int(key)})

    def hook(self, key: str, headers: dict[str, str]) -> Inbound:
        """A marketing webhook: flat, unsigned, with the headers it was set up with."""
        event = {"event": "contact_updated", "email": self.rows[key].get("email"), "id": 9, "ts": 1767323045}
        return posted(json.dumps(event).encode(), headers)

    def unique(self, email: str | None, own: Row | None) -> None:
        if email and any(row.get("email") == email for row in self.rows.values() if row is not own):
            raise Answer(400, {
                "code": "duplicate_parameter",
                "message": "Unable to create contact, email is already associated with another Contact",
                "metadata": {"duplicate_identifiers": ["email"]},
            })  # fmt: skip
