"""A small, real, stateful OData server for tests; the vendors' own ways are added by subclasses.

Not a mock: it holds rows with entity tags and a log of changes, issues tokens that end, pages by opaque links that it
takes back only unchanged, tracks changes, and checks what it is sent. Everything listens on a free loopback port.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.connectors import odata_batches as batched
from tests.connectors.odata_batches import Answer, Call

Row = dict[str, Any]


@dataclass
class Habits:
    """How the server misbehaves. Everything is off at first."""

    token_life: float = 3600.0
    fail_next: list[Answer] = field(default_factory=list)
    cut_next: int = 0
    before_page: Callable[[int], None] | None = None
    forbidden: set[str] = field(default_factory=set)
    lose_answer_of_writes: int = 0
    before_write: Callable[[], None] | None = None
    batches: str = "whole"
    """"none": batches are not offered. "stops": nothing behind the first refusal is answered. "silent": no answers."""
    fail_parts: list[Answer] = field(default_factory=list)
    """What the next calls within a batch are answered."""


class ODataServer:
    """Login, faults and the log of calls. Subclasses answer in ``route`` by raising ``Answer``."""

    TENANT = "contoso.example"
    CLIENT = ("6d2b8a6e-client", "test-secret-91c3")
    RESOURCE = ""
    """What the scope of a token must begin with, where the vendor knows only some."""

    def __init__(self) -> None:
        self.habits = Habits()
        self.calls: list[Call] = []
        self.tokens: dict[str, float] = {}
        self.pages = 0
        self.lock = threading.RLock()
        self._last = datetime(2026, 1, 1, tzinfo=UTC)
        handler = type("Handler", (_Handler,), {"server_state": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def now(self) -> datetime:
        """Real time, but no two readings alike, so that stamps tie only where asked."""
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        return self._last.replace(microsecond=self._last.microsecond // 1000 * 1000)

    def route(self, call: Call) -> None:
        """Answer one call."""
        raise NotImplementedError

    def serve(self, call: Call) -> None:
        """Everything before ``route``: planned faults and the token endpoint."""
        if call.path.startswith("/login/") and call.path.endswith("/oauth2/v2.0/token"):
            self._issue(call)
        self.calls.append(call)
        if self.habits.fail_next:
            raise self.habits.fail_next.pop(0)
        if call.path.endswith("/$batch"):
            self._batch(call)
        self._routed(call)

    def _routed(self, call: Call) -> None:
        if call.method != "GET" and self.habits.before_write is not None:
            before, self.habits.before_write = self.habits.before_write, None
            before()
        self.route(call)

    def may_batch(self, call: Call) -> None:
        """Refuse a batch as a whole."""

    def _batch(self, call: Call) -> None:
        """Answer every call within, each for itself."""
        self.may_batch(call)
        if self.habits.batches == "none":
            raise Answer(404, {"error": {"code": "BadRequest_NotFound", "message": "No such path: $batch"}})
        answers: list[Answer] = []
        for part in batched.calls_in(call):
            self.calls.append(part)
            answers.append(self._of_part(part))
            if self.habits.batches == "stops" and answers[-1].status >= 400:
                break
        if self.habits.batches == "silent":
            answers = []
        raise batched.packed(call, answers)

    def _of_part(self, part: Call) -> Answer:
        if self.habits.fail_parts:
            return self.habits.fail_parts.pop(0)
        try:
            self._routed(part)
        except Answer as answer:
            return answer
        return Answer(500, {"error": {"code": "?", "message": "no answer"}})

    def authorise(self, call: Call) -> None:
        """Refuse a call without a living token."""
        given = call.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.tokens.get(given, 0) <= time.monotonic():
            raise Answer(401, {"error": {"code": "0x80048408", "message": "The token is expired."}})

    def count_page(self) -> None:
        """A page is about to be made."""
        self.pages += 1
        if self.habits.before_page is not None:
            self.habits.before_page(self.pages)

    def _issue(self, call: Call) -> None:
        form = dict(parse_qsl(call.body))
        if call.path.split("/")[2] != self.TENANT:
            text = f"AADSTS90002: Tenant '{call.path.split('/')[2]}' not found."
            raise Answer(400, {"error": "invalid_request", "error_description": text, "error_codes": [90002]})
        if form.get("client_id") != self.CLIENT[0]:
            text = (
                f"AADSTS700016: Application with identifier '{form.get('client_id')}' was not found in the directory."
            )
            raise Answer(400, {"error": "unauthorized_client", "error_description": text, "error_codes": [700016]})
        if self.RESOURCE and not form.get("scope", "").startswith(self.RESOURCE):
            text = f"AADSTS500011: The resource principal named {form.get('scope')} was not found in the tenant."
            raise Answer(400, {"error": "invalid_resource", "error_description": text, "error_codes": [500011]})
        if (form.get("client_id"), form.get("client_secret")) != self.CLIENT:
            text = "AADSTS7000215: Invalid client secret provided."
            raise Answer(401, {"error": "invalid_client", "error_description": text, "error_codes": [7000215]})
        if form.get("grant_type") != "client_credentials" or not form.get("scope", "").endswith("/.default"):
            raise Answer(400, {"error": "invalid_scope", "error_description": "AADSTS70011"})
        token = secrets.token_hex(8)
        self.tokens[token] = time.monotonic() + self.habits.token_life
        raise Answer(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token})


@dataclass
class Table:
    """The rows of one entity set, and the order in which they changed."""

    name: str
    key: str
    stamp: str
    rows: dict[str, Row] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    tracked: bool = True

    def newest(self) -> int:
        return max(self.versions.values(), default=0)


class V4Server(ODataServer):
    """Version 4 with change tracking, as Dataverse and Business Central have it."""

    ROOT = ""
    PAGE = 5000
    FILTER = re.compile(r"^(\w+) (ge|gt|lt|eq) (.+)$")

    def __init__(self, *tables: Table) -> None:
        super().__init__()
        self.tables = {table.name: table for table in tables}
        self.links: dict[str, dict[str, Any]] = {}
        """What the tokens in our links stand for; one we did not write exactly so is refused."""
        self.token_counts_from = "start"
        self.sends_only_changed_fields = False
        self.tells_deletes = True
        self.unknown_columns: set[str] = set()
        self.version = 0

    # --- rows, for tests

    def put(self, table: str, row: Row, stamp: datetime | None = None) -> str:
        """Store a row under its key, with a new stamp and version."""
        with self.lock:
            here = self.tables[table]
            self.version += 1
            key = str(row[here.key])
            now = self.stamped(stamp or self.now())
            here.rows[key] = {**row, here.stamp: now, "@odata.etag": f'W/"{self.version}"'}
            here.versions[key] = self.version
            return key

    def change(self, table: str, key: str, stamp: datetime | None = None, **fields: Any) -> None:
        with self.lock:
            self.put(table, {**self.tables[table].rows[key], **fields}, stamp)

    def remove(self, table: str, key: str) -> None:
        with self.lock:
            self.version += 1
            del self.tables[table].rows[key]
            self.tables[table].versions[key] = self.version

    def tie(self, table: str, keys: list[str]) -> None:
        same = self.now() + timedelta(seconds=2)
        for key in keys:
            self.change(table, key, same)

    def stamped(self, moment: datetime) -> str:
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

    # --- lists

    def list(self, call: Call, table: Table) -> None:
        """One page: of a query, of the changes since a link, or the next of either."""
        self.count_page()
        state = self._state(call, table)
        rows = self._found(table, state)
        size = self._size(call)
        page, rest = rows[:size], rows[size:]
        body: dict[str, Any] = {"@odata.context": f"{self.url}{self.ROOT}/$metadata#{table.name}"}
        body["value"] = [self._shown(row, table, state) for row in page]
        if rest:
            body["@odata.nextLink"] = self._link(table, state | {"after": self._order(page[-1], table, state)})
        elif state["track"]:
            version = state["version"] if self.token_counts_from == "start" else self.version
            body["@odata.deltaLink"] = self._link(
                table, {**state, "delta": version, "after": None, "version": None}, "$deltatoken"
            )
        raise Answer(200, body, {"Preference-Applied": "odata.track-changes"} if state["track"] else {})

    def path_of(self, table: Table) -> str:
        """Where the entity set stands below the root."""
        return table.name

    def expired(self) -> Answer:
        """What an outdated or unknown link is answered."""
        return Answer(400, {"error": {"code": "0x8004ff01", "message": "The token is not valid."}})

    def forget_links(self) -> None:
        self.links.clear()

    def _state(self, call: Call, table: Table) -> dict[str, Any]:
        token = call.query.get("$skiptoken") or call.query.get("$deltatoken")
        if token is not None:
            if token not in self.links:
                raise self.expired()
            state = dict(self.links[token])
            state["version"] = state["version"] or self.version
            return state
        track = "odata.track-changes" in call.headers.get("Prefer", "")
        if track and ({"$filter", "$orderby", "$expand", "$top"} & set(call.query)):
            raise Answer(400, {"error": {"code": "0x80060888", "message": "Not supported with change tracking."}})
        self.check_query(call, table, track=track)
        return {
            "select": call.query.get("$select", ""), "filter": call.query.get("$filter", ""),
            "order": call.query.get("$orderby", ""), "track": track and table.tracked,
            "delta": None, "after": None, "version": self.version,
        }  # fmt: skip

    def check_query(self, call: Call, table: Table, *, track: bool) -> None:
        """Refuse what the vendor refuses."""

    def _found(self, table: Table, state: dict[str, Any]) -> list[Row]:
        if state["delta"] is not None:
            keys = [k for k, version in table.versions.items() if version > state["delta"]]
            known = self.tells_deletes
            rows = [table.rows.get(k) or {table.key: k, "deleted": True} for k in keys if known or k in table.rows]
        else:
            rows = [row for row in table.rows.values() if self._matches(row, state["filter"])]
        rows = sorted(rows, key=lambda row: self._order(row, table, state))
        return [r for r in rows if state["after"] is None or self._order(r, table, state) > state["after"]]

    def _order(self, row: Row, table: Table, state: dict[str, Any]) -> tuple[Any, ...]:
        if state["delta"] is not None:
            return (table.versions[row[table.key]],)
        return tuple(row[name] for name in (state["order"] or table.key).split(","))

    def _matches(self, row: Row, condition: str) -> bool:
        for part in condition.split(" and ") if condition else []:
            found = self.FILTER.match(part)
            if found is None or found[1] not in row:
                raise Answer(400, {"error": {"code": "0x80060888", "message": f"Bad filter {condition}"}})
            name, operator, literal = found.groups()
            value, wanted = row[name], literal
            if literal.startswith("'"):
                wanted = literal[1:-1].replace("''", "'")
            else:
                value, wanted = (datetime.fromisoformat(x.replace("Z", "+00:00")) for x in (value, literal))
            if not {"ge": value >= wanted, "gt": value > wanted, "lt": value < wanted, "eq": value == wanted}[operator]:
                return False
        return True

    def _shown(self, row: Row, table: Table, state: dict[str, Any]) -> Row:
        if row.get("deleted"):
            context = f"{self.url}{self.ROOT}/$metadata#{table.name}/$deletedEntity"
            return {"@odata.context": context, "id": row[table.key], "reason": "deleted"}
        if state["delta"] is not None and self.sends_only_changed_fields:
            return {"@odata.etag": row["@odata.etag"], table.key: row[table.key], "name": row.get("name")}
        return self.selected(row, state["select"])

    def selected(self, row: Row, select: str) -> Row:
        """The columns asked for; a column that is not there is refused, one without a value is null."""
        names = select.split(",") if select else list(row)
        unknown = [name for name in names if name in self.unknown_columns]
        if unknown:
            raise Answer(400, {"error": {"code": "0x80060888", "message": f"Could not find '{unknown[0]}'."}})
        return {"@odata.etag": row["@odata.etag"]} | {
            name: value for name, value in row.items() if name.partition("@")[0] in names
        }

    def _size(self, call: Call) -> int:
        wish = re.search(r"odata\.maxpagesize=(\d+)", call.headers.get("Prefer", ""))
        return min(int(wish[1]) if wish else self.PAGE, self.PAGE)

    def _link(self, table: Table, state: dict[str, Any], name: str = "$skiptoken") -> str:
        """An opaque link, percent-encoded twice as Dataverse does it; small letters in the escapes."""
        token = f"<cookie page='{len(self.links)}' at='01/02/2026 3:04:05+é'>" + quote(secrets.token_hex(4) + "<%>")
        self.links[token] = state
        escaped = re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), quote(token, safe=""))
        return f"{self.url}{self.ROOT}/{self.path_of(table)}?$select={quote(state['select'])}&{name}={escaped}"


class _Handler(BaseHTTPRequestHandler):
    server_state: ODataServer
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def _serve(self) -> None:
        state = self.server_state
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        is_json = "json" in self.headers.get("Content-Type", "")
        body = json.loads(content) if content and is_json else content.decode()
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        call = Call(self.command, unquote(url.path), query, self.headers, body, url.query)
        try:
            with state.lock:
                state.serve(call)
            answer = Answer(500, {"error": {"code": "?", "message": "no answer"}})
        except Answer as raised:
            answer = raised
        changed = self.command not in ("GET", "HEAD") and "/login/" not in url.path and answer.status < 300
        if url.path.endswith("/$batch"):
            changed = changed and any(part.method != "GET" for part in batched.calls_in(call))
        if changed and state.habits.lose_answer_of_writes:
            state.habits.lose_answer_of_writes -= 1
            self.close_connection = True
            return
        self._send(answer)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = _serve

    def _send(self, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else b""
        if answer.body is not None and not isinstance(answer.body, bytes):
            body = json.dumps(answer.body).encode()
        state = self.server_state
        if state.habits.cut_next and answer.status == 200 and self.command == "GET":
            state.habits.cut_next -= 1
            body = body[: len(body) // 2]
        self.send_response_only(answer.status)
        self.send_header("Date", format_datetime(datetime.now(UTC), usegmt=True))
        headers = {"Content-Type": "application/json"} | answer.headers
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
