"""A WeChat official account as its interface behaves: status 200, text/plain, no code on success, raw control codes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

from tests.connectors.simulator import Answer, Request, Row, Simulator

PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


def code(number: int, text: str) -> Answer:
    return Answer(200, json.dumps({"errcode": number, "errmsg": f"{text} rid: 0000-0001"}).encode(), PLAIN)


class WeChat(Simulator):
    """Followers by openid. ``WeChat(rows=100_000)`` serves that many. ``cap`` is how many openids one call shows."""

    APP = "wxtest0001"
    KEY = "app-secret-55aa"
    stamp_field = "subscribe_time"

    def __init__(self, rows: int = 8) -> None:
        self.cap = 5 if rows < 1_000 else 10_000  # as WeChat; five make several pages of few rows
        self.token = ""
        self.issued_for = ""
        self.logins: list[str] = []
        self.stable = True
        self.stable_keeps_its_token = True
        self.gone: set[str] = set()
        self.refuses_strangers = False
        self.phantoms = 0
        super().__init__(rows)

    def stamp(self, at: datetime) -> Any:
        return int(at.timestamp())

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        openid = f"oAbC{number:06}"
        return openid, {
            "subscribe": 1, "openid": openid, "nickname": "", "sex": 0, "language": "zh_CN", "city": "",
            "province": "", "country": "", "headimgurl": "", "subscribe_time": stamp, "unionid": f"uXyZ{number}",
            "remark": f"李总{number}", "groupid": 0, "tagid_list": [2], "subscribe_scene": "ADD_SCENE_QR_CODE",
            "qr_scene": 0, "qr_scene_str": "ch1",
        }  # fmt: skip

    def change(self, row: Row) -> None:
        row["remark"] += "+"

    def touch(self, row: Row, at: datetime | None = None) -> None:
        """Nothing tells when a follower's details were changed."""

    def delete(self, key: str) -> None:
        super().delete(key)
        self.gone.add(key)

    def expire(self) -> None:
        self.token = ""

    def ok(self, body: Row) -> Answer:
        """Like the real thing: raw control characters inside of texts."""
        return Answer(200, json.dumps(body, ensure_ascii=False).replace("李总", "李\x02总").encode(), PLAIN)

    # --- answers

    def answer(self, request: Request) -> None:
        path = request.path.removeprefix("/cgi-bin/")
        if path == "token":
            self.login("token", request.query, anew=True)
        if path == "stable_token":
            if not self.stable:
                raise code(48001, "api unauthorized")
            asked = request.json()
            self.login("stable", asked, anew=asked.get("force_refresh", False))
        if request.query.get("access_token") != self.token or not self.token or self.issued_for != self.KEY:
            raise code(40001, "invalid credential, access_token is invalid or not latest")
        if self.habits.no_permission:
            raise code(48001, "api unauthorized")
        calls = {
            "user/get": self.openids,
            "user/info/batchget": self.details,
            "tags/get": self.tags,
            "user/info/updateremark": self.remark,
        }
        if path in calls:
            calls[path](request)

    def login(self, kind: str, asked: dict[str, Any], *, anew: bool) -> None:
        self.logins.append(f"{kind}{' anew' if anew else ''}")
        if asked.get("appid") != self.APP:
            raise code(40013, "invalid appid")
        if asked.get("secret") != self.KEY:
            raise code(40125, "invalid appsecret")
        if anew or not self.token or self.issued_for != self.KEY:
            self.token, self.issued_for = f"token-{uuid4()}", self.KEY
        raise self.ok({"access_token": self.token, "expires_in": 7200})

    def openids(self, request: Request) -> None:
        after = request.query.get("next_openid", "")
        if after and after not in self.rows and self.refuses_strangers:
            raise code(40003, "invalid openid")
        found = [openid for openid in sorted(self.rows) if openid > after][: self.cap]
        body: Row = {"total": len(self.rows) + self.phantoms, "count": len(found)}
        if found:
            body |= {"data": {"openid": found}}
        raise self.ok(body | {"next_openid": found[-1] if found else ""})

    def details(self, request: Request) -> None:
        users = [user["openid"] for user in request.json()["user_list"]]
        if not 1 <= len(users) <= 100:
            raise code(40032, "invalid openid list size")
        strangers = [openid for openid in users if openid not in self.rows]
        if strangers and self.refuses_strangers:
            raise code(40003, "invalid openid")
        rows = [self.rows.get(openid, {"subscribe": 0, "openid": openid}) for openid in users]
        raise self.ok({"user_info_list": rows})

    def tags(self, request: Request) -> None:
        raise self.ok({"tags": [{"id": 2, "name": "星标组", "count": 0}, {"id": 127, "name": "VIP", "count": 5}]})

    def remark(self, request: Request) -> None:
        asked = request.json()
        if asked["openid"] not in self.rows:
            raise code(40003, "invalid openid")
        if len(asked["remark"]) >= 30:
            raise code(40058, "invalid remark")
        self.rows[asked["openid"]]["remark"] = asked["remark"]
        raise code(0, "ok")
