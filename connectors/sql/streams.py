"""Reading one stream of a database: in full by its key, or what changed by (cursor column, key).

Positions (the contract's cursors) are one of
    {"phase": "full", "after": key, "high": …}     rows up to this key are stored; ``high`` was the newest stamp before
    {"phase": "nulls", "after": key, "since": …}   an incremental read is among the rows without a stamp
    {"phase": "changes", "since": …, "key": key}   all changes up to this stamp (and, within it, this key) are stored;
                                                   ``until``, if any, is where this incremental read ends
    {"phase": "done"}                              a full read of a stream without cursor column is complete
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, String, cast, exc, false, func, or_, select

from connectors.contract import Cursor, Mode, Page, Read, Record, Rejected
from connectors.errors import CursorExpired, RecordRejected, StreamBroken
from connectors.sql.bounds import bound_like
from connectors.sql.config import SqlStream
from connectors.sql.database import Database
from connectors.sql.origin import Origin, after, find_origin
from connectors.sql.values import (
    Encoder,
    from_position,
    is_marked,
    key_of,
    key_part,
    rounded_up,
    step_back,
    to_position,
)

Values = tuple[Any, ...]
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
PHASES = frozenset({"full", "nulls", "changes", "done"})


@dataclass(slots=True)
class _Rows:
    """One page's rows as they came: their values by column. ``before`` is the key of the row before them."""

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    before: Sequence[Any] | None = None

    def last(self, columns: Sequence[str]) -> list[Any]:
        """The last row's values of these columns, as a position."""
        return [to_position(self.rows[-1][self.names.index(name)]) for name in columns]


