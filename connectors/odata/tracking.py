"""Reading an entity set of version 4 with change tracking, and by change stamps where there is none.

A full read asks for change tracking (``Prefer: odata.track-changes``, OData 4.01 part 1, section 11.3); its last page
then leads to the changes since. Three things are not promised by the vendors and are not relied on:

* whether the changes count from the first page of a read or from its last. A read of several pages is therefore
  followed by a look at everything that was stamped since it began (stage ``overlap``);
* which answer an outdated link gets: every refusal means a full read;
* that deletes are told without a gap: streams also declare a sweep.

The cursor: ``stage``, ``next`` (link of the next page), ``began`` and ``since`` (ISO 8601), ``delta`` (link to later
changes), ``many`` (the read has had more than one page), ``plain`` (change tracking was refused),
``bounded`` (a backfill: ``delta`` and ``kept`` are the position that it leaves as it was).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connectors.contract import Mode, Page, Read, Record
from connectors.errors import BadConfiguration, CursorExpired, PermissionMissing, StreamBroken
from connectors.incremental import iso, parse_stamp
from connectors.odata.answers import Answer, deleted_key, is_deleted
from connectors.odata.client import ODataClient
from connectors.odata.literals import url, v4_stamp
from connectors.paging import Batch, url_pages

ALL, DELTA, STAMPS, OVERLAP, DONE = "all", "delta", "stamps", "overlap", "done"
LOOKBACK = 300
"""Seconds that are read again when reading by stamps: stamps are made before the row can be seen."""
_TRACK = "odata.track-changes"
_STAGES = frozenset({ALL, DELTA, STAMPS, OVERLAP, DONE})


@dataclass(frozen=True, slots=True)
class TrackedSet:
    """One entity set: its path, its key and change stamp, what to select, the most rows of a page.

    ``timespec`` is how exact stamps are, ``prefer`` further preferences, ``lookback`` seconds that are read again
    when reading by stamps. ``tracked`` says whether to ask for change tracking at all.

    ``delta`` is the path of a function that lists everything and leads to the changes, for services that have one
    instead of the preference. ``order`` is how rows are sorted when reading by stamps (by stamp and key unless told)
    and ``entity`` the address of one row. ``by_key`` is whether the service sorts by the key, ``top`` whether queries
    that track nothing tell their size by ``$top``.
    """

    path: str
    key: str
    stamp: str
    params: Mapping[str, str]
    largest: int
    timespec: str = "seconds"
    prefer: Sequence[str] = ()
    lookback: int = LOOKBACK
    tracked: bool = True
    delta: str = ""
    order: str = ""
    entity: str = "{path}({key})"
    by_key: bool = True
    top: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a read stands; see the module's description of the cursor."""

    stage: str
    next: str | None = None
    began: str | None = None
    since: str | None = None
    until: str | None = None
    delta: str | None = None
    many: bool = False
    plain: bool = False
    bounded: bool = False
    kept: str | None = None

    def cursor(self) -> dict[str, Any]:
        """As it is stored: only what is set."""
        names = ("stage", "next", "began", "since", "until", "delta", "many", "plain", "bounded", "kept")
        return {name: value for name in names if (value := getattr(self, name))}


