"""What mail providers say that Dovecot does not: each becomes an error that names the setting, or passes."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.contract import Context, Read
from connectors.documents import validate
from connectors.errors import BadConfiguration, BadCredentials, ConnectorError, RetryLater, StreamBroken
from connectors.imap.config import ImapConfig
from connectors.imap.connector import ImapConnector
from tests.connectors.imap.scripted import ScriptedServer, settings

CONTEXT = Context("mail", allow_private=["127.0.0.0/8"])


@contextmanager
def mailbox(script: Mapping[str, str] | None = None, server: Any = None, **given: Any) -> Iterator[Any]:
    """The server and a connector to it; ``server`` are its own settings."""
    with ScriptedServer(script or {}, **(server or {})) as scripted:
        connector = ImapConnector(validate(ImapConfig, settings(scripted, **given)), CONTEXT)
        yield scripted, connector
        connector.close()


def refusal(script: Mapping[str, str] | None = None, server: Any = None, **given: Any) -> ConnectorError:
    with mailbox(script, server, **given) as (_, connector):
        with pytest.raises(ConnectorError) as caught:
            connector.check()
        shown = f"{caught.value} {caught.value.remedy} {caught.value.params}"
        assert "secret-4711" not in shown
        return caught.value


def test_a_mailbox_like_any_other_is_checked() -> None:
    with mailbox() as (_, connector):
        assert "3 messages in 1 folders" in str(connector.check())


def test_a_server_that_wants_to_know_who_we_are_is_told_after_the_login() -> None:
    with mailbox(server={"capabilities": "ID"}) as (server, connector):
        connector.check()
        words = [line.split(" ")[0] for line in server.heard]
        assert words.index("LOGIN") < words.index("ID") < words.index("LIST")


def test_a_folder_closed_to_unknown_programs_is_told_in_the_servers_words() -> None:
    unsafe = "{tag} NO EXAMINE Unsafe Login. Please contact kefu@188.com for help"
    with mailbox({"EXAMINE": unsafe}) as (_, connector), pytest.raises(StreamBroken, match="Unsafe Login") as caught:
        list(connector.read(Read("contacts")))
    assert "IMAP is switched on" in caught.value.remedy


@pytest.mark.parametrize(
    "words",
    [
        "{tag} NO [AUTHENTICATIONFAILED] Invalid credentials",
        "{tag} NO Login fail. Password is authorization code",
        "{tag} NO LOGIN Login error or password error",
        "{tag} NO [ALERT] Application-specific password required",
    ],
)
def test_a_refused_password_names_the_setting_and_speaks_of_authorisation_codes(words: str) -> None:
    error = refusal({"LOGIN": words})
    assert isinstance(error, BadCredentials)
    assert error.params["setting"] == "password"
    assert "authorisation code" in error.remedy


@pytest.mark.parametrize(
    "words",
    [
        "{tag} NO [UNAVAILABLE] Temporary authentication failure",
        "{tag} NO [LIMIT] Too many simultaneous connections",
        "{tag} NO [INUSE] Mailbox in use",
        "{tag} NO Too many login failures, try again later",
        "* BYE Too many connections",
    ],
)
def test_a_server_that_is_busy_is_no_wrong_password(words: str) -> None:
    assert isinstance(refusal({"LOGIN": words}), RetryLater)


def test_a_server_that_hangs_up_at_once_is_asked_again_later() -> None:
    error = refusal(server={"greeting": "* BYE Too many connections from your address"})
    assert isinstance(error, RetryLater)
    assert "Too many connections" in str(error)


def test_a_server_that_takes_no_password_without_tls_names_the_setting() -> None:
    error = refusal(server={"capabilities": "LOGINDISABLED STARTTLS"})
    assert isinstance(error, BadConfiguration)
    assert error.setting == "security"


def test_tls_where_there_is_none_names_the_setting() -> None:
    error = refusal(security="tls")
    assert isinstance(error, BadConfiguration)
    assert error.setting == "security"


def test_a_port_where_nobody_listens_names_host_and_port() -> None:
    error = refusal(port=9)
    assert isinstance(error, RetryLater)
    assert "`host` and `port`" in error.remedy


def test_a_server_that_knows_us_already_is_not_told_the_password() -> None:
    with mailbox(server={"greeting": "* PREAUTH ready"}) as (server, connector):
        connector.check()
        assert not [line for line in server.heard if line.upper().startswith(("LOGIN", "AUTHENTICATE"))]


def test_a_refused_token_is_answered_with_an_empty_line_and_named() -> None:
    told = base64.b64encode(b'{"status":"400","schemes":"Bearer"}').decode()
    script = {"AUTHENTICATE": "{tag} NO AUTHENTICATE failed.", "CHALLENGE": told}
    with mailbox(script, access_token="secret-4711", password=None) as (server, connector):
        with pytest.raises(BadCredentials) as caught:
            connector.check()
        sent = base64.b64decode(server.heard[2]).decode()
        assert sent == "user=ann@x.example\x01auth=Bearer secret-4711\x01\x01"
        assert server.heard[3] == ""
        assert caught.value.params["setting"] == "access_token"


def test_a_folder_without_lasting_numbers_is_passed_over() -> None:
    status = '* STATUS "INBOX" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 0)\r\n{tag} OK done'
    with mailbox({"STATUS": status}) as (_, connector):
        assert [record for page in connector.read(Read("contacts")) for record in page.records] == []


def test_a_folder_that_may_not_be_listed_is_told() -> None:
    error = refusal({"LIST": "{tag} NO Mailbox is disabled"})
    assert isinstance(error, StreamBroken)
    assert "Mailbox is disabled" in str(error)
