"""One setting wrong at a time: the check names it, or says in its sentence where to look.

For the shops, the marketing systems, the mailboxes and the two of Tencent; their simulators answer as the documented
systems do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.errors import BadConfiguration, BadCredentials, ConnectorError, PermissionMissing, RetryLater
from connectors.http import Client, Retries
from tests.connectors.brevo.brevo_simulator import Brevo
from tests.connectors.brevo.test_brevo import BrevoSource
from tests.connectors.douyin_shop.douyin_simulator import DouyinShop
from tests.connectors.douyin_shop.test_douyin_shop import DouyinSource
from tests.connectors.gmail.google_simulator import Google
from tests.connectors.gmail.test_gmail import ContactSource as GmailSource
from tests.connectors.klaviyo.klaviyo_simulator import Klaviyo
from tests.connectors.klaviyo.test_klaviyo import KlaviyoSource
from tests.connectors.magento.magento_simulator import Magento
from tests.connectors.magento.test_magento import MagentoSource
from tests.connectors.mailchimp.mailchimp_simulator import Mailchimp
from tests.connectors.mailchimp.test_mailchimp import MailchimpSource
from tests.connectors.mautic.mautic_simulator import Mautic
from tests.connectors.mautic.test_mautic import MauticSource
from tests.connectors.msgraph.graph_server import GraphServer
from tests.connectors.msgraph.test_msgraph import ContactSource as GraphSource
from tests.connectors.shopify.shop_simulator import Shop
from tests.connectors.shopify.test_shopify import ShopSource
from tests.connectors.simulator import VendorSource
from tests.connectors.wechat_oa.test_wechat_oa import WeChatSource
from tests.connectors.wechat_oa.wechat_simulator import WeChat
from tests.connectors.wecom.test_wecom import WeComSource
from tests.connectors.wecom.wecom_simulator import WeCom
from tests.connectors.woocommerce.test_woocommerce import WooSource
from tests.connectors.woocommerce.woo_simulator import WooCommerce
from tests.connectors.youzan.test_youzan import YouzanSource
from tests.connectors.youzan.youzan_simulator import YouzanShop

Made = tuple[Callable[[Any], Any], Callable[[], Any]]
SYSTEMS: dict[str, Made] = {
    "shopify": (ShopSource, Shop),
    "woocommerce": (WooSource, WooCommerce),
    "magento": (MagentoSource, Magento),
    "douyin_shop": (DouyinSource, DouyinShop),
    "youzan": (YouzanSource, YouzanShop),
    "mailchimp": (MailchimpSource, Mailchimp),
    "klaviyo": (KlaviyoSource, Klaviyo),
    "brevo": (BrevoSource, Brevo),
    "mautic": (MauticSource, Mautic),
    "msgraph": (GraphSource, lambda: GraphServer(contacts=1, mails=1)),
    "gmail": (GmailSource, Google),
    "wecom": (WeComSource, WeCom),
    "wechat_oa": (WeChatSource, WeChat),
}
WRONG: list[tuple[str, str, Any, type[ConnectorError]]] = [
    ("shopify", "client_id", "another", BadCredentials),
    ("shopify", "client_secret", "shpss_no", BadCredentials),
    ("woocommerce", "consumer_key", "ck_no", BadCredentials),
    ("woocommerce", "consumer_secret", "cs_no", BadCredentials),
    ("magento", "access_token", "no-such-token", BadCredentials),
    ("magento", "store", "no_such_store", BadConfiguration),
    ("douyin_shop", "app_key", "999", BadCredentials),
    ("douyin_shop", "app_secret", "no-such-secret", BadCredentials),
    ("douyin_shop", "shop_id", "999", PermissionMissing),
    ("youzan", "client_id", "zz", BadCredentials),
    ("youzan", "client_secret", "no-such-secret", BadCredentials),
    ("youzan", "kdt_id", "9", BadCredentials),
    ("mailchimp", "api_key", "no-such-key-us6", BadCredentials),
    ("mailchimp", "list_id", "nolist", BadConfiguration),
    ("klaviyo", "api_key", "pk_no", BadCredentials),
    ("klaviyo", "revision", "2001-01-01", BadConfiguration),
    ("brevo", "api_key", "xkeysib-no", BadCredentials),
    ("mautic", "username", "nobody", BadCredentials),
    ("mautic", "password", "no-such-password", BadCredentials),
    ("msgraph", "tenant", "other.example", BadCredentials),
    ("msgraph", "client_id", "another", BadCredentials),
    ("msgraph", "client_secret", "no-such-secret", BadCredentials),
    ("msgraph", "mailbox", "nobody@us.example", BadConfiguration),
    ("msgraph", "folders", ["Nowhere"], BadConfiguration),
    ("msgraph", "contact_folder", "AAMk-none", BadConfiguration),
    ("gmail", "client_id", "another", BadCredentials),
    ("gmail", "client_secret", "no-such-secret", BadCredentials),
    ("gmail", "refresh_token", "no-such-token", BadCredentials),
    ("gmail", "mailbox", "other@us.example", PermissionMissing),
    ("wecom", "corp_id", "wwother", BadCredentials),
    ("wecom", "secret", "no-such-secret", BadCredentials),
    ("wecom", "users", ["nobody"], BadConfiguration),
    ("wechat_oa", "app_id", "wxother", BadCredentials),
    ("wechat_oa", "app_secret", "no-such-secret", BadCredentials),
]
ADDRESSES = [
    (name, setting)
    for name in SYSTEMS
    for setting in {"gmail": ("base_url", "people_url", "token_url"), "msgraph": ("base_url", "login_url")}.get(
        name, ("base_url",)
    )
]


@pytest.fixture(scope="module")
def sources() -> Iterator[Callable[[str], VendorSource]]:
    """One simulator a system, started when it is first asked for."""
    with ExitStack() as stack:
        made: dict[str, Any] = {}

        def started(name: str) -> Any:
            if name not in made:
                source, server = SYSTEMS[name]
                made[name] = source(stack.enter_context(server()))
            return made[name]

        yield started


class _Website(BaseHTTPRequestHandler):
    """Somebody else's web server: a page says that there is nothing here."""

    def _nothing(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        page = b"<html><h1>Not Found</h1></html>"
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    do_GET = do_POST = _nothing

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def website() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Website)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try a call: what is tested is what is said in the end."""
    monkeypatch.setitem(Client.__init__.__kwdefaults__, "retries", Retries(tries=1))


def refused(source: VendorSource, changed: dict[str, Any]) -> ConnectorError:
    connector = source.connect({**source.settings(), **changed})
    try:
        with pytest.raises(ConnectorError) as caught:
            connector.check()
    finally:
        connector.close()
    return caught.value


def said(error: ConnectorError) -> str:
    return f"{error} {error.remedy.format_map({**error.params, 'connection': 'x', 'until': ''})}"


@pytest.mark.parametrize(("name", "setting", "value", "kind"), WRONG)
def test_a_wrong_setting_is_named(
    sources: Callable[[str], VendorSource], name: str, setting: str, value: Any, kind: type[ConnectorError]
) -> None:
    error = refused(sources(name), {setting: value})
    assert isinstance(error, kind), repr(error)
    assert setting in said(error)
    if isinstance(error, BadConfiguration):
        known = set(sources(name).connector.config_model.model_fields)
        assert error.setting in known


@pytest.mark.parametrize(("name", "setting"), ADDRESSES)
def test_an_address_of_something_else_is_named(
    sources: Callable[[str], VendorSource], website: str, name: str, setting: str
) -> None:
    source = sources(name)
    path = urlsplit(str(source.settings()[setting])).path
    error = refused(source, {setting: f"http://{website}{path}"})
    assert isinstance(error, BadConfiguration), repr(error)
    assert setting in said(error)


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_where_nothing_answers_the_host_is_named_and_the_address_doubted(
    sources: Callable[[str], VendorSource], name: str
) -> None:
    source = sources(name)
    path = urlsplit(str(source.settings()["base_url"])).path
    for host in ("127.0.0.1:1", "no-such-host.invalid"):
        error = refused(source, {"base_url": f"http://{host}{path}"})
        assert isinstance(error, RetryLater)
        assert host in str(error)
        assert "address" in error.remedy


def test_each_number_of_a_shop_or_company_is_among_the_settings_tried() -> None:
    """A new setting that can be wrong is tried here too."""
    beside = {"base_url", "api_version", "bulk", "external_id", "access_token", "website_id", "test_shop", "since",
              "status_if_new", "stable_token", "headers_only", "notification_url", "service_account", "client_state",
              "own_addresses", "own_domains", "exclude_addresses", "mailing_lists", "login_url", "people_url",
              "token_url"}  # fmt: skip
    tried = {(name, setting) for name, setting, *_ in WRONG}
    for name, (source, _) in SYSTEMS.items():
        fields = set(source(None).connector.config_model.model_fields) - beside
        hooks = {
            field for field in fields if field.startswith(("webhook_", "callback_")) or field == "encoding_aes_key"
        }
        oauth = {"client_id", "client_secret"} if name == "mautic" else set()
        assert {field for field in fields - hooks - oauth if (name, field) not in tried} == set(), name
