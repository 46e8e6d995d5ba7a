"""Drives the simulated K/3 Cloud, with each of its logins."""

from __future__ import annotations

from typing import Any

from connectors.contract import Connector, Read, Write
from tests.connectors.kingdee.kingdee_simulator import APP_ID, Kingdee
from tests.connectors.simulator import VendorSource

LOGINS = {
    "password": {"password": Kingdee.PASSWORD},
    "app_secret": {"app_id": APP_ID, "app_secret": Kingdee.KEY},
    "signature": {"app_id": APP_ID, "app_secret": Kingdee.KEY},
}


class KingdeeSource(VendorSource):
    vendor = "kingdee"
    server: Kingdee
    login = "app_secret"

    def settings(self) -> dict[str, Any]:
        login = {"login": self.login, "acct_id": Kingdee.ACCT, "user": Kingdee.USER, **LOGINS[self.login]}
        return {"base_url": self.server.url, **login}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        secret = "password" if self.login == "password" else "app_secret"
        return self.settings() | {secret: "wrong-secret-0000"}, secret

    def body(self, number: int) -> dict[str, Any]:
        return {"FNumber": "W2" if number == 3 else f"W{number}", "FName": f"新客户{number}"}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"FNumber": self.server.rows[other]["FNumber"]}, "conflict", key=one)


class PasswordSource(KingdeeSource):
    login = "password"


class SignatureSource(KingdeeSource):
    login = "signature"


def read(connector: Connector[Any], **more: Any) -> list[Any]:
    return [record for page in connector.read(Read("customers", **more)) for record in page.records]


def operations(server: Kingdee) -> list[str]:
    return [call.path.removesuffix(".common.kdsvc").rpartition(".")[2] for call in server.calls]
