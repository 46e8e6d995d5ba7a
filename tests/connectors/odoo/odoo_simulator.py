"""An Odoo database as its External API behaves: JSON-2 with statuses since 19, JSON-RPC with errors under 200 before.

Values come as Odoo gives them: false for what is empty, references as ``[id, name]``, stamps in UTC without a zone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.connectors.simulator import Answer, Request, Row, Simulator

TYPES = {
    "id": "integer", "name": "char", "display_name": "char", "is_company": "boolean", "active": "boolean",
    "ref": "char", "vat": "char", "email": "char", "phone": "char", "street": "char", "city": "char", "zip": "char",
    "parent_id": "many2one", "country_id": "many2one", "type": "selection", "category_id": "many2many",
    "lang": "selection", "user_id": "many2one", "customer_rank": "integer", "company_id": "many2one",
    "create_date": "datetime", "write_date": "datetime", "x_tier": "char",
}  # fmt: skip
COUNTRIES = {20: "Belgium", 48: "China"}


class Fault(Exception):
    """An exception of the server: its name and text, and the status that JSON-2 gives it."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status, self.name = status, name

    def told(self) -> dict[str, Any]:
        debug = "Traceback (most recent call last): secret path"
        return {"name": self.name, "message": str(self), "arguments": [str(self)], "context": {}, "debug": debug}


