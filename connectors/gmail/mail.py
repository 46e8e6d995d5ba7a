"""The people in a Gmail mailbox: all messages once, then those that its history tells.

The position is a history id, taken before messages are listed. Google keeps about a week of history; an id that is too
old is refused, and everything is read again. Message ids are unique within the mailbox only, so copies are told by
Message-ID. Headers only are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from connectors.contract import Rejected
from connectors.correspondence.headers import FIELDS as HEADERS
from connectors.correspondence.headers import parse_message
from connectors.correspondence.ledger import Taken
from connectors.correspondence.people import People
from connectors.correspondence.reading import Haul, Mail
from connectors.errors import CursorExpired, RecordRejected, StreamBroken
from connectors.gmail.client import TOGETHER, GoogleClient, answered, batch_answers, batch_body, listed
from connectors.gmail.config import GmailConfig
from connectors.incremental import parse_stamp
from connectors.paging import cursor_pages
from connectors.response import Response

PAGE = 500
FOUND_AT_MOST = 2000
"""Where a search finds more, all messages are gone through instead."""
LEFT_OUT = frozenset({"SPAM", "TRASH", "DRAFT", "CHAT"})
_METADATA = urlencode([("format", "metadata"), *(("metadataHeaders", name.title()) for name in HEADERS)])
_UNITS = {"profile": 1, "history": 2, "list": 5, "get": 5}
"""What calls cost of the quota."""


class GmailMail(Mail):
    """One mailbox's messages."""

    def __init__(self, client: GoogleClient, config: GmailConfig, people: People) -> None:
        self._client, self._config, self._people = client, config, people
        self._user = f"gmail/v1/users/{quote(config.mailbox, safe='@')}"
        self._messages = 0

    def profile(self) -> dict[str, Any]:
        """Whose mailbox it is, how many messages it holds, and where its history stands."""
        found = answered(self._client.get(f"{self._user}/profile", weight=_UNITS["profile"]))
        count = found.get("messagesTotal")
        self._messages = count if isinstance(count, int) else 0
        return found

    def everything(self) -> Iterator[Haul]:
        """All messages but junk, trash, drafts and chats."""
        started = self.profile().get("historyId")
        since = self._config.since
        query = None
        if since and not self._config.headers_only:  # Gmail's days are those of the mailbox's time zone
            query = f"after:{since - timedelta(days=1):%Y/%m/%d}"
        for ids in self._listed(query):
            yield from self._hauls(ids)
        self.position = {"history": _number(started)}

    def new(self, position: Any) -> Iterator[Haul]:
        """The messages that came, or came back out of junk and trash, since a history id."""
        start = _number(position.get("history") if isinstance(position, dict) else None)
        if start <= 0:
            raise CursorExpired("The stored position is not one this connector can continue from.")
        self.profile()
        newest, seen = start, set[str]()
        for answer in self._history(start):
            newest = max(newest, _number(answer.get("historyId")))
            ids = [key for entry in listed(answer, "history") for key in _arrived(entry)]
            fresh = [key for key in dict.fromkeys(ids) if key not in seen]
            seen.update(fresh)
            yield from self._hauls(fresh)
        self.position = {"history": newest}

    def naming(self, address: str) -> Iterator[Haul] | None:
        """The messages that name an address in From, To or Cc; None where there are too many, or no right to search."""
        if self._config.headers_only:
            return None
        found: list[str] = []
        for ids in self._listed(f"from:{address} OR to:{address} OR cc:{address}"):
            found += ids
            if len(found) > FOUND_AT_MOST:
                return None
        return self._hauls(found)

    def search_pays(self, addresses: int) -> bool:
        """A search costs a list and the messages found, everything costs each message."""
        return not self._config.headers_only and addresses * 20 < self._messages

    # --- pages

    def _listed(self, query: str | None) -> Iterator[list[str]]:
        params = {"maxResults": PAGE, "q": query}

        def fetch(more: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
            response = self._client.get(f"{self._user}/messages", params=params | more, weight=_UNITS["list"])
            answer = answered(response)
            if "messages" not in answer and "resultSizeEstimate" not in answer and "nextPageToken" not in answer:
                raise _odd(response)
            return listed(answer, "messages"), answer

        for batch in cursor_pages(fetch, lambda answer: answer.get("nextPageToken"), param="pageToken"):
            yield [str(item["id"]) for item in batch.items if item.get("id")]

    def _history(self, start: int) -> Iterator[dict[str, Any]]:
        params = {"startHistoryId": str(start), "historyTypes": ["messageAdded", "labelRemoved"], "maxResults": PAGE}

        def fetch(more: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
            path = f"{self._user}/history"
            response = self._client.get(path, params=params | more, weight=_UNITS["history"], allow=(400, 404))
            if not response.ok:
                raise CursorExpired(
                    "{connection}: Gmail no longer keeps the history from our position on.",
                    connection=self._client.connection,
                )
            answer = answered(response)
            if "historyId" not in answer:
                raise _odd(response)
            return listed(answer, "history"), answer

        for batch in cursor_pages(fetch, lambda answer: answer.get("nextPageToken"), param="pageToken"):
            yield batch.response

    # --- messages

    def _hauls(self, ids: Sequence[str]) -> Iterator[Haul]:
        for start in range(0, len(ids), TOGETHER):
            taken: list[Taken] = []
            rejected: list[Rejected] = []
            for message in self._fetched(ids[start : start + TOGETHER]):
                self._read(message, taken, rejected)
            yield Haul(taken, rejected)

    def _fetched(self, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Messages by their ids, in one call; singly those that the batch did not bring. Gone ones are left out."""
        body, headers = batch_body([self._path(key) for key in ids])
        weight = _UNITS["get"] * len(ids)
        response = self._client.post("batch/gmail/v1", content=body, headers=headers, read=True, weight=weight)
        brought = {str(message.get("id")): message for message in batch_answers(response)}
        for key in ids:
            if key in brought:
                yield brought[key]
                continue
            single = self._client.get(self._path(key), allow=(404,), weight=_UNITS["get"])
            if single.ok:
                yield answered(single)

    def _path(self, key: str) -> str:
        return f"{self._user}/messages/{quote(key, safe='')}?{_METADATA}"

    def _read(self, message: dict[str, Any], taken: list[Taken], rejected: list[Rejected]) -> None:
        arrived = parse_stamp(message.get("internalDate"))
        if arrived is None or LEFT_OUT & set(message.get("labelIds") or ()):
            return
        name = f"gmail/{message.get('id', '')}"
        block = _block(message)
        try:
            parsed = parse_message(block)
        except (ValueError, RecursionError, IndexError) as error:
            rejected.append(_rejected(name, block, error))
            return
        if self._people.counts(parsed, arrived):
            taken += self._people.taken(parsed, _second(arrived), parsed.id or name)


def _arrived(entry: dict[str, Any]) -> list[str]:
    """The messages of one entry of the history that are new to what we read."""
    added = [item.get("message") for item in listed(entry, "messagesAdded")]
    back = [
        item.get("message") for item in listed(entry, "labelsRemoved") if LEFT_OUT & set(item.get("labelIds") or ())
    ]
    return [str(message["id"]) for message in (*added, *back) if isinstance(message, dict) and message.get("id")]


def _block(message: dict[str, Any]) -> bytes:
    """The headers as they would stand in the message; Gmail gives their names as the sender wrote them."""
    payload = message.get("payload")
    headers = listed(payload, "headers") if isinstance(payload, dict) else []
    lines = [f"{item.get('name', '')}: {' '.join(str(item.get('value', '')).split())}" for item in headers]
    return "\r\n".join(lines).encode("utf-8", "replace")


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _number(value: Any) -> int:
    """A history id: a number of 64 bits, written as text."""
    text = str(value or "")
    return int(text) if text.isdecimal() and len(text) < 21 else 0


def _rejected(key: str, block: bytes, error: Exception) -> Rejected:
    reason = RecordRejected(
        "The message {name} cannot be read: {reason}.",
        path="headers",
        rule="a message with an address in From, To, Cc or Reply-To",
        name=key,
        reason=str(error)[:200] or type(error).__name__,
        remedy="Nothing to do unless this message matters: the others are read.",
    )
    return Rejected(key, orjson.dumps({"headers": block[:2000].decode("utf-8", "replace")}), reason)


def _odd(response: Response) -> StreamBroken:
    return StreamBroken(
        "{connection}: {path} answered without what its list always has.",
        connection=response.connection,
        path=response.path,
    )
