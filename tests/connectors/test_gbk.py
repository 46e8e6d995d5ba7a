"""Chinese answers that do not say in which character set they are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConnectorError
from connectors.gbk import in_utf8
from connectors.response import Response, headers_of


def answer(body: bytes, content_type: str = "application/json") -> Response:
    return Response("c", "GET", "https://x.example/", 200, headers_of({"Content-Type": content_type}), body)


@given(st.text(min_size=1), st.sampled_from(["utf-8", "gb18030"]))
def test_what_json_says_survives_either_character_set(text: str, charset: str) -> None:
    try:
        body = json.dumps({"name": text}, ensure_ascii=False).encode(charset)
    except UnicodeError:
        return  # a lone surrogate: no character set can hold it
    if charset == "utf-8" or not _is_utf8(body):
        assert in_utf8(answer(body)).json() == {"name": text}


@pytest.mark.parametrize("declared", ["application/json", "application/json; charset=utf-8", "text/plain"])
def test_gbk_is_read_whatever_is_declared(declared: str) -> None:
    body = '{"name": "深圳市甲科技有限公司"}'.encode("gbk")
    assert in_utf8(answer(body, declared)).json() == {"name": "深圳市甲科技有限公司"}


def test_utf8_and_ascii_stay_as_they_are() -> None:
    for body in ('{"name": "甲"}'.encode(), b'{"name": "a"}'):
        response = answer(body)
        assert in_utf8(response) is response


def test_bytes_of_neither_are_an_error_of_the_contract() -> None:
    with pytest.raises(ConnectorError):
        in_utf8(answer(b'{"name": "\xff\xff"}')).json()


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeError:
        return False
    return True
