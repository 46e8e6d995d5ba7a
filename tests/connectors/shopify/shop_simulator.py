"""A Shopify shop as its GraphQL interface behaves: a schema that refuses what it does not know, points, bulk files.

Start it with N customers: ``with Shop(rows=N) as shop: shop.url``.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from graphql import GraphQLError, GraphQLSchema, build_schema, graphql_sync

from tests.connectors.simulator import Answer, Request, Row, Simulator

SCHEMA = build_schema("""
scalar DateTime
enum CustomerSortKeys { CREATED_AT ID LOCATION NAME RELEVANCE UPDATED_AT }
enum BulkOperationStatus { CREATED RUNNING COMPLETED CANCELING CANCELED FAILED EXPIRED }
enum BulkOperationErrorCode { ACCESS_DENIED INTERNAL_SERVER_ERROR TIMEOUT }
interface Node { id: ID! }
type Shop { name: String! }
type CustomerEmailAddress { emailAddress: String! marketingState: String! }
type CustomerPhoneNumber { phoneNumber: String! marketingState: String! }
type MoneyV2 { amount: String! currencyCode: String! }
type Metafield { value: String! }
type MailingAddress implements Node {
  id: ID! firstName: String lastName: String company: String address1: String address2: String city: String
  province: String provinceCode: String zip: String countryCodeV2: String phone: String
}
type Customer implements Node {
  id: ID! legacyResourceId: String! createdAt: DateTime! updatedAt: DateTime! displayName: String! firstName: String
  lastName: String state: String! locale: String! note: String tags: [String!]! taxExempt: Boolean!
  defaultEmailAddress: CustomerEmailAddress defaultPhoneNumber: CustomerPhoneNumber amountSpent: MoneyV2!
  defaultAddress: MailingAddress addresses(first: Int): [MailingAddress!]!
  metafield(namespace: String!, key: String!): Metafield
}
type PageInfo { hasNextPage: Boolean! endCursor: String }
type CustomerEdge { cursor: String! node: Customer! }
type CustomerConnection { pageInfo: PageInfo! nodes: [Customer!]! edges: [CustomerEdge!]! }
type BulkOperation implements Node {
  id: ID! status: BulkOperationStatus! errorCode: BulkOperationErrorCode objectCount: String! url: String
  partialDataUrl: String
}
type UserError { field: [String!] message: String! }
type CustomerSetUserError { code: String field: [String!] message: String! }
type BulkPayload { bulkOperation: BulkOperation userErrors: [UserError!]! }
type SetPayload { customer: Customer userErrors: [CustomerSetUserError!]! }
input CustomId { namespace: String key: String! value: String! }
input CustomerSetIdentifiers { id: ID email: String phone: String customId: CustomId }
input AddressInput {
  firstName: String lastName: String company: String address1: String address2: String city: String
  provinceCode: String zip: String countryCode: String phone: String
}
input CustomerSetInput {
  id: ID email: String phone: String firstName: String lastName: String note: String tags: [String!] locale: String
  taxExempt: Boolean addresses: [AddressInput!]
}
type Query {
  shop: Shop!
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  customer(id: ID!): Customer
  customers(first: Int, after: String, query: String, sortKey: CustomerSortKeys): CustomerConnection!
}
type Mutation {
  bulkOperationRunQuery(query: String!, groupObjects: Boolean): BulkPayload!
  customerSet(input: CustomerSetInput!, identifier: CustomerSetIdentifiers): SetPayload!
}
""")
_SEARCH = re.compile(r"updated_at:(>=|<)'([^']+)'")
_PROTECTED = {"displayName", "firstName", "lastName", "defaultEmailAddress", "defaultPhoneNumber", "addresses"}
VERSION = "2026-07"


def gid(number: Any, kind: str = "Customer") -> str:
    return f"gid://shopify/{kind}/{number}"


class Shop(Simulator):
    CLIENT = "app-4711"
    KEY = "shpss_test_5e1f2a"
    stamp_field = "updatedAt"
    MOST_POINTS = 2000.0

    def __init__(self, rows: int = 8) -> None:
        self.tokens: set[str] = set()
        self.left, self.rate, self._counted = self.MOST_POINTS, 100_000.0, time.monotonic()
        self.page_cost = 1.0
        self.polls = 1
        self.bulk: dict[str, Row] = {}
        self.bulk_status = "COMPLETED"
        self.bulk_refused = ""
        self.bulk_error = "TIMEOUT"
        self.ranges = True
        self.hides: str | None = None
        self.ignores_filter = False
        self.schema: GraphQLSchema = SCHEMA
        self.before_write: Callable[[], None] | None = None
        super().__init__(rows)

    # --- rows

    def stamp(self, at: datetime) -> str:
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        company = None if number % 2 else f"Acme {number}"
        address = {
            "id": gid(number, "MailingAddress"), "firstName": "Ann", "lastName": f"Lee {number}", "company": company,
            "address1": "1 Rd", "address2": None, "city": "Leeds", "province": "England", "provinceCode": "ENG",
            "zip": "LS1", "countryCodeV2": "GB", "phone": None,
        }  # fmt: skip
        row: Row = {
            "id": gid(number), "legacyResourceId": str(number), "createdAt": stamp, "updatedAt": stamp,
            "displayName": f"Ann Lee {number}", "firstName": "Ann", "lastName": f"Lee {number}", "state": "DISABLED",
            "locale": "en", "note": None, "tags": ["vip"], "taxExempt": False, "email": f"c{number}@shop.example",
            "phone": None, "amountSpent": {"amount": "0.0", "currencyCode": "GBP"}, "addresses": [address],
            "metafields": {},
        }  # fmt: skip
        return gid(number), row

    def change(self, row: Row) -> None:
        row["note"] = f"changed {secrets.token_hex(3)}"

    # --- the wire

    def answer(self, request: Request) -> None:
        if request.path == "/admin/oauth/access_token":
            self._token(dict(parse_qsl(request.body.decode())))
        if request.path.startswith("/bulk/"):
            self._file(request)
        if not request.path.endswith("/graphql.json"):
            raise Answer(404, {"errors": "Not Found"})
        if request.headers.get("X-Shopify-Access-Token") not in self.tokens:
            raise Answer(
                401, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
            )
        asked = request.json()
        self._pay(self._cost(asked))
        self._run(asked)

    def _token(self, form: dict[str, str]) -> None:
        wanted = ("client_credentials", self.CLIENT, self.KEY)
        if (form.get("grant_type"), form.get("client_id"), form.get("client_secret")) != wanted:
            raise Answer(400, {"error": "application_cannot_be_found", "error_description": "Invalid app credentials"})
        token = f"shpat_{secrets.token_hex(8)}"
        self.tokens.add(token)
        raise Answer(200, {"access_token": token, "scope": "read_customers,write_customers", "expires_in": 86399})

    def _cost(self, asked: Row) -> float:
        return 2 + self.page_cost * float(asked.get("variables", {}).get("first", 8))

    def _pay(self, cost: float) -> None:
        now = time.monotonic()
        self.left = min(self.MOST_POINTS, self.left + (now - self._counted) * self.rate)
        self._counted = now
        if cost > 1000:
            raise Answer(
                200,
                {
                    "errors": [
                        {
                            "message": f"Query cost is {cost}, which exceeds the single query max cost limit (1000).",
                            "extensions": {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": 1000},
                        }
                    ]
                },
            )
        if cost > self.left:
            error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            raise Answer(200, {"errors": [error], "extensions": self._told(cost, None)})
        self.left -= cost

    def _told(self, cost: float, actual: float | None) -> Row:
        status = {"maximumAvailable": self.MOST_POINTS, "currentlyAvailable": self.left, "restoreRate": self.rate}
        return {"cost": {"requestedQueryCost": cost, "actualQueryCost": actual, "throttleStatus": status}}

    def _run(self, asked: Row) -> None:
        if self.habits.no_permission:
            raise Answer(
                200,
                {
                    "errors": [
                        {
                            "message": "Access denied for customers field. Required access: "
                            "`read_customers` access scope.",
                            "path": ["customers"],
                            "extensions": {"code": "ACCESS_DENIED"},
                        }
                    ],
                    "data": None,
                },
            )
        result = graphql_sync(self.schema, asked["query"], Root(self), variable_values=asked.get("variables"))
        body: Row = {"data": result.data, "extensions": self._told(self._cost(asked), 1.0)}
        if result.errors:
            body["errors"] = [self._error(error) for error in result.errors]
        raise Answer(200, body, {"X-Shopify-API-Version": VERSION})

    def _error(self, error: GraphQLError) -> Row:
        code = (error.extensions or {}).get("code") or _code(error.message)
        return {"message": error.message, "path": list(error.path or []), "extensions": {"code": code}}

    def _file(self, request: Request) -> None:
        assert "X-Shopify-Access-Token" not in request.headers  # a signed address of a storage provider
        operation = self.bulk.get(gid(request.path.split("/")[2].partition(".")[0], "BulkOperation"))
        if operation is None:
            raise Answer(404, b"<Error>NoSuchKey</Error>", {"Content-Type": "application/xml"})
        content, wanted = operation["content"], re.match(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        if not self.ranges or wanted is None:
            raise Answer(200, content, {"Content-Type": "application/jsonl"})
        start, end = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
        if start >= len(content):
            raise Answer(416)
        told = {"Content-Range": f"bytes {start}-{end}/{len(content)}", "Content-Type": "application/jsonl"}
        raise Answer(206, content[start : end + 1], told)

    # --- what resolvers need

    def listed(self, query: str, sort: str) -> list[Row]:
        rows = list(self.rows.values())
        if not self.ignores_filter:
            for sign, at in _SEARCH.findall(query or ""):
                at = datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                rows = [r for r in rows if (r["updatedAt"] >= at if sign == ">=" else r["updatedAt"] < at)]
        number = lambda row: int(row["legacyResourceId"])  # noqa: E731
        return sorted(rows, key=number if sort == "ID" else lambda row: (row["updatedAt"], number(row)))

    def run_bulk(self, query: str) -> Row:
        if self.bulk_refused:
            return {"bulkOperation": None, "userErrors": [{"field": None, "message": self.bulk_refused}]}
        found = graphql_sync(self.schema, query, Root(self))
        assert not found.errors, found.errors
        nodes = [edge["node"] for edge in found.data["customers"]["edges"]]
        content = b"".join(json.dumps(node, ensure_ascii=False).encode() + b"\n" for node in nodes)
        number = len(self.bulk) + 1
        url = f"{self.url}/bulk/{number}.jsonl?sig=secret" if nodes else None
        self.bulk[gid(number, "BulkOperation")] = {
            "id": gid(number, "BulkOperation"), "content": content, "polls": self.polls, "url": url,
            "objectCount": str(len(nodes)),
        }  # fmt: skip
        return {"bulkOperation": {"id": gid(number, "BulkOperation"), "status": "CREATED"}, "userErrors": []}

    def state(self, key: str) -> Row | None:
        operation = self.bulk.get(key)
        if operation is None:
            return None
        operation["polls"] -= 1
        status = "RUNNING" if operation["polls"] >= 0 else self.bulk_status
        failed = status == "FAILED"
        shown = {"status": status, "url": operation["url"] if status == "COMPLETED" else None}
        code = self.bulk_error if failed else None
        return {**operation, **shown, "errorCode": code, "__typename": "BulkOperation"}

    def set(self, sent: Row, identifier: Row) -> Row:
        if self.before_write is not None:
            self.before_write()
        row = self._identified(identifier)
        if row is None and "id" in identifier:
            return _refused("NOT_FOUND", ["identifier"], "Customer does not exist")
        for name in ("email", "phone"):
            if any(r[name] == sent.get(name) and r is not row for r in self.rows.values() if sent.get(name)):
                return _refused("TAKEN", ["input", name], f"{name.title()} has already been taken")
        if sent.get("email") and "@" not in sent["email"]:
            return _refused("INVALID", ["input", "email"], "Email is invalid")
        if row is None:
            row = self.rows[self.add(addresses=[], tags=[], email=None)]
        row.update({name: value for name, value in sent.items() if name != "addresses"})
        if "addresses" in sent:
            row["addresses"] = [{"id": gid(1, "MailingAddress"), **address} for address in sent["addresses"]]
        custom = identifier.get("customId")
        if custom:
            row["metafields"][f"{custom['namespace']}.{custom['key']}"] = custom["value"]
        self.touch(row)
        return {"customer": Customer(self, row), "userErrors": []}

    def _identified(self, identifier: Row) -> Row | None:
        for name, value in identifier.items():
            if name == "customId":
                field = f"{value['namespace']}.{value['key']}"
                return next((r for r in self.rows.values() if r["metafields"].get(field) == value["value"]), None)
            return next((row for row in self.rows.values() if row[name] == value), None)
        return None


class Root:
    """What the top of a query resolves to."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def shop(self, info: Any) -> Row:
        return {"name": "Example Shop"}

    def node(self, info: Any, id: str) -> Row | None:
        return self._shop.state(id)

    def nodes(self, info: Any, ids: list[str]) -> list[Customer | None]:
        return [self.customer(info, id) for id in ids]

    def customer(self, info: Any, id: str) -> Customer | None:
        row = self._shop.rows.get(id)
        return None if row is None else Customer(self._shop, row)

    def customers(
        self, info: Any, first: int | None = None, after: str | None = None, query: str = "", sortKey: str = "ID"
    ) -> Row:
        if first is not None and not 1 <= first <= 250:
            raise GraphQLError("first must be between 1 and 250", extensions={"code": "BAD_REQUEST"})
        rows = self._shop.listed(query, sortKey)
        order = lambda row: [row["updatedAt"] if sortKey == "UPDATED_AT" else "", int(row["legacyResourceId"])]  # noqa: E731
        if after is not None:
            try:
                behind = json.loads(after)
            except ValueError:
                raise GraphQLError("Invalid cursor for current pagination sort.", extensions={"code": "?"}) from None
            rows = [row for row in rows if order(row) > behind]
        page = rows[:first]
        nodes = [Customer(self._shop, row) for row in page]
        info_ = {"hasNextPage": len(page) < len(rows), "endCursor": json.dumps(order(page[-1])) if page else None}
        return {"pageInfo": info_, "nodes": nodes, "edges": [{"cursor": "", "node": node} for node in nodes]}

    def bulkOperationRunQuery(self, info: Any, query: str, groupObjects: bool | None = None) -> Row:
        return self._shop.run_bulk(query)

    def customerSet(self, info: Any, input: Row, identifier: Row) -> Row:
        return self._shop.set(input, identifier)


