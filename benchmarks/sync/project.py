"""The project that is measured: one connection to the local API by a REST manifest, and its mapping."""

from __future__ import annotations

from pathlib import Path

MANIFEST = """\
id: bench
title: {en: Bench, zh: 基准}
kind: crm
config:
  base_url: {en: Address, zh: 地址, type: url}
base_url: "{config.base_url}"
check: {path: /customers}
streams:
  customers:
    title: {en: Customers, zh: 客户}
    path: /customers
    records: customers
    key: id
    changed_at: updated_at
    pages: {kind: offset, max: 1000, total: count}
    incremental: {params: {updated_since: "{cursor.value}"}}
"""

SETTINGS = """\
database: {database}
{broker}matching: {{model: {model}}}
connections:
  api:
    connector: bench
    allow_private: [127.0.0.1]
    settings: {{base_url: "{address}"}}
    streams: {{customers: {{mapping: customers.yaml}}}}
"""

WHOLE = """\
customer:
  kind: person
  name: name
  given_name: first_name
  family_name: last_name
  emails: email
  phones: phone
  identifiers: [{scheme: cn.uscc, from: tax_number}]
  addresses: [{street: address.street, city: address.city, postcode: address.postcode, country: address.country}]
  status: status
  currency: currency
  credit_limit: credit_limit
  owner: owner
  language: language
  website: website
  tags: tags
  source_created_at: created_at
  source_changed_at: updated_at
"""

LAND_ONLY = "when: {field: id, equals: nobody}\n" + WHOLE


def write_project(
    folder: Path, address: str, database: str, mapping: str, model: str = "rules", broker: str = ""
) -> None:
    """Lay out the project folder; ``model``: by which its customers are matched; ``broker``: where workers are rung."""
    for name in ("connectors", "mappings"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "connectors" / "bench.yaml").write_text(MANIFEST, encoding="utf-8")
    (folder / "mappings" / "customers.yaml").write_text(mapping, encoding="utf-8")
    (folder / "kehu.yaml").write_text(
        SETTINGS.format(
            database=database, address=address, model=model, broker=f"broker: {broker}\n" if broker else ""
        ),
        encoding="utf-8",
    )
