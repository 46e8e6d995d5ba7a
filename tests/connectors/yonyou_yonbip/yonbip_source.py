"""Drives the simulated open platform."""

from __future__ import annotations

from typing import Any

from connectors.contract import Connector, Read, Write
from tests.connectors.simulator import Answer, VendorSource
from tests.connectors.yonyou_yonbip.yonbip_simulator import FIRST_ID, YonBip

ONE = str(FIRST_ID + 1)


class YonBipSource(VendorSource):
    vendor = "yonyou_yonbip"
    server: YonBip
    details = True

    def settings(self) -> dict[str, Any]:
        login = {"tenant_id": YonBip.TENANT, "app_key": YonBip.APP, "app_secret": YonBip.KEY}
        return {"base_url": self.server.url, **login, "details": self.details}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"app_secret": "wrong-secret-0000"}, "app_secret"

    def body(self, number: int) -> dict[str, Any]:
        code = "W2" if number == 3 else f"W{number}"
        return {"code": code, "name": {"simplifiedName": f"新客户{number}"}, "email": f"w{number}@x.example"}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"code": self.server.rows[other]["code"]}, "conflict", key=one)


class PlainSource(YonBipSource):
    details = False


def read(connector: Connector[Any], **more: Any) -> list[Any]:
    return [record for page in connector.read(Read("customers", **more)) for record in page.records]


def calls(server: YonBip, ending: str) -> list[Any]:
    return [call.json() for call in server.calls if call.path.endswith(ending)]


def refusing(server: YonBip, ending: str, answer: Answer) -> None:
    def refuse(request: Any) -> None:
        if request.path.endswith(ending):
            raise answer

    server.habits.before = refuse
