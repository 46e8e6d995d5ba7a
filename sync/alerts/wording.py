"""What an alert says, in the language that is set."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import orjson

from sync import language
from sync.alerts.conditions import CONNECTION, QUARANTINE, STREAM, WEBHOOK
from sync.language import Phrase
from sync.runs.wording import unpacked

WRONG = {
    CONNECTION: Phrase("Connection {subject} does not work"),
    STREAM: Phrase("Stream {subject} is late"),
    QUARANTINE: Phrase("Many records of {subject} are in quarantine"),
    WEBHOOK: Phrase("Webhook endpoint {subject} fails"),
}
RIGHT = {
    CONNECTION: Phrase("Connection {subject} works again"),
    STREAM: Phrase("Stream {subject} is up to date again"),
    QUARANTINE: Phrase("Few records of {subject} are left in quarantine"),
    WEBHOOK: Phrase("Webhook endpoint {subject} works again"),
}
TEST = "test"
WRONG[TEST] = RIGHT[TEST] = Phrase("Alerts of kehu reach you")


class Notice(NamedTuple):
    """One change of state, as it is told. ``number`` is the same however often it is sent."""

    number: int
    kind: str
    subject: str
    recovered: bool
    text: str
    remedy: str | None
    at: datetime


def title(notice: Notice, chosen: str) -> str:
    """One line."""
    template = (RIGHT if notice.recovered else WRONG)[notice.kind].template
    return language.text(template, {"subject": notice.subject}, chosen)


def body(notice: Notice, chosen: str) -> str:
    """The title, why, what to do, and when."""
    lines = [title(notice, chosen)]
    if not notice.recovered:
        lines += [_said(notice.text, chosen), _said(notice.remedy, chosen)]
    lines.append(f"{notice.at:%Y-%m-%d %H:%M:%S} UTC")
    return "\n".join(filter(None, lines))


def document(notice: Notice, chosen: str) -> dict[str, Any]:
    """For programs."""
    return {
        "type": "alert.recovered" if notice.recovered else "alert.raised",
        "id": f"alert_{notice.number}",
        "kind": notice.kind,
        "subject": notice.subject,
        "title": title(notice, chosen),
        "text": "" if notice.recovered else _said(notice.text, chosen),
        "remedy": "" if notice.recovered else _said(notice.remedy, chosen),
        "at": notice.at,
    }


def hook_body(notice: Notice, form: str, chosen: str) -> str:
    """The body of a webhook: our own document, or a message for the robot of a group chat."""
    text = body(notice, chosen)
    robots: dict[str, dict[str, Any]] = {
        "wecom": {"msgtype": "text", "text": {"content": text}},
        "dingtalk": {"msgtype": "text", "text": {"content": text}},
        "feishu": {"msg_type": "text", "content": {"text": text}},
        "slack": {"text": text},
    }
    return orjson.dumps(robots.get(form, document(notice, chosen)), option=orjson.OPT_UTC_Z).decode()


def _said(stored: str | None, chosen: str) -> str:
    wording = unpacked(stored) if stored else None
    return "" if wording is None else language.text(wording.template, wording.params, chosen)
