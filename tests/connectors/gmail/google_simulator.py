"""A Google account as its interfaces behave: tokens, mail with a history, batches, and contacts with sync tokens."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.connectors.simulator import MONTH_AGO, Answer, Request, Row, Simulator

MAILBOX = "sales@us.example"
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def service_account() -> str:
    pem = private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps({"type": "service_account", "client_email": "svc@p.example", "private_key": pem.decode()})


def error(status: int, reason: str, message: str = "on purpose") -> Answer:
    item = {"message": message, "domain": "global", "reason": reason}
    return Answer(status, {"error": {"code": status, "message": message, "errors": [item], "status": "X"}})


class Google(Simulator):
    """Contacts are the rows. ``Google(rows=100_000, mails=100_000)`` serves that many of both."""

    KEY = "refresh-token-8a7b"
    CLIENT = ("client-1", "client-secret-2c3d")

    def __init__(self, rows: int = 8, mails: int = 8) -> None:
        self.tokens: dict[str, str] = {}
        self.messages: dict[str, Row] = {}
        self.history: list[tuple[int, str, str, list[str]]] = []
        self.history_id = 9_999_999_990
        self.oldest_history = 0
        self.versions: dict[str, int] = {}
        self.version = 0
        self.links: dict[str, dict[str, Any]] = {}
        self.token_counts_from = "start"
        self.gives_sync_tokens = True
        self.expired_status = 400
        self.batch_refuses: Callable[[str], bool] = lambda key: False
        self.searches: list[str] = []
        self.search_works = True
        self.clock = START
        self.number = 0
        super().__init__(rows)
        for _ in range(mails):
            self.deliver()

    # --- contacts

    def stamp(self, at: datetime) -> Any:
        return at.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        key = f"people/c{number:06}"
        self.bump(key)
        return key, {
            "resourceName": key, "etag": "%x", "metadata": {"sources": [{"type": "CONTACT", "updateTime": stamp}]},
            "names": [{"displayName": f"客户 {number}", "givenName": "Ann", "familyName": f"Lee {number}"}],
            "emailAddresses": [{"value": f"c{number}@x.example"}], "organizations": [{"name": f"Acme {number}"}],
        }  # fmt: skip

    def add(self, at: datetime | None = None, **fields: Any) -> str:
        return super().add(at and min(at, MONTH_AGO + timedelta(days=29)), **fields)  # thousands reach into the future

    def bump(self, key: str) -> None:
        self.version += 1
        self.versions[key] = self.version

    def change(self, row: Row) -> None:
        row["names"][0]["displayName"] += "+"

    def touch(self, row: Row, at: datetime | None = None) -> None:
        row["metadata"]["sources"][0]["updateTime"] = self.stamp(at or self.now())
        self.bump(row["resourceName"])

    def delete(self, key: str) -> None:
        super().delete(key)
        self.bump(key)

    # --- mail

    def deliver(self, sender: str = "", *, to: str = MAILBOX, labels: tuple[str, ...] = ("INBOX",), **more: str) -> str:
        self.number += 1
        self.clock += timedelta(minutes=1)
        sender = sender or f"contact{self.number:05}@example.com"
        sender = sender if "<" in sender else f"Person {self.number} <{sender}>"
        headers = {"From": sender, "To": to, "Message-Id": f"<{self.number}@test>"} | more
        key = f"18c{self.number:06x}"
        self.messages[key] = {
            "id": key, "threadId": key, "labelIds": list(labels), "snippet": "Hello", "sizeEstimate": 4321,
            "internalDate": str(int(self.clock.timestamp() * 1000)),
            "payload": {"headers": [{"name": name, "value": value} for name, value in headers.items() if value]},
        }  # fmt: skip
        self.happened("messagesAdded", key)
        return key

    def happened(self, kind: str, key: str, labels: tuple[str, ...] = ()) -> None:
        self.history_id += 3
        self.history.append((self.history_id, kind, key, list(labels)))

    def remove(self, key: str) -> None:
        del self.messages[key]
        self.happened("messagesDeleted", key)

    def relabel(self, key: str, old: str, new: str) -> None:
        self.messages[key]["labelIds"] = [new]
        self.happened("labelsRemoved", key, (old,))

    # --- answers

    def expire(self) -> None:
        self.tokens.clear()

    def answer(self, request: Request) -> None:
        if request.path == "/token":
            self.login(dict(parse_qsl(request.body.decode())))
        self.authorised(request)
        if request.path == "/batch/gmail/v1":
            self.batch(request)
        self.one(request.path, request.query)

    def login(self, form: dict[str, str]) -> None:
        if form.get("grant_type") == "refresh_token":
            if (form.get("client_id"), form.get("client_secret")) != self.CLIENT:
                raise Answer(401, {"error": "invalid_client"})
            granted = form.get("refresh_token") == self.KEY
        else:
            granted = self.asserted(form)
        if not granted:
            raise Answer(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
        token = f"ya29.{uuid4()}"
        self.tokens[token] = self.KEY
        raise Answer(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def asserted(self, form: dict[str, str]) -> bool:
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        content, _, signature = form["assertion"].rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        private_key().public_key().verify(raw, content.encode(), padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(base64.urlsafe_b64decode(content.partition(".")[2] + "=="))
        return (
            claims["sub"] == MAILBOX and claims["exp"] - claims["iat"] <= 3600 and claims["aud"] == f"{self.url}/token"
        )

    def authorised(self, request: Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.tokens.get(given) != self.KEY:
            raise error(401, "authError", "Invalid Credentials")
        if self.habits.no_permission:
            raise error(403, "insufficientPermissions", "Request had insufficient authentication scopes.")

    def one(self, path: str, query: dict[str, str]) -> None:
        if path.startswith("/v1/people/"):
            self.people(path.removeprefix("/v1/"), query)
        if path.startswith("/gmail/") and not path.startswith(f"/gmail/v1/users/{MAILBOX}/"):
            raise error(403, "forbidden", f"Delegation denied for {MAILBOX}")
        path = path.removeprefix(f"/gmail/v1/users/{MAILBOX}/")
        if path == "profile":
            total = len(self.messages)
            raise Answer(200, {"emailAddress": MAILBOX, "messagesTotal": total, "historyId": str(self.history_id)})
        if path == "messages":
            self.list_messages(query)
        if path == "history":
            self.list_history(query)
        if path.startswith("messages/"):
            message = self.messages.get(path.removeprefix("messages/"))
            raise Answer(200, message) if message else error(404, "notFound", "Requested entity was not found.")

    def batch(self, request: Request) -> None:
        boundary = request.headers["Content-Type"].partition("boundary=")[2]
        asked = re.findall(r"Content-ID: <(\d+)>\r\n\r\nGET (/\S+)", request.body.decode())
        assert 1 <= len(asked) <= 100
        assert request.body.decode().rstrip().endswith(f"--{boundary}--")
        parts = []
        for number, target in asked:
            path, _, query = target.partition("?")
            try:
                if self.batch_refuses(path.rpartition("/")[2]):
                    raise error(429, "rateLimitExceeded")
                self.one(path, dict(parse_qsl(query)))
            except Answer as raised:
                answer = raised
            head = f"Content-Type: application/http\r\nContent-ID: <response-{number}>\r\n\r\n"
            inner = f"HTTP/1.1 {answer.status} X\r\nContent-Type: application/json\r\n\r\n{answer.content.decode()}"
            parts.append(f"--batch_x\r\n{head}{inner}\r\n")
        body = ("".join(parts) + "--batch_x--").encode()
        raise Answer(200, body, {"Content-Type": "multipart/mixed; boundary=batch_x"})

    def list_messages(self, query: dict[str, str]) -> None:
        shown = [m for m in self.messages.values() if not {"SPAM", "TRASH"} & set(m["labelIds"])]
        if "q" in query and not query["q"].startswith("after:"):
            self.searches.append(query["q"])
            wanted = query["q"].partition(" ")[0].removeprefix("from:")
            shown = [m for m in shown if self.search_works and self.names(m, wanted)]
        start, size = int(query.get("pageToken", 0)), int(query.get("maxResults", 100))
        newest = list(reversed(shown))
        page = newest[start : start + size]
        body: Row = {"resultSizeEstimate": len(newest)}
        body |= {"messages": [{"id": m["id"], "threadId": m["id"]} for m in page]} if page else {}
        raise Answer(200, body | ({"nextPageToken": str(start + size)} if len(newest) > start + size else {}))

    def names(self, message: Row, address: str) -> bool:
        told = {h["name"]: h["value"].lower() for h in message["payload"]["headers"]}
        return any(address in told.get(name, "") for name in ("From", "To", "Cc"))

    def list_history(self, query: dict[str, str]) -> None:
        start = int(query["startHistoryId"])
        if start < max(1, self.oldest_history):
            raise error(404, "notFound", "Requested entity was not found.")
        entries = [entry for entry in self.history if entry[0] > start]
        offset, size = int(query.get("pageToken", 0)), min(int(query["maxResults"]), 3)
        history = []
        for number, kind, key, labels in entries[offset : offset + size]:
            message = {"id": key, "threadId": key}
            item: Row = {"message": message} | ({"labelIds": labels} if labels else {})
            history.append({"id": str(number), "messages": [message], kind: [item]})
        body: Row = {"historyId": str(self.history_id)} | ({"history": history} if history else {})
        raise Answer(200, body | ({"nextPageToken": str(offset + size)} if len(entries) > offset + size else {}))

    # --- the address book

    def people(self, path: str, query: dict[str, str]) -> None:
        if path != "people/me/connections":
            row = self.rows.get(path)
            raise Answer(200, row) if row else error(404, "notFound")
        asked = {name: query.get(name) for name in ("personFields", "pageSize", "requestSyncToken")}
        if "sortOrder" in query:
            self.sorted_people(query)
        state = {"version": self.version, "since": 0, "offset": 0, "asked": asked}
        if "syncToken" in query:
            state |= {"since": self.known(query["syncToken"], asked)["version"]}
        if "pageToken" in query:
            state = self.known(query["pageToken"], asked)
        keys = sorted(key for key, version in self.versions.items() if version > state["since"])
        if not state["since"]:
            keys = [key for key in keys if key in self.rows]
        start, size = state["offset"], int(query.get("pageSize", 100))
        assert size <= 1000
        shown = [self.person(key) for key in keys[start : start + size]]
        body: Row = {"totalItems": len(self.rows)} | ({"connections": shown} if shown else {})
        if len(keys) > start + size:
            body["nextPageToken"] = self.link(state | {"offset": start + size})
        elif query.get("requestSyncToken") == "true" and self.gives_sync_tokens:
            counted = state["version"] if self.token_counts_from == "start" else self.version
            body["nextSyncToken"] = self.link({"version": counted, "asked": asked})
        raise Answer(200, body)

    def sorted_people(self, query: dict[str, str]) -> None:
        assert query["sortOrder"] == "LAST_MODIFIED_DESCENDING"
        assert "requestSyncToken" not in query
        rows = sorted(self.rows.values(), key=lambda row: row["metadata"]["sources"][0]["updateTime"], reverse=True)
        start, size = int(query.get("pageToken", 0)), min(int(query["pageSize"]), 3)
        more = {"nextPageToken": str(start + size)} if len(rows) > start + size else {}
        raise Answer(200, {"connections": rows[start : start + size], **more})

    def person(self, key: str) -> Row:
        return self.rows.get(key) or {"resourceName": key, "metadata": {"deleted": True}}

    def link(self, state: dict[str, Any]) -> str:
        token = f"token/{len(self.links)}+="
        self.links[token] = state
        return token

    def known(self, token: str, asked: dict[str, Any]) -> dict[str, Any]:
        if token not in self.links:
            details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "EXPIRED_SYNC_TOKEN"}]
            text = "Sync token is expired. Clear local cache and retry call without the sync token."
            body = {"code": self.expired_status, "message": text, "status": "FAILED_PRECONDITION", "details": details}
            raise Answer(self.expired_status, {"error": body})
        if self.links[token]["asked"] != asked:
            raise error(400, "invalidArgument", "Request must match the first call")
        return self.links[token]
