"""What vendors' manifests need beyond the typical: rules for any status, envelopes, keys in filters, lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Connector, Context, Read, Write
from connectors.errors import BadCredentials, PermissionMissing, RecordRejected, WaitUntil
from connectors.rest import bind_file
from connectors.rest.slicing import find, put
from connectors.rest.templates import fill, places
from connectors.retry_after import wait_seconds

HOST = "https://93.184.216.34"
MANIFEST = """\
id: acme
title: {{en: Acme, zh: 极致}}
kind: crm
config:
  token: {{en: Token, zh: 令牌, secret: true}}
  fields: {{en: Further fields, zh: 更多字段, type: list, default: ""}}
base_url: https://93.184.216.34
auth: {{kind: bearer, token: "{{config.token}}"}}
errors:
  - {{status: 401, path: code, equals: no_right, raise: permission_missing, text: message}}
  - {{status: 429, path: policy, equals: DAILY, raise: wait, after: 3600}}
streams:
  customers:
    title: {{en: Customers, zh: 客户}}
    path: /search
    method: POST
    body: {{filters: [{{field: id, value: "0"}}], fields: [id, "{{config.fields}}"]}}
    records: items
    key: id
    changed_at: changed
    zone: Asia/Shanghai
    pages: {{kind: keyset, param: "filters[0].value", into: body}}
    incremental: {{params: {{since: "{{cursor.value}}"}}, format: "%Y-%m-%d %H:%M:%S"}}
    write: {write}
"""
UPSERT = """
      upsert: {path: "/by/{body.email}", method: PUT, envelope: {data: {type: profile}}, wrap: data.attributes,
               body: {origin: {app: kehu}}, key: data.id}
      update: {path: "/{key}", method: PATCH, envelope: {data: {id: "{key}"}}, wrap: data.attributes,
               body: {seen: "{expected}"}, key: data.id}
"""
CREATE = """
      find: {path: "/by/{body.email}", records: "", absent: [404], params: {filter: 'equals(email,{body.email:json})'}}
      create: {path: /new}
      update: {path: "/{key}", method: PATCH}
