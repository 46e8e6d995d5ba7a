"""Bodies as the vendors' documentation shows them, read by the OData connectors."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
import responses
from pydantic import SecretStr

from connectors.business_central.config import BusinessCentralConfig
from connectors.business_central.connector import BusinessCentralConnector
from connectors.contract import Connector, Context, Mode, Read, Write
from connectors.dynamics_dataverse.config import DataverseConfig
from connectors.dynamics_dataverse.connector import DataverseConnector
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    WaitUntil,
    WriteConflict,
)
from connectors.sap_s4hana.config import SapConfig
from connectors.sap_s4hana.connector import SapConnector

HOST = "https://93.184.216.34"
LOGIN = f"{HOST}/contoso/oauth2/v2.0/token"
ENTRA = {"tenant": "contoso", "client_id": "c-1", "client_secret": SecretStr("s-1"), "login_url": HOST}
KEY = "00000000-0000-0000-0000-000000000001"


def read(connector: Connector[Any], stream: str, **more: Any) -> list[Any]:
    return [page for page in connector.read(Read(stream, **more))]


def granted() -> None:
    responses.post(LOGIN, json={"token_type": "Bearer", "expires_in": 3599, "access_token": "t-1"})


# --- Dataverse

DATAVERSE = f"{HOST}/api/data/v9.2"
ACCOUNT = {
    "@odata.etag": 'W/"123456"', "accountid": KEY, "name": "Acme", "accountnumber": "C1",
    "emailaddress1": "info@acme.example", "modifiedon": "2026-01-02T03:04:05Z", "statecode": 0,
    "_transactioncurrencyid_value": "00000000-0000-0000-0000-0000000000aa",
}  # fmt: skip
NEXT = f"{DATAVERSE}/accounts?$select=name&$skiptoken=%3Ccookie%20pagenumber=%222%22%3E"
DELTA = f"{DATAVERSE}/accounts?$select=name&$deltatoken=919042%2108%2f22%2f2026%2008%3a10%3a44"


def dataverse() -> DataverseConnector:
    granted()
    return DataverseConnector(DataverseConfig(base_url=HOST, **ENTRA), Context("crm"))


@responses.activate
def test_accounts_are_read_over_pages_and_their_deletes_by_the_link_as_it_was_written() -> None:
    connector = dataverse()
    responses.get(f"{DATAVERSE}/transactioncurrencies", json={"value": []})
    responses.get(f"{DATAVERSE}/accounts", json={"value": [ACCOUNT], "@odata.nextLink": NEXT})
    responses.get(NEXT, json={"value": [], "@odata.deltaLink": DELTA})
    responses.get(f"{DATAVERSE}/accounts", json={"value": []})  # what was stamped since the read began
    pages = read(connector, "accounts")
    ((record,),) = [page.records for page in pages if page.records]
    assert (record.key, record.changed_at) == (KEY, "2026-01-02T03:04:05.000000Z")
    first = responses.calls[1].request
    assert "odata.track-changes" in first.headers["Prefer"]
    assert first.headers["OData-Version"] == "4.0"
    links = [call.request.url for call in responses.calls]
    assert NEXT in links
    gone = {"@odata.context": "…#accounts/$deletedEntity", "id": KEY, "reason": "deleted"}
    responses.get(DELTA, json={"value": [gone], "@odata.deltaLink": DELTA})
    (changes,) = read(connector, "accounts", mode=Mode.INCREMENTAL, cursor=pages[-1].cursor)
    assert list(changes.deleted) == [KEY]


@pytest.mark.parametrize(
    ("status", "code", "message", "error"),
    [
        (403, "0x80040220", "Principal user is missing prvReadAccount privilege", PermissionMissing),
        (403, "0x80072560", "The user is not a member of the organization.", PermissionMissing),
        (404, "0x80060888", "Resource not found for the segment 'x'.", BadConfiguration),
        (401, "0x80048408", "The token is expired.", BadCredentials),
    ],
)
@responses.activate
def test_documented_refusals_of_reads(status: int, code: str, message: str, error: type[Exception]) -> None:
    connector = dataverse()
    responses.get(f"{DATAVERSE}/accounts", json={"error": {"code": code, "message": message}}, status=status)
    with pytest.raises(error, match=message[:20]):
        read(connector, "accounts")


@pytest.mark.parametrize("code", ["0x80072322", "0x80072321", "0x80072326"])
@responses.activate
def test_documented_limits_are_waited_for_as_long_as_is_asked(code: str) -> None:
    connector = dataverse()
    message = "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
    body = {"error": {"code": code, "message": message}}
    responses.get(f"{DATAVERSE}/accounts", json=body, status=429, headers={"Retry-After": "120"})
    before = connector.context.now()
    with pytest.raises(WaitUntil) as caught:
        read(connector, "accounts")
    assert 110 < (caught.value.until - before).total_seconds() < 130


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (412, "0x80060882", WriteConflict),  # the version does not match
        (412, "0x80040237", WriteConflict),  # a duplicate key
        (412, "0x80040333", WriteConflict),  # duplicate detection
        (404, "0x80040217", RecordRejected),  # gone
        (400, "0x0", RecordRejected),
    ],
)
@responses.activate
def test_documented_refusals_of_writes(status: int, code: str, error: type[Exception]) -> None:
    connector = dataverse()
    responses.get(f"{DATAVERSE}/accounts({KEY})", json=ACCOUNT)
    body = {"error": {"code": code, "message": "no"}}
    responses.patch(f"{DATAVERSE}/accounts({KEY})", json=body, status=status)
    (result,) = connector.write("accounts", [Write({"name": "Acme 2"}, "w1", key=KEY)])
    assert type(result.error) is error
    sent = responses.calls[-1].request
    assert sent.headers["If-Match"] == 'W/"123456"'
    assert json.loads(sent.body) == {"name": "Acme 2"}


@responses.activate
def test_the_documented_refusal_of_the_login_names_the_secret() -> None:
    body = {
        "error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.",
        "error_codes": [7000215], "correlation_id": "x",
    }  # fmt: skip
    responses.post(LOGIN, json=body, status=401)
    with pytest.raises(BadCredentials, match=r"Settings to correct: client_secret\."):
        DataverseConnector(DataverseConfig(base_url=HOST, **ENTRA), Context("crm")).check()


# --- Business Central

CENTRAL = f"{HOST}/v2.0/t/Production/api/v2.0"
CUSTOMERS = f"{CENTRAL}/companies(c)/customers"
CUSTOMER = {
    "@odata.etag": 'W/"JzQ0O0Z"', "id": KEY, "number": "10000", "displayName": "Acme Ltd", "type": "Company",
    "addressLine1": "1 Rd", "city": "Leeds", "country": "GB", "postalCode": "LS1", "email": "info@acme.example",
    "taxRegistrationNumber": "GB123456789", "currencyCode": "GBP", "blocked": " ",
    "lastModifiedDateTime": "2026-01-02T03:04:05.123Z",
}  # fmt: skip


def central() -> BusinessCentralConnector:
    granted()
    responses.get(f"{CENTRAL}/companies", json={"value": [{"id": "c", "name": "CRONUS"}]})
    return BusinessCentralConnector(BusinessCentralConfig(base_url=CENTRAL, **ENTRA), Context("erp"))


@responses.activate
def test_the_documented_customer_is_read() -> None:
    connector = central()
    responses.get(CUSTOMERS, json={"value": [CUSTOMER]})
    (record,) = [record for page in read(connector, "customers") for record in page.records]
    assert (record.key, record.changed_at) == (KEY, "2026-01-02T03:04:05.123000Z")
    assert orjson.loads(record.body)["number"] == "10000"


@responses.activate
def test_a_position_that_is_gone_means_a_full_read() -> None:
    connector = central()
    link = f"{CUSTOMERS}?$deltatoken=old"
    error = {"error": {"code": "BadRequest", "message": "The delta token is too old."}}
    responses.get(link, json=error, status=410, headers={"Location": CUSTOMERS})
    with pytest.raises(CursorExpired, match="too old"):
        read(connector, "customers", mode=Mode.INCREMENTAL, cursor={"stage": "done", "delta": link})


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "Internal_EntityWithSameKeyExists", WriteConflict),
        (409, "Request_EntityChanged", WriteConflict),
        (412, "Request_EntityChanged", WriteConflict),
        (428, "BadRequest", RecordRejected),
        (400, "Application_DialogException", RecordRejected),
        (403, "Internal_Permission", PermissionMissing),
    ],
)
@responses.activate
def test_documented_refusals_of_business_central(status: int, code: str, error: type[Exception]) -> None:
    connector = central()
    responses.get(f"{CUSTOMERS}({KEY})", json=CUSTOMER)
    message = "The field Country/Region Code contains a value (XX) that cannot be found  CorrelationId:  0000-0009."
    responses.patch(f"{CUSTOMERS}({KEY})", json={"error": {"code": code, "message": message}}, status=status)
    write = [Write({"country": "XX"}, "w1", key=KEY)]
    if error is PermissionMissing:
        with pytest.raises(PermissionMissing):
            connector.write("customers", write)
        return
    (result,) = connector.write("customers", write)
    assert type(result.error) is error
    assert "CorrelationId" not in str(result.error)


@responses.activate
def test_an_application_that_is_not_set_up_in_business_central_names_the_settings() -> None:
    granted()
    error = {"error": {"code": "Authentication_InvalidCredentials", "message": "The server has rejected the client."}}
    responses.get(f"{CENTRAL}/companies", json=error, status=401)
    with pytest.raises(BadCredentials, match="client_id"):
        BusinessCentralConnector(BusinessCentralConfig(base_url=CENTRAL, **ENTRA), Context("erp")).check()


# --- SAP

SAP = f"{HOST}/sap/opu/odata/sap/API_BUSINESS_PARTNER"
PARTNER = {
    "__metadata": {"uri": f"{SAP}/A_BusinessPartner('1000001')", "etag": "W/\"datetimeoffset'2026-01-02'\""},
    "BusinessPartner": "1000001", "Customer": "1000001", "BusinessPartnerCategory": "2",
    "BusinessPartnerFullName": "Acme GmbH", "OrganizationBPName1": "Acme GmbH",
    "LastChangeDate": "/Date(1767312000000)/", "LastChangeTime": "PT03H04M05S", "BusinessPartnerIsBlocked": False,
    "to_BusinessPartnerAddress": {"__deferred": {"uri": f"{SAP}/A_BusinessPartner('1000001')/to_X"}},
}  # fmt: skip


def sap(**login: Any) -> SapConnector:
    login = login or {"user": "KEHU", "password": SecretStr("p-1")}
    return SapConnector(SapConfig(base_url=HOST, client="100", **login), Context("sap"))


@responses.activate
def test_the_documented_partner_is_read_as_plain_json() -> None:
    connector = sap()
    responses.get(f"{SAP}/A_BusinessPartner", json={"d": {"__count": "1", "results": [PARTNER]}})
    (record,) = [record for page in read(connector, "business_partners") for record in page.records]
    assert (record.key, record.changed_at) == ("1000001", "2026-01-02T03:04:05.000000Z")
    body = orjson.loads(record.body)
    assert (body["LastChangeTime"], "to_BusinessPartnerAddress" in body) == ("03:04:05", False)
    assert responses.calls[0].request.headers["sap-client"] == "100"


@responses.activate
def test_all_reasons_of_a_documented_refusal_are_shown() -> None:
    connector = sap()
    responses.get(f"{SAP}/", json={"d": {}}, headers={"x-csrf-token": "tok", "Set-Cookie": "SAP_SESSIONID=1; path=/"})
    responses.get(f"{SAP}/A_BusinessPartner('1000001')", json={"d": PARTNER})
    detail = {"code": "R11/124", "message": "Postal code 123 must have the length 5", "severity": "error"}
    other = {"code": "R11/9", "message": "Region is missing", "severity": "error"}
    error = {"code": "R11/124", "message": {"lang": "en", "value": "Postal code 123 must have the length 5"},
             "innererror": {"transactionid": "ABC", "errordetails": [detail, other]}}  # fmt: skip
    responses.patch(f"{SAP}/A_BusinessPartner('1000001')", json={"error": error}, status=400)
    (result,) = connector.write("business_partners", [Write({"FirstName": "x"}, "w1", key="1000001")])
    assert isinstance(result.error, RecordRejected)
    assert "Postal code 123" in str(result.error)
    assert "Region is missing" in str(result.error)
    sent = responses.calls[-1].request
    assert (sent.headers["X-CSRF-Token"], sent.headers["Cookie"]) == ("tok", "SAP_SESSIONID=1")


@responses.activate
def test_the_sandbox_is_asked_with_its_key() -> None:
    connector = sap(api_key=SecretStr("k-1"))
    responses.get(f"{SAP}/A_BusinessPartner", json={"d": {"results": [PARTNER]}})
    connector.check()
    assert responses.calls[0].request.headers["APIKey"] == "k-1"


@responses.activate
def test_a_token_of_sap_that_ends_amid_a_read_is_renewed_once() -> None:
    token_url = f"{HOST}/sap/bc/sec/oauth2/token"
    responses.post(token_url, json={"access_token": "t-1", "token_type": "Bearer", "expires_in": 600})
    responses.post(token_url, json={"access_token": "t-2", "token_type": "Bearer", "expires_in": 600})
    connector = sap(token_url=token_url, client_id="c", client_secret=SecretStr("s-1"))
    answer = {"d": {"results": [PARTNER]}}
    responses.get(f"{SAP}/A_BusinessPartner", json=answer)
    responses.get(f"{SAP}/A_BusinessPartner", body="<html>", status=401, content_type="text/html")
    responses.get(f"{SAP}/A_BusinessPartner", json=answer)
    pages = read(connector, "business_partners")
    assert [record.key for page in pages for record in page.records] == ["1000001"]
    bearers = [call.request.headers["Authorization"] for call in responses.calls if "A_Business" in call.request.url]
    assert bearers[:3] == ["Bearer t-1", "Bearer t-1", "Bearer t-2"]


@responses.activate
def test_a_client_that_sap_does_not_know_names_the_settings() -> None:
    token_url = f"{HOST}/sap/bc/sec/oauth2/token"
    responses.post(token_url, json={"error": "invalid_client"}, status=401)
    with pytest.raises(BadCredentials, match="client_secret, client_id"):
        sap(token_url=token_url, client_id="c", client_secret=SecretStr("s-1")).check()