@dataclass(slots=True)
class Changes:
    """The rows and deletes of one page; of several entries for one key the last counts."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: dict[str, None] = field(default_factory=dict)


class TrackedReader:
    """Reads one entity set. ``finish`` may add to a row before it becomes a record's body."""

    def __init__(
        self, client: ODataClient, entity: TrackedSet, finish: Callable[[dict[str, Any]], None] = lambda row: None
    ) -> None:
        self._client, self._set, self._finish = client, entity, finish

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; the cursor of each continues behind it."""
        place = self._start(request)
        lookback = self._set.lookback if request.lookback is None else request.lookback
        if place.stage == DONE:
            yield Page([], place.cursor())
        while place.stage != DONE:
            place = yield from self._stage(place, request.page_size, lookback)

    def tracks(self) -> bool:
        """Whether the system lets us track changes, tried with a page of one row. Raises what reading raises."""
        headers = self._prefer(1, track=self._set.tracked)
        first, plain = (self._query(_Place(ALL, plain=plain), 1, 0) for plain in (not self._set.tracked, True))
        answer = self._first(first, headers, plain)
        return _TRACK in headers["Prefer"] and bool(answer.delta or answer.next)

    def sample(self, size: int) -> Sequence[dict[str, Any]]:
        """A few rows."""
        return self._client.page(self._set.path, self._set.params, self._prefer(size)).rows

    def records(self, rows: Sequence[dict[str, Any]]) -> list[Record]:
        """Rows that were asked for singly, as a read gives them."""
        return [self._record(self._key(row), row) for row in rows]

    def keys(self) -> Iterator[list[str]]:
        """All keys, page by page."""
        headers = self._prefer(self._set.largest)
        more = {"$orderby": self._set.key} if self._set.by_key else {}
        first = url(self._set.path, {"$select": self._set.key, **more, **self._top(self._set.largest)})
        for batch in self._pages(first, None, headers):
            yield [self._key(row) for row in batch.items]

    # --- stages

    def _start(self, request: Read) -> _Place:
        """Where to begin: a stored place that is half-way is continued, a finished one leads to what changed since."""
        stored = self._stored(request)
        if request.mode is Mode.FULL:
            return stored if request.resumed and stored else _Place(ALL)
        if (request.since or request.until) and not (request.resumed and stored):
            bounds = [None if bound is None else iso(bound) for bound in (request.since, request.until)]
            kept = stored if stored and stored.stage == DONE else _Place(DONE)
            return _Place(STAMPS, since=bounds[0], until=bounds[1], bounded=True, delta=kept.delta, kept=kept.since)
        if stored is None:
            return _Place(ALL)
        if stored.stage != DONE:
            return stored
        if stored.delta and request.lookback is None:
            return _Place(DELTA, next=stored.delta)
        if stored.delta:  # somebody wants to look back: by stamps, after the changes
            return _Place(DELTA, next=stored.delta, since=stored.since, many=True)
        return _Place(STAMPS, since=stored.since) if stored.since else _Place(ALL)

    def _stored(self, request: Read) -> _Place | None:
        cursor = dict(request.cursor or {})
        if not cursor:
            return None
        names = ("next", "began", "since", "until", "delta", "kept")
        texts: dict[str, Any] = {name: cursor.get(name) for name in names}
        if cursor.get("stage") not in _STAGES or not all(v is None or isinstance(v, str) for v in texts.values()):
            raise CursorExpired("The stored position is not one this connector can continue from.")
        for link in (texts["next"], texts["delta"]):
            if link is not None and not self._client.leads_here(link):
                raise CursorExpired("The stored position is of another address of the system.")
        flags: dict[str, Any] = {name: bool(cursor.get(name)) for name in ("many", "plain", "bounded")}
        return _Place(**flags, **texts, stage=cursor["stage"])

    def _stage(self, place: _Place, size: int, lookback: int) -> Generator[Page, None, _Place]:
        """The pages of one stage; returns the place behind the last one, which is in the next stage."""
        headers = self._headers(place, size)
        first, plain = (self._query(one, size, lookback) for one in (place, replace(place, plain=True)))
        for batch in self._pages(first, place.next, headers, plain):
            answer, refused = batch.response, place.stage == ALL and _TRACK not in headers["Prefer"]
            began = place.began or iso(answer.response.date or self._client.http.context.now())
            place = replace(place, began=began, next=batch.next, many=place.many or batch.next is not None)
            place = replace(place, plain=refused)
            if batch.next is None:
                place = self._behind(place, answer)
            changes = self._changes(answer.rows)
            records = [self._record(key, row) for key, row in changes.rows.items()]
            yield Page(records, place.cursor(), list(changes.deleted))
        return place

    def _behind(self, place: _Place, answer: Answer) -> _Place:
        """The stage after this one."""
        if place.stage in (ALL, DELTA) and answer.delta:
            done = _Place(DONE, began=place.began, since=place.began, delta=answer.delta)
            return replace(done, stage=OVERLAP, since=place.since or place.began) if place.many else done
        if place.stage == DELTA:
            raise CursorExpired("{connection}: the changes ended without a link to later ones.",
                                connection=self._client.connection)  # fmt: skip
        if place.bounded:
            return _Place(DONE, since=place.kept, delta=place.delta)
        return _Place(DONE, since=place.began, delta=place.delta)

    def _query(self, place: _Place, size: int, lookback: int) -> str:
        """The first request of a stage that does not begin with a link."""
        params = dict(self._set.params)
        if place.stage in (STAMPS, OVERLAP):
            params["$filter"] = " and ".join(self._bounds(place, lookback))
            params["$orderby"] = self._set.order or f"{self._set.stamp},{self._set.key}"
        if self._set.delta and self._set.tracked and place.stage == ALL and not place.plain:
            return url(self._set.delta, params)
        return url(self._set.path, params | self._top(size))

    def _top(self, size: int) -> dict[str, str]:
        return {"$top": str(max(1, min(size, self._set.largest)))} if self._set.top else {}

    def _bounds(self, place: _Place, lookback: int) -> list[str]:
        bounds = []
        if place.since:
            since = _back(place.since, 0 if place.bounded else lookback)
            bounds.append(f"{self._set.stamp} ge {v4_stamp(since, self._set.timespec)}")
        if place.until:
            bounds.append(f"{self._set.stamp} lt {v4_stamp(datetime.fromisoformat(place.until), self._set.timespec)}")
        return bounds

    # --- pages

    def _pages(
        self, first: str, start: str | None, headers: dict[str, str], plain: str = ""
    ) -> Iterator[Batch[Answer]]:
        """All pages. Preferences stay the same over all of them, so ``headers`` change if tracking is refused."""

        def fetch(link: str) -> tuple[Sequence[Any], Answer]:
            answer = self._first(link, headers, plain or first) if link == first else self._client.follow(link, headers)
            return answer.rows, answer

        return url_pages(fetch, first, lambda answer: answer.next, start=start)

    def _first(self, path: str, headers: dict[str, str], plain: str) -> Answer:
        """The first page; that of ``plain`` and without change tracking, where the system refuses just that."""
        try:
            return self._client.page(path, headers=headers)
        except (StreamBroken, PermissionMissing, BadConfiguration):
            if _TRACK not in headers["Prefer"]:
                raise
        headers["Prefer"] = headers["Prefer"].replace(_TRACK + ",", "")
        return self._client.page(plain, headers=headers)

    def _headers(self, place: _Place, size: int) -> dict[str, str]:
        return self._prefer(size, track=place.stage in (ALL, DELTA) and self._set.tracked and not place.plain)

    def _prefer(self, size: int, *, track: bool = False) -> dict[str, str]:
        size = max(1, min(size, self._set.largest))
        wishes = [*([_TRACK] if track else []), f"odata.maxpagesize={size}", *self._set.prefer]
        return {"Prefer": ",".join(wishes)}

    # --- rows

    def _changes(self, rows: Sequence[dict[str, Any]]) -> Changes:
        found = Changes()
        for row in rows:
            if is_deleted(row):
                key = deleted_key(row)
                if key is None:
                    raise self._keyless()
                found.rows.pop(key, None)
                found.deleted[key] = None
                continue
            key = self._key(row)
            whole = self._whole(key, row)
            if whole is None:
                found.deleted[key] = None
                continue
            found.deleted.pop(key, None)
            found.rows[key] = whole
        return found

    def _whole(self, key: str, row: dict[str, Any]) -> dict[str, Any] | None:
        """The row itself, or what is there now where the system tells only the fields that changed."""
        if self._set.stamp in row:
            return row
        entity = self._set.entity.format(path=self._set.path, key=key)
        return self._client.one(entity, self._set.params, self._prefer(1))

    def _record(self, key: str, row: dict[str, Any]) -> Record:
        stamp = parse_stamp(row.get(self._set.stamp))
        body = {name: value for name, value in row.items() if name != "@odata.context"}
        self._finish(body)
        return Record(key, orjson.dumps(body, option=orjson.OPT_SORT_KEYS), None if stamp is None else iso(stamp))

    def _key(self, row: Mapping[str, Any]) -> str:
        key = row.get(self._set.key)
        if not isinstance(key, str) or not key:
            raise self._keyless()
        return key

    def _keyless(self) -> StreamBroken:
        return StreamBroken(
            "{connection}: {path} answered a row without its key {key}.",
            connection=self._client.connection,
            path=self._set.path,
            key=self._set.key,
        )


def _back(stamp: str, seconds: int) -> datetime:
    """That long before, but not before the years that services know."""
    moment = datetime.fromisoformat(stamp)
    earliest = datetime(1900, 1, 1, tzinfo=UTC)
    return max(earliest, moment - timedelta(seconds=min(seconds, 2**31)))
