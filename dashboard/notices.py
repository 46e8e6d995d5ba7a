"""What a page tells after something was done: the address holds a code and a count, never a text of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse

from sync.language import Phrase, text

NOTICES = {
    "saved": Phrase("Saved."),
    "connection-paused": Phrase("The connection is paused: nothing of it is synced until it is resumed."),
    "connection-resumed": Phrase("The connection goes on."),
    "stream-paused": Phrase("The stream is paused."),
    "stream-resumed": Phrase("The stream goes on."),
    "requested": Phrase("Asked for {count} runs."),
    "cancelling": Phrase("The run stops at the end of the page in hand; nothing stored is lost."),
    "schema-accepted": Phrase("The fields of {count} streams are learnt anew with the next run."),
    "secret-rotated": Phrase("The new secret is stored; the next run uses it."),
    "connected": Phrase("The test passed."),
    "settings-saved": Phrase("The settings are saved; the next run uses them."),
    "connection-removed": Phrase("The connection is removed. Its records stay until somebody decides otherwise."),
    "draft-discarded": Phrase("The draft is discarded, with the secrets it had stored."),
    "ignored": Phrase("{count} records stay out for as long as they come with the same content."),
    "reopened": Phrase("{count} records stand in quarantine again."),
    "replayed": Phrase("{count} records landed."),
    "mapping-published": Phrase("Version {count} of the mapping is published; the next run follows it."),
    "said-same": Phrase("They are one customer now."),
    "said-different": Phrase("They stay apart from now on."),
    "said-undecided": Phrase("Noted as undecided; the pair is out of the queue."),
    "decided-many": Phrase("{count} decisions are in effect."),
    "decided-most": Phrase("{count} decisions are in effect; pairs that had changed meanwhile were left out."),
    "undone": Phrase("{count} decisions were taken back."),
    "did-unmerge": Phrase("The merge is taken apart."),
    "did-exclude": Phrase("The record is taken out, and stays out."),
    "did-pin": Phrase("The value is pinned; no sync overwrites it."),
    "did-unpin": Phrase("The sources rule the field again."),
    "learning": Phrase("A version is being learnt; it will be proposed, and used by nothing yet."),
    "switching": Phrase("The switch has begun; customers stay as they are until it is done."),
    "key-revoked": Phrase("The key is revoked; it works no longer."),
    "user-role": Phrase("The role is changed; the user signs in anew."),
    "user-disable": Phrase("The user is shut out."),
    "user-enable": Phrase("The user may sign in again."),
    "webhook-change": Phrase("The endpoint is changed; what waits is sent in the new way."),
    "webhook-enable": Phrase("The endpoint goes on where it stopped."),
    "webhook-disable": Phrase("Nothing more is sent; what changes meanwhile waits."),
    "webhook-remove": Phrase("The endpoint is removed."),
    "webhook-replay": Phrase("The change is sent once more."),
    "webhook-tested": Phrase("The test was accepted."),
    "webhook-refused": Phrase("The test was not accepted; the newest delivery tells why."),
    "export-asked": Phrase("The export will be made."),
    "draft-kept": Phrase("The draft is kept; nothing is published yet."),
}

OF_ONE = {
    "requested": Phrase("Asked for one run."),
    "schema-accepted": Phrase("The fields of the stream are learnt anew with the next run."),
    "ignored": Phrase("The record stays out for as long as it comes with the same content."),
    "reopened": Phrase("The record stands in quarantine again."),
    "replayed": Phrase("The record landed."),
    "decided-many": Phrase("The decision is in effect."),
    "decided-most": Phrase("One decision is in effect; pairs that had changed meanwhile were left out."),
    "undone": Phrase("The decision was taken back."),
}
"""The same for a count of one."""


def notice(request: Request, language: str) -> str:
    """The notice that the address asks for; empty if there is none."""
    code = request.query_params.get("told", "")
    known = NOTICES.get(code)
    count = request.query_params.get("count", "")
    if known is None:
        return ""
    number = int(count) if count.isascii() and count.isdigit() else 0
    told = OF_ONE.get(code, known) if number == 1 else known
    return text(told.template, {"count": number}, language)


def redirect(address: str, told: str | None = None, count: int | None = None, **query: Any) -> RedirectResponse:
    """Go on to a page after something was done, which then tells it."""
    chosen = {**query, "told": told, "count": count}
    values = {name: value for name, value in chosen.items() if value is not None}
    joint = "&" if "?" in address else "?"
    return RedirectResponse(f"{address}{joint}{urlencode(values)}" if values else address, status_code=303)
