"""Callbacks of WeCom and WeChat: what is opened, and what is refused."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.contract import Inbound
from connectors.errors import BadConfiguration, BadCredentials
from connectors.tencent.callbacks import MAX_BODY, CallbackKeys, Callbacks, delivery_id, signature
from tests.connectors.tencent.sealing import AES_KEY, TOKEN, callback, sealed, stamped, xml

CORP = "ww1"
MESSAGE = xml(MsgType="event", Event="subscribe", Name="李 <四>")


def opened(request: Inbound, keys: CallbackKeys | None = None, at: datetime | None = None) -> dict[str, str]:
    keys = keys or CallbackKeys(SecretStr(TOKEN), SecretStr(AES_KEY), CORP)
    return dict(Callbacks("c", keys).message(request, at or datetime.now(UTC)))


def plain(body: bytes = MESSAGE) -> Inbound:
    return Inbound("POST", "/x", {}, stamped(name="signature"), body)


NO_AES = CallbackKeys(SecretStr(TOKEN), None, CORP)


def test_the_signature_is_over_the_sorted_texts() -> None:
    assert signature("b", "a", "c") == "a9993e364706816aba3e25717850c26c9cd0d89d"  # SHA-1 of "abc", FIPS 180
    assert signature("9", "10", "a") == signature("a", "9", "10")


def test_an_encrypted_message_is_opened() -> None:
    assert opened(callback(MESSAGE, CORP)) == {"MsgType": "event", "Event": "subscribe", "Name": "李 <四>"}


@given(st.binary(max_size=200))
def test_whatever_was_sealed_comes_out_again(message: bytes) -> None:
    echo = sealed(message, CORP)
    request = Inbound("GET", "/x", {}, stamped(echo) | {"echostr": echo}, b"")
    keys = CallbackKeys(SecretStr(TOKEN), SecretStr(AES_KEY), CORP)
    assert Callbacks("c", keys).echo(request, datetime.now(UTC)) == message


def test_a_plain_message_is_accepted_only_where_no_key_is_set() -> None:
    assert opened(plain(), NO_AES)["Event"] == "subscribe"
    with pytest.raises(BadCredentials, match="not encrypted"):
        opened(plain())


def forged(request: Inbound, **query: str) -> Inbound:
    return replace(request, query={**request.query, **query})


MADE = datetime.now(UTC)
"""When the calls below were stamped: a whole run of the tests may take longer than they are good for."""


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (callback(MESSAGE, CORP, token="another-token"), "signature"),
        (forged(callback(MESSAGE, CORP), msg_signature=""), "signature"),
        (forged(callback(MESSAGE, CORP), msg_signature="ü" * 40), "signature"),
        (forged(callback(MESSAGE, CORP), nonce="x"), "signature"),
        (callback(MESSAGE, "ww-other"), "another account"),
        (callback(MESSAGE, CORP, aes_key=base64.b64encode(b"k" * 32).decode().rstrip("=")), "encoding_aes_key"),
        (Inbound("POST", "/x", {}, stamped("short"), xml(Encrypt="short")), "encoding_aes_key"),
        (Inbound("POST", "/x", {}, stamped("AAAA"), xml(Encrypt="AAAA")), "encoding_aes_key"),
        (Inbound("POST", "/x", {}, {}, b"not xml"), "no message"),
        (Inbound("POST", "/x", {}, {}, b""), "no message"),
        (Inbound("POST", "/x", {}, {}, b"<xml>" + b" " * MAX_BODY + b"</xml>"), "too large"),
        (Inbound("POST", "/x", {}, {}, b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>'), "no mess"),
    ],
)
def test_what_the_vendor_has_not_sent_is_refused(request_: Inbound, words: str) -> None:
    with pytest.raises(BadCredentials, match=words) as caught:
        opened(request_, at=MADE)
    assert TOKEN not in f"{caught.value}{caught.value.remedy}"
    assert AES_KEY not in f"{caught.value}{caught.value.remedy}"


@given(st.binary(max_size=300))
def test_hostile_bodies_never_do_more_than_be_refused(body: bytes) -> None:
    with pytest.raises(BadCredentials):
        opened(Inbound("POST", "/x", {}, stamped(name="signature"), body))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_message_is_not_accepted_again(minutes: int) -> None:
    request = callback(MESSAGE, CORP)
    with pytest.raises(BadCredentials, match="five minutes"):
        opened(request, at=datetime.now(UTC) + timedelta(minutes=minutes))


def test_a_time_that_is_none_is_refused() -> None:
    query = {"timestamp": "²", "nonce": "n", "signature": signature(TOKEN, "²", "n")}
    with pytest.raises(BadCredentials, match="five minutes"):
        opened(Inbound("POST", "/x", {}, query, MESSAGE), NO_AES)


def test_settings_that_are_missing_are_named() -> None:
    with pytest.raises(BadConfiguration) as caught:
        opened(callback(MESSAGE, CORP), CallbackKeys(None, SecretStr(AES_KEY), CORP))
    assert caught.value.setting == "callback_token"
    with pytest.raises(BadConfiguration) as caught:
        opened(callback(MESSAGE, CORP), NO_AES)
    assert caught.value.setting == "encoding_aes_key"


def test_the_plain_test_of_an_address_is_answered_as_it_came() -> None:
    callbacks = Callbacks("c", NO_AES)
    good = Inbound("GET", "/x", {}, stamped(name="signature") | {"echostr": "5876"}, b"")
    assert callbacks.echo(good, datetime.now(UTC)) == b"5876"
    with pytest.raises(BadCredentials):
        callbacks.echo(forged(good, signature="0"), datetime.now(UTC))
    assert callbacks.echo(plain(), datetime.now(UTC)) is None


def test_delivery_ids_tell_messages_apart() -> None:
    assert delivery_id("a", "bc") == delivery_id("a", "bc") != delivery_id("ab", "c")
