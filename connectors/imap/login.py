"""Opening a session: a guarded socket, TLS with a checked certificate, and one of three ways to log in."""

from __future__ import annotations

import imaplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from connectors.auth import ClientCredentials, RefreshToken
from connectors.auth.naming import naming_settings
from connectors.contract import Context
from connectors.errors import BadConfiguration, BadCredentials, ConnectorError, RetryLater, StreamBroken
from connectors.guard import AddressGuard
from connectors.http import Client
from connectors.imap.config import ImapConfig, OAuth

TIMEOUT = 60.0
"""Seconds for connecting and for each answer."""
BUSY = ("UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG", "CONTACTADMIN", "TOO MANY", "TRY AGAIN", "THROTTL")


class _Plain(imaplib.IMAP4):
    """imaplib over a socket that the address guard has dialled."""

    def __init__(self, dial: Callable[[], socket.socket], host: str, port: int) -> None:
        self._dial = dial
        super().__init__(host, port, TIMEOUT)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return self._dial()


def open_session(config: ImapConfig, context: Context) -> imaplib.IMAP4:
    """A session that is logged in. Raises the errors of ``connectors.errors``."""
    where: dict[str, Any] = {"connection": context.connection, "host": config.host, "port": config.port}
    try:
        session = _connected(config, context)
    except ssl.SSLError as error:
        raise _untrusted(error, where) from error
    except (OSError, imaplib.IMAP4.error) as error:
        raise RetryLater(
            "{connection}: {host}:{port} does not answer ({reason}).",
            reason=_reason(error),
            remedy="It is tried again by itself. If it persists, check the settings `host` and `port`, and whether a "
            "firewall is in the way.",
            **where,
        ) from None
    try:
        _log_in(session, config, context)
        _introduce(session)
    except ConnectorError:
        close_session(session)
        raise
    except (OSError, imaplib.IMAP4.error) as error:
        close_session(session)
        raise fault(error, context.connection) from None
    return session


def close_session(session: imaplib.IMAP4) -> None:
    """Log out, as far as the server still listens."""
    with suppress(OSError, imaplib.IMAP4.error):
        session.logout()
    with suppress(OSError):
        session.shutdown()


def fault(error: Exception, connection: str) -> ConnectorError:
    """What imaplib or the network raised, as one of our errors. Lost connections and busy servers pass."""
    reason = _reason(error)
    where: dict[str, Any] = {"connection": connection, "reason": reason}
    refused = isinstance(error, imaplib.IMAP4.error) and not isinstance(error, imaplib.IMAP4.abort)
    if refused and not any(word in reason.upper() for word in BUSY):
        return StreamBroken("{connection}: the mail server refused: {reason}.", **where)
    return RetryLater("{connection}: the mail server broke off ({reason}).", **where)


def _connected(config: ImapConfig, context: Context) -> imaplib.IMAP4:
    guard = AddressGuard(context.allow_private)
    trust = _trust(config.ca_file, context.folder)

    def dial() -> socket.socket:
        plain = guard.dial(config.host, config.port, TIMEOUT)
        if config.security != "tls":
            return plain
        try:
            return trust.wrap_socket(plain, server_hostname=config.host)
        except BaseException:
            plain.close()
            raise

    session = _Plain(dial, config.host, config.port)
    if config.security == "starttls":
        try:
            session.starttls(trust)
        except BaseException:
            close_session(session)
            raise
    return session


def _trust(ca_file: Path | None, folder: Path) -> ssl.SSLContext:
    """A context that checks names and certificates. Raises BadConfiguration for an unusable ``ca_file``."""
    try:
        return ssl.create_default_context(cafile=folder / ca_file if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise BadConfiguration(
            "The certificates of {setting} cannot be read ({reason}).", setting="ca_file", reason=_reason(error)
        ) from None


def _log_in(session: imaplib.IMAP4, config: ImapConfig, context: Context) -> None:
    if session.state == "AUTH":
        return  # PREAUTH: the server knows us already
    try:
        if config.password is not None:
            _by_password(session, config, config.password)
        else:
            with naming_settings(context.connection, "oauth"):
                token = config.access_token or _token(config.oauth, context)
            session.authenticate("XOAUTH2", _bearer(config.user, token.get_secret_value()))
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        if any(word in _reason(error).upper() for word in BUSY):
            raise
        raise _refused(config, context, _reason(error)) from None


def _by_password(session: imaplib.IMAP4, config: ImapConfig, password: SecretStr) -> None:
    if "LOGINDISABLED" in session.capabilities:
        raise BadConfiguration(
            "The mail server takes no password without TLS.",
            setting="security",
            remedy="Set `security: tls` (port 993) or `security: starttls` (port 143).",
        )
    secret = password.get_secret_value()
    if "AUTH=PLAIN" in session.capabilities:
        session.authenticate("PLAIN", lambda _: f"\0{config.user}\0{secret}".encode())
    else:
        session.login(config.user, secret)


def _bearer(user: str, token: str) -> Callable[[bytes], bytes]:
    """The XOAUTH2 response; a refusal comes as a challenge, to be answered with an empty line."""
    answers = iter([f"user={user}\x01auth=Bearer {token}\x01\x01".encode()])
    return lambda challenge: next(answers, b"")


def _token(oauth: OAuth | None, context: Context) -> SecretStr:
    assert oauth is not None  # noqa: S101 - the configuration demands one of the three
    asked = (oauth.token_url, oauth.client_id, oauth.client_secret)
    flow: RefreshToken | ClientCredentials
    if oauth.refresh_token is not None:
        flow = RefreshToken(*asked, oauth.refresh_token, scope=oauth.scope)
    else:
        flow = ClientCredentials(*asked, scope=oauth.scope)
    with Client(context, oauth.token_url, auth=flow) as client:
        return flow.obtain(client, None).value


def _introduce(session: imaplib.IMAP4) -> None:
    """Say who we are (RFC 2971): 163.com and 126.com refuse to open folders for programs that do not."""
    capabilities = session.capability()[1]
    if capabilities and capabilities[0] and b" ID" in b" " + capabilities[0]:
        imaplib.Commands.setdefault("ID", ("NONAUTH", "AUTH", "SELECTED"))
        session._simple_command("ID", '("name" "kehu" "version" "1")')


def _refused(config: ImapConfig, context: Context, reason: str) -> BadCredentials:
    setting = next(name for name in ("password", "access_token", "oauth") if getattr(config, name) is not None)
    return BadCredentials(
        "{connection}: the mail server refused {user} with this {setting} ({reason}).",
        connection=context.connection,
        user=config.user,
        setting=setting,
        reason=reason,
        remedy="Enter it again. Many providers want an app password or authorisation code instead of the password, "
        "and that IMAP is switched on in the mailbox's own settings.",
    )


def _untrusted(error: ssl.SSLError, where: dict[str, Any]) -> ConnectorError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return BadConfiguration(
            "{connection}: the certificate of {host} is not trusted ({reason}).",
            setting="ca_file",
            remedy="Check `host`. If the server has a certificate of your own authority, set `ca_file` to it.",
            reason=error.verify_message,
            **where,
        )
    return BadConfiguration(
        "{connection}: {host}:{port} does not speak TLS as expected ({reason}).",
        setting="security",
        remedy="Port 993 wants `security: tls`, port 143 `security: starttls`.",
        reason=_reason(error),
        **where,
    )


def _reason(error: Exception) -> str:
    """A short text of what was raised; imaplib's are often bytes."""
    words = error.args[0] if error.args else type(error).__name__
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        words = error.strerror or words
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return " ".join(text.split())[:200]
