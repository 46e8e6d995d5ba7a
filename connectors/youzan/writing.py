"""Writing customers: created by mobile number; what is there already is looked at, and what differs is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected
from connectors.incremental import parse_stamp
from connectors.listed.stream import Row
from connectors.writing import RecordWriter, differing, ensure_seen, missing
from connectors.youzan.client import YouzanClient
from connectors.youzan.customers import GONE, Customers

CREATE, UPDATE, VERSION = "youzan.scrm.customer.create", "youzan.scrm.customer.update", "3.0.0"
EXISTS = frozenset({143001027, 141502109})
"""Codes of a mobile number that a customer has already."""
_BY_MOBILE = 2
_MOBILE = re.compile(r"^\d{5,15}$")
_CHINESE_MOBILE = re.compile(r"^1\d{10}$")
_CHINA = "+86"
_NOT_WRITTEN = frozenset({"yz_open_id", "mobile", "country_code"})


class CustomerWriter(RecordWriter):
    """Writes customers with ``mobile``, ``country_code`` (+86) and the fields of the platform's ``customer_create``."""

    def __init__(self, client: YouzanClient, customers: Customers) -> None:
        self._client, self._customers = client, customers

    def _create(self, write: Write) -> WriteResult:
        mobile, country = _mobile(write.body)
        body = {"mobile": mobile, "country_code": country, "customer_create": _fields(write.body)}
        outcome = self._client.call(CREATE, VERSION, body, read=False, known=EXISTS)
        key = outcome.data.get("yz_open_id") if isinstance(outcome.data, Mapping) else None
        if outcome.code is None and isinstance(key, str) and key:
            return WriteResult(key, created=True)
        there = self._customers.detail(account_info={"account_type": _BY_MOBILE, "account_id": mobile})
        if there is None:
            raise missing("customer", mobile)
        return self._brought(write, self._customers.key(there), there)

    def _update(self, write: Write, key: str) -> WriteResult:
        there = self._customers.detail(yz_open_id=key)
        if there is None:
            raise missing("customer", key)
        self._same_mobile(write, there)
        return self._brought(write, key, there)

    def _brought(self, write: Write, key: str, there: Row) -> WriteResult:
        """Bring a customer that is there to what is wanted."""
        changed = differing(_fields(write.body), there)
        if changed:  # else an earlier try of this very write may have been heard, though its answer was lost
            ensure_seen(write, key=key, etag=None, stamp=parse_stamp(there.get("updated_at")))
            body = {"account": {"account_type": "YzOpenId", "account_id": key}, "customer_update": changed}
            if self._client.call(UPDATE, VERSION, body, read=False, known=GONE).code is not None:
                raise missing("customer", key)
        return WriteResult(key)

    def _same_mobile(self, write: Write, there: Mapping[str, Any]) -> None:
        """Refuse to give a customer another mobile number: only he himself can change it."""
        wanted, known = write.body.get("mobile"), there.get("mobile")
        if wanted and isinstance(known, str) and known.isdecimal() and str(wanted) != known:
            raise RecordRejected(
                "The mobile number of a customer of Youzan cannot be changed from outside.",
                path="mobile",
                rule="as it is there",
                remedy="Let the customer change it, or leave the field out of the mapping that is written.",
            )


def _fields(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in _NOT_WRITTEN}


def _mobile(body: Mapping[str, Any]) -> tuple[str, str]:
    """The number and its country, by which a customer is found again; raises where it is none."""
    mobile, country = str(body.get("mobile") or "").strip(), str(body.get("country_code") or _CHINA)
    form = _CHINESE_MOBILE if country == _CHINA else _MOBILE
    if not form.match(mobile):
        raise RecordRejected(
            "A new customer of Youzan needs a mobile number, by which it is found again.",
            path="mobile",
            rule="11 digits in China, 5 to 15 elsewhere, without the country code",
        )
    return mobile, country
