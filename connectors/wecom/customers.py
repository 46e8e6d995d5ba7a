"""The stream of customers: one record for each customer of each employee.

WeCom has neither change stamps nor a filter by them: everything is read each time, and callbacks tell what changed in
between. The cursor of a read: ``after`` (the last employee that is done), ``users`` (those being read together) and
``next`` (WeCom's own position among their customers).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson

from connectors.contract import Page, Read, Record, Rejected
from connectors.errors import BadConfiguration, CursorExpired, ListingIncomplete, PermissionMissing, RecordRejected
from connectors.paging import Batch, cursor_pages
from connectors.tencent.answers import Refused
from connectors.wecom.client import NO_RELATION, WeComClient
from connectors.wecom.config import WeComConfig

TOGETHER = 100
"""Employees whose customers may be asked for at once, and the most rows of a page."""
Rows = Batch[Mapping[str, Any]]


class Customers:
    """Reads the customers of one company, of all its employees or of those that are configured."""

    def __init__(self, client: WeComClient, config: WeComConfig) -> None:
        self._client, self._config = client, config
        self._tags: dict[str, str] | None = None

    def users(self) -> list[str]:
        """The employees to read, in order. Raises ``BadConfiguration`` for a configured one without the feature."""
        there = {user.lower(): user for user in self._client.users()}
        wanted = [user.lower() for user in self._config.users]
        unknown = [user for user in wanted if user not in there]
        if unknown:
            raise BadConfiguration(
                "{connection}: {user} is no employee who may have external contacts in WeCom.",
                setting="users",
                connection=self._client.connection,
                user=unknown[0],
                remedy="Correct the setting `users`, or switch the feature on for the employee "
                "(客户联系 → 权限配置 → 使用范围).",
            )
        return [there[user] for user in sorted(wanted or there)]

    def reads(self, user: str) -> bool:
        """Whether this employee's customers are wanted."""
        return not self._config.users or user.lower() in {wanted.lower() for wanted in self._config.users}

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in the order of employees."""
        self._tags = None
        place = dict(request.cursor or {}) if request.resumed else {}
        after, chunk, start = _stored(place)
        remaining = [user for user in self.users() if user.lower() > after]
        while chunk := chunk or remaining[:TOGETHER]:
            for batch in self._rows(chunk, start, min(request.page_size, TOGETHER)):
                going_on = {"after": after, "users": chunk, "next": batch.next}
                yield self._page(batch, {"after": chunk[-1].lower()} if batch.next is None else going_on)
            after, start = chunk[-1].lower(), ""
            remaining, chunk = [user for user in remaining if user.lower() > after], []
        yield Page([], {"after": after})

    def ids(self) -> Iterator[list[str]]:
        """The keys of all customers, employee by employee."""
        users = self.users()
        unlicensed = self._unlicensed(users)
        if unlicensed:
            raise ListingIncomplete(
                "{connection}: WeCom hides the customers of {user}, who has no interface licence.",
                connection=self._client.connection,
                user=unlicensed[0],
            )
        for user in users:
            yield [key_of(customer, user) for customer in self._client.customer_ids(user)]

    def fetch(self, keys: Sequence[str]) -> Page:
        """These customers as they are now; gone are those whom the employee has no longer."""
        self._tags = None
        records, deleted = [], []
        for key in keys:
            found = self.one(key)
            if found is None:
                deleted.append(key)
            else:
                records.append(self._record(key, *found))
        return Page(records, {}, deleted)

    def one(self, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The customer and the employee's relation of one key; None if there is no such relation."""
        external_userid, _, user = key.partition("|")
        found = self._client.customer(external_userid)
        if found is None:
            return None
        contact, followers = found
        mine = (row for row in followers if str(row.get("userid", "")).lower() == user.lower())
        relation = next(mine, None)
        return None if relation is None else (contact, relation)

    # --- pages

    def _rows(self, users: Sequence[str], start: str, limit: int) -> Iterator[Rows]:
        """The pages of some employees; from their beginning when WeCom no longer knows the position."""
        try:
            yield from self._listed(users, start, limit)
        except Refused as error:
            if start:
                yield from self._rows(users, "", limit)
            elif error.errcode != NO_RELATION:
                raise
            elif len(users) > 1:  # one of them has none: it must not hide the others
                for user in users:
                    yield from self._without_position(self._rows([user], "", limit))

    def _listed(self, users: Sequence[str], start: str, limit: int) -> Iterator[Rows]:
        def fetch(params: dict[str, Any]) -> tuple[list[Any], Mapping[str, Any]]:
            return self._client.rows(users, params.get("cursor", ""), limit)

        return cursor_pages(fetch, lambda answer: answer.get("next_cursor"), start=start or None)

    def _without_position(self, batches: Iterator[Rows]) -> Iterator[Rows]:
        """Positions of one employee are not positions of all of them: continue at the beginning."""
        for batch in batches:
            yield Batch(batch.items, batch.response, "")

    def _page(self, batch: Rows, cursor: dict[str, Any]) -> Page:
        records, rejected = [], [self._hidden(user) for user in _unlicensed(batch.response)]
        for number, row in enumerate(batch.items):
            contact, relation = _parts(row)
            if contact.get("external_userid") and relation.get("userid"):
                key = key_of(str(contact["external_userid"]), str(relation["userid"]))
                records.append(self._record(key, contact, relation))
            else:
                rejected.append(_keyless(f"{cursor['after']}#{cursor.get('next', '')}#{number}", row))
        return Page(records, cursor, rejected=rejected)

    def _record(self, key: str, contact: Mapping[str, Any], relation: Mapping[str, Any]) -> Record:
        """One shape for both calls: one tells tags by id, the other with all their names."""
        tags = [tag for tag in relation.get("tags") or () if isinstance(tag, dict) and tag.get("tag_id")]
        ids = sorted(relation.get("tag_id") or [str(tag["tag_id"]) for tag in tags])
        told = {str(tag["tag_id"]): str(tag.get("tag_name", "")) for tag in tags}
        names = self._names() if ids else {}
        rest = {name: value for name, value in relation.items() if name not in ("tags", "tag_id")}
        shown = [name for tag in ids if (name := names.get(tag) or told.get(tag))]
        body = {"external_contact": contact, "follow_info": {**rest, "tag_id": ids}, "tags": shown}
        return Record(key, orjson.dumps(body, option=orjson.OPT_SORT_KEYS))

    def _names(self) -> dict[str, str]:
        """The names of tags, asked for once in a read; none where the app may not ask for them."""
        if self._tags is None:
            try:
                self._tags = self._client.tag_names()
            except (PermissionMissing, Refused):
                self._tags = {}
        return self._tags

    def _unlicensed(self, users: Sequence[str]) -> list[str]:
        """The employees whose customers WeCom leaves out silently."""
        found: list[str] = []
        chunks = iter(users)
        while chunk := list(islice(chunks, TOGETHER)):
            first = next(self._rows(chunk, "", 1), None)
            found += _unlicensed(first.response) if first else []
        return found

    def _hidden(self, user: str) -> Rejected:
        reason = RecordRejected(
            "WeCom hides the customers of {user}, who has no interface licence.",
            path="fail_info.unlicensed_userid_list",
            rule="an interface licence (接口许可) for every employee whose customers are read",
            user=user,
            remedy="Buy or assign the licence, or leave the employee out of the setting `users`.",
        )
        return Rejected(f"unlicensed|{user.lower()}", orjson.dumps({"userid": user}), reason, identified=False)


