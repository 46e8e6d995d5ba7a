"""The stream of followers: one record for each, by openid.

WeChat has neither change stamps nor a filter by them: all openids are listed and their details read each time.
Callbacks tell who has come and gone in between. The cursor of a read: ``after``, the last openid that was read, and
``seen``, how many were listed up to there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from connectors.contract import Page, Read, Record, Rejected
from connectors.errors import CursorExpired, EndlessPages, ListingIncomplete, PermissionMissing, RecordRejected
from connectors.tencent.answers import Refused
from connectors.wechat_oa.client import TOGETHER, WeChatClient


class Followers:
    """Reads the followers of one account."""

    def __init__(self, client: WeChatClient) -> None:
        self._client = client
        self._tags: dict[int, str] | None = None

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in WeChat's order."""
        self._tags = None
        size = min(request.page_size, TOGETHER)
        after, seen = _place(request)
        missing = 0
        for openids, total, lacking in self._listed(after, seen):
            for start in range(0, len(openids), size):
                part = openids[start : start + size]
                after, seen = part[-1], seen + len(part)
                yield Page(self._records(part), {"after": after, "seen": seen}, total=total)
            missing = lacking
        yield Page([], {"after": after, "seen": seen}, rejected=[_unlisted(missing)] if missing else [])

    def ids(self) -> Iterator[list[str]]:
        """The openids of all followers."""
        missing = 0
        for openids, _, lacking in self._listed("", 0):
            missing = lacking
            yield openids
        if missing:
            raise ListingIncomplete(
                "{connection}: WeChat speaks of {missing} followers more than it lists.",
                connection=self._client.connection,
                missing=missing,
            )

    def fetch(self, openids: Sequence[str]) -> Page:
        """These followers as they are now; gone are those who follow no longer."""
        self._tags = None
        found: dict[str, Record] = {}
        for start in range(0, len(openids), TOGETHER):
            found |= {record.key: record for record in self._records(openids[start : start + TOGETHER])}
        return Page(list(found.values()), {}, [openid for openid in openids if openid not in found])

    def one(self, openid: str) -> Mapping[str, Any] | None:
        """One follower's details; None for somebody who does not follow."""
        rows = self._client.details([openid])
        return rows[0] if rows and rows[0].get("subscribe") else None

    # --- pages

    def _listed(self, after: str, before: int) -> Iterator[tuple[list[str], int, int]]:
        """The openids behind one, the number of all, and how many were missing up to here of those there were.

        A position that WeChat does not accept, because that follower has gone, means to begin again.
        """
        seen, fewest = set[str](), None
        while True:
            try:
                openids, total = self._client.openids(after)
            except Refused:
                if not after or seen:
                    raise
                after, before = "", 0
                continue
            fewest = total if fewest is None else min(fewest, total)
            new = [openid for openid in openids if openid not in seen]
            if openids and not new:
                raise EndlessPages("The system repeats the followers behind {after}.", after=after)
            seen.update(new)
            yield new, total, max(0, fewest - before - len(seen))
            if not openids:
                return
            after = openids[-1]

    def _records(self, openids: Sequence[str]) -> list[Record]:
        rows = self._client.details(openids)
        return [self._record(row) for row in rows if row.get("openid") and row.get("subscribe")]

    def _record(self, row: Mapping[str, Any]) -> Record:
        names = self._names() if row.get("tagid_list") else {}
        tags = [names[tag] for tag in row.get("tagid_list") or () if tag in names]
        return Record(str(row["openid"]), orjson.dumps({**row, "tags": tags}, option=orjson.OPT_SORT_KEYS))

    def _names(self) -> dict[int, str]:
        """The names of tags; none where the account may not ask for them."""
        if self._tags is None:
            try:
                self._tags = self._client.tag_names()
            except (PermissionMissing, Refused):
                self._tags = {}
        return self._tags


def _place(request: Read) -> tuple[str, int]:
    cursor = dict(request.cursor or {}) if request.resumed else {}
    after, seen = cursor.get("after", ""), cursor.get("seen", 0)
    if not isinstance(after, str) or not isinstance(seen, int):
        raise CursorExpired("The stored position is not one this connector can continue from.")
    return after, seen


def _unlisted(missing: int) -> Rejected:
    reason = RecordRejected(
        "WeChat speaks of {missing} followers more than it lists.",
        path="total",
        rule="as many openids as the total says",
        missing=missing,
        remedy="Nothing to do: the next read lists them anew. Nothing is deleted until it is complete.",
    )
    return Rejected("followers", orjson.dumps({"missing": missing}), reason, identified=False)
