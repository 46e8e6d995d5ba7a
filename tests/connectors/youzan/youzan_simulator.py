"""A Youzan shop as its cloud platform behaves: a token in the query, status 200 for everything, at most so many rows.

Start it with N customers: ``with YouzanShop(rows=N) as shop: shop.url``.
"""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from typing import Any

from tests.connectors.simulator import Answer, Request, Row, Simulator


def gateway(code: int, text: str) -> Answer:
    return Answer(200, {"gw_err_resp": {"trace_id": "yz7-2", "err_msg": text, "err_code": code}})


def business(code: int, text: str) -> Answer:
    return Answer(200, {"code": code, "success": False, "message": text, "data": None, "request_id": None})


def success(data: Any) -> Answer:
    return Answer(200, {"trace_id": "yz7-1", "code": 200, "success": True, "message": "successful", "data": data})


LIMITED = gateway(4101, "请求过于频繁")


class YouzanShop(Simulator):
    CLIENT, KEY, SHOP = "0123456789abcdef00", "yz-secret-3f1a", "4711"
    stamp_field = "updated_at"

    def __init__(self, rows: int = 8) -> None:
        self.tokens: dict[str, float] = {}
        self.cap = 10_000
        self.scale = 1
        """Of the bounds of a question: 1 for seconds, 1000 for milliseconds; 0: they are ignored."""
        self.rows_in_milliseconds = False
        self.bounds_belong = True
        self.flat_detail = True
        self.odd_success = False
        super().__init__(rows)

    def stamp(self, at: datetime) -> int:
        return int(at.timestamp())

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        key = f"AbC{number:04}"
        row: Row = {
            "yz_open_id": key, "show_name": f"昵称{number}", "name": f"李四{number}",
            "mobile": str(13_800_000_000 + number), "gender": 1, "is_member": 1, "points": 10,
            "trade_count": 2, "created_at": stamp, "updated_at": stamp, "remark": "",
        }  # fmt: skip
        return key, row

    def change(self, row: Row) -> None:
        row["show_name"] = f"改{secrets.token_hex(3)}"

    def answer(self, request: Request) -> None:
        if request.path == "/auth/token":
            self.issue(request.json())
        if not request.path.startswith("/api/"):
            raise gateway(4001, "无效的路径")
        token = request.query.get("access_token", "")
        if token not in self.tokens:
            raise gateway(4203, "无效的token")
        if self.tokens[token] <= time.time():
            raise gateway(4202, "请求凭证过期")
        if self.habits.no_permission:
            raise gateway(4204, "无权限包")
        _, _, api, version = request.path.split("/")
        known = {
            "youzan.scrm.customer.list/1.0.0": self.list, "youzan.scrm.customer.detail.get/1.0.1": self.detail,
            "youzan.scrm.customer.create/3.0.0": self.create, "youzan.scrm.customer.update/3.0.0": self.update_one,
        }  # fmt: skip
        if f"{api}/{version}" not in known:
            raise gateway(4005, "未知的接口")
        known[f"{api}/{version}"](request.json())

    def issue(self, asked: Row) -> None:
        wanted = {
            "authorize_type": "silent",
            "client_id": self.CLIENT,
            "client_secret": self.KEY,
            "grant_id": self.SHOP,
        }
        if any(asked.get(name) != value for name, value in wanted.items()):
            raise Answer(200, {"success": False, "code": 1103, "data": None, "message": "client 不存在"})
        token = secrets.token_hex(8)
        self.tokens[token] = time.time() + 604_800
        data = {"access_token": token, "refresh_token": None, "expires": int(self.tokens[token] * 1000),
                "scope": "scrm", "authority_id": self.SHOP}  # fmt: skip
        raise Answer(200, {"success": True, "code": 200, "data": data, "message": None})

    def list(self, asked: Row) -> None:
        page, size = asked["page_no"], asked["page_size"]
        if not isinstance(page, int) or not 1 <= page <= 500 or not 1 <= size <= 50:
            raise gateway(5001, "参数类型错误")
        if (page - 1) * size >= self.cap:
            raise business(142710032, "查询超过上限")
        rows = [row for row in self.rows.values() if self.within(row["created_at"], asked)]
        rows.sort(key=lambda row: (row["created_at"], row["yz_open_id"]), reverse=True)
        total = min(len(rows), self.cap)
        shown = [self.shown(row) for row in rows[(page - 1) * size : page * size]]
        raise success({"total": total, "page_no": page, "page_size": size, "record_list": shown})

    def within(self, created: int, asked: Row) -> bool:
        if not self.scale or "created_at_start" not in asked:
            return True
        low, high = (asked[name] / self.scale for name in ("created_at_start", "created_at_end"))
        return low <= created <= high if self.bounds_belong else low < created < high

    def shown(self, row: Row) -> Row:
        shown = {name: value for name, value in row.items() if name not in ("updated_at", "remark")}
        return shown | ({"created_at": row["created_at"] * 1000} if self.rows_in_milliseconds else {})

    def detail(self, asked: Row) -> None:
        who = asked.get("account_info") or {}
        if who and who["account_type"] != 2:
            raise gateway(5001, "参数类型错误")
        found = self.found(asked.get("yz_open_id"), who.get("account_id"))
        if found is None:
            raise business(144100001, "客户不存在")
        raise success(found if self.flat_detail else {"yz_open_id": found["yz_open_id"], "user_base": found})

    def found(self, key: Any, mobile: Any) -> Row | None:
        return next(
            (r for r in self.rows.values() if r["yz_open_id"] == key or (mobile and r["mobile"] == mobile)), None
        )

    def create(self, asked: Row) -> None:
        if self.found(None, asked["mobile"]) is not None:
            raise business(143001027, "客户已存在")
        if not isinstance(asked["customer_create"].get("name", ""), str):
            raise gateway(5001, "参数类型错误")
        key = self.add(mobile=asked["mobile"], **asked["customer_create"])
        raise success({"yz_open_id": key, "account_id": asked["mobile"], "account_type": "Mobile"})

    def update_one(self, asked: Row) -> None:
        who = asked["account"]
        if who["account_type"] != "YzOpenId" or who["account_id"] not in self.rows:
            raise business(141502108, "客户不存在")
        if self.odd_success:
            raise success({"is_success": "false"})
        row = self.rows[who["account_id"]]
        row.update(asked["customer_update"])
        self.touch(row)
        raise success({"is_success": True})
