"""A company in WeCom as its interface behaves: status 200 for everything, rows by employee, odd pages."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from uuid import uuid4

from tests.connectors.simulator import Answer, Request, Row, Simulator


def code(number: int, text: str, **more: Any) -> Answer:
    hint = f"{text}, hint: [1767323045_1_x], from ip: 203.0.113.5, more info at https://open.work.weixin.qq.com/devtool"
    return Answer(200, {"errcode": number, "errmsg": hint} | more)


class WeCom(Simulator):
    """Rows by ``<customer>|<employee>``. ``WeCom(rows=100_000)`` serves that many customers of three employees."""

    CORP = "wwtest0001"
    KEY = "secret-of-the-app-77"
    USERS = ("lisi", "WangWu", "zhangsan")
    stamp_field = "createtime"

    def __init__(self, rows: int = 8) -> None:
        self.users = list(self.USERS)
        self.token = ""
        self.issued_for = ""
        self.logins = 0
        self.unlicensed: list[str] = []
        self.forgets_cursors = False
        self.empty_pages = False
        self.empty_user_answers_no_relation = True
        self.tags = {"etA": "VIP", "etB": "渠道"}
        self.by_user: dict[str, list[str]] = {}
        super().__init__(rows)

    def stamp(self, at: datetime) -> Any:
        return int(at.timestamp())

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        user, customer = self.users[number % len(self.users)], f"wmAAA{number:05}"
        contact = {"external_userid": customer, "name": f"客户{number}", "type": 1, "gender": 0, "avatar": "http://a"}
        follow = {
            "userid": user, "remark": f"李总{number}", "description": "", "createtime": stamp, "tag_id": ["etA"],
            "remark_corp_name": f"某公司{number}", "remark_mobiles": [f"138{number:08}"], "add_way": 1,
            "oper_userid": user, "state": "ch1",
        }  # fmt: skip
        return f"{customer}|{user.lower()}", {"external_contact": contact, "follow_info": follow}

    def change(self, row: Row) -> None:
        row["follow_info"]["remark"] += "+"

    def touch(self, row: Row, at: datetime | None = None) -> None:
        """Nothing tells when a row was changed."""

    def add(self, at: datetime | None = None, **fields: Any) -> str:
        self.by_user = {}
        return super().add(at, **fields)

    def delete(self, key: str) -> None:
        self.by_user = {}
        super().delete(key)

    def expire(self) -> None:
        self.token = ""

    # --- answers

    def answer(self, request: Request) -> None:
        path = request.path.removeprefix("/cgi-bin/")
        if path == "gettoken":
            self.login(request.query)
        self.authorised(request.query)
        if self.habits.no_permission:
            raise code(48002, "api forbidden")
        calls = {
            "externalcontact/get_follow_user_list": self.follow_users,
            "externalcontact/list": self.customer_list,
            "externalcontact/batch/get_by_user": self.batch,
            "externalcontact/get": self.one,
            "externalcontact/get_corp_tag_list": self.tag_list,
            "externalcontact/remark": self.remark,
        }
        if path in calls:
            calls[path](request)

    def login(self, query: dict[str, str]) -> None:
        self.logins += 1
        if query.get("corpid") != self.CORP:
            raise code(40013, "invalid corpid")
        if query.get("corpsecret") != self.KEY:
            raise code(40001, "invalid credential")
        if not self.token or self.issued_for != self.KEY:
            self.token, self.issued_for = f"token-{uuid4()}", self.KEY
        raise code(0, "ok", access_token=self.token, expires_in=7200)

    def authorised(self, query: dict[str, str]) -> None:
        if "access_token" not in query:
            raise code(41001, "access_token missing")
        if query["access_token"] != self.token or self.issued_for != self.KEY:
            raise code(42001, "access_token expired")

    def follow_users(self, request: Request) -> None:
        raise code(0, "ok", follow_user=self.users)

    def of(self, user: str) -> list[str]:
        if user.lower() not in [known.lower() for known in self.users]:
            raise code(60111, "userid not found")
        if not self.by_user:
            for key in sorted(self.rows):
                self.by_user.setdefault(key.partition("|")[2], []).append(key)
        return self.by_user.get(user.lower(), [])

    def customer_list(self, request: Request) -> None:
        keys = self.of(request.query["userid"])
        if not keys and self.empty_user_answers_no_relation:
            raise code(84061, "not external contact")
        raise code(0, "ok", external_userid=[key.partition("|")[0] for key in keys])

    def batch(self, request: Request) -> None:
        asked = request.json()
        users, limit = asked["userid_list"], asked.get("limit", 50)
        if not 1 <= len(users) <= 100 or not 1 <= limit <= 100:
            raise code(40058, "invalid parameter")
        shown = [user for user in users if user not in self.unlicensed]
        keys = [key for user in shown for key in self.of(user)]
        if not keys and self.empty_user_answers_no_relation and not self.unlicensed:
            raise code(84061, "not external contact")
        start = self.place(asked.get("cursor", ""))
        end = start + (0 if self.empty_pages and start == 0 and not asked.get("cursor") else max(1, limit))
        more = base64.b64encode(f"{end}".encode()).decode() if end < len(keys) else ""
        hidden = [user for user in users if user in self.unlicensed]
        rows = [self.rows[key] for key in keys[start:end]]
        raise code(0, "ok", external_contact_list=rows, next_cursor=more, fail_info={"unlicensed_userid_list": hidden})

    def place(self, cursor: str) -> int:
        if cursor and self.forgets_cursors:
            raise code(40058, "invalid cursor")
        return int(base64.b64decode(cursor).decode()) if cursor else 0

    def one(self, request: Request) -> None:
        customer = request.query["external_userid"]
        if not customer.startswith("wm"):
            raise code(40096, "invalid external userid")
        rows = [row for key, row in self.rows.items() if key.startswith(customer + "|")]
        if not rows:
            raise code(84061, "not external contact")
        raise code(0, "ok", external_contact=rows[0]["external_contact"], follow_user=[self.follower(r) for r in rows])

    def follower(self, row: Row) -> Row:
        follow = {name: value for name, value in row["follow_info"].items() if name != "tag_id"}
        tags = [{"group_name": "g", "tag_name": self.tags[tag], "tag_id": tag, "type": 1} for tag in self.tag_ids(row)]
        return follow | {"tags": tags}

    def tag_ids(self, row: Row) -> list[str]:
        return list(row["follow_info"]["tag_id"])

    def tag_list(self, request: Request) -> None:
        tags = [{"id": key, "name": name, "order": 1} for key, name in self.tags.items()]
        raise code(0, "ok", tag_group=[{"group_id": "g1", "group_name": "g", "tag": tags}])

    def remark(self, request: Request) -> None:
        asked = request.json()
        row = self.rows.get(f"{asked['external_userid']}|{asked['userid'].lower()}")
        if row is None:
            raise code(84061, "not external contact")
        shown = {"remark": "remark", "description": "description", "remark_company": "remark_corp_name"}
        for name in shown.keys() & asked.keys():
            row["follow_info"][shown[name]] = asked[name]
        if "remark_mobiles" in asked:
            row["follow_info"]["remark_mobiles"] = [phone for phone in asked["remark_mobiles"] if phone]
        raise code(0, "ok")