class Customer:
    """One customer as it is resolved; what the app may not see is null, with or without an error."""

    def __init__(self, shop: Shop, row: Row) -> None:
        self._shop, self._row = shop, row

    def __getattr__(self, name: str) -> Any:
        if name.endswith("__typename"):
            return "Customer"
        if name.startswith("_"):
            raise AttributeError(name)
        hidden = self._shop.hides
        if hidden and name in _PROTECTED:
            if hidden == "denied" and name == "firstName":
                raise GraphQLError("This app is not approved to access the Customer object.",
                                   extensions={"code": "ACCESS_DENIED"})  # fmt: skip
            return {"displayName": "", "addresses": []}.get(name)
        if name in ("defaultEmailAddress", "defaultPhoneNumber"):
            key = {"defaultEmailAddress": "email", "defaultPhoneNumber": "phone"}[name]
            field = {"email": "emailAddress", "phone": "phoneNumber"}[key]
            value = self._row[key]
            return None if value is None else {field: value, "marketingState": "SUBSCRIBED"}
        if name == "defaultAddress":
            return self._row["addresses"][0] if self._row["addresses"] else None
        return self._row[name]

    def addresses(self, info: Any, first: int = 20) -> list[Row]:
        return [] if self._shop.hides else self._row["addresses"][:first]

    def metafield(self, info: Any, namespace: str, key: str) -> Row | None:
        value = self._row["metafields"].get(f"{namespace}.{key}")
        return None if value is None else {"value": value}


def _refused(code: str, field: list[str], message: str) -> Row:
    return {"customer": None, "userErrors": [{"code": code, "field": field, "message": message}]}


def _code(message: str) -> str:
    """How Shopify names what its schema refuses."""
    if message.startswith("Cannot query field"):
        return "undefinedField"
    if message.startswith("Unknown argument"):
        return "argumentNotAccepted"
    return "INVALID_VARIABLE" if message.startswith("Variable") else "INTERNAL"