def key_of(external_userid: str, user: str) -> str:
    """The key of a relation. Customers' ids are case-sensitive; employees' ids come in either case."""
    return f"{external_userid}|{user.lower()}"


def _stored(place: Mapping[str, Any]) -> tuple[str, list[str], str]:
    after, users, start = place.get("after", ""), place.get("users") or [], place.get("next", "")
    if not (isinstance(after, str) and isinstance(users, list) and isinstance(start, str)):
        raise CursorExpired("The stored position is not one this connector can continue from.")
    return after, [str(user) for user in users], start


def _parts(row: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    row = row if isinstance(row, dict) else {}
    contact, relation = row.get("external_contact"), row.get("follow_info")
    return contact if isinstance(contact, dict) else {}, relation if isinstance(relation, dict) else {}


def _unlicensed(answer: Mapping[str, Any]) -> list[str]:
    failed = answer.get("fail_info")
    users = failed.get("unlicensed_userid_list") if isinstance(failed, dict) else None
    return [str(user) for user in users] if isinstance(users, list) else []


def _keyless(place: str, row: Any) -> Rejected:
    reason = RecordRejected(
        "A row of WeCom names no customer or no employee.",
        path="external_contact.external_userid",
        rule="external_userid and userid must be there",
    )
    return Rejected(place, orjson.dumps(row), reason, identified=False)
