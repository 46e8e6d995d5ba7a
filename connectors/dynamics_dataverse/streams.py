"""The tables that are read, their columns and how they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.odata.tracking import TrackedSet

LARGEST_PAGE = 5000
PREFER = (
    'odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname,OData.Community.Display.V1.FormattedValue"',
)
"""Names of owners and choices, and to which table a customer look-up points."""
_ADDRESS = ("name", "line1", "line2", "line3", "city", "stateorprovince", "postalcode", "country")
_COMMON = (
    "statecode", "statuscode", "createdon", "modifiedon", "versionnumber", "merged", "_masterid_value",
    "_ownerid_value", "_transactioncurrencyid_value", "emailaddress1", "emailaddress2", "emailaddress3",
    "telephone1", "telephone2", "fax", "websiteurl", "creditlimit", "creditonhold",
    "donotbulkemail", "donotemail", "donotphone", "donotpostalmail",
    *(f"address{number}_{part}" for number in (1, 2) for part in _ADDRESS),
)  # fmt: skip
COLUMNS: Mapping[str, Sequence[str]] = {
    "accounts": (
        "accountid", "name", "accountnumber", "telephone3", "_primarycontactid_value", "_parentaccountid_value",
        *_COMMON,
    ),
    "contacts": (
        "contactid", "firstname", "lastname", "fullname", "jobtitle", "birthdate", "mobilephone",
        "_parentcustomerid_value", *_COMMON,
    ),
}  # fmt: skip
KEYS: Mapping[str, str] = {"accounts": "accountid", "contacts": "contactid"}


def tracked_set(stream: str, extra: Sequence[str], *, tracked: bool) -> TrackedSet:
    """How a stream is read, with ``extra`` columns."""
    columns = dict.fromkeys([*COLUMNS[stream], *extra])
    return TrackedSet(
        path=stream,
        key=KEYS[stream],
        stamp="modifiedon",
        params={"$select": ",".join(columns)},
        largest=LARGEST_PAGE,
        prefer=PREFER,
        tracked=tracked,
    )
