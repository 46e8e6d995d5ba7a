"""The wire of K/3 Cloud: services called by name, queries that answer rows without a header."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from connectors.contract import Context
from connectors.errors import ConnectorError, RecordRejected, StreamBroken
from connectors.http import Client, Retries
from connectors.kingdee.config import KingdeeConfig
from connectors.kingdee.faults import fault, inspect, status_of
from connectors.kingdee.login import SERVICES, KingdeeSession, login
from connectors.listed.stream import asked_at
from connectors.response import Response

FORM = "BD_Customer"
CENTRES = "Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList.common.kdsvc"


class KingdeeClient:
    """Calls one data centre."""

    def __init__(self, config: KingdeeConfig, context: Context) -> None:
        self.connection = context.connection
        self._auth = login(config)
        self.http = Client(context, config.address, auth=self._auth, inspect=inspect, timeout=(10, 120))
        self._door = Client(context, config.address, timeout=(5, 10), retries=Retries(tries=1))

    def query(self, fields: Sequence[str], condition: str, limit: int) -> tuple[list[list[Any]], datetime]:
        """Rows of the customer form by FCUSTID, values in the order of ``fields``; and when they were asked for."""
        data = {
            "FormId": FORM,
            "FieldKeys": ",".join(fields),
            "FilterString": condition,
            "OrderString": "FCUSTID ASC",
            "TopRowCount": 0,
            "StartRow": 0,
            "Limit": limit,
            "SubSystemId": "",
        }
        response = self._call("ExecuteBillQuery", {"data": data}, read=True)
        rows = response.json(lenient=True)
        status = status_of(rows)
        if status is not None:
            raise fault(status, self.connection, write=False)
        if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == len(fields) for row in rows):
            raise StreamBroken("{connection}: Kingdee answered a query with something that is no table of its fields.",
                               connection=self.connection)  # fmt: skip
        return rows, asked_at(response, self.http.context.now())

    def operate(self, operation: str, data: dict[str, Any]) -> dict[str, Any]:
        """One operation on the customer form; its ``Result``. Raises what refused it."""
        result = self._operated(operation, data)
        if result["ResponseStatus"].get("IsSuccess") is not True:
            raise fault(result["ResponseStatus"], self.connection, write=True)
        return result

    def batch_save(self, models: Sequence[dict[str, Any]], fields: Sequence[str]) -> dict[str, Any]:
        """Save several customers at once; the ``ResponseStatus``, also of a batch that was refused in part or whole.

        ``fields`` are those to change, which all of them share; none where they are new.
        """
        data = {**saving(list(models), fields, repeat=not fields), "BatchCount": 0}
        try:
            status: dict[str, Any] = self._operated("BatchSave", data)["ResponseStatus"]
        except RecordRejected:  # by its HTTP status, as where a version does not offer it
            return {}
        return status

    def _operated(self, operation: str, data: dict[str, Any]) -> dict[str, Any]:
        """The ``Result`` of an operation, which tells in its ``ResponseStatus`` whether it succeeded."""
        response = self._call(operation, {"formid": FORM, "data": data}, read=False)
        answer = response.json(lenient=True)
        if status_of(answer) is None:
            raise StreamBroken(
                "{connection}: Kingdee's answer to {operation} does not tell whether it succeeded.",
                connection=self.connection,
                operation=operation,
                remedy="Look at the customer in Kingdee; the write is looked up before it is tried again.",
            )
        while isinstance(answer, list):
            answer = answer[0]
        found: dict[str, Any] = answer["Result"]
        return found

    def centres(self) -> dict[str, str]:
        """The names of the server's data centres by their ids; none where it does not tell."""
        try:
            response = self.http.post(CENTRES, json={}, read=True, authenticated=False)
            answer = response.json()
        except ConnectorError:
            return {}
        rows = answer if isinstance(answer, list) else []
        return {str(row["Id"]): str(row.get("Name") or "") for row in rows if isinstance(row, dict) and row.get("Id")}

    def close(self) -> None:
        """Close the session, which may count as a licence as long as it is open, and give back the sockets."""
        cookie = self._auth.leave() if isinstance(self._auth, KingdeeSession) else None
        if cookie is not None:
            path = f"{SERVICES}.AuthService.LogOut.common.kdsvc"
            with suppress(ConnectorError):  # it ends by itself, too
                self._door.post(path, json={}, headers={"Cookie": cookie}, read=True)
        self._door.close()
        self.http.close()

    def _call(self, operation: str, body: dict[str, Any], *, read: bool) -> Response:
        path = f"{SERVICES}.DynamicFormService.{operation}.common.kdsvc"
        return self.http.post(path, json=body, read=read)


def saving(model: Any, fields: Sequence[str], *, repeat: bool) -> dict[str, Any]:
    """What is sent to save a customer or several. Rows of entries that are not sent are deleted, unless told not to.

    ``fields`` are those to change; ``repeat`` lets it refuse a packet that it has just had.
    """
    return {
        "NeedUpDateFields": list(fields),
        "NeedReturnFields": ["FNumber"],
        "IsDeleteEntry": "false",
        "IsVerifyBaseDataField": "false",
        "ValidateRepeatJson": "true" if repeat else "false",
        "Model": model,
    }
