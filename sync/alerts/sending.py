"""The outbox of alerts: each notice is sent until it is received, for a day at most."""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

import orjson
from pydantic import SecretStr
from sqlalchemy import Connection, delete, select, update

from connectors.errors import ConnectorError
from sync import language
from sync.alerts import wording
from sync.alerts.tables import alert_notice
from sync.alerts.wording import Notice
from sync.database import Database
from sync.logs import Logger
from sync.project import Project
from sync.runs.wording import Wording, packed
from sync.settings import HookSettings, MailSettings

CLAIM = 120.0
"""Seconds that a sender has before another may try."""
DELAYS = (30.0, 60.0, 300.0, 900.0, *[3600.0] * 24)
"""After the first, second, ... failure; then it is given up and stays visible."""
KEEP = 30 * 86_400.0
TIMEOUT = 15.0
LARGEST_CODE = 2_000

log = Logger(__name__)


class NotSent(Exception):
    """The channel did not take the notice, and why."""

    def __init__(self, why: Wording) -> None:
        super().__init__(str(why))
        self.why = why


def send_due(project: Project, database: Database, now: float | None = None) -> int:
    """Send what is due; answers how many were received. Commits."""
    at = time.time() if now is None else now
    sent = 0
    with database.reading() as connection:
        due = select(alert_notice).where(alert_notice.c.state == "due", alert_notice.c.next_at <= at)
        rows = connection.execute(due.order_by(alert_notice.c.id).limit(100)).all()
    for row in rows:
        sent += _claimed(database, row, at) and _send(project, database, row, at)
    return sent


def forget(connection: Connection, now: float | None = None) -> None:
    """Delete notices that were settled long ago."""
    before = datetime.fromtimestamp((time.time() if now is None else now) - KEEP, UTC)
    connection.execute(delete(alert_notice).where(alert_notice.c.state != "due", alert_notice.c.at < before))


def deliver(project: Project, channel: str, notice: Notice) -> None:
    """One attempt. Raises NotSent."""
    settings = project.settings.alerts
    chosen = language.choose(settings.language, project.settings.language)
    deliverers: dict[str, tuple[Any, Callable[..., None]]] = {
        "webhook": (settings.webhook, by_webhook),
        "email": (settings.email, by_email),
    }
    given, by = deliverers[channel]
    if given is None:
        raise NotSent(Wording("This channel is no longer configured.", {}))
    try:
        texts = {name: value for name, value in given if isinstance(value, str)}
        resolved = given.model_copy(update=project.resolved(texts, f"alerts.{channel}"))
        by(resolved, notice, chosen)
    except ConnectorError as error:
        raise NotSent(Wording(error.template, dict(error.params))) from None


def by_webhook(settings: HookSettings, notice: Notice, chosen: str) -> None:
    """A POST through the address guard. Raises NotSent."""
    from sync.delivery.messages import Message
    from sync.delivery.sending import Sender

    keys = [SecretStr(settings.secret)] if settings.secret else []
    sender = Sender(settings.url, keys, settings.allow_private)
    try:
        text = wording.hook_body(notice, settings.format, chosen)
        message = Message(f"alert_{notice.number}", "alert", text)
        outcome = sender.send(message)
    finally:
        sender.close()
    if outcome.error is not None:
        raise NotSent(outcome.error)
    _require_accepted(settings.format, outcome.answer)


def by_email(settings: MailSettings, notice: Notice, chosen: str) -> None:
    """A mail. Raises NotSent."""
    message = _mail(settings, notice, chosen)
    try:
        with _server(settings) as server:
            if settings.user is not None:
                server.login(settings.user, settings.password or "")
            server.send_message(message)
    except smtplib.SMTPResponseException as error:
        raise NotSent(Wording("The mail server refused it with code {code}.", {"code": error.smtp_code})) from None
    except (smtplib.SMTPException, OSError) as error:
        kind = type(error).__name__
        raise NotSent(Wording("The mail server {host} did not take it: {kind}.", {"host": settings.host, "kind": kind})
        ) from None  # fmt: skip


def _server(settings: MailSettings) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if settings.security == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
    if settings.security == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _mail(settings: MailSettings, notice: Notice, chosen: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = f"[kehu] {wording.title(notice, chosen)}"[:200].replace("\n", " ").replace("\r", " ")
    message["From"], message["To"] = settings.sender, ", ".join(settings.to)
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = make_msgid(f"alert.{notice.number}", settings.sender.rpartition("@")[2] or "kehu")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in answer
    message.set_content(wording.body(notice, chosen))
    return message


def _require_accepted(form: str, answer: str) -> None:
    """The robots of group chats answer 200 to what they refuse, with a code in the body."""
    if form not in ("wecom", "dingtalk", "feishu"):
        return
    try:
        data = orjson.loads(answer[:LARGEST_CODE])
    except orjson.JSONDecodeError:
        return
    code = data.get("errcode", data.get("code", 0)) if isinstance(data, dict) else 0
    if code:
        raise NotSent(Wording("The group's robot refused it with code {code}.", {"code": str(code)[:40]}))


def _claimed(database: Database, row: Any, at: float) -> bool:
    """Whether it is ours to send: of several that see it due, one moves its time on."""
    with database.transaction() as connection:
        mine = (alert_notice.c.id == row.id) & (alert_notice.c.next_at == row.next_at) & (alert_notice.c.state == "due")
        values = {"next_at": at + CLAIM, "attempts": row.attempts + 1}
        return connection.execute(update(alert_notice).where(mine).values(**values)).rowcount == 1


def _send(project: Project, database: Database, row: Any, at: float) -> bool:
    notice = Notice(row.id, row.kind, row.subject, row.recovered, row.text, row.remedy, row.at)
    failed: Wording | None = None
    try:
        deliver(project, row.channel, notice)
    except NotSent as error:
        failed = error.why
        log.warning("an alert was not received", channel=row.channel, reason=str(failed))
    values: dict[str, Any] = {"state": "sent", "error": None}
    if failed is not None:
        last = row.attempts >= len(DELAYS)
        values = {"state": "given_up" if last else "due", "error": packed(*failed)}
        values["next_at"] = at + DELAYS[min(row.attempts, len(DELAYS) - 1)]
    with database.transaction() as connection:
        connection.execute(update(alert_notice).where(alert_notice.c.id == row.id).values(**values))
    return failed is None
