"""The U8 OpenAPI as it behaves: all in the query, numbers as text, nothing found told like an error."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.connectors.simulator import MONTH_AGO, Answer, Request, Row, Simulator

LOCAL = ZoneInfo("Asia/Shanghai")
NOBODY = "未检索到匹配的[客户]。"


def told(code: str, message: str, **more: Any) -> Answer:
    return Answer(200, {"errcode": code, "errmsg": message, **more})


class U8(Simulator):
    """``filters``: whether ``modifydate_begin`` is heard, ignored, refused, or makes everything vanish.

    ``edit_empties``: an edit empties what is not sent. ``charset`` is what the agent writes, undeclared. ``most`` caps
    the rows of a page without telling.
    """

    KEY = "u8-app-secret-0001"
    ACCOUNTS = {"from_account": "developer", "app_key": "app-1"}  # noqa: RUF012
    COMPANY = "test_developer"
    stamp_field = "ModifyDate"

    def __init__(self, rows: int = 8) -> None:
        self.tokens: dict[str, int] = {}
        self.lives = 1_000_000
        self.filters = "heard"
        self.edit_empties = False
        self.charset = "utf-8"
        self.most = 8000
        self.trades: set[str] = set()
        self.biz: dict[str, str] = {}
        self.sent: list[tuple[str, Row]] = []
        self._starting = True
        super().__init__(rows)
        self._starting = False

    def add(self, at: datetime | None = None, **fields: Any) -> str:
        """The first rows are a day apart instead of an hour: the system stamps days."""
        if at is not None and self._starting:
            at = min(MONTH_AGO + (at - MONTH_AGO) * 24, self.now() - timedelta(days=2))
        return super().add(at, **fields)

    def stamp(self, at: datetime) -> str:
        return at.astimezone(LOCAL).strftime("%Y-%m-%d")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        code = f"C{number:03}"
        row: Row = {
            "code": code, "name": f"甲{number}公司", "abbrname": "甲", "sort_code": "01",
            "address": "北京市海淀区北清路68号",
            "phone": f"010-6243{number:04}", "mobile": f"138{number:08}", "ccusexch_name": "人民币",
            "end_date": "2020-12-31" if number == 3 else "", "ModifyDate": stamp, "timestamp": str(84000 + number),
            "devliver_site": "", "self_define1": f"x{number}",
        }  # fmt: skip
        return code, row

    def change(self, row: Row) -> None:
        row["name"] += "改"

    def answer(self, request: Request) -> None:
        try:
            self.respond(request)
        except Answer as answer:
            if self.charset != "utf-8" and answer.status == 200 and answer.content:
                text = json.dumps(json.loads(answer.content), ensure_ascii=False)
                answer.content = text.encode(self.charset)
            raise

    def respond(self, request: Request) -> None:
        query = request.query
        if not request.path.startswith(("/system/", "/api/")):
            raise Answer(404, {"error": "Not Found"})
        if request.path == "/system/token":
            raise self.token(query)
        if any(query.get(name) != value for name, value in self.ACCOUNTS.items()):
            raise told("10001", "app_key 无效")
        self.authorise(query.get("token", ""))
        if request.path == "/system/tradeid":
            self.trades.add(f"trade-{len(self.trades)}")
            raise told("0", "", trade={"id": f"trade-{len(self.trades) - 1}"})
        if query.get("to_account") != self.COMPANY:
            raise told("10021", "to_account 不存在")
        if query.get("ds_sequence") != "1":
            raise told("10022", "数据源序号不存在")
        if self.habits.no_permission:
            raise told("10031", "没有权限调用该接口")
        operation = request.path.removeprefix("/api/customer/")
        getattr(self, f"on_{operation}")(query, request)

    def token(self, query: Row) -> Answer:
        if query != {**self.ACCOUNTS, "app_secret": self.KEY}:
            return told("10001", "app_secret 不正确")
        token = f"token-{len(self.tokens)}-abcdef"
        self.tokens[token] = self.lives
        return told("0", "", token={"appkey": "app-1", "expiresIn": 7200, "id": token})

    def authorise(self, token: str) -> None:
        self.tokens[token] = self.tokens.get(token, 0) - 1
        if self.tokens[token] < 0:
            raise told("10002", "token 已过期")

    def on_get(self, query: Row, request: Request) -> None:
        row = self.rows.get(query["id"])
        raise told("0", "", customer=row) if row else told("20002", NOBODY)

    def on_batch_get(self, query: Row, request: Request) -> None:
        rows = list(self.rows.values())
        since = query.get("modifydate_begin")
        if since and self.filters == "refused":
            raise told("20011", "参数 modifydate_begin 不支持")
        if since and self.filters == "vanishes":
            rows = []
        if since and self.filters == "heard":
            rows = [row for row in rows if row["ModifyDate"] >= since]
        size, page = min(int(query["rows_per_page"]), self.most), int(query["page_index"])
        if not rows:
            raise told("20002", NOBODY)
        counts = {
            "page_index": page,
            "page_count": -(-len(rows) // size),
            "rows_per_page": size,
            "row_count": len(rows),
        }
        shown = rows[(page - 1) * size : page * size]
        raise told("0", "", **{name: str(number) for name, number in counts.items()}, customer=shown)

    def on_add(self, query: Row, request: Request) -> None:
        assert ("biz_id" in query) != ("tradeid" in query)
        sent = request.json()["customer"]
        self.sent.append(("add", sent))
        if query["biz_id"] in self.biz:
            raise told("0", "", id=self.biz[query["biz_id"]])
        if sent["code"] in self.rows:
            raise told("30001", "客户编码已存在")
        if not sent.get("name"):
            raise told("30002", "客户名称不能为空")
        self.rows[sent["code"]] = {**sent, "ModifyDate": self.stamp(self.now()), "timestamp": "1"}
        self.biz[query["biz_id"]] = sent["code"]
        raise told("0", "", id=sent["code"], tradeid="t")

    def on_edit(self, query: Row, request: Request) -> None:
        assert query["tradeid"] in self.trades
        sent = request.json()["customer"]
        self.sent.append(("edit", sent))
        row = self.rows.get(sent["code"])
        if row is None:
            raise told("20002", NOBODY)
        taken = any(other["name"] == sent.get("name") and other is not row for other in self.rows.values())
        if taken:
            raise told("30001", "客户名称已存在")
        if self.edit_empties:
            row |= {name: "" for name in row if name not in ("code", "ModifyDate", "timestamp")}
        row |= sent
        self.touch(row)
        raise told("0", "", id=sent["code"])
