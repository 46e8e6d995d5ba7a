"""Addresses in one line, in the order in which their country writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PARTS = ("text", "latin", "street", "district", "city", "region", "postcode", "country")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def one_line(address: Mapping[str, Any]) -> str:
    """A postal address (``mappings.customer.Address``) as people write it; what it is for is left to others.

    With Chinese, Japanese or Korean signs from the large to the small, run together: 浙江义乌港口一路368号 322292.
    Otherwise from the small to the large: 12 High Street, Leeds LS1 4DY, GB.
    """
    known = {part: str(address[part]) for part in PARTS if address.get(part)}
    written = known.get("text") or _structured(known)
    latin = known.get("latin")
    return f"{written} / {latin}" if written and latin else written or latin or ""


def _structured(known: Mapping[str, str]) -> str:
    local = [known[part] for part in ("region", "city", "district", "street") if part in known]
    if _CJK.search("".join(local)):
        return " ".join(filter(None, [_run_together(_once(local)), known.get("postcode"), known.get("country")]))
    town = " ".join(known[part] for part in ("region", "postcode") if part in known)
    near = [known.get(part) for part in ("street", "district", "city")]
    return ", ".join(filter(None, [*near, town, known.get("country")]))


def _once(parts: list[str]) -> list[str]:
    """Without the parts that say what the one before them said: Shanghai is a province and a city."""
    return [part for before, part in zip(["", *parts], parts, strict=False) if part != before]


def _run_together(parts: list[str]) -> str:
    line = ""
    for part in parts:
        joined = not line or (_CJK.match(line[-1]) and _CJK.match(part[0]))
        line += part if joined else f" {part}"
    return line
