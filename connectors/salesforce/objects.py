"""The objects that are read, their fields, and the queries (SOQL) that ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.contract import Field
from connectors.documents import nearest
from connectors.errors import BadConfiguration, StreamBroken
from connectors.salesforce.client import SalesforceClient

_ADDRESS = ("Street", "City", "State", "StateCode", "PostalCode", "Country", "CountryCode")
_COMMON = ("Id", "IsDeleted", "MasterRecordId", "OwnerId", "CurrencyIsoCode", "CreatedDate", "LastModifiedDate",
           "SystemModstamp")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One stream: the object behind it, its title, and what is read of it where the user may see it."""

    name: str
    title: str
    columns: Sequence[str]
    setting: str


KINDS: Mapping[str, Kind] = {
    "accounts": Kind("Account", "Accounts", (
        *_COMMON, "Name", "AccountNumber", "Type", "Industry", "ParentId", "Phone", "Fax", "Website", "IsPersonAccount",
        "FirstName", "LastName", "PersonEmail", "PersonMobilePhone", "PersonHasOptedOutOfEmail", "Active__c",
        *(f"Billing{part}" for part in _ADDRESS), *(f"Shipping{part}" for part in _ADDRESS),
    ), "account_fields"),
    "contacts": Kind("Contact", "Contacts", (
        *_COMMON, "AccountId", "FirstName", "LastName", "Name", "Title", "Email", "Phone", "MobilePhone", "HomePhone",
        "Fax", "Birthdate", "HasOptedOutOfEmail", "DoNotCall", "EmailBouncedDate",
        *(f"Mailing{part}" for part in _ADDRESS),
    ), "contact_fields"),
    "leads": Kind("Lead", "Leads", (
        *_COMMON, "FirstName", "LastName", "Name", "Title", "Company", "Email", "Phone", "MobilePhone", "Fax",
        "Website", "Status", "LeadSource", "IsConverted", "ConvertedAccountId", "ConvertedContactId",
        "HasOptedOutOfEmail", "DoNotCall", *_ADDRESS,
    ), "lead_fields"),
}  # fmt: skip
_TYPES = {"boolean": "boolean", "int": "number", "double": "number", "currency": "number", "percent": "number",
          "address": "object", "location": "object"}  # fmt: skip
_COMPOUND = {"address", "location"}
"""Types that Bulk API 2.0 does not take; their parts are fields of their own."""


class SalesObject:
    """One object of one org: fields that the org and the user's rights leave hide silently, so they are asked for."""

    def __init__(self, client: SalesforceClient, kind: Kind, extra: Sequence[str]) -> None:
        self._client, self.kind, self._extra = client, kind, extra
        self._types: dict[str, str] | None = None
        self._labels: dict[str, str] = {}

    @property
    def types(self) -> Mapping[str, str]:
        """The types of all fields that the user may see; asked once."""
        if self._types is None:
            found = self._client.get(f"/sobjects/{self.kind.name}/describe").json(lenient=True)
            fields = found.get("fields") if isinstance(found, Mapping) else None
            told = [f for f in fields if isinstance(f, Mapping) and "name" in f] if isinstance(fields, list) else []
            types = {str(f["name"]): str(f.get("type", "string")) for f in told}
            if not {"Id", "SystemModstamp"} <= set(types):
                raise StreamBroken(
                    "{connection}: Salesforce does not describe the object {name}.",
                    connection=self._client.connection,
                    name=self.kind.name,
                )
            self._labels = {str(f["name"]): str(f.get("label", "")) for f in told}
            self._types = types
        return self._types

    def forget(self) -> None:
        """Ask again next time: a field has gone."""
        self._types = None

    @property
    def columns(self) -> list[str]:
        """What is read. Raises BadConfiguration for a field in the settings that there is not."""
        for name in self._extra:
            if name not in self.types:
                raise BadConfiguration(
                    "{connection}: {object} has no field {field} that this user may see. Nearest: {nearest}.",
                    setting=self.kind.setting,
                    connection=self._client.connection,
                    object=self.kind.name,
                    field=name,
                    nearest=nearest(name, list(self.types)) or "-",
                )
        chosen = [name for name in (*self.kind.columns, *self._extra) if name in self.types]
        return [name for name in dict.fromkeys(chosen) if self.types[name] not in _COMPOUND]

    def fields(self) -> tuple[Field, ...]:
        """The fields as they are discovered."""
        return tuple(Field(n, _TYPES.get(self.types[n], "string"), self._labels.get(n, "")) for n in self.columns)

    def soql(self, columns: Sequence[str], where: Sequence[str] = (), tail: str = "") -> str:
        """A query for these columns."""
        filters = f" WHERE {' AND '.join(where)}" if where else ""
        return f"SELECT {','.join(columns)} FROM {self.kind.name}{filters}{tail}"  # noqa: S608 - SOQL of known names


def soql_text(value: str) -> str:
    """A text literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def soql_stamp(moment: datetime) -> str:
    """A moment (UTC) as a literal, in whole seconds, never later than the moment."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def bounds(since: datetime | None, until: datetime | None) -> list[str]:
    """The filter by change stamp."""
    low = [] if since is None else [f"SystemModstamp >= {soql_stamp(since)}"]
    return low if until is None else [*low, f"SystemModstamp < {soql_stamp(until)}"]


def typed(value: str | None, kind: str) -> Any:
    """A value of a CSV as the REST interface gives it."""
    if value in (None, ""):
        return None
    text = str(value)
    if kind == "boolean":
        return text.lower() == "true"
    try:
        if kind == "int":
            return int(float(text))
        if kind in ("double", "currency", "percent"):
            return float(text)
    except ValueError:
        return text
    if kind == "datetime" and text.endswith("Z"):
        return f"{text[:-1]}+0000"
    return text
