"""The Douyin shop connector: the buyers of one shop, each as the last order shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import orjson

from connectors.auth.naming import naming_settings
from connectors.contract import (
    Capability,
    Checked,
    Connector,
    Context,
    Deletes,
    Hint,
    Inbound,
    Page,
    Read,
    Record,
    Rejected,
    Stream,
)
from connectors.digests import case_safe
from connectors.douyin_shop.answers import Judge
from connectors.douyin_shop.config import DouyinShopConfig
from connectors.douyin_shop.login import DouyinLogin, ordered
from connectors.douyin_shop.orders import OrderList, Orders, Row, changed_at
from connectors.errors import CursorExpired, RecordRejected
from connectors.http import Client
from connectors.inbound import ensure_signed, header, md5_enclosed, payload
from connectors.incremental import Mark, Scan, iso
from connectors.naming import ensure_known
from connectors.rest.sampling import SAMPLE, fields_of

FIRST_DAY = datetime(2018, 1, 1, tzinfo=UTC)
"""No order of the platform is older."""
LOOKBACK = 600
AHEAD = 60
"""Seconds by which the platform's clock may be before ours."""
ABILITIES = frozenset({Capability.INCREMENTAL, Capability.WEBHOOK})
_CREDENTIALS = "app_secret, app_key, shop_id"
_PING = "0"


class DouyinShopConnector(Connector[DouyinShopConfig]):
    """The buyers of one shop. Names, phones and addresses stay masked, as the platform delivers them."""

    id: ClassVar[str] = "douyin_shop"
    config_model: ClassVar[type[DouyinShopConfig]] = DouyinShopConfig
    acknowledgement: ClassVar[bytes] = b'{"code":0,"msg":"success"}'

    def __init__(self, config: DouyinShopConfig, context: Context) -> None:
        super().__init__(config, context)
        self._login = DouyinLogin(config.app_key, config.app_secret, config.shop_id, test_shop=config.test_shop)
        base_url = config.base_url.rstrip("/")
        self.client = Client(context, base_url, auth=self._login, inspect=Judge(), headers=_NEW_ERRORS)
        self._orders = OrderList(self.client, ordered)

    def check(self) -> Checked:
        """Log in and ask for an order of the last day."""
        with self._logged_in():
            next(self._orders.pages(self._now() - 86_400, self._now(), 1))
        shop = self._login.shop or self.config.shop_id
        return Checked("Logged in to the Douyin shop {shop}.", {"address": self.config.base_url}, {"shop": shop})

    def discover(self) -> Sequence[Stream]:
        """The buyers, with the fields of an order as recent ones show them."""
        with self._logged_in():
            pages = self._orders.pages(self._now() - 30 * 86_400, self._now() + AHEAD, SAMPLE)
            records, _ = buyers(next(pages).rows)
            if not records:
                first = (page.rows for page in self._orders.pages(_seconds(FIRST_DAY), self._now(), SAMPLE))
                records, _ = buyers(next((rows for rows in first if rows), ()))
        found = fields_of(record.body for record in records)
        return [Stream("buyers", "Buyers (from orders)", ABILITIES, Deletes.NONE, LOOKBACK, found, "mapping.yaml")]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in the order of orders' last change: what comes later about a buyer is newer."""
        ensure_known(request.stream, ("buyers",), self.context.connection)
        with self._logged_in():
            yield from self._read(request)

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """A push of messages signed with the app's secret; each is a hint that some order has changed."""
        connection = self.context.connection
        expected = md5_enclosed(self.config.app_key, request.body, self.config.app_secret)
        ensure_signed(request, "event-sign", expected, connection=connection, setting="app_secret")
        if header(request, "app-id") not in ("", self.config.app_key):
            return []
        messages = payload(request, connection=connection)
        messages = messages if isinstance(messages, list) else [messages]
        told = [m for m in messages if isinstance(m, dict) and str(m.get("tag")) != _PING]
        return [Hint("buyers", None, str(m["msg_id"]) if m.get("msg_id") else None) for m in told]

    def close(self) -> None:
        """Give back the sockets."""
        self.client.close()

    def _read(self, request: Read) -> Iterator[Page]:
        asked = Scan(request, began=None, lookback=LOOKBACK, coarse=1)
        cursor = dict(request.cursor or {})
        if request.resumed and cursor and asked.resume is None and "began" not in cursor:
            yield Page((), cursor)  # this scan had come to its end
            return
        scan = asked if asked.resume is not None else None
        for page in self._orders.pages(self._low(asked), self._high(request), request.page_size):
            if scan is None:
                scan = Scan(request, began=self._began(page), lookback=LOOKBACK, coarse=1)
            records, rejected = buyers(page.rows)
            stamps = [record.changed_at for record in records if record.changed_at is not None]
            reached = scan.page([Mark(max(stamps))] if stamps else [], page.next)
            yield Page(records, scan.end() if page.next is None else reached, rejected=rejected)

    def _low(self, asked: Scan) -> int:
        if isinstance(asked.resume, int):
            return asked.resume
        if asked.resume is not None or isinstance(asked.since, int):
            raise CursorExpired("The stored position is not one this connector can continue from.")
        return _seconds(max(asked.since or FIRST_DAY, FIRST_DAY))

    def _high(self, request: Read) -> int:
        ahead = self._now() + AHEAD
        return ahead if request.until is None else min(ahead, _seconds(request.until))

    def _began(self, page: Orders) -> datetime:
        """Where the platform's clock stood before its first answer; ours, where it does not tell."""
        return (page.response.date or self.context.now()) - timedelta(seconds=page.response.elapsed)

    def _now(self) -> int:
        return _seconds(self.context.now())

    def _logged_in(self) -> AbstractContextManager[None]:
        """Refused credentials name the settings to correct."""
        return naming_settings(self.context.connection, _CREDENTIALS)


_NEW_ERRORS = {"x-open-no-old-err-code": "1"}
"""Asks for errors in the newer form alone."""


def buyers(rows: Sequence[Row]) -> tuple[list[Record], list[Rejected]]:
    """The buyers of some orders, each by the newest one; orders that name no buyer are rejected."""
    newest: dict[str, Row] = {}
    rejected: list[Rejected] = []
    for row in sorted(rows, key=changed_at):
        key = row.get("doudian_open_id") or row.get("open_id")
        if isinstance(key, str) and 0 < len(key) <= 500:
            newest[key] = row
            continue
        reason = RecordRejected("The order names no buyer.", path="doudian_open_id", rule="required")
        body = orjson.dumps(without_ciphers(row))
        rejected.append(Rejected(f"order {str(row.get('order_id', '?'))[:40]}", body, reason, identified=False))
    return [_record(key, row) for key, row in newest.items()], rejected


def without_ciphers(value: Any) -> Any:
    """Without what only the platform can decrypt: it differs each time, and nothing could be done with it."""
    if isinstance(value, dict):
        return {name: without_ciphers(inner) for name, inner in value.items() if not name.startswith("encrypt_")}
    return [without_ciphers(item) for item in value] if isinstance(value, list) else value


def _record(key: str, row: Row) -> Record:
    body = without_ciphers(row) | {"buyer_number": case_safe(key)}
    seconds = changed_at(row)
    stamp = iso(datetime.fromtimestamp(seconds, UTC)) if 0 < seconds < 253_402_300_800 else None
    return Record(key, orjson.dumps(body, option=orjson.OPT_SORT_KEYS), stamp)


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
