"""Webhooks declared in a REST manifest: what proves them, what they hint at, and what is read again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Connector, Context, Hint, Inbound
from connectors.errors import BadConfiguration, BadCredentials, RecordRejected
from connectors.rest import bind_file
from connectors.rest.hooks import nested
from sync.runs.inbound import can_fetch
from tests.connectors.rest_manifests import TYPICAL, write_folder
from tests.connectors.rest_server import RestServer

SECRET = "hook-secret-8c1d"
HMAC = 'kind: hmac, secret: "{config.hook_secret}", header: X-Sign'
SHARED = 'kind: shared, secret: "{config.hook_secret}"'
HINTS = "hints: [{stream: customers, path: type, starts: customer., key: id}]"
ONE = '    one: {path: "/customers/{key}", record: customer}\n'

Connect = Callable[..., Connector[Any]]


def manifest(proof: str = HMAC, hints: str = HINTS, more: str = "", one: str = ONE) -> str:
    setting = "  hook_secret: {en: Secret of the webhooks, zh: 密钥, secret: true, required: false}\n"
    head, _, streams = TYPICAL.partition('base_url: "{config.base_url}"')
    webhook = f"webhook:\n  proof: {{{proof}}}\n  {hints}\n" + "".join(f"  {line}\n" for line in more.splitlines())
    return head + setting + webhook + 'base_url: "{config.base_url}"' + streams + one


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer(rows=8) as running:
        yield running


@pytest.fixture
def connect(server: RestServer, tmp_path: Path) -> Iterator[Connect]:
    made: list[Connector[Any]] = []

    def make(text: str, secret: str | None = SECRET, context: Context | None = None) -> Connector[Any]:
        kind = bind_file(write_folder(tmp_path / f"m{len(made)}", text) / "manifest.yaml")
        settings = {"base_url": server.url, "api_key": server.KEY} | ({"hook_secret": secret} if secret else {})
        made.append(kind(kind.config_model(**settings), context or Context("acme", allow_private=["127.0.0.0/8"])))
        return made[-1]

    yield make
    for connector in made:
        connector.close()


def signed(event: Any, **more: str) -> Inbound:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    given = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return Inbound("POST", "/api/hooks/acme", {"x-sign": given, **more}, {}, body)


EVENT = {"type": "customer.updated", "id": "c00002", "at": "2026-01-02T03:04:05Z"}


def test_a_signed_event_hints_at_its_record(connect: Connect) -> None:
    assert connect(manifest()).verify(signed(EVENT)) == [Hint("customers", "c00002", None)]


def test_events_come_alone_in_a_list_or_inside_something(connect: Connect) -> None:
    two = [EVENT, EVENT | {"id": "c00003"}]
    assert [hint.key for hint in connect(manifest()).verify(signed(two))] == ["c00002", "c00003"]
    inside = connect(manifest(more="events: data.items"))
    assert [hint.key for hint in inside.verify(signed({"data": {"items": two}}))] == ["c00002", "c00003"]


def test_a_list_of_keys_names_several_records_and_a_number_is_a_key_too(connect: Connect) -> None:
    hints = "hints: [{stream: customers, key: [id, merged]}]"
    event = {"id": 7, "merged": ["c00001", 3, None, True, {"id": 4}, ""]}
    assert [hint.key for hint in connect(manifest(hints=hints)).verify(signed(event))] == ["7", "c00001", "3"]


def test_an_event_without_a_key_lets_the_stream_be_read(connect: Connect) -> None:
    assert connect(manifest()).verify(signed({"type": "customer.merged"})) == [Hint("customers")]


@pytest.mark.parametrize("event", [{"type": "order.paid", "id": 1}, "text", 5, None, [], {}, [[EVENT]]])
def test_an_authentic_call_of_no_interest_hints_at_nothing(connect: Connect, event: Any) -> None:
    assert connect(manifest()).verify(signed(event)) == []


def test_an_event_may_be_told_by_a_header(connect: Connect) -> None:
    hints = "hints: [{stream: customers, header: X-Topic, equals: [customer, buyer], key: id}]"
    connector = connect(manifest(hints=hints))
    assert connector.verify(signed(EVENT, **{"x-topic": "buyer"}))
    assert connector.verify(signed(EVENT, **{"x-topic": "order"})) == []


def test_any_change_of_the_body_or_the_signature_is_a_forgery(connect: Connect) -> None:
    connector, good = connect(manifest()), signed(EVENT)
    for bad in (
        replace(good, body=good.body + b" "),
        replace(good, headers={"X-Sign": ""}),
        replace(good, headers={"X-Sign": "é\udcff"}),
        replace(good, headers={}, query={"X-Sign": good.headers["x-sign"]}),
    ):
        with pytest.raises(BadCredentials) as caught:
            connector.verify(bad)
        assert caught.value.params["setting"] == "hook_secret"
        assert SECRET not in str(caught.value)


@given(st.binary(max_size=300))
def test_what_is_signed_and_still_nonsense_is_refused_or_hints_at_nothing(body: bytes) -> None:
    kind = _nonsense()
    connector = kind(kind.config_model(base_url="http://127.0.0.1:9", api_key="k", hook_secret=SECRET), Context("acme"))
    with suppress(RecordRejected):
        assert all(hint.stream == "customers" for hint in connector.verify(signed(body)))
    with pytest.raises(BadCredentials):
        connector.verify(replace(signed(body), body=body + b"x"))


@cache
def _nonsense() -> Any:
    """One kind of connector for all examples."""
    return bind_file(write_folder(Path(tempfile.mkdtemp()) / "acme", manifest()) / "manifest.yaml")


def test_without_the_secret_nothing_is_taken_and_the_setting_is_named(connect: Connect) -> None:
    with pytest.raises(BadConfiguration) as caught:
        connect(manifest(), secret=None).verify(signed(EVENT))
    assert caught.value.setting == "hook_secret"


def test_a_signature_over_address_and_time_is_checked_in_both(connect: Connect) -> None:
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)

    class Then(Context):
        def now(self) -> datetime:
            return now

    proof = HMAC + ', message: "{method}{url}{body}{timestamp}", encoding: base64, sent_at: {header: X-At}'
    connector = connect(manifest(proof, more='url: "https://kehu.example.com/api/hooks/acme"'), context=Then("acme"))

    def call(at: str, url: str = "https://kehu.example.com/api/hooks/acme") -> Inbound:
        body = json.dumps(EVENT).encode()
        message = b"POST" + url.encode() + body + at.encode()
        given = base64.b64encode(hmac.new(SECRET.encode(), message, hashlib.sha256).digest()).decode()
        return Inbound("post", "/behind/a/proxy", {"X-Sign": given, "X-At": at}, {}, body)

    for at in ("1777636700000", "1777636700", "2026-05-01T11:58:00Z", "Fri, 01 May 2026 12:04:00 GMT"):
        assert connector.verify(call(at))
    for at in ("1777630000000", "2026-05-01T12:06:00Z", "", "yesterday", "9" * 14):
        with pytest.raises(BadCredentials, match="300 seconds"):
            connector.verify(call(at))
    with pytest.raises(BadCredentials, match="signature"):
        connector.verify(call("1777636700000", "https://evil.example.com/api/hooks/acme"))
    assert timedelta(0) == now - connector.context.now()


def test_a_shared_secret_is_taken_where_the_manifest_says_and_nowhere_else(connect: Connect) -> None:
    connector = connect(manifest(SHARED + ', header: Authorization, prefix: "Bearer ", query: token'))
    plain = Inbound("POST", "/", {}, {}, json.dumps(EVENT).encode())
    assert connector.verify(replace(plain, headers={"authorization": f"Bearer {SECRET}"}))
    assert connector.verify(replace(plain, query={"token": SECRET}))
    for bad in ({"headers": {"authorization": SECRET}}, {"query": {"secret": SECRET}}, {"query": {"token": ""}}, {}):
        with pytest.raises(BadCredentials):
            connector.verify(replace(plain, **bad))


def test_a_form_is_read_as_an_object(connect: Connect) -> None:
    hints = "hints: [{stream: customers, path: type, equals: profile, key: data.id}]"
    connector = connect(manifest(hints=hints, more="body: form"))
    assert [
        hint.key for hint in connector.verify(signed(b"type=profile&data%5Bid%5D=c00005&data[m][N]=%E5%AE%89"))
    ] == ["c00005"]
    assert connector.verify(signed(b"&&=&" * 2000)) == []


@given(st.dictionaries(st.text(), st.text()))
def test_field_names_of_any_kind_nest_without_harm(fields: dict[str, str]) -> None:
    assert isinstance(nested(fields), dict)


def test_brackets_nest() -> None:
    assert nested({"a[b][c]": "1", "a[b][d]": "2", "x": "3", "x[y]": "4"}) == {
        "a": {"b": {"c": "1", "d": "2"}},
        "x": "3",
    }


def test_a_ping_is_answered_unproved_and_only_that(connect: Connect) -> None:
    connector = connect(manifest(more="ping: {method: GET, form: webhook_id}"))
    assert connector.challenge(Inbound("GET", "/", {}, {}, b"")) == b""
    assert connector.challenge(Inbound("POST", "/", {}, {}, b"webhook_id=7")) == b""
    for body in (b"webhook_id=7&id=1", b"", json.dumps(EVENT).encode(), b"webhook_id=" + b"7" * 300):
        assert connector.challenge(Inbound("POST", "/", {}, {}, body)) is None


@pytest.mark.parametrize(
    ("delivery", "same", "other"),
    [
        ("{event: [id, at]}", {}, {"at": "2026-01-02T03:04:06Z"}),
        ("{body: true}", {}, {"more": 1}),
        ("{header: X-Delivery}", {"more": 1}, None),
    ],
)
def test_a_repetition_is_told_from_the_next_change(
    connect: Connect, delivery: str, same: dict[str, Any], other: dict[str, Any] | None
) -> None:
    connector = connect(manifest(more=f"delivery: {delivery}"))

    def told(event: Any, number: str = "d1") -> str | None:
        return connector.verify(signed(event, **{"X-Delivery": number}))[0].delivery_id

    assert told(EVENT) is not None
    assert told(EVENT) == told(EVENT | same)
    assert told(EVENT) != (told(EVENT, "d2") if other is None else told(EVENT | other))


def test_where_a_part_of_the_delivery_is_missing_nothing_counts_as_repeated(connect: Connect) -> None:
    connector = connect(manifest(more="delivery: {event: [id, at]}"))
    assert connector.verify(signed({"type": "customer.x", "id": 1}))[0].delivery_id is None


def test_named_records_are_read_again_and_those_that_are_gone_are_told(connect: Connect, server: RestServer) -> None:
    connector = connect(manifest())
    assert can_fetch(connector)
    server.update("c00002", name="Renamed")
    server.delete("c00003")
    page = connector.fetch("customers", ["c00002", "c00003", "c00002", "..", "."])
    (record,) = page.records
    assert (record.key, orjson.loads(record.body)["name"]) == ("c00002", "Renamed")
    assert record.changed_at is not None
    assert list(page.deleted) == ["c00003"]


def test_a_record_that_cannot_be_fetched_stops_no_other(connect: Connect, server: RestServer) -> None:
    connector = connect(manifest())
    server.habits.fail_next = [(400, {})]
    page = connector.fetch("customers", ["c00001", "c00002"])
    assert [record.key for record in page.records] == ["c00002"]
    assert [rejected.key for rejected in page.rejected] == ["c00001"]
    assert not page.deleted


def test_a_key_that_now_leads_to_another_record_is_gone(connect: Connect, server: RestServer) -> None:
    connector = connect(manifest())
    server.rows["c00004"] = server.rows["c00005"]  # merged: the old number leads to the survivor
    page = connector.fetch("customers", ["c00004"])
    assert ([record.key for record in page.records], list(page.deleted)) == (["c00005"], ["c00004"])


def test_a_manifest_without_webhooks_takes_none_and_fetches_nothing(connect: Connect) -> None:
    connector = connect(manifest(hints="hints: [{stream: customers}]", one=""))
    assert connector.verify(signed(EVENT)) == [Hint("customers")]
    assert not can_fetch(connector)
    with pytest.raises(NotImplementedError):
        connector.fetch("customers", ["c00001"])
    silent = connect(TYPICAL, secret=None)
    for call in (silent.verify, silent.challenge):
        with pytest.raises(NotImplementedError):
            call(signed(EVENT))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (manifest(one=""), "need its `one`"),
        (manifest(hints="hints: [{stream: buyers}]"), "names the stream buyers"),
        (manifest(HMAC + ', message: "{timestamp}"'), "must hold {body}"),
        (manifest(HMAC + ', message: "{timestamp}{body}"'), "belong together"),
        (manifest(HMAC + ', message: "{url}{body}"'), "needs `url`"),
        (manifest(SHARED), "needs `header` or `query`"),
        (manifest(hints="hints: [{stream: customers, equals: a}]"), "need one of `path` and `header`"),
        (manifest(hints="hints: [{stream: customers, path: a}]"), "need `equals` or `starts`"),
        (manifest('kind: hmac, header: X, secret: "{config.no_such}"'), "unknown place"),
    ],
)
def test_a_webhook_that_cannot_work_is_refused_by_its_manifest(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        bind_file(write_folder(tmp_path / "m", text) / "manifest.yaml")
    assert says in "\n".join([str(caught.value), *map(str, caught.value.also)])
