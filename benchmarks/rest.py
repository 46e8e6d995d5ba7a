"""What the declarative REST connector costs on top of HTTP: CPU per record, 1000 records of about 560 bytes a page.

Run ``python -m benchmarks.rest``. The server is a process of its own and is not counted.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.contract import Context, Read
from connectors.http import Client
from connectors.rest import bind_file

PAGES, SIZE = 50, 1000
MANIFEST = """\
id: bench
title: {en: Benchmark, zh: 基准}
kind: crm
config: {base_url: {en: Address, zh: 地址, type: url}}
base_url: "{config.base_url}"
streams:
  customers:
    title: {en: Customers, zh: 客户}
    path: /customers
    records: customers
    key: id
    changed_at: updated_at
    pages: {kind: offset, max: 1000, total: count}
    incremental: {params: {since: "{cursor.value}"}}
"""


def row(number: int) -> bytes:
    """One record as a CRM would send it, about 560 bytes."""
    record: dict[str, Any] = {"id": number, "name": f"客户 {number}", "email": f"user{number}@example.com"}
    record |= {"updated_at": "2026-01-02T03:04:05.678Z"}
    record |= {"address": {"street": "x" * 60, "city": "Shanghai", "zip": "200000", "country": "CN"}}
    record |= {f"field{place}": f"value {place:05}" for place in range(15)}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def serve(port: Any) -> None:
    """Answer any offset and limit from rows made beforehand."""
    rows = [row(number) for number in range(PAGES * SIZE)]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            start = int(parse_qs(urlsplit(self.path).query)["offset"][0])
            body = b'{"customers":[' + b",".join(rows[start : start + SIZE]) + b'],"count":%d}' % len(rows)
            self.send_response_only(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.put(server.server_port)
    server.serve_forever()


def measure(url: str, folder: Path) -> tuple[float, float]:
    """CPU µs a record: only fetching, and reading through the connector."""
    path = folder / "manifest.yaml"
    path.write_text(MANIFEST, encoding="utf-8")
    kind, context = bind_file(path), Context("bench", allow_private=["127.0.0.0/8"])
    client, started = Client(context, url), time.process_time()
    for page in range(PAGES):
        client.get("/customers", params={"offset": page * SIZE})
    fetched = time.process_time() - started
    connector, started = kind(kind.config_model.model_validate({"base_url": url}), context), time.process_time()
    count = sum(len(page.records) for page in connector.read(Read("customers", page_size=SIZE)))
    read = time.process_time() - started
    return fetched / (PAGES * SIZE) * 1e6, read / count * 1e6


def main() -> None:
    """Print the figures of three rounds."""
    port: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{port.get()}"
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(3):
            fetched, read = measure(url, Path(folder))
            print(f"fetch {fetched:5.2f}   read {read:5.2f}   on top {read - fetched:5.2f}   µs CPU a record")
    server.terminate()


if __name__ == "__main__":
    main()
