"""The Shopify connector against a simulator of a shop, and with bodies as the documentation shows them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import responses
from graphql import build_schema, print_schema

from connectors.conformance import Copy
from connectors.contract import Connector, Context, Hint, Inbound, Mode, Read, Write
from connectors.documents import validate
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    NeedsHuman,
    PermissionMissing,
    RecordRejected,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.shopify.bulk import Bulk
from connectors.shopify.config import ShopifyConfig
from connectors.shopify.connector import ShopifyConnector
from connectors.shopify.documents import fields
from mappings.compile import compile_mapping
from mappings.matching.evidence import features_of
from mappings.spec import load_spec
from tests.connectors.shopify.shop_simulator import SCHEMA, Shop, gid
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies, registered

THROTTLED = json.loads("""{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":
{"requestedQueryCost":700,"actualQueryCost":null,"throttleStatus":{"maximumAvailable":2000.0,"currentlyAvailable":12,
"restoreRate":100000.0}}}}""")


_events = itertools.count(1)


class ShopSource(VendorSource):
    vendor = "shopify"
    server: Shop

    def __init__(self, server: Shop, **settings: Any) -> None:
        super().__init__(server)
        self._settings = settings

    def settings(self) -> dict[str, Any]:
        login = {"client_id": Shop.CLIENT, "client_secret": Shop.KEY}
        return {"base_url": self.server.url, **login, **self._settings}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"client_secret": "shpss_wrong"}, "client_secret"

    def body(self, number: int) -> dict[str, Any]:
        return {"email": f"written{number}@shop.example", "firstName": "Written", "lastName": str(number)}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"email": self.server.rows[other]["email"]}, "conflict", key=one)

    def webhook(self, key: str) -> Inbound:
        body = json.dumps({"id": int(key.rpartition("/")[2]), "email": "x@x.example"}).encode()
        return signed(Shop.KEY, body, X_Shopify_Event_Id=f"event-{next(_events)}")


class ShopSuite(VendorSuite):
    throttled = Answer(200, THROTTLED)

    def revoke(self, source: VendorSource) -> Any:
        source.server.tokens.clear()  # type: ignore[attr-defined]
        return super().revoke(source)


class TestByBulkOperation(ShopSuite):
    @pytest.fixture
    def source(self) -> Iterator[ShopSource]:
        with Shop() as server:
            yield ShopSource(server)


class TestPageByPage(ShopSuite):
    @pytest.fixture
    def source(self) -> Iterator[ShopSource]:
        with Shop() as server:
            yield ShopSource(server, bulk=False)


class TestWithIdsOfOurs(ShopSuite):
    @pytest.fixture
    def source(self) -> Iterator[ShopSource]:
        with Shop() as server:
            yield ShopSource(server, bulk=False, external_id="kehu.id")


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        yield server


@pytest.fixture
def connector(shop: Shop) -> Iterator[Connector[Any]]:
    made = ShopSource(shop).connect()
    yield made
    made.close()


@pytest.fixture
def paged(shop: Shop) -> Iterator[Connector[Any]]:
    made = ShopSource(shop, bulk=False).connect()
    yield made
    made.close()


def read(connector: Connector[Any], **more: Any) -> list[Any]:
    return [record for page in connector.read(Read("customers", **more)) for record in page.records]


def keys(connector: Connector[Any], **more: Any) -> set[str]:
    return {record.key for record in read(connector, **more)}


def asked(shop: Shop, word: str) -> list[dict[str, Any]]:
    found = [call.json() for call in shop.calls if call.path.endswith("graphql.json")]
    return [body for body in found if word in body["query"]]


class TestReading:
    def test_the_check_tells_the_shop_and_the_version_that_answered(self, shop: Shop) -> None:
        with_old = ShopSource(shop, api_version="2024-01").connect()
        checked = with_old.check()
        assert str(checked) == "Logged in to the Shopify shop Example Shop."
        assert checked.details["api_version"] == "2026-07", "a retired version is answered by another one"

    def test_a_full_read_is_one_bulk_operation(self, shop: Shop, connector: Connector[Any]) -> None:
        assert keys(connector) == set(shop.rows)
        assert len(asked(shop, "bulkOperationRunQuery")) == 1
        assert not asked(shop, "after: $after")

    def test_a_bulk_read_and_a_paged_read_give_the_same_records(
        self, connector: Connector[Any], paged: Connector[Any]
    ) -> None:
        plain = [{r.key: (orjson.loads(r.body), r.changed_at) for r in read(made)} for made in (connector, paged)]
        assert plain[0] == plain[1]

    @pytest.mark.parametrize("chunk", [1, 50, 4096])
    def test_a_file_is_read_in_ranges_of_any_size(self, shop: Shop, connector: Any, chunk: int) -> None:
        shop.rows[gid(1)]["note"] = "行\\n" * 30
        steps = list(Bulk(connector.graph, fields(None), chunk=chunk).steps(3, None))
        assert [r.key for step in steps for r in step.cut.records] == list(shop.rows)

    def test_a_file_is_continued_behind_the_last_stored_line_after_a_crash(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        pages = connector.read(Read("customers", page_size=3))
        first = [next(page for page in pages if page.records)]
        shop.calls.clear()
        rest = list(connector.read(Read("customers", Mode.FULL, first[0].cursor, resumed=True, page_size=3)))
        assert [r.key for page in first + rest for r in page.records] == list(shop.rows)
        assert not asked(shop, "bulkOperationRunQuery"), "the operation is not started again"

    def test_the_engine_hears_of_a_long_bulk_operation(self, shop: Shop, connector: Connector[Any]) -> None:
        shop.polls = 3
        pages = list(connector.read(Read("customers")))
        assert [len(page.records) for page in pages] == [0, 0, 0, 0, 8, 0]
        assert pages[2].cursor["scan"] == {"bulk": gid(1, "BulkOperation"), "at": 0}

    @pytest.mark.parametrize("status", ["FAILED", "EXPIRED", "CANCELED"])
    def test_customers_are_paged_where_the_bulk_operation_fails(
        self, shop: Shop, connector: Connector[Any], status: str
    ) -> None:
        shop.bulk_status = status
        assert keys(connector) == set(shop.rows)

    def test_customers_are_paged_where_another_bulk_operation_is_running(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        shop.bulk_refused = "A bulk query operation for this app and shop is already in progress: gid://…/1."
        assert keys(connector) == set(shop.rows)

    def test_customers_are_paged_where_the_file_is_gone(self, shop: Shop, connector: Connector[Any]) -> None:
        pages = connector.read(Read("customers", page_size=3))
        first = next(page for page in pages if page.records)
        shop.bulk.clear()
        assert keys(connector, mode=Mode.FULL, cursor=first.cursor, resumed=True) == set(shop.rows)

    def test_customers_are_paged_where_an_operation_fails_on_their_side(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        shop.bulk_status, shop.bulk_error = "FAILED", "INTERNAL_SERVER_ERROR"
        assert keys(connector) == set(shop.rows)

    def test_an_operation_that_may_not_read_all_it_asks_for_names_the_right(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        shop.bulk_status, shop.bulk_error = "FAILED", "ACCESS_DENIED"
        with pytest.raises(PermissionMissing) as caught:
            read(connector)
        assert "read_customers" in caught.value.remedy

    def test_customers_are_paged_where_the_operation_is_refused_or_no_longer_known(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        connector.check()
        wrong = {"errors": [{"message": "Bulk queries need a connection", "extensions": {"code": "BAD_REQUEST"}}]}
        shop.habits.fail_next = [Answer(200, wrong)]
        assert keys(connector) == set(shop.rows)
        pages = connector.read(Read("customers", page_size=3))
        next(pages)
        shop.bulk.clear()
        assert {record.key for page in pages for record in page.records} == set(shop.rows)

    @pytest.mark.parametrize("odd", [Answer(206, b"{}", {"Content-Range": "bytes 9-10/11"}), Answer(206, b"{}")])
    def test_customers_are_paged_where_the_file_server_answers_another_part(
        self, shop: Shop, connector: Connector[Any], odd: Answer
    ) -> None:
        def otherwise(request: Any) -> None:
            if request.path.startswith("/bulk/"):
                raise odd

        shop.habits.before = otherwise
        assert keys(connector) == set(shop.rows)

    def test_a_position_of_another_connector_means_a_full_read(self, paged: Connector[Any]) -> None:
        with pytest.raises(CursorExpired):
            read(paged, mode=Mode.INCREMENTAL, cursor={"value": 7})

    def test_a_file_server_without_ranges_is_read_too(self, shop: Shop, connector: Connector[Any]) -> None:
        shop.ranges = False
        assert keys(connector) == set(shop.rows)

    def test_an_older_interface_without_this_kind_of_bulk_operation_is_paged(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        shop.schema = build_schema(print_schema(SCHEMA).replace(", groupObjects: Boolean", ""))
        with pytest.raises(BadConfiguration, match="groupObjects"):
            read(connector)
        assert keys(ShopSource(shop, bulk=False).connect()) == set(shop.rows)

    def test_lines_of_nested_connections_are_no_customers(self, shop: Shop, connector: Connector[Any]) -> None:
        pages = connector.read(Read("customers", page_size=100))
        next(pages)
        line = b'{"id":"gid://shopify/MailingAddress/1","__parentId":"gid://shopify/Customer/1"}\n'
        shop.bulk[gid(1, "BulkOperation")]["content"] += line
        assert {record.key for page in pages for record in page.records} == set(shop.rows)

    def test_a_shop_without_customers_is_empty(self) -> None:
        with Shop(rows=0) as empty:
            assert read(ShopSource(empty).connect()) == []
            assert read(ShopSource(empty, bulk=False).connect()) == []

    def test_the_search_quotes_its_stamps(self, shop: Shop, paged: Connector[Any]) -> None:
        since = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        read(paged, mode=Mode.INCREMENTAL, since=since, until=since + timedelta(days=1))
        query = asked(shop, "after: $after")[0]["variables"]["query"]
        assert query == "updated_at:>='2026-01-02T03:04:05+00:00' AND updated_at:<'2026-01-03T03:04:05+00:00'"

    def test_a_search_that_is_ignored_costs_time_and_loses_nothing(self, shop: Shop, connector: Connector[Any]) -> None:
        source = ShopSource(shop)
        copy = Copy(connector, source)
        copy.full()
        shop.ignores_filter = True
        shop.update(gid(2))
        assert copy.incremental().changed == set(shop.rows)

    def test_a_place_that_the_shop_has_forgotten_is_read_again_from_its_start(
        self, shop: Shop, paged: Connector[Any]
    ) -> None:
        first = next(iter(paged.read(Read("customers", page_size=3))))
        cursor = {**first.cursor, "scan": "of-another-sort"}
        assert keys(paged, mode=Mode.FULL, cursor=cursor, resumed=True) == set(shop.rows)

    def test_a_page_that_hides_where_it_goes_on_breaks_the_stream(self, shop: Shop, paged: Connector[Any]) -> None:
        body = {"data": {"customers": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}}}
        paged.check()
        shop.habits.fail_next = [Answer(200, body)]
        with pytest.raises(StreamBroken, match="whether more follow"):
            read(paged)

    def test_a_token_that_ends_amid_a_read_is_renewed(self, shop: Shop, paged: Connector[Any]) -> None:
        source = ShopSource(shop, bulk=False)
        assert set(Copy(paged, source).full(shop.tokens.clear).bodies) == set(shop.rows)


class TestSingleCustomers:
    def test_they_are_as_a_read_shows_them(self, shop: Shop, connector: Connector[Any]) -> None:
        page = connector.fetch("customers", [gid(3), gid(1)])
        whole = {record.key: record for record in read(connector)}
        assert {record.key: record for record in page.records} == {key: whole[key] for key in (gid(1), gid(3))}
        assert not page.deleted

    def test_those_that_are_not_there_are_gone(self, shop: Shop, connector: Connector[Any]) -> None:
        shop.delete(gid(2))
        page = connector.fetch("customers", [gid(1), gid(2)])
        assert ([record.key for record in page.records], list(page.deleted)) == ([gid(1)], [gid(2)])

    def test_many_are_asked_for_in_several_calls(self) -> None:
        with Shop(rows=120) as shop:
            made = ShopSource(shop).connect()
            assert len(made.fetch("customers", list(shop.rows)).records) == 120
            assert len(asked(shop, "nodes(ids")) == 3

    def test_a_shop_that_refuses_the_question_says_why_and_nothing_is_taken_for_gone(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        shop.schema = build_schema(print_schema(SCHEMA).replace("  nodes(ids: [ID!]!): [Node]!\n", ""))
        with pytest.raises(BadConfiguration, match="nodes"):
            connector.fetch("customers", [gid(1)])


class TestPoints:
    def test_a_page_that_is_too_costly_is_asked_for_in_smaller_pieces(self, shop: Shop, paged: Connector[Any]) -> None:
        shop.page_cost = 300.0
        shop.left = shop.MOST_POINTS
        assert keys(paged) == set(shop.rows)
        sizes = [body["variables"]["first"] for body in asked(shop, "after: $after")]
        assert sizes == [250, 125, 62, 31, 15, 7, 3, 3, 3]

    def test_a_single_customer_that_is_too_costly_is_said(self, shop: Shop, paged: Connector[Any]) -> None:
        shop.page_cost = 3000.0
        with pytest.raises(StreamBroken, match="MAX_COST_EXCEEDED"):
            read(paged)

    def test_points_that_run_out_are_waited_for_by_everyone_on_the_account(
        self, shop: Shop, paged: Connector[Any]
    ) -> None:
        paged.check()
        shop.left, shop.rate, shop.page_cost = 12.0, 1.0, 3.9
        with pytest.raises(WaitUntil) as caught:
            read(paged)
        wait = (caught.value.until - paged.context.now()).total_seconds()
        assert 900 < wait < 980, "977 points are asked for, 12 are left, one comes back each second"
        with pytest.raises(WaitUntil):
            paged.check()

    def test_the_next_query_waits_before_it_is_refused(self, shop: Shop, paged: Connector[Any]) -> None:
        paged.check()
        shop.rate, shop.page_cost, shop.left = 0.001, 3.9, 1000.0
        pages = paged.read(Read("customers", page_size=250))
        assert next(pages).records, "this page was paid for"
        calls = len(shop.calls)
        with pytest.raises(WaitUntil):
            paged.check()
        assert len(shop.calls) == calls, "nothing is sent that would be refused"

    def test_a_throttled_answer_without_any_cost_is_tried_again(self, shop: Shop, paged: Connector[Any]) -> None:
        paged.check()
        bare = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
        shop.habits.fail_next = [Answer(200, bare)]
        assert keys(paged) == set(shop.rows)


class TestWithheldData:
    @pytest.mark.parametrize("bulk", [True, False])
    @pytest.mark.parametrize("how", ["denied", "null"])
    def test_names_and_contacts_that_are_withheld_are_never_read_as_empty(
        self, shop: Shop, how: str, bulk: bool
    ) -> None:
        shop.hides = how
        made = ShopSource(shop, bulk=bulk).connect()
        if how == "denied" and bulk:
            shop.bulk_refused = "Access denied"
        with pytest.raises(PermissionMissing):
            read(made)
        with pytest.raises(PermissionMissing):
            made.check()

    def test_a_customer_without_any_name_or_contact_among_others_is_read(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        bare = {"displayName": "", "firstName": None, "lastName": None, "email": None, "phone": None}
        shop.rows[gid(1)] |= bare
        assert keys(connector) == set(shop.rows)


class TestWriting:
    def test_only_what_differs_is_sent(self, shop: Shop, connector: Connector[Any]) -> None:
        row = shop.rows[gid(1)]
        same = {"firstName": row["firstName"], "email": row["email"], "tags": ["vip"]}
        (unchanged,) = connector.write("customers", [Write(same, "w1", key=gid(1))])
        assert unchanged.error is None
        assert not asked(shop, "customerSet")
        connector.write("customers", [Write({**same, "lastName": "New"}, "w2", key=gid(1))])
        assert asked(shop, "customerSet")[0]["variables"]["input"] == {"lastName": "New"}

    def test_a_customer_changed_since_we_saw_it_is_a_conflict(self, shop: Shop, connector: Connector[Any]) -> None:
        seen = read(connector)[0].changed_at
        shop.update(gid(1))
        (result,) = connector.write("customers", [Write({"note": "x"}, "w1", key=gid(1), expected=seen)])
        assert isinstance(result.error, WriteConflict)
        assert not asked(shop, "customerSet")

    def test_an_upsert_says_whether_it_created(self, shop: Shop, connector: Connector[Any]) -> None:
        known = shop.rows[gid(1)]["email"]
        new, old = connector.write("customers", [Write({"email": "n@x.example"}, "1"), Write({"email": known}, "2")])
        assert (new.created, old.created) == (True, False)
        assert old.key == gid(1)

    def test_a_customer_is_found_by_phone_where_there_is_no_email(self, shop: Shop, connector: Connector[Any]) -> None:
        body = {"phone": "+441134960000", "firstName": "P"}
        first, again = (connector.write("customers", [Write(body, "1")])[0] for _ in range(2))
        assert first.key == again.key

    def test_one_without_email_and_phone_is_refused_before_anything_is_sent(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        (result,) = connector.write("customers", [Write({"firstName": "Nobody"}, "w1")])
        assert isinstance(result.error, RecordRejected)
        assert not shop.calls

    def test_an_id_of_ours_makes_a_write_repeatable_without_email(self, shop: Shop) -> None:
        made = ShopSource(shop, external_id="kehu.id").connect()
        first, again = (made.write("customers", [Write({"firstName": "N"}, "id-7")])[0] for _ in range(2))
        assert first.key == again.key
        assert shop.rows[str(first.key)]["metafields"] == {"kehu.id": "id-7"}

    def test_wrong_fields_reject_one_record_and_not_its_neighbours(self, shop: Shop, connector: Connector[Any]) -> None:
        results = connector.write(
            "customers",
            [
                Write({"email": "a@x.example", "no_such": 1}, "1"),
                Write({"email": "nonsense"}, "2"),
                Write({"email": "c@x.example", "emailMarketingConsent": {}}, "3"),
                Write({"firstName": "x"}, "4", key=gid(999)),
                Write({"email": "b@x.example"}, "5"),
            ],
        )
        assert [isinstance(result.error, RecordRejected) for result in results] == [True, True, True, True, False]
        assert "no_such" in str(results[0].error)
        assert "Email is invalid" in str(results[1].error)
        assert isinstance(results[1].error, RecordRejected)
        assert results[1].error.path == "input.email"

    def test_a_missing_right_to_write_stops_the_batch_and_names_the_right(
        self, shop: Shop, connector: Connector[Any]
    ) -> None:
        connector.check()
        denied = {"errors": [{"message": "Access denied for customerSet field. Required access: `write_customers`",
                              "extensions": {"code": "ACCESS_DENIED"}}]}  # fmt: skip
        shop.habits.fail_next = [Answer(200, denied)]
        with pytest.raises(PermissionMissing, match="write_customers"):
            connector.write("customers", [Write({"email": "n@x.example"}, "1")])

    def test_a_customer_gone_between_look_and_write_is_refused(self, shop: Shop, connector: Connector[Any]) -> None:
        shop.before_write = lambda: shop.rows.pop(gid(1), None) and None
        (result,) = connector.write("customers", [Write({"note": "x"}, "w1", key=gid(1))])
        assert isinstance(result.error, RecordRejected)
        assert gid(1) not in shop.rows


def signed(secret: str, body: bytes, **headers: str) -> Inbound:
    mac = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    given = {"x-shopify-hmac-sha256": mac, "X-Shopify-Topic": "customers/update", "X-Shopify-Event-Id": "e-1"}
    return Inbound("POST", "/hook", given | {n.replace("_", "-"): v for n, v in headers.items()}, {}, body)


class TestWebhooks:
    def test_a_signed_one_hints_at_its_customer(self, connector: Connector[Any]) -> None:
        hints = connector.verify(signed(Shop.KEY, b'{"id": 101, "email": "x@x.example"}'))
        assert list(hints) == [Hint("customers", gid(101), "e-1")]

    def test_the_name_within_the_interface_goes_first(self, connector: Connector[Any]) -> None:
        body = b'{"id": 9, "admin_graphql_api_id": "gid://shopify/Customer/101"}'
        assert connector.verify(signed(Shop.KEY, body))[0].key == gid(101)

    def test_a_merge_of_unknown_form_is_a_hint_without_a_key(self, connector: Connector[Any]) -> None:
        hints = connector.verify(signed(Shop.KEY, b'{"what": "merged"}', X_Shopify_Topic="customers/merge"))
        assert list(hints) == [Hint("customers", None, "e-1")]

    def test_an_erasure_names_its_customer(self, connector: Connector[Any]) -> None:
        body = b'{"shop_id": 1, "customer": {"id": 101}}'
        assert connector.verify(signed(Shop.KEY, body, X_Shopify_Topic="customers/redact"))[0].key == gid(101)

    def test_other_topics_are_no_hints(self, connector: Connector[Any]) -> None:
        assert not connector.verify(signed(Shop.KEY, b"{}", X_Shopify_Topic="orders/create"))

    @pytest.mark.parametrize("forged", [{"x_shopify_hmac_sha256": ""}, {"x_shopify_hmac_sha256": "AAAA"}])
    def test_forged_ones_are_refused(self, connector: Connector[Any], forged: dict[str, str]) -> None:
        request = signed(Shop.KEY, b'{"id": 1}')
        request.headers["x-shopify-hmac-sha256"] = forged["x_shopify_hmac_sha256"]  # type: ignore[index]
        with pytest.raises(BadCredentials, match="signature"):
            connector.verify(request)

    def test_one_signed_with_another_secret_is_refused(self, connector: Connector[Any]) -> None:
        with pytest.raises(BadCredentials):
            connector.verify(signed("another", b'{"id": 1}'))

    def test_a_body_that_is_no_json_is_refused_after_its_signature_was_checked(self, connector: Connector[Any]) -> None:
        with pytest.raises(RecordRejected, match="JSON"):
            connector.verify(signed(Shop.KEY, b"{"))

    def test_one_of_another_shop_is_refused(self) -> None:
        made = ShopifyConnector(_config(), Context("shop"))
        with pytest.raises(BadCredentials, match="another shop"):
            made.verify(signed("s", b'{"id": 1}', X_Shopify_Shop_Domain="other.myshopify.com"))

    def test_without_the_client_secret_none_can_be_verified(self) -> None:
        made = ShopifyConnector(_config(client_id=None, client_secret=None, access_token="t"), Context("shop"))
        with pytest.raises(BadConfiguration) as caught:
            made.verify(signed("s", b"{}"))
        assert caught.value.setting == "client_secret"


def _config(**changed: Any) -> ShopifyConfig:
    given = {"base_url": "https://example.myshopify.com", "client_id": "a", "client_secret": "s"} | changed
    return validate(ShopifyConfig, {name: value for name, value in given.items() if value is not None})


def test_settings_without_any_login_are_refused() -> None:
    with pytest.raises(BadConfiguration, match="client_id and client_secret, or access_token"):
        _config(client_secret=None)


def documented(**changed: Any) -> ShopifyConnector:
    given = {"base_url": "https://93.184.216.34", "access_token": "shpat_1", "bulk": False} | changed
    return ShopifyConnector(validate(ShopifyConfig, given), Context("shop"))


ENDPOINT = "https://93.184.216.34/admin/api/2026-07/graphql.json"
EXAMPLE = json.loads("""{"data":{"customers":{"pageInfo":{"hasNextPage":false,"endCursor":"eyJs"},"nodes":[
{"id":"gid://shopify/Customer/101","updatedAt":"2026-01-02T03:04:05Z","firstName":"Ann","defaultEmailAddress":
{"emailAddress":"ann@x.example","marketingState":"SUBSCRIBED"}}]}},"extensions":{"cost":{"requestedQueryCost":12,
"actualQueryCost":4,"throttleStatus":{"maximumAvailable":2000.0,"currentlyAvailable":1996,"restoreRate":100.0}}}}""")


@responses.activate
def test_the_documented_customer_is_read_and_mapped() -> None:
    responses.post(ENDPOINT, json=EXAMPLE)
    (record,) = read(documented())
    assert (record.key, record.changed_at) == ("gid://shopify/Customer/101", "2026-01-02T03:04:05.000000Z")
    assert responses.calls[0].request.headers["X-Shopify-Access-Token"] == "shpat_1"
    (mapped,) = compile_mapping(load_spec(registered("shopify").folder / "mapping.yaml"))(json.loads(record.body))
    assert mapped.customer["given_name"] == "Ann"
    assert mapped.customer["consents"][0]["granted"] is True


@responses.activate
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"errors": "[API] Invalid API key or access token (unrecognized login)"}, BadCredentials),
        (402, {"errors": "Unavailable Shop"}, NeedsHuman),
        (403, {"errors": "Forbidden"}, PermissionMissing),
        (404, {"errors": "Not Found"}, BadConfiguration),
        (200, {"errors": [{"message": "Shop is inactive", "extensions": {"code": "SHOP_INACTIVE"}}]}, NeedsHuman),
        (200, {"errors": "something"}, StreamBroken),
        (200, {"errors": [{"message": "Access denied", "extensions": {"code": "ACCESS_DENIED"}}], **EXAMPLE},
         PermissionMissing),
        (200, {"errors": [{"message": "Field 'x' doesn't exist on type 'Customer'",
                           "extensions": {"code": "undefinedField"}}]}, BadConfiguration),
        (200, {"data": None}, StreamBroken),
    ],
)  # fmt: skip
def test_refusals_become_errors_that_say_what_to_do(status: int, body: Any, kind: type[Exception]) -> None:
    responses.post(ENDPOINT, json=body, status=status)
    with pytest.raises(kind) as caught:
        read(documented())
    if status == 401:
        assert "access_token" in str(caught.value)
    if kind is BadConfiguration and status == 200:
        assert caught.value.setting == "api_version"  # type: ignore[attr-defined]


@responses.activate
def test_the_documented_business_failure_is_a_conflict_of_one_record() -> None:
    error = [{"field": ["email"], "message": "Email has already been taken"}]  # older versions give no code
    responses.post(ENDPOINT, json={"data": {"customerSet": {"customer": None, "userErrors": error}}})
    (result,) = documented().write("customers", [Write({"email": "a@x.example"}, "1")])
    assert isinstance(result.error, WriteConflict)


def test_a_company_and_its_buyer_are_two_customers() -> None:
    with Shop(rows=2) as shop:
        mapper = compile_mapping(load_spec(registered("shopify").folder / "mapping.yaml"))
        found = bodies(ShopSource(shop))
    company, buyer = mapper(found[gid(2)])
    assert (company.customer["kind"], company.customer["name"]) == ("organisation", "Acme 2")
    assert buyer.customer["family_name"] == "Lee 2"
    assert features_of(mapper(found[gid(1)])[0].customer)[0] == "p"