"""


@pytest.fixture
def connect(tmp_path: Path) -> Callable[..., Connector[Any]]:
    def make(write: str = UPSERT, **settings: Any) -> Connector[Any]:
        (tmp_path / "manifest.yaml").write_text(MANIFEST.format(write=write), encoding="utf-8")
        connector = bind_file(tmp_path / "manifest.yaml")
        return connector(connector.config_model(token="secret-token-1", **settings), Context("acme"))

    return make


@pytest.fixture(autouse=True)
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def sent(wire: responses.RequestsMock, number: int = -1) -> Any:
    return json.loads(wire.calls[number].request.body)


def test_a_rule_may_tell_a_missing_right_from_a_wrong_token_though_both_are_401(connect, wire):
    wire.post(f"{HOST}/search", json={"code": "no_right", "message": "may not read"}, status=401)
    with pytest.raises(PermissionMissing, match="may not read"):
        list(connect().read(Read("customers")))
    wire.replace(responses.POST, f"{HOST}/search", json={"code": "who"}, status=401)
    with pytest.raises(BadCredentials, match="token"):
        list(connect().read(Read("customers")))


def test_a_rule_may_tell_a_limit_per_day_from_one_per_second(connect, wire):
    wire.post(f"{HOST}/search", json={"policy": "DAILY"}, status=429)
    with pytest.raises(WaitUntil) as caught:
        list(connect().read(Read("customers")))
    assert caught.value.until - datetime.now(UTC) > timedelta(minutes=59)
    assert len(wire.calls) == 1


def test_a_429_that_no_rule_fits_is_tried_again(connect, wire):
    wire.post(f"{HOST}/search", json={"policy": "SECOND"}, status=429)
    wire.post(f"{HOST}/search", json={"items": []})
    assert list(connect().read(Read("customers")))


def test_keys_go_into_a_list_of_the_body_and_the_manifest_stays_as_it_is(connect, wire):
    for items in ([{"id": "7"}], [{"id": "9"}], [], []):
        wire.post(f"{HOST}/search", json={"items": items})
    connector = connect()
    list(connector.read(Read("customers")))
    list(connector.read(Read("customers")))
    assert [sent(wire, number)["filters"][0]["value"] for number in range(4)] == ["0", "7", "9", "0"]


@pytest.mark.parametrize(("given", "expected"), [("", []), ("tier", ["tier"]), (" a ,, 税号 ", ["a", "税号"])])
def test_a_list_of_settings_is_spliced_into_a_list(connect, wire, given, expected):
    wire.post(f"{HOST}/search", json={"items": []})
    list(connect(fields=given).read(Read("customers")))
    assert sent(wire)["fields"] == ["id", *expected]


def test_a_record_is_put_into_its_envelope_and_wins_over_constants(connect, wire):
    wire.put(f"{HOST}/by/a%2Bb%40x.cn", json={"data": {"id": "p1"}}, status=201)
    write = Write({"email": "a+b@x.cn", "origin": {"page": 1}}, "w1")
    (result,) = connect().write("customers", [write])
    assert (result.error, result.key, result.created) == (None, "p1", True)
    attributes = {"email": "a+b@x.cn", "origin": {"app": "kehu", "page": 1}}
    assert sent(wire) == {"data": {"type": "profile", "attributes": attributes}}


def test_the_stamp_we_last_saw_is_sent_as_the_filter_writes_stamps(connect, wire):
    wire.patch(f"{HOST}/p1", json={"data": {"id": "p1"}})
    connect().write("customers", [Write({"a": 1}, "w1", key="p1", expected="2026-01-02T03:04:05.000000Z")])
    assert sent(wire) == {"data": {"id": "p1", "attributes": {"seen": "2026-01-02 11:04:05", "a": 1}}}
    connect().write("customers", [Write({"a": 1}, "w1", key="p1")])
    assert sent(wire)["data"]["attributes"] == {"a": 1}


@pytest.mark.parametrize("write", [UPSERT, CREATE])
def test_a_record_without_the_field_in_its_address_is_refused_before_it_is_sent(connect, wire, write):
    (result,) = connect(write).write("customers", [Write({"email": ""}, "w1")])
    assert isinstance(result.error, RecordRejected)
    assert result.error.path == "email"
    assert not wire.calls


def test_a_look_up_may_answer_one_object_or_a_status_that_means_none(connect, wire):
    wire.get(f"{HOST}/by/a%22@x.cn".replace("@", "%40"), json={"id": 7})
    wire.patch(f"{HOST}/7", json={"id": 7})
    (found,) = connect(CREATE).write("customers", [Write({"email": 'a"@x.cn'}, "w1")])
    assert (found.key, found.created) == ("7", False)
    assert wire.calls[0].request.params["filter"] == 'equals(email,"a\\"@x.cn")'
    wire.get(f"{HOST}/by/b%40x.cn", status=404)
    wire.post(f"{HOST}/new", json={"id": 8}, status=201)
    (made,) = connect(CREATE).write("customers", [Write({"email": "b@x.cn"}, "w2")])
    assert (made.key, made.created) == ("8", True)


@given(st.text(st.characters(codec="utf-8")))
def test_a_value_written_as_json_cannot_leave_its_quotes(value):
    assert json.loads(fill('[["name","=",{body.name:json}]]', {"body.name": value})) == [["name", "=", value]]


def test_a_place_written_as_text_is_text_and_an_absent_one_is_still_left_out():
    assert fill({"a": "{key:text}", "b": "{partition:text}"}, {"key": 7}) == {"a": "7"}
    assert list(places(["{key:text}", "{body.name:json}"])) == ["key", "body.name"]


@pytest.mark.parametrize("path", ["a[0].b", "a[5]", "c[0]"])
def test_a_list_is_entered_and_never_made(path):
    body: dict[str, Any] = {"a": [{"b": 1}]}
    if path == "a[0].b":
        put(body, path, 2)
        assert find(body, path) == 2
    else:
        with pytest.raises(ValueError, match="no place"):
            put(body, path, 2)


def test_brevos_reset_header_is_read():
    assert wait_seconds({"X-Sib-RateLimit-Reset": "30"}, datetime.now(UTC)) == 30
