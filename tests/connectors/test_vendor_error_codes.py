"""Every error that the vendors' documentation lists: which error of ours it becomes, and that it tells what they say.

Limits and passing faults are raised after the first try here; how patiently they are tried again is tested elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import responses

from connectors.contract import Connector, Context, Read, Write
from connectors.documents import validate
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    CursorExpired,
    NeedsHuman,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.http import Client, Retries
from connectors.registry import load_registry

HOST = "https://93.184.216.34"
TENCENT = f"{HOST}/cgi-bin"
OAUTH = {"access_token": "t0ken", "expires_in": 3599, "token_type": "Bearer"}
SETTINGS: Mapping[str, dict[str, Any]] = {
    "shopify": {"base_url": HOST, "access_token": "shpat_1", "bulk": False},
    "woocommerce": {"base_url": HOST, "consumer_key": "ck_1", "consumer_secret": "cs_1"},
    "magento": {"base_url": HOST, "access_token": "token-1"},
    "douyin_shop": {"base_url": HOST, "app_key": "7", "app_secret": "secret-1", "shop_id": "4711"},
    "youzan": {"base_url": HOST, "client_id": "c1", "client_secret": "secret-1", "kdt_id": "4711"},
    "mailchimp": {"base_url": f"{HOST}/3.0", "api_key": "key-us6", "list_id": "a1b2"},
    "klaviyo": {"base_url": f"{HOST}/api", "api_key": "pk_1"},
    "brevo": {"base_url": f"{HOST}/v3", "api_key": "xkeysib-1"},
    "mautic": {"base_url": HOST, "username": "kehu", "password": "password-1"},
    "msgraph": {"base_url": f"{HOST}/v1.0", "login_url": HOST, "tenant": "t.example", "client_id": "c",
                "client_secret": "secret-1", "mailbox": "u@x.example"},
    "gmail": {"base_url": HOST, "people_url": HOST, "token_url": f"{HOST}/token", "client_id": "c",
              "mailbox": "u@x.example", "client_secret": "secret-1", "refresh_token": "refresh-1"},
    "wecom": {"base_url": HOST, "corp_id": "ww1", "secret": "secret-1"},
    "wechat_oa": {"base_url": HOST, "app_id": "wx1", "app_secret": "secret-1"},
}  # fmt: skip
CALLS: Mapping[str, tuple[str, str, str]] = {
    "shopify": ("customers", "POST", f"{HOST}/admin/api/2026-07/graphql.json"),
    "woocommerce": ("customers", "GET", f"{HOST}/wp-json/wc/v3/customers"),
    "magento": ("customers", "GET", f"{HOST}/rest/all/V1/customers/search"),
    "douyin_shop": ("buyers", "POST", f"{HOST}/order/searchList"),
    "youzan": ("customers", "POST", f"{HOST}/api/youzan.scrm.customer.list/1.0.0"),
    "mailchimp": ("members", "GET", f"{HOST}/3.0/lists/a1b2/members"),
    "klaviyo": ("profiles", "GET", f"{HOST}/api/profiles"),
    "brevo": ("contacts", "GET", f"{HOST}/v3/contacts"),
    "mautic": ("contacts", "GET", f"{HOST}/api/contacts"),
    "msgraph": ("contacts", "GET", f"{HOST}/v1.0/users/u@x.example/contacts/delta"),
    "gmail": ("contacts", "GET", f"{HOST}/v1/people/me/connections"),
    "wecom": ("customers", "GET", f"{TENCENT}/externalcontact/get_follow_user_list"),
    "wechat_oa": ("followers", "GET", f"{TENCENT}/user/get"),
}
"""The stream, and the call that lists it."""


def login(name: str) -> None:
    """What has to be answered before the listing is asked for."""
    if name == "msgraph":
        responses.post(f"{HOST}/t.example/oauth2/v2.0/token", json=OAUTH)
    if name == "gmail":
        responses.post(f"{HOST}/token", json=OAUTH)
    if name == "wecom":
        responses.get(f"{TENCENT}/gettoken", json={"errcode": 0, "access_token": "t0ken", "expires_in": 7200})
    if name == "wechat_oa":
        responses.post(f"{TENCENT}/stable_token", json={"access_token": "t0ken", "expires_in": 7200})
    if name == "douyin_shop":
        data = {"access_token": "t0ken", "expires_in": 604_800, "shop_name": "示例"}
        responses.post(f"{HOST}/token/create", json={"code": 10000, "msg": "success", "data": data})
    if name == "youzan":
        data = {"access_token": "t0ken", "expires": int((time.time() + 604_800) * 1000)}
        responses.post(f"{HOST}/auth/token", json={"success": True, "code": 200, "data": data, "message": None})


def connected(name: str) -> Connector[Any]:
    kind = load_registry().get(name).load()
    return kind(validate(kind.config_model, SETTINGS[name]), Context(name))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(Client.__init__.__kwdefaults__, "retries", Retries(tries=1))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        monkeypatch.setattr(responses, "post", mocked.post)
        monkeypatch.setattr(responses, "get", mocked.get)
        monkeypatch.setattr(responses, "add", mocked.add)
        yield


def shopify(code: str, text: str) -> dict[str, Any]:
    return {"errors": [{"message": text, "extensions": {"code": code}}]}


def woo(code: str, text: str, status: int) -> dict[str, Any]:
    return {"code": code, "message": text, "data": {"status": status}}


def douyin(code: int, sub: str, text: str) -> dict[str, Any]:
    return {"code": code, "msg": "非法的参数", "sub_code": sub, "sub_msg": text, "data": {}, "log_id": "20260102"}


def gateway(code: int, text: str) -> dict[str, Any]:
    return {"gw_err_resp": {"trace_id": "yz7-2", "err_msg": text, "err_code": code}}


def chimp(title: str, status: int, text: str) -> dict[str, Any]:
    return {"type": "x", "title": title, "status": status, "detail": text, "instance": "0-1"}


def klaviyo(code: str, status: Any, text: str) -> dict[str, Any]:
    return {"errors": [{"id": "0-1", "status": status, "code": code, "title": "T", "detail": text, "meta": {}}]}


def mautic(code: int, text: str) -> dict[str, Any]:
    return {"errors": [{"message": text, "code": code, "details": [], "type": None}]}


def graph(code: str, text: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": text, "innerError": {"request-id": "0-1"}}}


def google(status: int, reason: str, text: str) -> dict[str, Any]:
    return {
        "error": {"code": status, "message": text, "errors": [{"message": text, "domain": "global", "reason": reason}]}
    }


Case = tuple[str, int, Any, type[ConnectorError], str]
READING: list[Case] = [
    ("shopify", 200, shopify("ACCESS_DENIED", "Access denied for customers field"), PermissionMissing, "Access denied"),
    ("shopify", 200, shopify("SHOP_INACTIVE", "Shop is inactive"), NeedsHuman, "inactive"),
    ("shopify", 200, shopify("INTERNAL_SERVER_ERROR", "Internal error, looks like"), RetryLater, "Internal error"),
    ("shopify", 200, shopify("THROTTLED", "Throttled"), WaitUntil, "limits"),
    ("shopify", 401, {"errors": "[API] Invalid API key or access token"}, BadCredentials, "access_token"),
    ("shopify", 402, {"errors": "Unavailable Shop"}, NeedsHuman, "Unavailable Shop"),
    ("shopify", 423, {"errors": "Locked"}, RetryLater, "locked"),
    ("shopify", 502, "<html>Bad gateway</html>", RetryLater, "502"),
    ("woocommerce", 401, woo("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 401),
     PermissionMissing, "cannot list"),
    ("woocommerce", 401, woo("woocommerce_rest_authentication_error", "Consumer key is invalid.", 401),
     BadCredentials, "consumer_secret"),
    ("woocommerce", 400, woo("rest_invalid_param", "Invalid parameter(s): per_page", 400), StreamBroken, "per_page"),
    ("woocommerce", 404, woo("rest_no_route", "No route was found", 404), BadConfiguration, "No route"),
    ("woocommerce", 503, "<html>maintenance</html>", RetryLater, "503"),
    ("magento", 401, {"message": "The consumer isn't authorized to access %resources.",
                      "parameters": {"resources": "Magento_Customer::customer"}}, BadCredentials, "access_token"),
    ("magento", 403, {"message": "Forbidden for %1", "parameters": ["you"]}, PermissionMissing, "Forbidden for you"),
    ("magento", 404, {"message": "Request does not match any route."}, BadConfiguration, "does not match any route"),
    ("magento", 500, {"message": "Internal Error. Report ID: webapi-1"}, RetryLater, "webapi-1"),
    ("magento", 503, "<html>Service Temporarily Unavailable</html>", RetryLater, "503"),
    ("douyin_shop", 200, douyin(10001, "isv.business-part-failed", "部分失败"), StreamBroken, "部分失败"),
    ("douyin_shop", 200, douyin(20000, "dop.service-error", "服务异常"), RetryLater, "服务异常"),
    ("douyin_shop", 200, douyin(30001, "isv.app-permissions-insufficient", "权限不足"), PermissionMissing, "权限不足"),
    ("douyin_shop", 200, douyin(30001, "dop.authorization-no-existed", "授权不存在"), PermissionMissing, "授权不存在"),
    ("douyin_shop", 200, douyin(30001, "dop.authorization-closed", "授权已关闭"), PermissionMissing, "授权已关闭"),
    ("douyin_shop", 200, douyin(30002, "isv.invalid_ip", "IP不在白名单"), PermissionMissing, "IP不在白名单"),
    ("douyin_shop", 200, douyin(40001, "isv.signature-missing", "缺少签名"), BadCredentials, "app_secret"),
    ("douyin_shop", 200, douyin(40001, "isv.access-token-missing", "缺少token"), BadCredentials, "缺少token"),
    ("douyin_shop", 200, douyin(40003, "isv.signature-invalid", "签名错误"), BadCredentials, "app_secret"),
    ("douyin_shop", 200, douyin(40003, "isv.access-token-expired", "access_token已过期"), BadCredentials, "已过期"),
    ("douyin_shop", 200, douyin(40003, "isv.access-token-no-existed", "不存在"), BadCredentials, "不存在"),
    ("douyin_shop", 200, douyin(70000, "", "系统繁忙"), WaitUntil, "limits"),
    ("douyin_shop", 200, douyin(80000, "isv.call-limit", "调用过于频繁"), WaitUntil, "limits"),
    ("douyin_shop", 200, {"err_no": 30001, "message": "old form", "data": None}, PermissionMissing, "old form"),
    ("youzan", 200, gateway(4001, "无效的路径"), BadConfiguration, "无效的路径"),
    ("youzan", 200, gateway(4005, "未知的接口"), BadConfiguration, "未知的接口"),
    ("youzan", 200, gateway(4007, "IP不在白名单"), BadConfiguration, "IP不在白名单"),
    ("youzan", 200, gateway(4101, "请求过于频繁"), WaitUntil, "请求过于频繁"),
    ("youzan", 200, gateway(4201, "未授权"), PermissionMissing, "未授权"),
    ("youzan", 200, gateway(4202, "请求凭证过期"), BadCredentials, "请求凭证过期"),
    ("youzan", 200, gateway(4203, "无效的token"), BadCredentials, "kdt_id"),
    ("youzan", 200, gateway(4204, "无权限包"), PermissionMissing, "无权限包"),
    ("youzan", 200, gateway(5001, "参数类型错误"), StreamBroken, "参数类型错误"),
    ("youzan", 200, gateway(5002, "业务异常"), StreamBroken, "业务异常"),
    ("youzan", 200, {"code": 142710032, "success": False, "message": "超过上限"}, StreamBroken, "超过上限"),
    *(("youzan", 200, {"code": code, "success": False, "message": "限流", "data": None}, WaitUntil, "限流")
      for code in (500100004, 123000042, 141500203)),
    ("mailchimp", 401, chimp("API Key Invalid", 401, "Your API key may be invalid"), BadCredentials, "api_key"),
    ("mailchimp", 401, chimp("API Key Invalid", 401, "or you've attempted to access the wrong datacenter."),
     BadCredentials, "base_url"),
    ("mailchimp", 403, chimp("Wrong Datacenter", 403, "Your account is on us7."), BadConfiguration, "us7"),
    ("mailchimp", 403, chimp("Forbidden", 403, "You may not."), PermissionMissing, "You may not"),
    ("mailchimp", 403, chimp("Compliance Related", 403, "This account has been suspended."), PermissionMissing,
     "suspended"),
    ("mailchimp", 403, "<html>Request Blocked</html>", WaitUntil, ""),
    ("mailchimp", 404, chimp("Resource Not Found", 404, "The requested resource could not be found."),
     BadConfiguration, "could not be found"),
    ("mailchimp", 429, chimp("Too Many Requests", 429, "10 connections"), WaitUntil, "limits"),
    ("mailchimp", 500, chimp("Internal Server Error", 500, "An error occurred"), RetryLater, "An error occurred"),
    ("klaviyo", 401, klaviyo("not_authenticated", 401, "Missing or invalid private key."), BadCredentials, "api_key"),
    ("klaviyo", 401, klaviyo("authentication_failed", "401", "Incorrect credentials."), BadCredentials, "Incorrect"),
    ("klaviyo", 403, klaviyo("permission_denied", 403, "Missing scope profiles:read"), PermissionMissing,
     "profiles:read"),
    ("klaviyo", 404, klaviyo("not_found", 404, "A list does not exist."), BadConfiguration, "does not exist"),
    ("klaviyo", 400, klaviyo("invalid", 400, "The revision header is missing"), BadConfiguration, "revision"),
    ("klaviyo", 410, klaviyo("gone", 410, "This revision has been retired"), BadConfiguration, "retired"),
    ("klaviyo", 400, klaviyo("invalid", 400, "page[size] must be at most 100"), StreamBroken, "page[size]"),
    ("klaviyo", 429, klaviyo("throttled", 429, "Expected available in 1 second."), WaitUntil, "limits"),
    ("klaviyo", 503, klaviyo("error", 503, "Service unavailable"), RetryLater, "503"),
    ("brevo", 401, {"code": "unauthorized", "message": "Key not found"}, BadCredentials, "Key not found"),
    ("brevo", 401, {"code": "unauthorized", "message": "an unrecognised IP address 203.0.113.9"}, PermissionMissing,
     "203.0.113.9"),
    ("brevo", 402, {"code": "not_enough_credits", "message": "Not enough credits"}, PermissionMissing, "credits"),
    ("brevo", 403, {"code": "permission_denied", "message": "Not for you"}, PermissionMissing, "Not for you"),
    ("brevo", 400, {"code": "out_of_range", "message": "Limit exceeds max"}, StreamBroken, "Limit exceeds"),
    ("brevo", 405, {"code": "method_not_allowed", "message": "Not allowed"}, BadConfiguration, "Not allowed"),
    ("brevo", 429, {"code": "too_many_requests", "message": "Slow down"}, WaitUntil, "limits"),
    ("mautic", 401, {"error": "invalid_grant", "error_description": "The access token provided has expired."},
     BadCredentials, "password"),
    ("mautic", 403, {"error": {"message": "You do not have access to the requested area/action.", "code": 403}},
     PermissionMissing, "do not have access"),
    ("mautic", 403, mautic(403, "API disabled. You need to enable the API in your Mautic configuration."),
     PermissionMissing, "API disabled"),
    ("mautic", 404, mautic(404, "Not found"), BadConfiguration, "Not found"),
    ("mautic", 504, "<html>Gateway time-out</html>", RetryLater, "504"),
    ("msgraph", 403, graph("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
     PermissionMissing, "Access is denied"),
    ("msgraph", 403, graph("Authorization_RequestDenied", "Insufficient privileges"), PermissionMissing, "privileges"),
    ("msgraph", 404, graph("MailboxNotEnabledForRESTAPI", "The mailbox is inactive"), BadConfiguration, "inactive"),
    ("msgraph", 404, graph("ResourceNotFound", "Resource could not be discovered."), BadConfiguration, "discovered"),
    ("msgraph", 429, graph("TooManyRequests", "Please retry again later."), WaitUntil, "limits"),
    ("msgraph", 429, graph("ApplicationThrottled", "MailboxConcurrency"), WaitUntil, "limits"),
    ("msgraph", 503, graph("MailboxStoreUnavailable", "The store is down"), RetryLater, "The store is down"),
    ("msgraph", 503, graph("ErrorServerBusy", "Cannot service this right now."), RetryLater, "right now"),
    ("msgraph", 500, graph("UnknownError", "odd"), RetryLater, "odd"),
    ("gmail", 403, google(403, "rateLimitExceeded", "Quota exceeded"), WaitUntil, "limits"),
    ("gmail", 429, google(429, "userRateLimitExceeded", "Quota exceeded"), WaitUntil, "limits"),
    ("gmail", 403, google(403, "dailyLimitExceeded", "Daily limit"), WaitUntil, "limits"),
    ("gmail", 403, google(403, "accessNotConfigured", "People API has not been used"), PermissionMissing, "People API"),
    ("gmail", 401, google(401, "authError", "Invalid Credentials"), BadCredentials, "refresh_token"),
    ("gmail", 500, google(500, "backendError", "Backend Error"), RetryLater, "Backend Error"),
    ("gmail", 503, google(503, "backendError", "Backend Error"), RetryLater, "Backend Error"),
    *(("wecom", 200, {"errcode": code, "errmsg": text}, kind, f"({code})") for code, text, kind in [
        (-1, "system busy", RetryLater), (40014, "invalid access_token", BadCredentials),
        (41001, "access_token missing", BadCredentials), (42001, "access_token expired", BadCredentials),
        (40058, "invalid parameter", StreamBroken), (40096, "invalid external_userid", StreamBroken),
        (45009, "api freq out of limit", WaitUntil), (45033, "api concurrent out of limit", RetryLater),
        (48002, "api forbidden", PermissionMissing), (60011, "no privilege", PermissionMissing),
        (60020, "not allow to access from your ip", PermissionMissing), (60111, "userid not found", BadConfiguration),
        (84061, "not external contact", StreamBroken), (701008, "no licence", StreamBroken)]),
    *(("wechat_oa", 200, {"errcode": code, "errmsg": text}, kind, f"({code})") for code, text, kind in [
        (-1, "system error", RetryLater), (40001, "invalid credential", BadCredentials),
        (40014, "invalid access_token", BadCredentials), (41001, "missing", BadCredentials),
        (42001, "expired", BadCredentials), (40164, "invalid ip, not in whitelist", PermissionMissing),
        (45009, "reach max api daily quota limit", WaitUntil), (45011, "api minute-quota reach limit", WaitUntil),
        (48001, "api unauthorized", PermissionMissing), (50002, "user limited", PermissionMissing),
        (61004, "access clientip is not registered", StreamBroken)]),
]  # fmt: skip


def answer(name: str, status: int, body: Any) -> None:
    _, method, address = CALLS[name]
    content: dict[str, Any] = {"body": body, "content_type": "text/html"} if isinstance(body, str) else {"json": body}
    responses.add(method, address, status=status, **content)
    if name == "msgraph":  # where changes cannot be tracked, the plain list is asked for
        responses.add(method, address.removesuffix("/delta"), status=status, **content)


@pytest.mark.parametrize(("name", "status", "body", "kind", "words"), READING)
def test_a_documented_refusal_of_reading(
    name: str, status: int, body: Any, kind: type[ConnectorError], words: str
) -> None:
    login(name)
    answer(name, status, body)
    with pytest.raises(ConnectorError) as caught:
        list(connected(name).read(Read(CALLS[name][0])))
    error = caught.value
    assert isinstance(error, kind), repr(error)
    assert words in str(error)
    assert error.remedy
    for secret in ("secret-1", "t0ken", "refresh-1", "password-1", "token-1", "shpat_1"):
        assert secret not in f"{error} {error.params}"


EMAIL = {"email": "a@x.example"}
NOBODY = {"code": "document_not_found", "message": "Contact does not exist"}
NO_CUSTOMERS = {"items": [], "total_count": 0}
DUPLICATE = "A customer with the same email address already exists in an associated website."
WRITING: list[tuple[str, Write, list[tuple[str, str, int, Any]], type[ConnectorError], str]] = [
    ("shopify", Write(EMAIL, "1"), [("POST", CALLS["shopify"][2], 200, {"data": {"customerSet": {
        "customer": None, "userErrors": [{"field": ["email"], "message": "Email has already been taken"}]}}})],
     WriteConflict, "already been taken"),
    ("woocommerce", Write(EMAIL, "1"), [
        ("GET", CALLS["woocommerce"][2], 200, []),
        ("POST", CALLS["woocommerce"][2], 400, woo("registration-error-email-exists", "An account exists.", 400))],
     WriteConflict, "An account exists"),
    ("woocommerce", Write({"first_name": "A"}, "1", "7"), [
        ("PUT", f"{CALLS['woocommerce'][2]}/7", 400, woo("woocommerce_rest_invalid_id", "Invalid resource ID.", 400))],
     RecordRejected, "Invalid resource ID"),
    ("magento", Write(EMAIL, "1"), [
        ("GET", CALLS["magento"][2], 200, NO_CUSTOMERS),
        ("POST", f"{HOST}/rest/all/V1/customers", 400, {"message": DUPLICATE})], WriteConflict, "same email"),
    ("magento", Write(EMAIL, "1"), [
        ("GET", CALLS["magento"][2], 200, NO_CUSTOMERS),
        ("POST", f"{HOST}/rest/all/V1/customers", 400, {
            "message": "One or more input exceptions have occurred.", "errors": [
                {"message": '"%fieldName" is required. Enter again.', "parameters": {"fieldName": "firstname"}}]})],
     RecordRejected, '"firstname" is required'),
    ("klaviyo", Write(EMAIL, "1"), [("POST", f"{HOST}/api/profile-import", 409, klaviyo(
        "duplicate_profile", 409, "A profile already exists with one of these identifiers."))],
     WriteConflict, "already exists"),
    ("klaviyo", Write(EMAIL, "1"), [("POST", f"{HOST}/api/profile-import", 400, klaviyo(
        "invalid", 400, "Invalid email address"))], RecordRejected, "Invalid email address"),
    ("brevo", Write(EMAIL, "1"), [
        ("GET", f"{HOST}/v3/contacts/a%40x.example", 404, NOBODY),
        ("POST", f"{HOST}/v3/contacts", 400, {"code": "duplicate_parameter", "message": "email is already associated",
                                              "metadata": {"duplicate_identifiers": ["email"]}})],
     WriteConflict, "already associated"),
    ("brevo", Write(EMAIL, "1"), [
        ("GET", f"{HOST}/v3/contacts/a%40x.example", 404, NOBODY),
        ("POST", f"{HOST}/v3/contacts", 400, {"code": "invalid_parameter", "message": "Invalid phone number"})],
     RecordRejected, "Invalid phone number"),
    *(("mailchimp", Write({"email_address": "a@x.test"}, "1"),
       [("PUT", f"{HOST}/3.0/lists/a1b2/members/a%40x.test", 400, chimp(title, 400, text))], kind, text)
      for title, text, kind in [
          ("Member Exists", "a@x.test is already a list member", WriteConflict),
          ("Invalid Resource", "The resource submitted could not be validated", RecordRejected),
          ("Member In Compliance State", "is in a compliance state", RecordRejected),
          ("Forgotten Email Not Subscribed", "was permanently deleted", RecordRejected)]),
    ("mautic", Write(EMAIL, "1"), [
        ("GET", CALLS["mautic"][2], 200, {"total": "0", "contacts": []}),
        ("POST", f"{HOST}/api/contacts/new", 400, {"errors": [
            {"message": "email: This field is required", "code": 400, "details": {"email": ["required"]}}]})],
     RecordRejected, "email: This field is required"),
    ("wecom", Write({"remark": "x"}, "1", "wm1|zhangsan"), [
        ("GET", f"{TENCENT}/externalcontact/get", 200, {"errcode": 84061, "errmsg": "not external contact"})],
     RecordRejected, "wm1|zhangsan"),
    ("wechat_oa", Write({"remark": "x"}, "1", "o1"), [
        ("POST", f"{TENCENT}/user/info/batchget", 200, {"errcode": 40003, "errmsg": "invalid openid"})],
     RecordRejected, "o1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "write", "answers", "kind", "words"), WRITING)
def test_a_documented_refusal_of_a_record(
    name: str,
    write: Write,
    answers: list[tuple[str, str, int, Any]],
    kind: type[ConnectorError],
    words: str,
) -> None:
    login(name)
    for method, address, status, body in answers:
        responses.add(method, address, json=body, status=status)
    (result,) = connected(name).write(CALLS[name][0], [write])
    assert type(result.error) is kind, repr(result.error)
    assert words in str(result.error)


def test_an_outdated_position_of_graph_and_google_means_a_full_read() -> None:
    login("msgraph")
    link = f"{CALLS['msgraph'][2]}?$deltatoken=old"
    responses.add("GET", CALLS["msgraph"][2], json=graph("syncStateNotFound", "gone"), status=410)
    cursor = {"stage": "delta", "delta": link, "next": link}
    with pytest.raises(CursorExpired):
        list(connected("msgraph").read(Read("contacts", cursor=cursor, resumed=True)))
