"""K/3 Cloud as its WebAPI behaves: three logins, queries that answer bare tables, errors with status 200."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.connectors.simulator import Answer, Request, Row, Simulator

SERVICES = "/k3cloud/Kingdee.BOS.WebApi.ServicesStub."
CENTRES = "/k3cloud/Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList.common.kdsvc"
LOST = "会话信息已丢失，请重新登录"
NO_RIGHT = "没有【客户】的【查看】权限"
APP_ID = "231784_" + base64.b64encode(bytes(range(24))).decode()
LOCAL = ZoneInfo("Asia/Shanghai")


def status(message: str, code: int = 0, field: str = "", **more: Any) -> Row:
    errors = [{"FieldName": field, "Message": message, "DIndex": 0}]
    nothing: Row = {"SuccessEntitys": [], "SuccessMessages": []}
    told = {"ErrorCode": 500, "IsSuccess": False, "Errors": errors, **nothing, "MsgCode": code}
    return {"Result": {"ResponseStatus": told, **more}}


def refused(message: str, code: int = 11, field: str = "") -> Answer:
    return Answer(200, status(message, code, field))


def done(number: int, name: str) -> Answer:
    entity = {"Id": number, "Number": name, "DIndex": 0}
    told = {"IsSuccess": True, "Errors": [], "SuccessEntitys": [entity], "SuccessMessages": [], "MsgCode": 0}
    return Answer(200, {"Result": {"ResponseStatus": told, "Id": number, "Number": name, "NeedReturnData": [{}]}})


class Kingdee(Simulator):
    """``absent`` fields fail every query that names them. ``lives`` is how many calls a session lasts.

    ``batches``: whether a batch that is refused in part keeps what was good in it ("kept"), or takes it back and names
    it as saved all the same ("undone"), or does not tell what it saved ("silent"), or is not offered ("none").
    """

    KEY = "secret-of-the-app-0001"
    PASSWORD = "pass-word-0001"
    ACCT = "60a1b2c3d4e5f6"
    USER = "集成用户"
    stamp_field = "FModifyDate"

    def __init__(self, rows: int = 8) -> None:
        self.sessions: dict[str, int] = {}
        self.opened = 0
        self.lives = 1_000_000
        self.absent: set[str] = {"FTRADINGCURRID.FCODE", "FRegisterAddress"}
        self.zone = LOCAL
        self.most = 2000
        self.ignores_filter = False
        self.audited_are_locked = False
        self.batches = "kept"
        self.saves: list[Row] = []
        super().__init__(rows)

    def stamp(self, at: datetime) -> str:
        return at.astimezone(self.zone).replace(tzinfo=None).isoformat(timespec="milliseconds")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        organisation = {"FUseOrgId.FNumber": "100", "FCreateOrgId.FNumber": "100"}
        states = {"FDocumentStatus": "C", "FForbidStatus": "B" if number == 3 else "A"}
        row: Row = {
            "FCUSTID": 1000 + number, "FNumber": f"C{number:03}", "FName": f"甲{number}科技有限公司",
            "FModifyDate": stamp, "FCreateDate": stamp, "FSOCIALCRECODE": "91350100M000100Y43" if number == 1 else None,
            "FTEL": f"0755-2600{number:04}", "FADDRESS": "广东省深圳市南山区科技路1号",
            "FTRADINGCURRID.FNumber": "PRE001",
            "FSELLER.FName": "张伟", "FSELLER.FNumber": "S1", **organisation, **states,
        }  # fmt: skip
        return str(1000 + number), row

    def change(self, row: Row) -> None:
        row["FName"] = f"{row['FName']}改"

    # --- calls

    def answer(self, request: Request) -> None:
        assert request.method == "POST"
        body = request.json()
        if request.path == CENTRES:
            raise Answer(200, [{"Id": self.ACCT, "Number": "001", "Name": "测试账套"}])
        if not request.path.startswith(SERVICES):
            return
        service, _, operation = request.path.removeprefix(SERVICES).removesuffix(".common.kdsvc").partition(".")
        if (service, operation) == ("AuthService", "LogOut"):
            self.sessions.pop(request.headers.get("Cookie", "").removeprefix("kdservice-sessionid="), None)
            raise Answer(200, True)
        if service == "AuthService":
            raise self.logged_in(operation, body["parameters"])
        self.authorise(request)
        if self.habits.no_permission:
            raise Answer(200, [[status(NO_RIGHT, 0)]])
        data = body["data"]
        data = json.loads(data) if isinstance(data, str) else data
        getattr(self, operation.lower())(data)

    def logged_in(self, operation: str, given: list[Any]) -> Answer:
        right = {
            "ValidateUser": [self.ACCT, self.USER, self.PASSWORD, 2052],
            "LoginByAppSecret": [self.ACCT, self.USER, APP_ID, self.KEY, "2052"],
        }[operation]
        if given != right:
            return Answer(200, {"LoginResultType": 0, "Message": "用户名或密码错误", "KDSVCSessionId": None})
        self.opened += 1
        session = f"session-{self.opened}-abcdef"
        self.sessions[session] = self.lives
        cookies = {"Set-Cookie": f"kdservice-sessionid={session}; path=/"}
        return Answer(200, {"LoginResultType": 1, "Message": None, "KDSVCSessionId": session, "Context": {}}, cookies)

    def authorise(self, request: Request) -> None:
        if "X-Kd-Signature" in request.headers:
            if not self.signed(request):
                raise Answer(200, [[status(LOST, 1)]])
            return
        session = request.headers.get("Cookie", "").removeprefix("kdservice-sessionid=")
        self.sessions[session] = self.sessions.get(session, 0) - 1
        if self.sessions[session] < 0:
            query = "ExecuteBillQuery" in request.path
            raise Answer(200, [[status(LOST, 1)]] if query else status(LOST, 1))

    def signed(self, request: Request) -> bool:
        """Checked as the server's side would, from its own knowledge of the secrets."""
        headers = request.headers
        mask, masked = b"0054f397c6234378b09ca7d3e5debce7", base64.b64decode(APP_ID.split("_")[1])
        client = base64.b64encode(bytes(a ^ b for a, b in zip(masked, mask, strict=False))).decode()
        path, stamp = request.path.replace("/", "%2F"), headers["x-api-timestamp"]
        text = f"POST\n{path}\n\nx-api-nonce:{headers['x-api-nonce']}\nx-api-timestamp:{stamp}\n"
        identity = f"{self.ACCT},{self.USER},2052,0"
        wanted = {
            "X-Api-Signature": self.hashed(text, client),
            "X-Kd-Signature": self.hashed(APP_ID + identity, self.KEY),
            "X-Kd-Appdata": base64.b64encode(identity.encode()).decode(),
        }
        return all(headers[name] == value for name, value in wanted.items())

    @staticmethod
    def hashed(text: str, key: str) -> str:
        return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest().encode()).decode()

    # --- queries

    def executebillquery(self, data: Row) -> None:
        fields = data["FieldKeys"].split(",")
        unknown = [field for field in fields if field in self.absent or field.startswith("F_NO")]
        if unknown:
            raise Answer(200, [[status(f"字段 {unknown[0]} 不存在", 9)]])
        if "<" in data["FilterString"]:
            text = "请求参数存在可疑数据，请联系管理员"
            raise Answer(200, [{"actionname": "showConfirm", "params": [{"msg": text}]}])
        assert data["TopRowCount"] in (0, data["StartRow"] + data["Limit"])
        rows = [row for row in self.rows.values() if self.meets(row, data["FilterString"])]
        rows.sort(key=lambda row: row["FCUSTID"])
        shown = rows[data["StartRow"] :][: min(data["Limit"], self.most)]
        raise Answer(200, [[row.get(field) for field in fields] for row in shown])

    def meets(self, row: Row, condition: str) -> bool:
        if self.ignores_filter or not condition:
            return True
        after = re.search(r"FCUSTID > (\d+)", condition)
        if after and row["FCUSTID"] <= int(after[1]):
            return False
        since = re.search(r"FModifyDate >= '([^']+)' or FCreateDate >= '([^']+)'", condition)
        if since and (row["FModifyDate"] or "") < since[1] and (row["FCreateDate"] or "") < since[2]:
            return False
        among = re.search(r"FUseOrgId.FNumber in \(([^)]*)\)", condition)
        if among and f"'{row['FUseOrgId.FNumber']}'" not in among[1].split(", "):
            return False
        listed = re.findall(r"(?<![.\w])(FCUSTID|FNumber) in \(((?:'(?:[^']|'')*'|[^)])*)\)", condition)
        for name, wanted in listed:
            among_these = [text.strip().strip("'").replace("''", "'") for text in wanted.split(", ")]
            if str(row[name]) not in among_these:
                return False
        exact = re.findall(r"([A-Za-z.]+) = (?:'((?:[^']|'')*)'|(\d+))", condition)
        return all(str(row[name]) == (text.replace("''", "'") or number) for name, text, number in exact)

    # --- operations

    def save(self, data: Row) -> None:
        assert data["IsDeleteEntry"] == "false"  # else the server deletes every row of entries that was not sent
        self.saves.append(data)
        model = {key: value for key, value in data["Model"].items() if key != "FCUSTID"}
        flat = {f"{k}.FNumber" if isinstance(v, dict) else k: v["FNumber"] if isinstance(v, dict) else v
                for k, v in model.items()}  # fmt: skip
        number = data["Model"]["FCUSTID"]
        self.ensure_unique(flat, number)
        if number:
            row = self.rows.get(str(number))
            if row is None:
                raise refused("数据不存在", field="FCUSTID")
            if self.audited_are_locked and row["FDocumentStatus"] == "C":
                raise refused("单据已审核，不允许修改，请先反审核")
            assert set(data["NeedUpDateFields"]) == set(model)
            row |= flat
            self.touch(row)
            raise done(number, row["FNumber"])
        for needed in ("FName", "FTRADINGCURRID.FNumber", "FCreateOrgId.FNumber"):
            if not flat.get(needed):
                raise refused(f"“{needed}”是必填项", field=needed)
        key = self.add(**{"FDocumentStatus": "A"} | flat)
        raise done(int(key), flat["FNumber"])

    def batchsave(self, data: Row) -> None:
        if self.batches == "none":
            raise Answer(404, {"message": "no such service"})
        before, errors, entities = {key: dict(row) for key, row in self.rows.items()}, [], []
        for index, model in enumerate(data["Model"]):
            try:
                self.save({**data, "Model": model})
            except Answer as answer:
                told = json.loads(answer.content)["Result"]["ResponseStatus"]
                errors += [{**error, "DIndex": index} for error in told["Errors"]]
                entities += [{**entity, "DIndex": index} for entity in told["SuccessEntitys"]]
        if errors and self.batches == "undone":
            self.rows = before
        shown = [] if self.batches == "silent" else entities
        told = {"IsSuccess": not errors, "Errors": errors, "SuccessEntitys": shown, "SuccessMessages": [], "MsgCode": 0}
        raise Answer(200, {"Result": {"ResponseStatus": told, "NeedReturnData": [{}]}})

    def ensure_unique(self, flat: Row, number: int) -> None:
        for row in self.rows.values():
            if row["FNumber"] == flat.get("FNumber") and row["FCUSTID"] != number:
                raise refused("编码已存在", field="FNumber")

    def submit(self, data: Row) -> None:
        self.moved(data, "B")

    def audit(self, data: Row) -> None:
        self.moved(data, "C")

    def moved(self, data: Row, to: str) -> None:
        row = self.rows[data["Ids"]]
        row["FDocumentStatus"] = to
        raise done(row["FCUSTID"], row["FNumber"])
