"""Every error a connector may raise, grouped by what the engine does next.

A connector never decides about retries of a whole page, pausing or quarantine: it names the situation by raising
one of these, and the engine acts. Texts are English templates with ``{named}`` parameters; the templates are the keys
of the translation catalogue, so a connector author writes plain English and operators read their own language.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any


class ConnectorError(Exception):
    """Base of all connector errors: a message, a remedy, and the parameters both are filled with.

    ``template`` and ``remedy`` are English texts with ``{named}`` places. Parameters must never hold secrets or
    whole records; name the field, not its value, unless the value is what the user has to correct.
    """

    code = "connector_error"
    default_remedy = "Look at the run's log for what the system answered."

    def __init__(self, template: str, *, remedy: str | None = None, **params: Any) -> None:
        self.template = template
        self.remedy = remedy if remedy is not None else self.default_remedy
        self.params = params
        super().__init__(fill(template, params))


class RetryLater(ConnectorError):
    """A passing fault: time-out, reset, 5xx, a truncated answer. The engine retries with growing delays."""

    code = "retry_later"
    default_remedy = "Nothing to do: it is tried again by itself. If it persists, check the system's own status."


class WaitUntil(ConnectorError):
    """The system asked us to wait. The engine sleeps until ``until`` (aware, UTC); this uses up no retry."""

    code = "wait_until"
    default_remedy = "Nothing to do: calls go on at {until}."

    def __init__(self, template: str, *, until: datetime, remedy: str | None = None, **params: Any) -> None:
        self.until = until
        super().__init__(template, remedy=remedy, until=until.isoformat(timespec="seconds"), **params)


class NeedsHuman(ConnectorError):
    """Retrying cannot help: the engine pauses the connection and tells a human. Raise a subclass where one fits."""

    code = "needs_human"
    default_remedy = "Correct the connection's settings, then run `kehu connection test {connection}`."


class BadCredentials(NeedsHuman):
    """The system refused who we are (401, wrong key, expired grant)."""

    code = "bad_credentials"
    default_remedy = "Enter the credentials again; see the connector's README for how to get them."


class PermissionMissing(NeedsHuman):
    """The system knows us but does not allow the call (403, missing scope)."""

    code = "permission_missing"
    default_remedy = "Grant the integration user the right to read (or write) this object."


class BadConfiguration(NeedsHuman):
    """A setting of the connection is wrong. ``setting`` names it as it is written in kehu.yaml.

    ``also`` are other faults of the same file or settings that were found with it.
    """

    code = "bad_configuration"
    also: tuple[BadConfiguration, ...] = ()

    def __init__(self, template: str, *, setting: str | None = None, remedy: str | None = None, **params: Any) -> None:
        self.setting = setting
        super().__init__(template, remedy=remedy, **params)


class AddressRefused(BadConfiguration):
    """The address guard forbids the target (private, loopback, link-local, ...)."""

    code = "address_refused"
    default_remedy = (
        "If this system really stands in your own network, add its address to the connection's `allow_private` list."
    )


class RecordRejected(ConnectorError):
    """This one record cannot be read or written: the engine quarantines it and goes on with its neighbours.

    ``path`` is the field's path in the record, ``rule`` what it must satisfy, ``value`` a short excerpt.
    """

    code = "record_rejected"
    default_remedy = "Correct the record in its system, or change the mapping, then replay it."

    def __init__(
        self,
        template: str,
        *,
        path: str = "",
        value: str = "",
        rule: str = "",
        remedy: str | None = None,
        **params: Any,
    ) -> None:
        self.path, self.value, self.rule = path, value[:200], rule
        super().__init__(template, remedy=remedy, path=path, **params)


class WriteConflict(RecordRejected):
    """The target's record changed since we read it, or its unique key is taken. Nothing was overwritten."""

    code = "write_conflict"
    default_remedy = "Sync the target first; the write is then tried against the newer state."


class StreamBroken(ConnectorError):
    """This stream cannot go on; the other streams of the connection do. Raise a subclass where one fits."""

    code = "stream_broken"


class ListingIncomplete(StreamBroken):
    """The keys cannot all be listed, because something in the source cannot be identified. No deletes are looked for;
    the run goes on.
    """

    code = "listing_incomplete"


class CursorExpired(StreamBroken):
    """The system no longer accepts our position. The engine starts a full read; nothing stored is lost."""

    code = "cursor_expired"
    default_remedy = "Nothing to do: a full read follows by itself."


class SchemaDrift(StreamBroken):
    """Fields were removed, renamed or retyped. The stream is paused with the diff until a human accepts it."""

    code = "schema_drift"
    default_remedy = "Compare the fields, adapt the mapping, then run `kehu connection discover {connection} --accept`."


class EndlessPages(StreamBroken):
    """The system repeats pages or cursors, or never ends."""

    code = "endless_pages"
    default_remedy = "Check the connector's paging settings against the system's documentation."


def fill(template: str, params: dict[str, Any]) -> str:
    """The template with its places filled; a place without a parameter stays as it is written."""
    return template.format_map(_Known(params))


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"
