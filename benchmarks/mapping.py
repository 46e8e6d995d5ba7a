"""What mapping a typical record costs: `python benchmarks/mapping.py [records]`. Prints µs of CPU a record.

The record has 20 fields with a nested address; the mapping sets three names, an email, a phone, a tax id, an address,
status, currency, credit limit and two dates. "engine" leaves out the email, phone and identifier (whose cost is their
normalisation), "contact points" is their share.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from mappings.compile import Mapper, MappingDefaults, compile_mapping
from mappings.spec import load_spec

ENGINE = """
customer:
  kind: organisation
  name: name
  legal_name: legal_name
  trading_name: short_name
  addresses: {label: billing, country: address.country, region: address.province, city: address.city,
              street: address.street, postcode: address.zip}
  status: {from: state, table: {A: active, I: inactive}}
  currency: currency
  credit_limit: credit
  owner: salesperson
  external_ids: {erp: code}
  source_created_at: created
  source_changed_at: modified
"""
CONTACT = """
  emails: email
  phones: {from: mobile, label: mobile}
  identifiers: {scheme: cn.uscc, from: tax_no}
"""


def record(number: int) -> dict[str, Any]:
    """One source record, different for every number."""
    return {
        "id": number,
        "code": f"C{number:06d}",
        "name": f"深圳市第{number}科技有限公司",
        "legal_name": f"深圳市第{number}科技有限公司",
        "short_name": f"第{number}科技",
        "email": f"buyer{number}@shop{number % 97}.cn",
        "mobile": f"1381{number % 10_000_000:07d}",
        "tax_no": "91440300708461136T",
        "state": "A",
        "currency": "CNY",
        "credit": f"{number % 1000}.50",
        "salesperson": "王芳",
        "address": {
            "country": "CN",
            "province": "广东省",
            "city": "深圳市",
            "street": f"科技园{number % 300}号",
            "zip": "518057",
        },
        "created": "2024-03-01T08:00:00Z",
        "modified": "2026-01-02T03:04:05+08:00",
        "terms": "N30",
        "group": "B",
        "level": 3,
        "memo": "",
        "version": 7,
    }


def measure(mapping: Callable[[dict[str, Any]], Any], records: list[dict[str, Any]]) -> float:
    """The best of forty rounds, in µs of CPU a record: the machine's other work only ever adds."""
    best = float("inf")
    for _ in range(40):
        start = time.process_time()
        for one in records:
            mapping(one)
        best = min(best, time.process_time() - start)
    return best / len(records) * 1e6


def compiled(text: str) -> Mapper:
    """A mapping out of YAML text."""
    return compile_mapping(load_spec(text), defaults=MappingDefaults(region="CN", timezone="Asia/Shanghai"))


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    records = [record(number) for number in range(count)]
    engine, whole = measure(compiled(ENGINE), records), measure(compiled(ENGINE + CONTACT), records)
    print(f"engine          {engine:6.2f} µs a record")
    print(f"contact points  {whole - engine:6.2f}")
    print(f"whole           {whole:6.2f}")


if __name__ == "__main__":
    main()
