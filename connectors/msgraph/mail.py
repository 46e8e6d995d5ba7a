"""The people in a mailbox's messages, folder by folder with delta links.

Graph follows changes only within a folder. The position is each folder's delta link, as Graph wrote it; a link that is
no longer accepted costs that folder a whole read, and no more. Folders that are new are read whole. Messages that left
change nothing here: a sweep finds who is named by none any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from connectors.correspondence.headers import MAX_RECIPIENTS, Message, Person, clean_name, fold_address
from connectors.correspondence.ledger import Taken
from connectors.correspondence.people import People
from connectors.correspondence.reading import Haul, Mail
from connectors.errors import BadConfiguration, CursorExpired, RecordRejected, StreamBroken
from connectors.incremental import parse_stamp
from connectors.msgraph.config import GraphConfig
from connectors.msgraph.service import IMMUTABLE, user_path
from connectors.odata.answers import Answer, is_deleted
from connectors.odata.client import ODataClient
from connectors.odata.literals import url
from connectors.paging import url_pages

PAGE = 500
FOUND_AT_MOST = 1000
"""A search shows no more results than these."""
MOST_FOLDERS = 100
"""Each has a link in the position, which is stored with every page."""
LEFT_OUT = ("junkemail", "deleteditems", "drafts", "outbox", "syncissues", "conversationhistory")
_SELECT = (
    "id,internetMessageId,from,sender,replyTo,toRecipients,ccRecipients,receivedDateTime,sentDateTime,isDraft,"
    "parentFolderId"
)
_HEADERS = {"Prefer": f"odata.maxpagesize={PAGE},{IMMUTABLE}"}


class GraphMail(Mail):
    """One mailbox's messages."""

    def __init__(self, client: ODataClient, config: GraphConfig, people: People) -> None:
        self._client, self._config, self._people = client, config, people
        self._user = user_path(config)
        self._folders: dict[str, int] = {}
        self.position: dict[str, str] = {}

    def folders(self) -> dict[str, int]:
        """The ids of the folders to read and how many messages each holds."""
        wanted = self._config.folders
        found = self._named(wanted) if wanted else self._all_but_left_out()
        if len(found) > MOST_FOLDERS:
            raise BadConfiguration(
                "{connection}: the mailbox has {count} folders; at most {most} can be followed.",
                setting="folders",
                connection=self._client.connection,
                count=len(found),
                most=MOST_FOLDERS,
                remedy="Name those that matter in the setting `folders`.",
            )
        self._folders = found
        return found

    def everything(self) -> Iterator[Haul]:
        """All messages, and a delta link of every folder."""
        self.position = {}
        for folder in self.folders():
            yield from self._followed(folder, None)

    def new(self, position: Any) -> Iterator[Haul]:
        """The messages that changed since; all of a folder whose link is not accepted any more."""
        known = position if isinstance(position, dict) else {}
        self.position = {}
        for folder in self.folders():
            link = known.get(folder)
            try:
                yield from self._followed(folder, link if isinstance(link, str) else None)
            except CursorExpired:
                yield from self._followed(folder, None)

    def naming(self, address: str) -> Iterator[Haul] | None:
        """The messages in the folders that are read; None where there are more than a search shows."""
        params = {"$search": f'"participants:{address}"', "$select": _SELECT, "$top": "250"}
        found: list[dict[str, Any]] = []
        for batch in self._pages(url(f"{self._user}/messages", params), None):
            found += batch.rows
            if len(found) >= FOUND_AT_MOST or not all(row.get("parentFolderId") for row in batch.rows):
                return None
        return iter([Haul(self._taken([row for row in found if row["parentFolderId"] in self._folders]))])

    def search_pays(self, addresses: int) -> bool:
        """A search is a call or two an address; everything is a call for so many messages."""
        return addresses * 2 < sum(self._folders.values()) / PAGE

    # --- messages

    def _followed(self, folder: str, link: str | None) -> Iterator[Haul]:
        first = url(f"{self._user}/mailFolders/{quote(folder, safe='')}/messages/delta", {"$select": _SELECT})
        for answer in self._pages(first, link):
            if answer.delta:
                self.position[folder] = answer.delta
            yield Haul(self._taken([self._whole(row) for row in answer.rows if not is_deleted(row)]))
        if folder not in self.position:
            raise StreamBroken(
                "{connection}: the changes ended without a link to later ones.", connection=self._client.connection
            )

    def _pages(self, first: str, start: str | None) -> Iterator[Answer]:
        if start is not None and not self._client.leads_here(start):
            raise CursorExpired("The stored position is of another address of the system.")

        def fetch(link: str) -> tuple[Sequence[Any], Answer]:
            answer = self._client.page(link, headers=_HEADERS) if link == first else self._client.follow(link, _HEADERS)
            return answer.rows, answer

        for batch in url_pages(fetch, first, lambda answer: answer.next, start=start):
            yield batch.response

    def _whole(self, row: dict[str, Any]) -> dict[str, Any]:
        """The message, asked for where only its changed fields came."""
        if "toRecipients" in row or row.get("isDraft"):
            return row
        path = f"{self._user}/messages/{quote(str(row.get('id', '')), safe='')}"
        return self._client.one(path, {"$select": _SELECT}) or {}

    def _taken(self, rows: Sequence[dict[str, Any]]) -> list[Taken]:
        taken: list[Taken] = []
        for row in rows:
            arrived = parse_stamp(row.get("receivedDateTime") or row.get("sentDateTime"))
            if row.get("isDraft") or arrived is None:
                continue
            message = message_of(row)
            if self._people.counts(message, arrived):
                name = message.id or f"graph/{row.get('id', '')}"
                taken += self._people.taken(message, arrived, name)
        return taken

    # --- folders

    def _all_but_left_out(self) -> dict[str, int]:
        left_out = {found["id"] for name in LEFT_OUT if (found := self._one(name)) is not None}
        return {row["id"]: _count(row) for row in self._below("mailFolders", left_out)}

    def _below(self, path: str, left_out: set[Any], depth: int = 0) -> Iterator[dict[str, Any]]:
        """Folders and those in them."""
        first = url(f"{self._user}/{path}", {"$top": "100"})
        for answer in self._pages(first, None):
            for row in answer.rows:
                if not isinstance(row.get("id"), str) or row["id"] in left_out:
                    continue
                yield row
                if row.get("childFolderCount") and depth < 30:
                    yield from self._below(f"mailFolders/{quote(row['id'], safe='')}/childFolders", left_out, depth + 1)

    def _named(self, wanted: Sequence[str]) -> dict[str, int]:
        there = list(self._below("mailFolders", set()))
        found: dict[str, int] = {}
        for name in wanted:
            rows = [row for row in there if name == row["id"] or name.lower() == str(row.get("displayName")).lower()]
            one = None if rows else self._one(name)
            rows += [one] if one else []
            if not rows:
                raise BadConfiguration(
                    "{connection}: the mailbox has no folder {folder}.",
                    connection=self._client.connection,
                    folder=name,
                    setting="folders",
                    remedy="Check the spelling; `kehu connection test` lists the folders.",
                )
            found |= {row["id"]: _count(row) for row in rows}
        return found

    def _one(self, name: str) -> dict[str, Any] | None:
        """A folder by its id or use; None if there is none."""
        try:
            return self._client.one(f"{self._user}/mailFolders/{quote(name, safe='')}")
        except (StreamBroken, RecordRejected):  # an id that is none is refused as wrong
            return None


def message_of(row: dict[str, Any]) -> Message:
    """A message's people. Unresolved senders without an address are left out, and so are recipients of circulars."""
    recipients = _people(row, "toRecipients", "ccRecipients")
    return Message(
        id=str(row.get("internetMessageId") or "")[:500],
        senders=_people(row, "from", "replyTo") or _people(row, "sender"),
        recipients=recipients if len(recipients) <= MAX_RECIPIENTS else (),
        automatic=False,
        listed=False,
    )


def _people(row: dict[str, Any], *names: str) -> tuple[Person, ...]:
    found: dict[str, str] = {}
    for name in names:
        value = row.get(name)
        for item in value if isinstance(value, list) else [value]:
            inner = item.get("emailAddress") if isinstance(item, dict) else None
            address = fold_address(str(inner.get("address") or "")) if isinstance(inner, dict) else ""
            if address and isinstance(inner, dict):
                found[address] = found.get(address) or clean_name(str(inner.get("name") or ""), address)
    return tuple(Person(address, name) for address, name in found.items())


def _count(row: dict[str, Any]) -> int:
    count = row.get("totalItemCount")
    return count if isinstance(count, int) else 0
