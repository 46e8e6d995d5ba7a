"""A Mailchimp audience as its interface 3.0 behaves: hashes that follow the address, problems as JSON, archiving."""

from __future__ import annotations

from datetime import datetime
from hashlib import md5
from typing import Any
from urllib.parse import urlencode

from connectors.contract import Inbound
from tests.connectors.simulator import Answer, Request, Row, Simulator, posted


def problem(status: int, title: str, detail: str) -> Answer:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": "0-1"}
    return Answer(status, body, {"Content-Type": "application/problem+json; charset=utf-8"})


def hashed(email: str) -> str:
    return md5(email.lower().encode(), usedforsecurity=False).hexdigest()


class Mailchimp(Simulator):
    """``archived`` members are there and not listed; ``forgotten`` addresses may not come back."""

    KEY = "0123abcd-us6"
    stamp_field = "last_changed"

    def __init__(self, rows: int = 8) -> None:
        self.archived: dict[str, Row] = {}
        self.forgotten: set[str] = set()
        self.since_excludes = False
        super().__init__(rows)

    def stamp(self, at: datetime) -> str:
        return at.replace(microsecond=0).isoformat()

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        email = f"c{number}@x.test"
        address: Any = "" if number % 2 else {"addr1": "1 Rd", "city": "Leeds", "zip": "LS1", "country": "GB"}
        row = {
            "id": hashed(email), "contact_id": f"k{number:04}", "email_address": email,
            "full_name": f"Ann Lee {number}",
            "status": "unsubscribed" if number == 3 else "subscribed", "timestamp_opt": stamp, "last_changed": stamp,
            "merge_fields": {"FNAME": "Ann", "LNAME": f"Lee {number}", "ADDRESS": address, "PHONE": ""},
            "tags": [{"id": 1, "name": "vip"}],
        }  # fmt: skip
        return f"k{number:04}", row

    def change(self, row: Row) -> None:
        row["vip"] = not row.get("vip")

    def archive(self, key: str) -> None:
        self.archived[key] = self.rows.pop(key) | {"status": "archived"}

    def answer(self, request: Request) -> None:
        if request.basic().partition(":")[2] != self.KEY:
            raise problem(
                401, "API Key Invalid", "Your API key may be invalid, or you've attempted the wrong datacenter."
            )
        if self.habits.no_permission:
            raise problem(403, "Forbidden", "You do not have permission to access this resource.")
        if request.path == "/3.0/lists/a1b2":
            raise Answer(200, {"name": "Newsletter"})
        if not request.path.startswith("/3.0/lists/a1b2/members"):
            raise problem(404, "Resource Not Found", "The requested resource could not be found.")
        name = request.path.removeprefix("/3.0/lists/a1b2/members").strip("/")
        if request.method == "GET" and name:
            found = next((row for row in self.everybody() if name.lower() in self.names(row)), None)
            raise Answer(200, found) if found else problem(404, "Resource Not Found", "No such member.")
        if request.method == "GET":
            self.listed(request.query)
        self.put(request, request.path.removeprefix("/3.0/lists/a1b2/members/"))

    def listed(self, query: dict[str, str]) -> None:
        if int(query.get("count", 10)) > 1000:
            raise problem(400, "Invalid Resource", "count must be at most 1000")
        rows = list(self.archived.values() if query.get("status") == "archived" else self.rows.values())
        if "since_last_changed" in query:
            since = datetime.fromisoformat(query["since_last_changed"])
            rows = [row for row in rows if self.since(datetime.fromisoformat(row["last_changed"]), since)]
        if query.get("sort_field") == "last_changed":
            rows.sort(key=lambda row: row["last_changed"])
        start, size = int(query.get("offset", 0)), int(query.get("count", 10))
        page = {"members": rows[start : start + size], "list_id": "a1b2", "total_items": len(rows)}
        raise Answer(200, page)

    def since(self, changed: datetime, since: datetime) -> bool:
        return changed > since if self.since_excludes else changed >= since

    def hook(self, key: str, query: dict[str, str]) -> Inbound:
        """A profile event: an unsigned form, sent to the address it was set up with."""
        email = self.rows[key]["email_address"]
        fields = {"type": "profile", "fired_at": "2026-01-02 03:04:05", "data[id]": "8a25", "data[email]": email,
                  "data[merges][FNAME]": "安", "data[list_id]": "a1b2"}  # fmt: skip
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return posted(urlencode(fields).encode(), form, query)

    def put(self, request: Request, name: str) -> None:
        sent = request.json()
        found = next((row for row in self.everybody() if name.lower() in self.names(row)), None)
        if found is None and request.method == "PATCH":
            raise problem(404, "Resource Not Found", "The requested resource could not be found.")
        self.allowed(sent, found)
        if found is None:
            found = self.rows[self.add(email_address=sent["email_address"], status=sent["status_if_new"])]
            found["id"] = hashed(sent["email_address"])
        sent.pop("status_if_new", None)
        found |= sent
        self.touch(found)
        raise Answer(200, found)

    def everybody(self) -> list[Row]:
        return [*self.rows.values(), *self.archived.values()]

    def names(self, row: Row) -> set[str]:
        return {row["contact_id"], row["email_address"].lower(), hashed(row["email_address"])}

    def allowed(self, sent: Row, found: Row | None) -> None:
        email = sent.get("email_address", "")
        if email in self.forgotten:
            raise problem(400, "Forgotten Email Not Subscribed", f"{email} was permanently deleted and cannot return.")
        if found is None and "status_if_new" not in sent:
            raise problem(400, "Invalid Resource", "status_if_new is required")
        if found and found["status"] == "unsubscribed" and sent.get("status") == "subscribed":
            raise problem(400, "Member In Compliance State", f"{email} is in a compliance state.")
        if any(row is not found and email.lower() == row["email_address"].lower() for row in self.everybody()):
            raise problem(400, "Member Exists", f"{email} is already a list member.")