@dataclass(slots=True)
class _Scan:
    """What one pass over the rows asks for: conditions, order, and after which row to begin."""

    order: Sequence[str]
    where: Sequence[ColumnElement[bool]] = ()
    after: Sequence[Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class SqlTable:
    """One stream of a database connection."""

    def __init__(self, name: str, config: SqlStream, database: Database, encoder: Encoder) -> None:
        self.name, self.config = name, config
        self._database, self._encoder = database, encoder

    def origin(self) -> Origin:
        """What is read, as the database describes it now."""
        with self._database.reading() as connection:
            return find_origin(connection, self.config)

    def count(self) -> int:
        """How many rows there are now."""
        origin = self.origin()
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(origin.source)).scalar_one())

    def pages(self, request: Read) -> Iterator[Page]:
        """The pages of one read."""
        position = _checked(request.cursor)
        origin = self.origin()
        phase = position.get("phase")
        if request.mode is Mode.FULL and request.resumed and phase in ("changes", "done"):
            yield Page([], position)
        elif self.config.cursor is None or request.mode is Mode.FULL or phase in (None, "full"):
            yield from self._full(origin, request, position if phase == "full" else {})
        else:
            yield from self._changes(origin, request, position)

    def ids(self, size: int) -> Iterator[list[str]]:
        """All keys of rows that are not marked as deleted."""
        origin = self.origin()
        needed = [*origin.key, *filter(None, [self.config.deleted])]
        keys = Origin(origin.source, needed, origin.key, origin.unique)
        for rows in self._scan(keys, _Scan(origin.key), size):
            yield [
                key_of(row[: len(origin.key)])
                for row in rows.rows
                if all(key_part(value) for value in row[: len(origin.key)])
                and not (self.config.deleted and is_marked(row[-1]))
            ]

    def _full(self, origin: Origin, request: Read, position: Mapping[str, Any]) -> Iterator[Page]:
        """Everything, ordered by the key; the newest stamp is taken before, so that later changes come afterwards."""
        high = position["high"] if position else self._newest(origin)
        total = None if position or not origin.unique else self.count()
        scan = _Scan(origin.key, self._bounds(origin, request), _values(position.get("after")))
        for rows in self._scan(origin, scan, request.page_size):
            cursor = {"phase": "full", "after": rows.last(origin.key), "high": high}
            yield self._page(origin, rows, cursor, total)
        rejected = [] if origin.unique else self._without_key(origin, request.page_size)
        yield Page([], {"phase": "changes", "since": high, "key": None} if self.config.cursor else {"phase": "done"},
                   rejected=rejected)  # fmt: skip

    def _changes(self, origin: Origin, request: Read, position: Mapping[str, Any]) -> Iterator[Page]:
        """What changed since the position, ordered by (cursor column, key); before it, rows without a stamp.

        Nothing newer than the newest stamp at the start is read: a transaction that commits late, while a long read
        passes, is then within the look-back of the next read.
        """
        since = position["since"]
        continues = request.resumed and position["phase"] == "changes"
        until = position["until"] if continues and "until" in position else self._newest(origin)
        if self.config.null_cursors and not continues and not request.since:
            yield from self._nulls(origin, request, position)
        column = origin.source.c[self.config.cursor or ""]
        order = [self.config.cursor or "", *(name for name in origin.key if name != self.config.cursor)]
        where: list[ColumnElement[bool]] = [column.is_not(None), *self._bounds(origin, request)]
        where.append(column <= rounded_up(from_position(until)) if until is not None else false())
        start: Sequence[Any] | None = None
        if continues and position["key"] is not None:
            start = _values(position["key"])
        elif since is not None and not request.since:
            back = self.config.lookback if request.lookback is None else request.lookback
            where.append(column >= step_back(from_position(since), 0 if continues else back))
        key = position.get("key") if continues else None
        newest: Any = {"phase": "changes", "since": since, "key": key, "until": until}
        for rows in self._scan(origin, _Scan(order, where, start), request.page_size):
            last = rows.last(order)
            newest = {"phase": "changes", "since": last[0], "key": last, "until": until}
            yield self._page(origin, rows, newest)
        yield Page([], self._furthest(newest, since))

    def _nulls(self, origin: Origin, request: Read, position: Mapping[str, Any]) -> Iterator[Page]:
        column = origin.source.c[self.config.cursor or ""]
        begun = request.resumed and position["phase"] == "nulls"
        start = _values(position.get("after")) if begun else None
        for rows in self._scan(origin, _Scan(origin.key, [column.is_(None)], start), request.page_size):
            cursor = {"phase": "nulls", "after": rows.last(origin.key), "since": position["since"]}
            yield self._page(origin, rows, cursor)

    def _furthest(self, newest: Mapping[str, Any], since: Any) -> Cursor:
        """The position of the last change, never before the one the read began with."""
        if since is None or newest["since"] is None:
            return newest
        reached, begun = from_position(newest["since"]), from_position(since)
        if type(reached) is type(begun) and reached < begun:
            return {**newest, "since": since, "key": None}
        return newest

    def _newest(self, origin: Origin) -> Any:
        if self.config.cursor is None:
            return None
        column = origin.source.c[self.config.cursor]
        newest = select(func.max(column))
        with self._database.reading() as connection:
            try:
                found = connection.execute(newest).scalar_one()
            except exc.DataError:  # times that Python cannot hold, such as infinity, are never the newest
                connection.rollback()
                found = connection.execute(newest.where(column < _LATEST)).scalar_one()
        return to_position(found)

    def _bounds(self, origin: Origin, request: Read) -> list[ColumnElement[bool]]:
        """A backfill's bounds as conditions on the cursor column, in the form of its values."""
        if self.config.cursor is None or (request.since is None and request.until is None):
            return []
        column = origin.source.c[self.config.cursor]
        example = from_position(self._newest(origin))
        zone = self._encoder.zone
        since = [column >= bound_like(example, request.since, zone)] if request.since else []
        until = [column < bound_like(example, request.until, zone)] if request.until else []
        return since + until

    def _scan(self, origin: Origin, scan: _Scan, size: int) -> Iterator[_Rows]:
        """The rows in order. Where the key is sure, each page is a query of its own and nothing stays locked."""
        if not origin.unique:
            yield from self._stream(origin, scan, size)
            return
        while True:
            with self._database.reading() as connection:
                rows = self._fetch(connection, origin, scan, size)
            if rows.rows:
                yield rows
            if len(rows.rows) < size:
                return
            scan.after = [from_position(value) for value in rows.last(scan.order)]

    def _stream(self, origin: Origin, scan: _Scan, size: int) -> Iterator[_Rows]:
        """One pass by a server-side cursor: views and statements may be slow to start, and may repeat keys."""
        with self._database.reading() as connection:
            if connection.dialect.name == "sqlite":
                self._database.tolerate(connection)
            statement = self._statement(connection, origin, scan).execution_options(stream_results=True, yield_per=size)
            before: Sequence[Any] | None = None
            places = [origin.columns.index(name) for name in origin.key]
            for rows in connection.execute(statement).partitions(size):
                yield _Rows(origin.columns, rows, before)
                before = [rows[-1][place] for place in places]

    def _fetch(self, connection: Connection, origin: Origin, scan: _Scan, size: int) -> _Rows:
        statement = self._statement(connection, origin, scan).limit(size)
        try:
            return _Rows(origin.columns, connection.execute(statement).all())
        except exc.OperationalError as error:
            if "decode to UTF-8" not in str(error.orig):
                raise
            self._database.tolerate(connection)
        except exc.DataError:
            if not origin.times:
                raise
            connection.rollback()  # times that Python cannot hold, such as infinity: as text
            statement = self._statement(connection, origin, scan, as_text=True).limit(size)
        return _Rows(origin.columns, connection.execute(statement).all())

    def _statement(self, connection: Connection, origin: Origin, scan: _Scan, as_text: bool = False) -> Any:
        columns = [
            cast(origin.source.c[name], String).label(name)
            if as_text and name in origin.times
            else origin.source.c[name]
            for name in origin.columns
        ]
        order = [origin.source.c[name] for name in scan.order]
        statement = select(*columns).order_by(*order).where(*scan.where)
        if not origin.unique:
            statement = statement.where(*(key.is_not(None) for key in origin.key_parts()))
        if scan.after is not None:
            statement = statement.where(after(connection.dialect.name, order, scan.after))
        return statement

    def _page(self, origin: Origin, rows: _Rows, cursor: Cursor, total: int | None = None) -> Page:
        """The rows as records; rows that cannot be stored are rejected, marked ones deleted."""
        records: list[Record] = []
        deleted: list[str] = []
        rejected: list[Rejected] = []
        names, before = rows.names, rows.before
        places = [names.index(name) for name in origin.key]
        stamped, marked = self.config.cursor, self.config.deleted
        for values in rows.rows:
            row = dict(zip(names, values, strict=True))
            parts = [values[place] for place in places]
            try:
                key = key_of(parts)
                if parts == before:
                    raise RecordRejected("Another row has the same key {key}.", key=key[:80], rule="keys are unique")
                before = parts
                if marked and is_marked(row[marked]):
                    deleted.append(key)
                else:
                    stamp = self._encoder.stamp(row[stamped]) if stamped else None
                    records.append(Record(key, self._encoder.body(row), stamp))
            except RecordRejected as reason:
                rejected.append(_rejected(origin, row, reason))
        return Page(records, cursor, deleted, rejected, total)

    def _without_key(self, origin: Origin, size: int) -> list[Rejected]:
        """Rows whose key is null, as far as they fit on a page: they cannot be told apart."""
        condition = or_(*(key.is_(None) for key in origin.key_parts()))
        statement = select(*(origin.source.c[name] for name in origin.columns)).where(condition).limit(size)
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        reason = RecordRejected("A key column is null.", rule="every row needs its key")
        return [
            _rejected(origin, dict(zip(origin.columns, row, strict=True)), reason, f"null-{number}")
            for number, row in enumerate(rows, 1)
        ]


