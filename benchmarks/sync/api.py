"""A local API of customers: ``python -m benchmarks.sync.api PORT RECORDS``. Prints "ready" when it listens.

20 fields and a nested address a record, about 570 bytes; 15 % of the records are another system's view of the same
customer. ``GET /customers?limit&offset&updated_since`` answers pages in order of (updated_at, id);
``POST /change?percent=1`` gives that share of the records a new name and stamp.
"""

from __future__ import annotations

import bisect
import random
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

FAMILIES = ["Zhang", "Wang", "Li", "Smith", "Garcia", "Müller", "Chen", "Liu", "Brown", "Novak", "Sato", "Kim"]
GIVEN = ["Wei", "Fang", "Min", "Anna", "John", "Maria", "Peter", "Yan", "Lei", "Sofia", "Jun", "Emma", "Tao", "Ida"]
STREETS = ["Nanjing Road", "Main Street", "Harbour Lane", "Zhongshan Road", "Park Avenue", "Market Square"]
CITIES = [("Shanghai", "CN"), ("Shenzhen", "CN"), ("Hamburg", "DE"), ("London", "GB"), ("Boston", "US")]
START = datetime(2026, 1, 1, tzinfo=UTC)


def customer(number: int, duplicates: float = 0.15) -> dict[str, Any]:
    """The customer with this number; the last 15 % repeat the contacts of earlier ones, as other systems do."""
    rng = random.Random(number)
    family, given = rng.choice(FAMILIES), rng.choice(GIVEN)
    city, country = rng.choice(CITIES)
    return {
        "id": f"C{number:08d}",
        "name": f"{given} {family} {number % 9973}",
        "first_name": given,
        "last_name": f"{family}{_letters(number)}",
        "email": f"{given}.{family}.{number}@example.com".lower().replace("ü", "ue"),
        "phone": f"+861{30 + number % 9}{number:08d}",
        "tax_number": None,
        "status": rng.choice(["active", "active", "inactive"]),
        "currency": rng.choice(["CNY", "EUR", "USD"]),
        "credit_limit": rng.randrange(1, 500) * 1000,
        "owner": rng.choice(["team-east", "team-west", "team-export"]),
        "language": rng.choice(["zh-CN", "en", "de"]),
        "website": f"https://www.example.com/{number}",
        "tags": ["fair-2026"] if number % 5 == 0 else [],
        "newsletter": number % 3 == 0,
        "segment": rng.choice("ABC"),
        "orders_count": rng.randrange(100),
        "note": "imported from the old system",
        "created_at": "2024-03-01T08:00:00Z",
        "updated_at": "",
        "address": {
            "street": f"{rng.randrange(1, 300)} {rng.choice(STREETS)}",
            "city": city,
            "postcode": f"{rng.randrange(10000, 99999)}",
            "country": country,
        },
    }


def _letters(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number, 26)
        letters = chr(97 + rest) + letters
    return letters


def second_view(number: int, original: int) -> dict[str, Any]:
    """The same customer as ``original`` under another number and with another spelling of the name."""
    record = customer(original)
    record["id"] = f"C{number:08d}"
    record["name"] = record["name"].upper()
    record["segment"] = "X"
    return record


class Store:
    """The records as JSON, in order of their change stamps."""

    def __init__(self, records: int) -> None:
        unique = int(records * 0.85)
        step = max(unique // max(records - unique, 1), 1)
        self.rows = [customer(number) for number in range(unique)]
        self.rows += [second_view(number, (number - unique) * step) for number in range(unique, records)]
        for number, row in enumerate(self.rows):
            row["updated_at"] = _stamp(number)
        self.clock = len(self.rows)
        self.lock = threading.Lock()
        self._sort()

    def _sort(self) -> None:
        ordered = sorted(self.rows, key=lambda row: (row["updated_at"], row["id"]))
        self.stamps = [row["updated_at"] for row in ordered]
        self.bodies = [orjson.dumps(row) for row in ordered]

    def page(self, since: str, offset: int, limit: int) -> bytes:
        """One page as JSON."""
        with self.lock:
            start = bisect.bisect_left(self.stamps, since) if since else 0
            rows = self.bodies[start + offset : start + offset + limit]
            return b'{"count":%d,"customers":[%s]}' % (len(self.bodies) - start, b",".join(rows))

    def change(self, percent: float) -> int:
        """Edit some records; answers how many."""
        chosen = random.Random(self.clock).sample(range(len(self.rows)), int(len(self.rows) * percent / 100))
        with self.lock:
            for number in chosen:
                self.clock += 1
                self.rows[number]["owner"] = f"team-{self.clock}"
                self.rows[number]["updated_at"] = _stamp(self.clock)
            self._sort()
        return len(chosen)


def _stamp(number: int) -> str:
    return (START + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with kept connections."""

    protocol_version = "HTTP/1.1"
    store: Store

    def do_GET(self) -> None:
        """A page of customers."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        limit = min(int(query.get("limit", 1000)), 1000)
        self._answer(self.store.page(query.get("updated_since", ""), int(query.get("offset", 0)), limit))

    def do_POST(self) -> None:
        """Change a share of the records."""
        query = parse_qs(urlsplit(self.path).query)
        self._answer(orjson.dumps({"changed": self.store.change(float(query["percent"][0]))}))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    Handler.store = Store(int(sys.argv[2]))
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print("ready", flush=True)
    server.serve_forever()
