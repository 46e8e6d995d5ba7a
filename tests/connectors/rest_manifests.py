"""REST manifests and the source behind them, for tests of the REST connector."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from connectors.conformance import Source, Unsupported
from connectors.contract import Write
from connectors.rest import bind_file

TYPICAL = """\
id: acme
title: {en: Acme CRM, zh: 极致客户}
kind: crm
config:
  base_url: {en: Address of the server, zh: 服务器地址, type: url}
  api_key: {en: API key with the right to read customers, zh: 有客户读取权限的密钥, secret: true}
base_url: "{config.base_url}"
auth: {kind: bearer, token: "{config.api_key}"}
rate: {calls: 1000, per: 1}
check: {path: /me, says: user.name}
streams:
  customers:
    title: {en: Customers, zh: 客户}
    path: /customers
    records: customers
    key: id
    changed_at: updated_at
    pages: {kind: offset, max: 1000, total: count}
    incremental: &since {params: {since: "{cursor.value}"}, lookback: 2}
    deletes: {path: /deleted, records: items, key: id, changed_at: deleted_at, incremental: *since}
    write:
      idempotency_header: Idempotency-Key
      expected_header: If-Match
      create: {path: /customers, key: customer.id}
      update: {method: PUT, path: "/customers/{key}", key: customer.id}
"""

PAGES = {
    "offset": "{kind: offset, max: 1000}",
    "page": "{kind: page, size: limit, max: 1000}",
    "cursor": "{kind: cursor, param: cursor, next: paging.next, max: 1000}",
    "link": "{kind: link, size: limit, next: paging.link, max: 1000}",
    "keyset": "{kind: keyset, param: after_id, max: 1000}",
}

QUALITY = "rules:\n  check: done\n"


def write_folder(folder: Path, manifest: str = TYPICAL) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.yaml").write_text(textwrap.dedent(manifest), encoding="utf-8")
    (folder / "quality.yaml").write_text(QUALITY)
    (folder / "README.md").write_text("# Acme\n")
    return folder


class AcmeSource(Source):
    """Drives the test API as the users of a CRM would."""

    stream = "customers"

    def __init__(self, server: Any, folder: Path, manifest: str = TYPICAL) -> None:
        self.server = server
        self.folder = write_folder(folder, manifest)
        self.connector = bind_file(self.folder / "manifest.yaml")

    def settings(self) -> dict[str, Any]:
        return {"base_url": self.server.url, "api_key": self.server.KEY}

    def keys(self) -> set[str]:
        return set(self.server.rows)

    def add(self) -> str:
        return self.server.add()

    def update(self, key: str) -> None:
        self.server.update(key)

    def delete(self, key: str) -> None:
        self.server.delete(key)

    def tie(self, keys: Any) -> None:
        self.server.tie(keys)

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"api_key": "wrong-key-93"}, "api_key"

    def unreachable(self) -> dict[str, Any]:
        if self.folder.name != "acme":
            raise Unsupported("tested once: it takes seconds of patience")
        return self.settings() | {"base_url": "http://127.0.0.1:9"}

    def body(self, number: int) -> dict[str, Any]:
        return {"name": f"Written {number}", "email": f"written{number}@example.com"}

    def conflict(self) -> Write:
        taken = next(iter(self.server.rows.values()))
        return Write({"name": "Twin", "email": taken["email"]}, "conformance-conflict")
