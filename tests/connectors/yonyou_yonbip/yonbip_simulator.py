"""YonBIP's open platform as it behaves: a look-up of the data centre, a signed token, codes in bodies of status 200."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from connectors.contract import Inbound
from tests.connectors.simulator import Answer, Request, Row, Simulator

GATEWAY, AUTH = "/iuap-api-gateway", "/iuap-api-auth"
MERCHANT = f"{GATEWAY}/yonbip/digitalModel/merchant"
BATCH = f"{GATEWAY}/yonbip/digitalModel/batch/merchant/save"
FIRST_ID = 1_700_194_312_096_055_299
MADE_IN = "1500000000000000001"


def told(code: str | int, message: str, **more: Any) -> Answer:
    return Answer(200, {"code": code, "message": message, **more})


def good(data: Any) -> Answer:
    return Answer(200, {"code": "200", "message": "操作成功", "data": data})


class YonBip(Simulator):
    """``plain_refusal``: an ended token is told in plain text. ``details``: how newBatchDetail answers.

    ``most`` caps the rows of a page without telling; ``forgets`` the keys of writes at once, as after an hour.
    """

    KEY = "1f2e3d4c5b6a79880123456789abcdef0123456789a"
    APP = "app-key-1"
    TENANT = "tenant1"
    stamp_field = "pubts"

    def __init__(self, rows: int = 8) -> None:
        self.tokens: dict[str, int] = {}
        self.lives = 1_000_000
        self.zone = ZoneInfo("Asia/Shanghai")
        self.plain_refusal = False
        self.ignores_filter = False
        self.details = "list"
        self.most = 5000
        self.forgets = False
        self.keys: dict[str, int] = {}
        self.sent: list[tuple[str, Row]] = []
        super().__init__(rows)

    def stamp(self, at: datetime) -> str:
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        identity = {"id": FIRST_ID + number, "code": f"C{number:03}", "createOrgId": MADE_IN, "belongOrgId": MADE_IN}
        row: Row = {
            **identity, "name": {"simplifiedName": f"甲{number}公司"}, "createOrgCode": "global00",
            "creditCode": "91350100M000100Y43" if number == 1 else None, "contactTel": f"010-6243{number:04}",
            "email": f"c{number}@firm.example", "stopStatus": number == 3, "createTime": stamp, "modifyTime": stamp,
            "pubts": stamp,
        }  # fmt: skip
        return str(row["id"]), row

    def change(self, row: Row) -> None:
        row["contactTel"] = f"010-{int(self.now().timestamp() * 1e6) % 10**8}"

    # --- calls

    def answer(self, request: Request) -> None:
        if request.path == "/open-auth/dataCenter/getGatewayAddress":
            raise self.data_centre(request.query)
        if request.path == f"{AUTH}/open-auth/selfAppAuth/base/v1/getAccessToken":
            raise self.token(request.query)
        if not request.path.startswith(GATEWAY):
            return
        assert request.method == "POST"
        operations = {
            f"{MERCHANT}/newlistrange": self.listed, f"{MERCHANT}/newBatchDetail": self.detailed,
            f"{MERCHANT}/idempotent/newinsert": self.inserted, BATCH: self.saved,
        }  # fmt: skip
        if request.path not in operations:
            raise Answer(404, {"code": "310404", "message": "请求路径未注册"})  # before the token is looked at
        self.authorise(request.query.get("access_token", ""))
        if self.habits.no_permission:
            raise told("310037", "API未授权")
        operations[request.path](request.json())

    def data_centre(self, query: Row) -> Answer:
        if query.get("tenantId") != self.TENANT:
            return told("500", "租户不存在")
        urls = {"gatewayUrl": self.url + GATEWAY, "tokenUrl": self.url + AUTH}
        return Answer(200, {"code": "00000", "data": urls})

    def token(self, query: Row) -> Answer:
        if query["appKey"] != self.APP:
            return told("10018", "应用不存在或appKey已停用")
        text = f"appKey{query['appKey']}timestamp{query['timestamp']}"
        digest = hmac.new(self.KEY.encode(), text.encode(), hashlib.sha256).digest()
        if query["signature"] != base64.b64encode(digest).decode():
            return told("10019", "签名错误")
        token = f"token/{len(self.tokens)}+abcdef="
        self.tokens[token] = self.lives
        return Answer(200, {"code": "00000", "message": "成功！", "data": {"access_token": token, "expire": 7200}})

    def authorise(self, token: str) -> None:
        self.tokens[token] = self.tokens.get(token, 0) - 1
        if self.tokens[token] < 0:
            if self.plain_refusal:
                raise Answer(200, "非法token".encode(), {"Content-Type": "text/plain"})
            raise told("310036", "非法token")

    def listed(self, body: Row) -> None:
        size, page = min(body["pageSize"], self.most), body["pageIndex"]
        assert isinstance(body["filterPotential"], bool)
        if body["pageSize"] > 5000:
            raise told("310015", "pageSize 超过最大值")
        rows = list(self.rows.values())
        if not self.ignores_filter:
            rows = [row for row in rows if row["pubts"] >= body.get("pubts", "")]
            for name in ("id", "code"):
                rows = [row for row in rows if str(row[name]) == str(body.get(name, row[name]))]
        counts = {"pageIndex": page, "pageSize": size, "pageCount": -(-len(rows) // size), "recordCount": len(rows)}
        shown = rows[(page - 1) * size : page * size]
        raise good({**{name: str(number) for name, number in counts.items()}, "recordList": shown})

    def detailed(self, asked: list[Row]) -> None:
        assert len(asked) <= 100
        wanted = {str(one["id"]) for one in asked}
        rows = [row | self.children(row) for row in self.rows.values() if str(row["id"]) in wanted]
        if self.details == "no stamps":
            raise good([{name: value for name, value in row.items() if not name.endswith("ime") and name != "pubts"}
                        for row in rows])  # fmt: skip
        if self.details == "odd":
            raise good("请使用新接口")
        raise good({"recordList": rows} if self.details == "object" else [] if self.details == "none" else rows)

    @staticmethod
    def children(row: Row) -> Row:
        contact = {"id": row["id"] + 500, "fullName": {"simplifiedName": "张伟"}, "mobile": "+86-13800000000"}
        return {
            "merchantContactInfos": [contact],
            "merchantAgentInvoiceInfos": [{"taxNo": row["creditCode"], "title": "甲"}] if row["creditCode"] else [],
            "merchantAppliedDetail": {"transactionCurrencyName": "人民币"},
            "principals": [{"professSalesmanCode": "S1"}],
        }

    def inserted(self, body: Row) -> None:
        sent = dict(body["data"])
        self.sent.append(("insert", sent))
        once = sent.pop("resubmitCheckKey")
        assert len(once) <= 32
        if once in self.keys and not self.forgets:
            raise good([{"id": self.keys[once], "code": sent["code"]}])
        if once in self.keys:
            raise told("10004", "重复提交", data={"id": self.keys[once]})
        if not sent.get("name"):
            raise Answer(200, {"message": "客户名称不能为空!", "code": 0, "data": None})
        if any(row["code"] == sent["code"] for row in self.rows.values()):
            raise told("999", "客户编码已存在")
        key = self.add(**sent)
        self.keys[once] = int(key)
        raise good([{"id": int(key), "code": sent["code"]}])

    def saved(self, body: Row) -> None:
        refused = [why for sent in body["data"] if (why := self.saved_one(sent))]
        count = {"count": len(body["data"]), "sucessCount": len(body["data"]) - len(refused), "failCount": len(refused)}
        raise good({**count, "messages": refused, "infos": []})

    def saved_one(self, sent: Row) -> str:
        """Why a change was refused; empty where it was made."""
        self.sent.append(("save", sent))
        assert sent["_status"] == "Update"
        row = self.rows.get(str(sent["id"]))
        taken = [other for other in self.rows.values() if other["code"] == sent["code"] and other is not row]
        if row is None or taken:
            return "客户不存在" if row is None else "客户编码已存在"
        assert all(value is not None for value in sent.values())
        names = {"zh_CN": "simplifiedName", "en_US": "englishName"}
        for name, value in sent.items():
            if name not in ("_status", "id", "org_code"):
                row[name] = {names[k]: v for k, v in value.items()} if isinstance(value, dict) else value
        self.touch(row)
        return ""

    # --- event pushes

    def pushed(self, event: Any, *, secret: str = KEY, receiver: str = APP) -> Inbound:
        """An event as the platform would send it."""
        text = event if isinstance(event, bytes) else json.dumps(event).encode()
        padder = PKCS7(256).padder()
        plain = b"r" * 16 + len(text).to_bytes(4, "big") + text + receiver.encode()
        key = base64.b64decode(secret.replace("-", "")[:43].ljust(43, "0") + "=")
        cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
        sealed = base64.b64encode(cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()).decode()
        parts = {"timestamp": "1790000000000", "nonce": "n0", "encrypt": sealed}
        text_ = "".join(sorted(parts.values())).encode()
        signed = base64.b64encode(hmac.new(secret.encode(), text_, hashlib.sha256).digest()).decode()
        return Inbound("POST", "/", {}, {}, json.dumps({**parts, "signature": signed}).encode())
