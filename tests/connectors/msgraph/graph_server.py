"""A tenant of Microsoft 365 with one mailbox, as far as the documentation of Microsoft Graph describes one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from uuid import uuid4

from tests.connectors.odata_server import Answer, Call, Row, Table, V4Server

MAILBOX = "sales@us.example"
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_MARK = re.compile(r"ep/id eq '((?:[^']|'')+)' and ep/value eq '((?:[^']|'')+)'")


def refused(status: int, code: str, text: str = "on purpose") -> Answer:
    inner = {"date": "2026-01-02T03:04:05", "request-id": str(uuid4())}
    return Answer(status, {"error": {"code": code, "message": text, "innerError": inner}})


def person(address: str, name: str = "") -> Row:
    return {"emailAddress": {"name": name or address, "address": address}}


class GraphServer(V4Server):
    """``GraphServer(contacts=100_000, mails=100_000)`` serves that many. Folders are tables by their ids."""

    ROOT = "/v1.0"

    def __init__(self, contacts: int = 0, mails: int = 0) -> None:
        self.subscriptions: dict[str, Row] = {}
        self.batches = True
        self.parts: list[Call] = []
        self.inside: list[str] = []
        self.batch_habit: Callable[[int, Row], Answer | None] = lambda number, one: None
        """What is answered to a call inside of a batch instead; status 0: nothing is."""
        super().__init__(Table("contacts", "id", "lastModifiedDateTime"))
        self.folders: dict[str, Row] = {}
        self.uses: dict[str, str] = {}
        for use, name in (("inbox", "Inbox"), ("sentitems", "Sent Items"), ("junkemail", "Junk"), ("drafts", "Drafts")):
            self.uses[use] = self.folder(name)
        self.delta = True
        self.search_works = True
        self.search_tells_folders = True
        self.sends_reduced = False
        self.ignores_if_match = False
        self.marks_can_be_searched = True
        self.clock = START
        self.number = 0
        for _ in range(contacts):
            self.add()
        for _ in range(mails):
            self.deliver()

    # --- what the mailbox's user does

    def folder(self, name: str, parent: str = "") -> str:
        key = f"AAMk-{name.replace(' ', '')}="
        self.folders[key] = {"id": key, "displayName": name, "parent": parent}
        self.tables[key] = Table(key, "id", "lastModifiedDateTime")
        return key

    def add(self, **fields: Any) -> str:
        self.number += 1
        name = f"Customer {self.number} 客户"
        row = {
            "id": f"AAMkC{self.number:05}", "displayName": name, "givenName": "Customer", "surname": str(self.number),
            "companyName": f"Acme {self.number}", "jobTitle": "Buyer", "mobilePhone": None, "categories": [],
            "emailAddresses": [{"name": name, "address": f"c{self.number}@x.example"}], "businessPhones": [],
            "homePhones": [], "businessAddress": {}, "homeAddress": {}, "otherAddress": {}, "changeKey": "k",
            "createdDateTime": "2026-01-01T00:00:00Z", "parentFolderId": "AAMk-Contacts", "nickName": None,
            "middleName": None, "department": None, "businessHomePage": None, "birthday": None, "personalNotes": "",
        }  # fmt: skip
        return self.put("contacts", row | fields)

    def deliver(self, sender: str = "", *, folder: str = "", at: datetime | None = None, **fields: Any) -> str:
        self.number += 1
        self.clock += timedelta(minutes=1)
        folder = folder or self.uses["inbox"]
        sender = sender or f"contact{self.number:05}@example.com"
        moment = (at or self.clock).isoformat().replace("+00:00", "Z")
        row = {
            "id": f"AAMkM{self.number:06}", "internetMessageId": f"<{self.number}@test>", "isDraft": False,
            "from": person(sender, f"Person {self.number}"), "sender": person(sender), "replyTo": [],
            "toRecipients": [person(MAILBOX, "Sales")], "ccRecipients": [], "receivedDateTime": moment,
            "sentDateTime": moment, "parentFolderId": folder,
        }  # fmt: skip
        return self.put(folder, row | fields)

    def stamped(self, moment: datetime) -> str:
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

    # --- answers

    def route(self, call: Call) -> None:
        self.authorise(call)
        if call.path == f"{self.ROOT}/$batch":
            self._batch(call)
        path = call.path.removeprefix(f"{self.ROOT}/")
        parts = path.split("/")
        if parts[0] == "subscriptions":
            self._subscribed(call, parts[1:])
        if parts[:2] != ["users", MAILBOX]:
            raise refused(404, "Request_ResourceNotFound", f"Resource '{parts[1:2]}' does not exist.")
        what = parts[2] if len(parts) > 2 else ""
        if f"{call.method} {what}" in self.habits.forbidden:
            raise refused(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        if 'IdType="ImmutableId"' not in call.headers.get("Prefer", ""):
            raise refused(500, "UnknownError", "ids would change when items move")
        if what == "contacts":
            self._contacts(call, parts[3:])
        if what == "mailFolders":
            self._mail_folders(call, parts[3:])
        if what == "messages":
            self._messages(call, parts[3:])
        raise refused(400, "BadRequest", "Resource not found for the segment.")

    def _batch(self, call: Call) -> None:
        """Up to twenty calls, each answered by itself, in whatever order; throttled ones with 429 under status 200."""
        if not self.batches:
            raise refused(404, "UnknownError", "no batches in this cloud")
        asked = call.body["requests"]
        if len(asked) > 20 or len({one["id"] for one in asked}) != len(asked):
            raise refused(400, "BadRequest", "A batch has at most 20 requests with ids of their own.")
        self.inside = [one["method"] for one in asked]
        answers = []
        for number, one in enumerate(asked):
            answer = self.batch_habit(number, one) or self._inner(call, one)
            if answer.status:
                told = {"id": one["id"], "status": answer.status, "headers": answer.headers, "body": answer.body}
                answers.append(told)
        raise Answer(200, {"responses": answers[::-1]})

    def _inner(self, call: Call, one: Row) -> Answer:
        url = urlsplit(one["url"])
        assert one["url"].startswith("/users/")
        assert "body" not in one or one["headers"]["Content-Type"] == "application/json"
        headers = {"Authorization": call.headers.get("Authorization", ""), **one["headers"]}
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        inner = Call(one["method"], self.ROOT + unquote(url.path), query, headers, one.get("body"), url.query)
        self.parts.append(inner)
        try:
            self.route(inner)
        except Answer as answer:
            return answer
        raise AssertionError(one)

    def _subscribed(self, call: Call, rest: list[str]) -> None:
        """Subscriptions of all applications of ours; an end too far away is refused."""
        if f"{call.method} subscriptions" in self.habits.forbidden:
            raise refused(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        if call.method == "GET":
            raise Answer(200, {"value": list(self.subscriptions.values())})
        end = datetime.fromisoformat(call.body["expirationDateTime"])
        if end - datetime.now(UTC) > timedelta(minutes=4_230):
            raise refused(400, "InvalidRequest", "Subscription expiration can only be 4230 minutes in the future.")
        key = rest[0] if rest else f"s{len(self.subscriptions) + 1}"
        self.subscriptions[key] = self.subscriptions.get(key, {"id": key}) | call.body
        raise Answer(200 if rest else 201, self.subscriptions[key])

    def _contacts(self, call: Call, rest: list[str]) -> None:
        table = self.tables["contacts"]
        if rest == ["delta"] and not self.delta:
            raise refused(400, "BadRequest", "delta is not offered in this cloud")
        if call.method == "POST" and not rest:
            self._create(call)
        if rest and rest != ["delta"]:
            self._contact(call, table, rest[0])
        if "singleValueExtendedProperties" in call.query.get("$filter", ""):
            self._marked(call)
        self.list(call, table)

    def _contact(self, call: Call, table: Table, key: str) -> None:
        row = table.rows.get(key)
        if row is None:
            raise refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        if call.method == "GET":
            raise Answer(200, self.selected(row, call.query.get("$select", "")))
        self._checked(call)
        wanted = call.headers.get("If-Match")
        if wanted not in (None, row["@odata.etag"]) and not self.ignores_if_match:
            raise refused(412, "ErrorIrresolvableConflict", "The send or update operation could not be performed")
        self.put("contacts", {**row, **call.body})
        raise Answer(200, table.rows[key])

    def _create(self, call: Call) -> None:
        self._checked(call)
        key = self.add(**{name: value for name, value in call.body.items() if name != "id"})
        raise Answer(201, self.tables["contacts"].rows[key])

    def _checked(self, call: Call) -> None:
        known = {"singleValueExtendedProperties", *next(iter(self.tables["contacts"].rows.values()))}
        unknown = [name for name in call.body if name not in known]
        if unknown:
            raise refused(400, "RequestBodyRead", f"The property '{unknown[0]}' does not exist on type 'Contact'.")

    def _marked(self, call: Call) -> None:
        if not self.marks_can_be_searched:
            raise refused(400, "ErrorInvalidUrlQueryFilter", "The query filter contains one or more invalid nodes.")
        found = _MARK.search(call.query["$filter"])
        assert found
        mark = {"id": found[1], "value": found[2].replace("''", "'")}
        rows = self.tables["contacts"].rows.values()
        raise Answer(200, {"value": [row for row in rows if mark in row.get("singleValueExtendedProperties", ())]})

    def _mail_folders(self, call: Call, rest: list[str]) -> None:
        if not rest:
            raise Answer(200, {"value": self._shown_folders("")})
        key = self.uses.get(rest[0], rest[0])
        if key not in self.folders:
            raise refused(404 if rest[0].islower() else 400, "ErrorInvalidIdMalformed", "Id is malformed.")
        if rest[1:] == ["childFolders"]:
            raise Answer(200, {"value": self._shown_folders(key)})
        if rest[1:] == ["messages", "delta"]:
            self.list(call, self.tables[key])
        raise Answer(200, self._shown_folder(key))

    def _shown_folders(self, parent: str) -> list[Row]:
        return [self._shown_folder(key) for key, row in self.folders.items() if row["parent"] == parent]

    def _shown_folder(self, key: str) -> Row:
        children = sum(row["parent"] == key for row in self.folders.values())
        return {**self.folders[key], "childFolderCount": children, "totalItemCount": len(self.tables[key].rows)}

    def _messages(self, call: Call, rest: list[str]) -> None:
        rows = [row for key in self.folders for row in self.tables[key].rows.values()]
        if rest:
            row = next((row for row in rows if row["id"] == rest[0]), None)
            raise Answer(200, row) if row else refused(404, "ErrorItemNotFound")
        found = re.fullmatch(r'"participants:(.+)"', call.query.get("$search", ""))
        start = int(call.query.get("$skiptoken", 0))
        address = found[1] if found else ""
        named = [row for row in rows if self.search_works and address in self._participants(row)]
        size = int(call.query.get("$top", 10))
        value = [row if self.search_tells_folders else row | {"parentFolderId": None} for row in named[:1000]]
        body: Row = {"value": value[start : start + size]}
        if len(value) > start + size:
            search = quote(f'"participants:{address}"')
            body["@odata.nextLink"] = f"{self.url}{call.path}?$search={search}&$top={size}&$skiptoken={start + size}"
        raise Answer(200, body)

    def _participants(self, row: Row) -> set[str]:
        people = [row["from"], *row["toRecipients"], *row["ccRecipients"]]
        return {one["emailAddress"]["address"].lower() for one in people if one}

    # --- pages and changes, where Graph differs from other services

    def _state(self, call: Call, table: Table) -> dict[str, Any]:
        if call.query.get("$skiptoken") or call.query.get("$deltatoken"):
            return super()._state(call, table)
        track = call.path.endswith("/delta")
        if track and {"$filter", "$orderby", "$top", "$search"} & set(call.query):
            raise refused(400, "ErrorInvalidUrlQuery", "not supported with change tracking")
        if call.query.get("$orderby", "lastModifiedDateTime") != "lastModifiedDateTime":
            raise refused(400, "ErrorInvalidUrlQuery", "cannot sort so")
        return {
            "select": call.query.get("$select", ""), "filter": call.query.get("$filter", ""), "order": "",
            "track": track, "delta": None, "after": None, "version": self.version, "top": call.query.get("$top"),
            "path": call.path.removeprefix(f"{self.ROOT}/"),
        }  # fmt: skip

    def _size(self, call: Call) -> int:
        if "/delta" in call.path:
            return super()._size(call)
        token = call.query.get("$skiptoken", "")
        return int((self.links[token]["top"] if token in self.links else call.query.get("$top")) or 10)

    def _shown(self, row: Row, table: Table, state: dict[str, Any]) -> Row:
        if row.get("deleted"):
            return {"@removed": {"reason": "deleted"}, "id": row["id"]}
        if state["delta"] is not None and self.sends_reduced:
            return {"@odata.etag": row["@odata.etag"], "id": row["id"]}
        return self.selected(row, state["select"])

    def _link(self, table: Table, state: dict[str, Any], name: str = "$skiptoken") -> str:
        token = f"R0usmci39{len(self.links)}+/=é"
        self.links[token] = state
        escaped = re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), quote(token, safe=""))
        return f"{self.url}{self.ROOT}/{quote(state['path'])}?{name}={escaped}"

    def expired(self) -> Answer:
        return refused(410, "syncStateNotFound", "The sync state generation is not found.")
