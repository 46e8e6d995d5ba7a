"""A Klaviyo account as its JSON:API behaves: links to follow, strict filters, revisions, errors as lists."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from connectors.contract import Inbound
from tests.connectors.simulator import Answer, Request, Row, Simulator, keyed_hash, posted


def refusal(status: int, code: str, detail: str, **meta: Any) -> Answer:
    error = {"id": "0-1", "status": status, "code": code, "title": code, "detail": detail, "meta": meta}
    return Answer(status, {"errors": [error]})


class Klaviyo(Simulator):
    """``unlisted`` are keys that lists do not show yet; ``includes`` makes greater-than mean at or after."""

    KEY = "pk_test_55"
    REVISIONS = ("2024-10-15", "2026-10-15")
    stamp_field = "updated"

    def __init__(self, rows: int = 8) -> None:
        self.unlisted: set[str] = set()
        self.includes = False
        super().__init__(rows)

    def stamp(self, at: datetime) -> str:
        return at.replace(microsecond=0).isoformat()

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        key = f"01HZX{number:07}"
        asked = "NEVER_SUBSCRIBED" if number == 2 else "SUBSCRIBED"
        attributes = {
            "email": f"c{number}@x.example", "phone_number": None, "external_id": None, "first_name": "Ann",
            "last_name": f"Lee {number}", "organization": "Acme", "created": stamp, "updated": stamp,
            "location": {"address1": "1 Rd", "city": "Leeds", "country": "United Kingdom", "zip": "LS1"},
            "properties": {}, "subscriptions": {"email": {"marketing": {"consent": asked}}},
        }  # fmt: skip
        return key, {"type": "profile", "id": key, "attributes": attributes}

    def holder(self, row: Row) -> Row:
        held: Row = row["attributes"]
        return held

    def change(self, row: Row) -> None:
        edits = row["attributes"]["properties"].get("edits", 0)
        row["attributes"]["properties"] = {"edits": edits + 1}

    def answer(self, request: Request) -> None:
        if request.headers.get("revision") is None:
            raise refusal(400, "invalid", "Missing revision header")
        if request.headers["revision"] not in self.REVISIONS:
            raise refusal(410, "gone", "This revision has been retired")
        if request.headers.get("Authorization") != f"Klaviyo-API-Key {self.KEY}":
            raise refusal(401, "authentication_failed", "Incorrect authentication credentials.")
        if self.habits.no_permission:
            raise refusal(403, "permission_denied", "You do not have permission to perform this action.")
        path = request.path.removeprefix("/api")
        if path == "/profiles" and request.method == "GET":
            self.listed(request.query)
        if request.method == "GET" and path.startswith("/profiles/"):
            self.one(path.rpartition("/")[2], request.query)
        data = request.json()["data"]
        assert data["type"] == "profile"
        if path == "/profile-import":
            self.imported(data["attributes"])
        if path == f"/profiles/{data.get('id')}" and request.method == "PATCH":
            self.patch(data["id"], data["attributes"])

    def listed(self, query: dict[str, str]) -> None:
        size = int(query.get("page[size]", 20))
        if not 1 <= size <= 100:
            raise refusal(400, "invalid", "Page size must be an integer between 1 and 100")
        field = query.get("sort", "id")
        rows = [row for key, row in self.rows.items() if key not in self.unlisted]
        rows = [row for row in rows if self.passes(row, query.get("filter", ""))]
        rows.sort(key=lambda row: (row["attributes"].get(field, ""), row["id"]))
        after = tuple(base64.b64decode(query["page[cursor]"]).decode().split("|")) if "page[cursor]" in query else ()
        rows = [row for row in rows if (row["attributes"].get(field, ""), row["id"]) > after]
        page = [self.shown(row, query) for row in rows[:size]]
        more = self.link(rows[size - 1], field, query) if len(rows) > size else None
        raise Answer(200, {"data": page, "links": {"self": "…", "next": more, "prev": None}})

    def one(self, key: str, query: dict[str, str]) -> None:
        if key not in self.rows:
            raise refusal(404, "not_found", "A profile with this id was not found.")
        raise Answer(200, {"data": self.shown(self.rows[key], query), "links": {"self": "…"}})

    def hook(self, key: str, secret: str) -> Inbound:
        """A system webhook: events, each as it is shown when asked for."""
        with self.lock:
            number = next(self._numbers)
        profile = {"data": {"type": "profile", "id": key}}
        payload = {
            "data": {"type": "event", "id": f"e{number}", "attributes": {}, "relationships": {"profile": profile}}
        }
        event = {"external_id": f"e{number}", "topic": "event:klaviyo.subscribed", "payload": payload}
        body = json.dumps({"data": [event], "meta": {"version": "2024-10-15"}}).encode()
        stamp = self.now().isoformat()
        signed = keyed_hash(secret, body + stamp.encode()).hex()
        return posted(body, {"Klaviyo-Signature": signed, "Klaviyo-Timestamp": stamp, "Klaviyo-Webhook-Id": "w1"})

    def passes(self, row: Row, asked: str) -> bool:
        if not asked:
            return True
        found = re.fullmatch(r"greater-than\(updated,(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\)", asked)
        if found is None:
            raise refusal(400, "invalid", "Invalid filter provided")
        since = datetime.fromisoformat(found[1])
        changed = datetime.fromisoformat(row["attributes"]["updated"]).astimezone(UTC)
        return changed >= since if self.includes else changed > since

    def shown(self, row: Row, query: dict[str, str]) -> Row:
        attributes = dict(row["attributes"])
        if query.get("additional-fields[profile]") != "subscriptions":
            del attributes["subscriptions"]
        if "fields[profile]" in query:
            attributes = {name: attributes[name] for name in query["fields[profile]"].split(",")}
        return row | {"attributes": attributes}

    def link(self, last: Row, field: str, query: dict[str, str]) -> str:
        cursor = f"{last['attributes'].get(field, '')}|{last['id']}"
        return f"{self.url}/api/profiles?" + urlencode(
            query | {"page[cursor]": base64.b64encode(cursor.encode()).decode()}
        )

    def imported(self, sent: Row) -> None:
        if not any(sent.get(name) for name in ("id", "email", "phone_number", "external_id")):
            raise refusal(400, "invalid", "One of email, phone_number or external_id is required")
        if "@" not in (sent.get("email") or "@"):
            raise refusal(400, "invalid", "Invalid email address")
        for key, row in self.rows.items():
            if row["attributes"]["email"] == sent.get("email"):
                self.merge(key, sent)
                raise Answer(200, {"data": self.rows[key]})
        key = self.add()
        self.merge(key, {"email": None} | sent)
        raise Answer(201, {"data": self.rows[key]})

    def patch(self, key: str, sent: Row) -> None:
        if key not in self.rows:
            raise refusal(404, "not_found", "A profile with this id was not found.")
        for other, row in self.rows.items():
            if other != key and sent.get("email") and row["attributes"]["email"] == sent["email"]:
                why = "A profile already exists with one of these identifiers."
                raise refusal(409, "duplicate_profile", why, duplicate_profile_id=other)
        self.merge(key, sent)
        raise Answer(200, {"data": self.rows[key]})

    def merge(self, key: str, sent: Row) -> None:
        self.rows[key]["attributes"] |= sent
        self.touch(self.rows[key])