class Odoo(Simulator):
    """``version`` 19 and later speaks JSON-2; ``rpc`` says whether /jsonrpc is still there."""

    KEY = "odoo-key-1f2e3d"
    USER = "kehu@example.com"
    DATABASE = "acme"
    stamp_field = "write_date"

    def __init__(self, rows: int = 8, version: str = "19.0", *, rpc: bool = True, page_cap: int = 0) -> None:
        self.version, self.rpc, self.page_cap = version, rpc, page_cap
        self.loaded: dict[str, str] = {}
        self.hides_data_model = False
        self.rejects_load = ""
        self.mixes_ids = False
        self.writes: list[tuple[str, dict[str, Any]]] = []
        super().__init__(rows)

    @property
    def json2(self) -> bool:
        return int(self.version.removeprefix("saas~").partition(".")[0]) >= 19

    # --- rows

    def stamp(self, at: datetime) -> str:
        return at.strftime("%Y-%m-%d %H:%M:%S")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        empty = {name: False for name, kind in TYPES.items() if kind not in ("many2many", "boolean")}
        name = f"Customer {number} 客户"
        return str(number), {
            **empty, "id": number, "name": name, "display_name": name, "is_company": True, "active": True,
            "ref": f"C{number}", "email": f"c{number}@odoo.example", "category_id": [], "type": "contact",
            "country_id": [20, "Belgium"], "customer_rank": number % 2, "create_date": stamp, "write_date": stamp,
        }  # fmt: skip

    def change(self, row: Row) -> None:
        row["street"] = f"{row['street'] or ''}x"

    # --- the wire

    def answer(self, request: Request) -> None:
        if request.path == "/jsonrpc":
            self._rpc(request)
        if request.path.startswith("/json/2/") and self.json2:
            self._json2(request)
        raise Answer(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})

    def _json2(self, request: Request) -> None:
        if request.headers.get("X-Odoo-Database") != self.DATABASE:
            raise Answer(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})
        _, _, _, model, method = request.path.split("/")
        named = request.json()
        ids = named.pop("ids", None)
        try:
            if request.headers.get("Authorization") != f"Bearer {self.KEY}":
                raise Fault(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")
            raise Answer(200, self._method(model, method, ids, named))
        except Fault as fault:
            raise Answer(fault.status, fault.told()) from None

    def _rpc(self, request: Request) -> None:
        if not self.rpc:
            raise Answer(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})
        params = request.json()["params"]
        try:
            result = self._service(params["service"], params["method"], params["args"])
        except Fault as fault:
            error = {"code": 200, "message": "Odoo Server Error", "data": fault.told()}
            raise Answer(200, {"jsonrpc": "2.0", "id": 1, "error": error}) from None
        raise Answer(200, {"jsonrpc": "2.0", "id": 1, "result": result})

    def _service(self, service: str, method: str, args: list[Any]) -> Any:
        if (service, method) == ("common", "version"):
            major = self.version.partition(".")[0]
            return {"server_version": self.version, "server_version_info": [major, 0, 0, "final", 0, ""]}
        if args[0] != self.DATABASE:
            raise Fault(500, "psycopg2.OperationalError", f'FATAL:  database "{args[0]}" does not exist\n')
        if (service, method) == ("common", "authenticate"):
            return 7 if (args[1], args[2]) == (self.USER, self.KEY) else False
        _, uid, key, model, name, positional, named = args
        if (uid, key) != (7, self.KEY):
            raise Fault(403, "odoo.exceptions.AccessDenied", "Access Denied")
        return self._method(model, name, positional[0] if positional else None, dict(named))

    def _method(self, model: str, method: str, ids: list[int] | None, named: dict[str, Any]) -> Any:
        context = named.pop("context")
        if (model, method) == ("res.users", "context_get"):
            return {"lang": "en_US", "tz": False, "uid": 7}
        if self.habits.no_permission:
            raise Fault(403, "odoo.exceptions.AccessError", "You are not allowed to access 'Contact' (res.partner).")
        if model == "ir.model.data":
            return self._data(named)
        if model != "res.partner":
            raise Fault(404, "werkzeug.exceptions.NotFound", f"the model '{model}' does not exist")
        if method == "fields_get":
            return {name: {"type": kind, "string": name} for name, kind in TYPES.items()}
        if method == "search_read":
            return self._search_read(named, active_test=context.get("active_test", True))
        if method == "load":
            return self._load(named["fields"], named["data"])
        if method == "write":
            return self._write(ids or [], named["vals"])
        raise Fault(404, "werkzeug.exceptions.NotFound", f"the method '{method}' does not exist")

    # --- methods

    def _data(self, named: dict[str, Any]) -> list[Row]:
        if self.hides_data_model:
            raise Fault(403, "odoo.exceptions.AccessError", "You are not allowed to access 'Model Data'.")
        wanted = {name: value for name, _, value in named["domain"]}
        names = wanted["name"] if isinstance(wanted["name"], list) else [wanted["name"]]
        known = {name: self.loaded.get(f"{wanted['module']}.{name}") for name in names}
        return [{"id": 1, "name": name, "res_id": int(key)} for name, key in known.items() if key is not None]

    def _search_read(self, named: dict[str, Any], *, active_test: bool) -> list[Row]:
        for name in named["fields"]:
            if name not in TYPES:
                raise Fault(422, "builtins.ValueError", f"Invalid field '{name}' on model 'res.partner'")
        rows = [row for row in self.rows.values() if matches(row, named["domain"], self.rows)]
        rows = sorted((row for row in rows if row["active"] or not active_test), key=lambda row: row["id"])
        asked = named.get("limit") or len(rows)
        limit = min(asked, self.page_cap or asked)
        return [{name: row[name] for name in ("id", *named["fields"])} for row in rows[:limit]]

    def _load(self, columns: list[str], data: list[list[str]]) -> Any:
        if self.rejects_load:
            return {"ids": False, "messages": [{"type": "error", "record": 0, "message": self.rejects_load}]}
        ids, before = [], ({key: dict(row) for key, row in self.rows.items()}, dict(self.loaded))
        for number, row in enumerate(data):
            values = {name.removesuffix("/.id"): value for name, value in zip(columns, row, strict=True)}
            external = values.pop("id")
            try:
                self._checked(values)
            except Fault as fault:  # nothing of the import stays
                self.rows, self.loaded = before
                return {"ids": False, "messages": [{"type": "error", "record": number, "message": str(fault)}]}
            known = self.loaded.get(external)
            key = known if known in self.rows else self.add()
            if known not in self.rows:  # a new one has only what it is given
                self.rows[key] |= {"ref": False, "email": False, "country_id": False, "customer_rank": 0}
            self.loaded[external] = key
            self.rows[key] |= {name: self._imported(name, value) for name, value in values.items()}
            ids.append(int(key))
        return {"ids": ids[::-1] if self.mixes_ids else ids, "messages": []}

    def _imported(self, name: str, text: str) -> Any:
        assert isinstance(text, str)
        if TYPES[name] == "many2one":
            return [int(text), COUNTRIES.get(int(text), "?")]
        return {"1": True, "0": False}[text] if TYPES[name] == "boolean" else text

    def _write(self, ids: list[int], values: Row) -> bool:
        self._checked(values)
        for number in ids:
            key = str(number)
            if key not in self.rows:
                raise Fault(404, "odoo.exceptions.MissingError", "Record does not exist or has been deleted.")
            shown = {n: [v, "?"] if TYPES[n] == "many2one" and v else v for n, v in values.items()}
            self.rows[key] |= {n: [c[1] for c in v if c[0] == 4] if TYPES[n] == "many2many" else v
                               for n, v in shown.items()}  # fmt: skip
            self.touch(self.rows[key])
            self.writes.append((key, dict(values)))
        return True

    def _checked(self, values: Row) -> None:
        if values.get("name", "x") in ("", False):
            raise Fault(422, "odoo.exceptions.ValidationError", "Contacts require a name")
        if str(values.get("vat", "")).startswith("BAD"):
            raise Fault(422, "odoo.exceptions.ValidationError", "The VAT number does not seem to be valid.")


def matches(row: Row, domain: list[Any], rows: dict[str, Row]) -> bool:
    """Whether a row meets a domain (Polish notation, ``&`` where nothing is written)."""
    terms = list(domain)

    def one() -> bool:
        term = terms.pop(0)
        if term == "|":
            left, right = one(), one()
            return left or right
        name, operator, wanted = term
        value = row.get(name.rpartition(".")[2])
        value = value[0] if isinstance(value, list) and value else value
        if operator == "=":
            return bool(value == wanted)
        if operator == "in":
            return value in wanted
        return value is not False and {">": value > wanted, ">=": value >= wanted, "<": value < wanted}[operator]

    met = True
    while terms:
        met = one() and met
    return met
