"""A Mautic as its REST interface behaves: contacts as an object by id (or an empty list), totals as text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from connectors.contract import Inbound
from tests.connectors.simulator import Answer, Request, Row, Simulator


def refusal(status: int, message: str, **details: Any) -> Answer:
    error = {"message": message, "code": status, "details": details, "type": "validation" if details else None}
    return Answer(status, {"errors": [error]})


class Mautic(Simulator):
    USER = "kehu"
    KEY = "mautic-password-77"
    HOOK = "hook-secret-55"
    stamp_field = "dateModified"
    no_permission = Answer(
        403, {"error": {"message": "You do not have access to the requested area/action.", "code": 403}}
    )

    def __init__(self, rows: int = 8) -> None:
        self.oauth = False
        self.tokens = 0
        self.ended: set[str] = set()
        self.refuses_dates: int = 0
        self.ignores_dates = False
        self.ignores_ids = False
        self.refuses_ids: int = 0
        self.knows_no_search_by_ids = False
        self.batches = "told"
        """What is answered to a batch: the status of each (``told``), nothing of them, or a refusal (``refused``)."""
        super().__init__(rows)

    def stamp(self, at: datetime) -> str:
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        values = {"id": number, "firstname": "Ann", "lastname": f"Lee {number}", "email": f"c{number}@x.example",
                  "company": "Acme", "phone": None, "city": None, "country": "United Kingdom"}  # fmt: skip
        never = None if number % 3 == 0 else stamp
        return str(number), {
            "id": number, "isPublished": True, "dateAdded": stamp, "dateModified": never, "points": 0,
            "owner": {"id": 1, "username": "joe"}, "tags": [{"tag": "vip"}], "doNotContact": [],
            "fields": {"core": {"email": {"id": 6, "value": values["email"]}}, "all": values},
        }  # fmt: skip

    def change(self, row: Row) -> None:
        row["fields"]["all"]["phone"] = f"{row['fields']['all']['phone'] or ''}1"

    def answer(self, request: Request) -> None:
        if request.path == "/oauth/v2/token":
            self._token(request)
        self._authorise(request)
        if self.habits.no_permission:
            raise self.no_permission
        path = request.path.removeprefix("/api")
        if path == "/contacts" and request.method == "GET":
            self._list(request.query)
        if path == "/contacts/new" and request.method == "POST":
            self._create(request.json())
        if path == "/contacts/batch/edit" and request.method == "PATCH":
            self._batch(request.json())
        parts = path.split("/")
        if len(parts) >= 3 and parts[1] == "contacts":
            self._one(request, parts[2])

    def _authorise(self, request: Request) -> None:
        given = request.headers.get("Authorization", "")
        good = given.startswith(f"Bearer {self.KEY}-") and given[7:] not in self.ended if self.oauth else (
            request.basic() == f"{self.USER}:{self.KEY}")  # fmt: skip
        if not good:
            raise Answer(401, {"error": "access_denied", "error_description": "OAuth2 authentication required"})

    def _token(self, request: Request) -> None:
        form = dict(parse_qsl(request.body.decode()))
        if (form.get("client_id"), form.get("client_secret")) != (self.USER, self.KEY):
            raise Answer(400, {"error": "invalid_client", "error_description": "The client credentials are invalid"})
        self.tokens += 1
        raise Answer(200, {"access_token": f"{self.KEY}-{self.tokens}", "expires_in": 3600, "token_type": "bearer"})

    def _list(self, query: dict[str, str]) -> None:
        rows = sorted(self.rows.values(), key=lambda row: row["id"])
        search = query.get("search", "")
        if search.startswith("email:"):
            rows = [row for row in rows if search[6:].lower() in str(row["fields"]["all"]["email"]).lower()]
        if search.startswith("ids:") and not self.knows_no_search_by_ids:
            rows = [row for row in rows if str(row["id"]) in search[4:].split(",")]
        for number in range(4):
            column, wanted = query.get(f"where[{number}][col]"), query.get(f"where[{number}][val]", "")
            if column == "id":
                self._refuse(self.refuses_ids)
                rows = rows if self.ignores_ids else [row for row in rows if row["id"] > int(wanted)]
            elif column:
                self._refuse(self.refuses_dates)
                edge = wanted.replace(" ", "T")
                rows = rows if self.ignores_dates else [row for row in rows if row[column] and row[column][:19] >= edge]
        start, limit = int(query.get("start", 0)), int(query.get("limit", 30))
        shown = {str(row["id"]): row for row in rows[start : start + limit]}
        raise Answer(200, {"total": str(len(rows)), "contacts": shown or []})

    def _refuse(self, status: int) -> None:
        if status:
            raise Answer(status, {"errors": [{"message": "Unknown column 'l.x'", "code": status, "details": []}]})

    def _create(self, sent: Row) -> None:
        key = self.add()
        self.rows[key]["fields"]["all"] |= {"phone": None}
        self._store(key, sent)
        raise Answer(201, {"contact": self.rows[key]})

    def _batch(self, sent: list[Row]) -> None:
        """Each contact for itself; errors are told by their number."""
        if self.batches == "refused":
            raise Answer(405, {"errors": [{"message": "Method not allowed", "code": 405, "details": []}]})
        codes, contacts, errors = [], {}, {}
        for number, fields in enumerate(sent):
            key = str(fields.pop("id"))
            try:
                self._edit(key, fields)
            except Answer as refused:
                errors[str(number)] = json.loads(refused.content)["errors"][0]
                codes.append(refused.status)
                continue
            contacts[str(number)] = self.rows[key]
            codes.append(200)
        told = {"statusCodes": codes} if self.batches == "told" else {}
        raise Answer(200, {"contacts": contacts, **told, **({"errors": errors} if errors else {})})

    def _edit(self, key: str, sent: Row) -> None:
        if key not in self.rows:
            raise Answer(404, {"errors": [{"message": "Item was not found.", "code": 404, "details": []}]})
        blank = sent.pop("overwriteWithBlank", False)
        self._store(key, {n: v for n, v in sent.items() if blank or v not in (None, "")})

    def _one(self, request: Request, key: str) -> None:
        if key not in self.rows:
            raise Answer(404, {"errors": [{"message": "Item was not found.", "code": 404, "details": []}]})
        if request.method == "PATCH":
            self._edit(key, request.json())
        raise Answer(200, {"contact": self.rows[key]})

    def _store(self, key: str, sent: Row) -> None:
        if sent.get("country") == "Atlantis":
            raise refusal(400, "country: This value is not valid.", country=["This value is not valid."])
        if "nope" in sent:
            raise refusal(400, "nope: unknown", nope=["unknown"])
        self.rows[key]["fields"]["all"] |= sent
        self.touch(self.rows[key])

    def hook(self, body: Any, secret: str = HOOK) -> Inbound:
        """A webhook as PHP writes it: slashes and non-ASCII letters escaped, signed over the raw body."""
        raw = json.dumps(body).replace("/", "\\/").encode()
        digest = base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()
        return Inbound("POST", "/hook", {"webhook-signature": digest, "X-Origin-Base-URL": self.url}, {}, raw)