def _rejected(origin: Origin, row: Mapping[str, Any], reason: RecordRejected, key: str | None = None) -> Rejected:
    """A rejected row with a short excerpt of each of its fields."""
    shown = {name: printable(str(value))[:100] for name, value in list(row.items())[:60]}
    parts = [key_part(row[name]) for name in origin.key]
    identified = all(parts) and all(part == printable(part) for part in parts)
    if key is None:
        key = "|".join(printable(part)[:80] for part in parts)
    if "key" in reason.params or not key:
        key = f"{key} (repeated)"
    return Rejected(key, orjson.dumps(shown), reason, identified)


def printable(text: str) -> str:
    """Text that may hold undecodable bytes or NULs, as one that can be shown and stored."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")


def _values(stored: Sequence[Any] | None) -> list[Any] | None:
    return None if stored is None else [from_position(value) for value in stored]


def _checked(cursor: Cursor | None) -> Mapping[str, Any]:
    if cursor is None:
        return {}
    if cursor.get("phase") not in PHASES:
        raise CursorExpired("The stored position is not one of this connector.")
    if cursor["phase"] == "done":
        return {"phase": "done"}
    if not isinstance(cursor, Mapping) or ("high" if cursor["phase"] == "full" else "since") not in cursor:
        raise StreamBroken("The stored position is damaged.")
    return cursor
