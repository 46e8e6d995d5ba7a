"""A Douyin shop as its open platform behaves: signed calls, status 200 for everything, masked buyers, pages from 0.

Start it with N buyers: ``with DouyinShop(rows=N) as shop: shop.url``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from tests.connectors.simulator import Answer, Request, Row, Simulator


def refusal(code: int, sub_code: str, text: str) -> Answer:
    return Answer(200, {"code": code, "msg": "非法的参数", "sub_code": sub_code, "sub_msg": text, "data": {},
                        "log_id": "2026010204"})  # fmt: skip


LIMITED = refusal(80000, "isv.call-limit", "调用过于频繁")


class DouyinShop(Simulator):
    """``rows`` are orders by their buyers' ids: each buyer has one, unless ``order`` adds another."""

    APP_KEY, KEY, SHOP_ID = "7000000000000000001", "app-secret-8d1c", "4711"
    stamp_field = "update_time"

    def __init__(self, rows: int = 8) -> None:
        self.tokens: dict[str, float] = {}
        self.token_life = 604_800
        self.more: list[Row] = []
        self.descending = False
        self.ignores_time = False
        self.end_is_included = True
        self.deepest = 50_000
        self.longest = 10**9
        self.old_form = False
        super().__init__(rows)

    # --- rows

    def stamp(self, at: datetime) -> int:
        return int(at.timestamp())

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        key = f"1@#buyer{number}+/=="
        row: Row = {
            "order_id": str(4_700_000_000_000_000_000 + number), "order_status": 3, "create_time": stamp,
            "update_time": stamp, "pay_time": 0, "pay_amount": 12_900, "doudian_open_id": key, "post_receiver": "",
            "post_tel": "", "encrypt_post_tel": f"$abc${number}$1$$", "encrypt_post_receiver": f"#李#{number}##",
            "mask_post_tel": "1********00", "mask_post_receiver": "李*", "buyer_words": "",
            "post_addr": {"province": {"id": "31", "name": "上海市"}, "city": {"id": "3101", "name": "上海市"},
                          "town": {"id": "310115", "name": "浦东新区"}, "encrypt_detail": f"#x#y#{number}##"},
        }  # fmt: skip
        return key, row

    def change(self, row: Row) -> None:
        row["buyer_words"] = f"第{secrets.token_hex(3)}次"

    def order(self, buyer: str, at: datetime, **fields: Any) -> Row:
        """A further order of a buyer."""
        row = {**self.rows[buyer], "order_id": str(4_800_000_000_000_000_000 + len(self.more)), **fields}
        row["update_time"] = row["create_time"] = self.stamp(at)
        self.more.append(row)
        return row

    # --- the wire

    def answer(self, request: Request) -> None:
        self.signed(request)
        if request.path == "/token/create":
            self.issue(request.json())
        if self.tokens.get(request.query.get("access_token", ""), 0) <= time.time():
            raise refusal(40003, "isv.access-token-expired", "access_token已过期")
        if self.habits.no_permission:
            raise refusal(30001, "isv.app-permissions-insufficient", "应用权限不足")
        if request.path == "/order/searchList":
            self.search(request.json())
        raise refusal(40004, "isv.method-not-exist", "接口不存在")

    def signed(self, request: Request) -> None:
        """Check what is signed, byte for byte, as the platform's own kit makes it."""
        query, body = request.query, request.body.decode()
        assert body == json.dumps(json.loads(body), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        wanted = {"app_key": self.APP_KEY, "method": request.path.strip("/").replace("/", "."), "param_json": body}
        wanted |= {"timestamp": query["timestamp"], "v": "2"}
        text = self.KEY + "".join(f"{name}{wanted[name]}" for name in sorted(wanted)) + self.KEY
        mac = hmac.new(self.KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
        late = abs(int(query["timestamp"]) - time.time()) > 600
        if query.get("sign") != mac or query.get("v") != "2" or query.get("sign_method") != "hmac-sha256" or late:
            raise refusal(40003, "isv.signature-invalid", "签名校验失败")

    def issue(self, asked: Row) -> None:
        if asked.get("grant_type") != "authorization_self" or asked.get("shop_id") != self.SHOP_ID:
            raise refusal(30001, "dop.authorization-no-existed", "授权不存在")
        token = next((t for t, ends in self.tokens.items() if ends > time.time()), secrets.token_hex(8))
        self.tokens[token] = time.time() + self.token_life
        raise self.success({"access_token": token, "expires_in": self.token_life, "refresh_token": "r", "scope": "",
                            "shop_id": self.SHOP_ID, "shop_name": "示例店铺"})  # fmt: skip

    def search(self, asked: Row) -> None:
        low, end, size, page = (asked[n] for n in ("update_time_start", "update_time_end", "size", "page"))
        if not 1 <= size <= 100:
            raise refusal(40003, "isv.parameter-invalid", "size must be 1 to 100")
        if end - low > self.longest:
            raise refusal(40003, "isv.parameter-invalid", "查询时间跨度过大")
        if (page + 1) * size > self.deepest:
            raise refusal(50002, "isv.business-failed", "超过最大查询数量")
        rows = [*self.rows.values(), *self.more]
        if not self.ignores_time:
            rows = [r for r in rows if low <= r["update_time"] < end + self.end_is_included]
        assert (asked["order_by"], asked["order_asc"]) == ("update_time", True)
        rows.sort(key=lambda row: (row["update_time"], row["order_id"]), reverse=self.descending)
        shown = rows[page * size : (page + 1) * size]
        raise self.success({"page": page, "size": size, "total": len(rows), "shop_order_list": shown})

    def success(self, data: Row) -> Answer:
        if self.old_form:
            return Answer(200, {"err_no": 0, "message": "success", "data": data})
        log = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
        return Answer(
            200, {"code": 10000, "msg": "success", "sub_code": "", "sub_msg": "", "data": data, "log_id": log}
        )
