"""A Salesforce org as its REST and Bulk 2.0 interfaces behave: SOQL, recycle bin, delete log, collections."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.connectors.simulator import Answer, Request, Row, Simulator

TYPES = {
    "Id": "id", "IsDeleted": "boolean", "MasterRecordId": "reference", "Name": "string", "AccountNumber": "string",
    "Phone": "phone", "Website": "url", "BillingCity": "string", "BillingCountry": "string", "OwnerId": "reference",
    "BillingAddress": "address", "AnnualRevenue": "currency", "CreatedDate": "datetime", "SystemModstamp": "datetime",
    "Kehu_Id__c": "string", "Tax_Id__c": "string", "FirstName": "string", "LastName": "string", "Email": "email",
}  # fmt: skip
_QUERY = re.compile(r"SELECT (?P<columns>.+?) FROM (?P<name>\w+)(?: WHERE (?P<where>.+?))?(?: ORDER BY Id)?(?: LIMIT (?P<limit>\d+))?$")  # noqa: E501 # fmt: skip
_TERM = re.compile(r"^(\w+) (>=|>|<|=) (.+)$")


def refusal(status: int, code: str, message: str, **more: Any) -> Answer:
    return Answer(status, [{"message": message, "errorCode": code, **more}])


class Salesforce(Simulator):
    KEY = "consumer-secret-9f8e"
    CLIENT = "3MVG9-consumer-key"
    ROOT = "/services/data/v61.0"
    stamp_field = "SystemModstamp"

    def __init__(self, rows: int = 8, name: str = "Account") -> None:
        self.name = name
        self.bin: dict[str, Row] = {}
        self.log: dict[str, str] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.job_polls = 1
        self.job_fails = False
        self.usage = (25, 15000)
        self.tokens = 0
        self.revoked: set[str] = set()
        self.instance: str | None = None
        self.rotates = False
        self.collections = True
        self.keeps_bin = True
        self.page_cap = 2000
        self.hidden: set[str] = set()
        self.before_write: Any = None
        super().__init__(rows)

    # --- rows

    def stamp(self, at: datetime) -> str:
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        key = f"001xx{number:010d}AAA"
        empty = dict.fromkeys(TYPES)
        return key, {
            **empty, "Id": key, "IsDeleted": False, "Name": f"Customer {number}, 客户 \"{number}\"",
            "AccountNumber": f"C{number}", "BillingCity": "深圳", "BillingCountry": "China", "AnnualRevenue": 1000.5,
            "LastName": f"Lee {number}", "CreatedDate": stamp, "SystemModstamp": stamp,
        }  # fmt: skip

    def change(self, row: Row) -> None:
        row["Phone"] = f"{row['Phone'] or ''}1"

    def delete(self, key: str) -> None:
        with self.lock:
            row = self.rows.pop(key)
            row["IsDeleted"] = True
            self.touch(row)
            self.log[key] = row["SystemModstamp"]
            if self.keeps_bin:
                self.bin[key] = row

    def empty_bin(self) -> None:
        self.bin.clear()

    # --- the wire

    def serve(self, request: Request) -> None:
        try:
            super().serve(request)
        except Answer as answer:
            if request.path.startswith(self.ROOT) and self.usage:
                used, most = self.usage
                answer.headers["Sforce-Limit-Info"] = f"api-usage={used}/{most}; per-app-api-usage=17/250(appName=x)"
            raise

    def answer(self, request: Request) -> None:
        if request.path == "/services/oauth2/token":
            self._token(request)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not given.startswith(f"00D!{self.KEY}-") or given in self.revoked:
            raise refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if not request.path.startswith(self.ROOT):
            raise refusal(404, "NOT_FOUND", "The requested resource does not exist")
        if self.habits.no_permission:
            raise refusal(403, "INSUFFICIENT_ACCESS", "The user does not have access to this object")
        path = request.path.removeprefix(self.ROOT)
        if path in ("/query", "/queryAll"):
            self._query(request.query["q"], everything=path == "/queryAll")
        if path.startswith("/jobs/query"):
            self._jobs(request, path.split("/")[3:])
        if path.startswith("/composite/sobjects"):
            self._collection(request, path.split("/")[3:])
        if path.startswith("/sobjects/"):
            self._object(request, path.split("/")[2:])

    def _token(self, request: Request) -> None:
        form = dict(parse_qsl(request.body.decode()))
        kind = form.get("grant_type", "")
        good = {
            "client_credentials": request.basic() == f"{self.CLIENT}:{self.KEY}",
            "refresh_token": form.get("refresh_token") == "refresh-1" and form.get("client_id") == self.CLIENT,
            "urn:ietf:params:oauth:grant-type:jwt-bearer": form.get("assertion", "").count(".") == 2,
        }
        if not good.get(kind):
            raise Answer(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
        self.tokens += 1
        told = {"access_token": f"00D!{self.KEY}-{self.tokens}", "instance_url": self.instance or self.url,
                "token_type": "Bearer", "issued_at": "1767000000000", "signature": "x"}  # fmt: skip
        if self.rotates and kind == "refresh_token":
            told["refresh_token"] = "refresh-2"
        raise Answer(200, told)

    # --- queries

    def _rows_of(self, soql: str, *, everything: bool) -> tuple[list[str], list[Row], int]:
        found = _QUERY.match(soql)
        if found is None:
            raise refusal(400, "MALFORMED_QUERY", f"unexpected token: {soql[:40]}")
        if found["name"] != self.name and found["name"] not in ("Account", "Contact", "Lead"):
            raise refusal(400, "INVALID_TYPE", f"sObject type '{found['name']}' is not supported.")
        columns = found["columns"].split(",")
        for column in columns:
            if column != "COUNT()" and (column not in TYPES or column in self.hidden):
                raise refusal(400, "INVALID_FIELD", f"No such column '{column}' on entity '{found['name']}'.")
        rows = list(self.rows.values()) + (list(self.bin.values()) if everything else [])
        rows = [] if found["name"] != self.name else rows
        for term in (found["where"] or "").split(" AND "):
            rows = [row for row in rows if not term or meets(row, term)]
        rows.sort(key=lambda row: str(row["Id"]))
        return columns, rows, int(found["limit"] or 50_000)

    def _query(self, soql: str, *, everything: bool) -> None:
        columns, rows, limit = self._rows_of(soql, everything=everything)
        if columns == ["COUNT()"]:
            raise Answer(200, {"totalSize": len(rows), "done": True, "records": []})
        matching = rows[:limit]
        shown = matching[: self.page_cap]
        kind = {"attributes": {"type": self.name, "url": "/services/data/x"}}
        body = {"totalSize": len(matching), "done": len(shown) == len(matching),
                "records": [{**kind, **{name: row[name] for name in columns}} for row in shown]}  # fmt: skip
        if not body["done"]:
            body["nextRecordsUrl"] = f"{self.ROOT}/query/01gxx-2000"
        raise Answer(200, body)

    def _jobs(self, request: Request, rest: list[str]) -> None:
        if not rest:
            asked = request.json()
            columns, rows, _ = self._rows_of(asked["query"], everything=asked["operation"] == "queryAll")
            if "BillingAddress" in columns:
                raise refusal(400, "INVALIDJOB", "Selecting compound data not supported in Bulk Query")
            job = f"750xx{len(self.jobs):013d}"
            self.jobs[job] = {"columns": columns, "rows": [dict(row) for row in rows], "polls": self.job_polls}
            raise Answer(200, {"id": job, "state": "UploadComplete"})
        job = rest[0]
        if job not in self.jobs:
            raise refusal(404, "NOT_FOUND", "The requested resource does not exist")
        if len(rest) == 1:
            self.jobs[job]["polls"] -= 1
            state = "Failed" if self.job_fails else "InProgress" if self.jobs[job]["polls"] > 0 else "JobComplete"
            raise Answer(200, {"id": job, "state": state, "errorMessage": "out of space"})
        self._results(self.jobs[job], request.query)

    def _results(self, job: dict[str, Any], query: dict[str, str]) -> None:
        start, size = int(query.get("locator", 0)), int(query["maxRecords"])
        part = job["rows"][start : start + size]
        following = start + size if start + size < len(job["rows"]) else "null"
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(job["columns"])
        for row in part:
            writer.writerow([_csv(row[name], TYPES[name]) for name in job["columns"]])
        headers = {"Content-Type": "text/csv; charset=UTF-8", "Sforce-Locator": str(following),
                   "Sforce-NumberOfRecords": str(len(part))}  # fmt: skip
        raise Answer(200, out.getvalue().encode(), headers)

    # --- objects

    def _object(self, request: Request, rest: list[str]) -> None:
        if rest[1] == "describe":
            fields = [{"name": n, "type": t, "label": n} for n, t in TYPES.items() if n not in self.hidden]
            raise Answer(200, {"name": rest[0], "fields": fields})
        if rest[1] == "deleted":
            gone = [{"id": key[:15], "deletedDate": at} for key, at in self.log.items()]
            gone = gone if rest[0] == self.name else []
            raise Answer(200, {"deletedRecords": gone, "earliestDateAvailable": "2026-01-01T00:00:00.000+0000"})
        if request.method == "PATCH" and len(rest) == 2:
            self._update(request, rest[1])
        if request.method == "PATCH" and len(rest) > 2:
            self._upsert(request.json(), rest[1], "/".join(rest[2:]))

    def _update(self, request: Request, key: str) -> None:
        if key not in self.rows:
            raise refusal(404, "ENTITY_IS_DELETED", "entity is deleted")
        since = request.headers.get("If-Unmodified-Since")
        if self.before_write is not None:
            self.before_write()
        if since is not None:
            stamp = datetime.fromisoformat(self.rows[key]["SystemModstamp"]).replace(microsecond=0)
            if stamp > parsedate_to_datetime(since):
                raise Answer(412)
        self._store(key, request.json())
        raise Answer(204)

    def _upsert(self, body: Row, field: str, value: str) -> None:
        found = [key for key, row in self.rows.items() if row.get(field) == value]
        if len(found) > 1:
            raise Answer(300, [f"{self.ROOT}/sobjects/{self.name}/{key}" for key in found])
        key = self._store(found[0] if found else None, {**body, field: value})
        raise Answer(200 if found else 201, {"id": key, "success": True, "errors": [], "created": not found})

    def _store(self, key: str | None, body: Row) -> str:
        for name in body:
            if name not in TYPES:
                raise refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {self.name}")
        if body.get("Name") == "":
            raise refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", fields=["Name"])
        if body.get("Name") == "Locked":
            raise refusal(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        taken = body.get("AccountNumber")
        if taken and any(row["AccountNumber"] == taken and k != key for k, row in self.rows.items()):
            raise refusal(400, "DUPLICATES_DETECTED", "Use one of these records?")
        if key is None:
            key = self.add(AccountNumber=None)
        self.rows[key] |= body
        self.touch(self.rows[key])
        return key

    def _collection(self, request: Request, rest: list[str]) -> None:
        if not self.collections:
            raise refusal(404, "NOT_FOUND", "The requested resource does not exist")
        records = request.json()["records"]
        assert len(records) <= 200
        raise Answer(200, [self._one(record, rest) for record in records])

    def _one(self, record: Row, rest: list[str]) -> Row:
        body = {name: value for name, value in record.items() if name not in ("attributes", "id")}
        try:
            if not rest:
                if record["id"] not in self.rows:
                    raise refusal(400, "ENTITY_IS_DELETED", "entity is deleted")
                return {"id": self._store(record["id"], body), "success": True, "errors": []}
            self._upsert({n: v for n, v in body.items() if n != rest[1]}, rest[1], body[rest[1]])
        except Answer as answer:
            told = json.loads(answer.content)
            if answer.status in (200, 201):
                return dict(told)
            errors = [
                {"statusCode": e["errorCode"], "message": e["message"], "fields": e.get("fields", [])} for e in told
            ]
            return {"success": False, "errors": errors}
        raise AssertionError


def meets(row: Row, term: str) -> bool:
    if " IN (" in term:
        return f"'{row['Id']}'" in term
    found = _TERM.match(term)
    if found is None:
        raise refusal(400, "MALFORMED_QUERY", f"unexpected token: {term}")
    name, operator, text = found.groups()
    value, wanted = row[name], text.strip("'")
    if name == "SystemModstamp":
        value, wanted = datetime.fromisoformat(value), datetime.fromisoformat(wanted)
    return bool({">": value > wanted, ">=": value >= wanted, "<": value < wanted, "=": value == wanted}[operator])


def _csv(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "datetime":
        return str(value).replace("+0000", "Z")
    return str(value).lower() if isinstance(value, bool) else str(value)
