"""``Bulk`` on PostgreSQL: few rows go as prepared statements, many by COPY and by arrays in binary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from itertools import count
from operator import itemgetter
from struct import pack
from typing import Any

from psycopg._copy_base import format_row_binary  # what Copy.write_row does, without a cursor around it
from psycopg.adapt import Transformer
from psycopg.pq import Format
from sqlalchemy import Connection

from sync.kept_connections import GATHERING
from sync.master.bulk import (
    KINDS,
    PLACEHOLDERS,
    Bulk,
    Columns,
    Question,
    Row,
    insert_numbered_changes,
    next_numbers,
)
from sync.master.encoding import Packed, Unsupported, array_of
from sync.master.packing import Unpackable, packed_array, spread
from sync.master.prepared import Statements

FEW = 8
"""Up to so many new rows go one by one: setting up COPY takes as long."""
FEW_APPLIED = 100
"""Up to so many rows go as arrays in text, which takes less to begin with than binary."""
FEW_UPDATED = 3
"""Up to so many rows are updated one by one: one row by its key costs half of what it costs out of an array."""

COPIED = 250
"""So many rows are copied by one statement. It keeps as many rows as it is given, up to 1,000, until they are written,
and notes each in a table in which all of them collide: what that takes grows with their square (measured: of 1,000
narrow rows 0.9 of 3.2 µs each, of 250 a quarter of it).
"""


def postgres_bulk(connection: Connection) -> Bulk:
    """The bulk access of a connection. Its prepared statements live as long as the connection to the server."""
    info = connection.info
    kept: _PostgresBulk | None = info.get(GATHERING)
    if kept is None:
        driver = connection.connection.driver_connection
        kept = info[GATHERING] = _PostgresBulk(driver, Statements(driver))
    return kept


class _PostgresBulk:
    """Few rows go as prepared statements, many by COPY and arrays in binary."""

    is_postgres = True

    def __init__(self, driver: Any, statements: Statements) -> None:
        self._driver, self._statements = driver, statements
        self._packers: dict[str, Any] = {}

    def fetch(self, statement: str, *values: Any) -> list[Row]:
        rows = self._statements.foreseen((statement, *values))
        if rows is not None:
            return rows
        try:
            return self._statements.fetch(*_sent(statement, values))
        except Unsupported:
            self.flush()
            return self._driver.execute(_postgres(statement), _lists(statement, values)).fetchall()  # type: ignore[no-any-return]

    def run(self, statement: str, *values: Any) -> int:
        try:
            return self._statements.run(*_sent(statement, values))
        except Unsupported:
            self.flush()
            return self._driver.execute(_postgres(statement), _lists(statement, values)).rowcount  # type: ignore[no-any-return]

    def later(self, statement: str, *values: Any) -> None:
        try:
            self._statements.later(*_sent(statement, values))
        except Unsupported:
            self.run(statement, *values)

    def ahead(self, *questions: Question) -> None:
        for question in questions:
            try:
                self._statements.ahead(question, *_sent(question[0], question[1:]))
            except Unsupported:
                continue

    def depart(self) -> None:
        self._statements.depart()

    def ahead_of_next(self, *questions: Question) -> None:
        for question in questions:
            try:
                self._statements.ahead_of_next(question, *_sent(question[0], question[1:]))
            except Unsupported:
                continue

    @property
    def has_begun(self) -> bool:
        """Whether the last commit has begun the next transaction, for which some questions are answered."""
        return self._statements.has_begun

    def go_on(self) -> None:
        """Whoever asked for the next transaction goes on with it."""
        self._statements.has_begun = False

    def flush(self) -> None:
        """Send what waits, before anybody else uses the connection."""
        self._statements.flush()

    def commit(self) -> None:
        """The transaction is about to be committed: if anything waits, it goes together with the COMMIT."""
        self._statements.commit()

    def drop(self) -> None:
        """The transaction is rolled back, or its last savepoint is."""
        self._statements.drop()

    def run_many(self, statement: str, rows: Sequence[Row]) -> None:
        if len(rows) > FEW:
            self.flush()
            self._driver.cursor().executemany(_postgres(statement), rows)
            return
        for row in rows:
            self.later(statement, *row)

    def apply(self, statement: str, columns: Columns, rows: Sequence[Row]) -> None:
        if not rows:
            return
        lists = [list(column) for column in zip(*rows, strict=True)]
        if len(rows) <= FEW_APPLIED:
            with suppress(Unsupported):
                self._statements.later(_numbered_arrays(statement, columns), [array_of(one) for one in lists])
                return
        self._applied(statement, columns, lists)

    def applied(self, statement: str, columns: Columns, rows: Sequence[Row]) -> int:
        return self._applied(statement, columns, [list(column) for column in zip(*rows, strict=True)]) if rows else 0

    def _applied(self, statement: str, columns: Columns, lists: Sequence[list[Any]]) -> int:
        with suppress(Unpackable):
            arrays = [packed_array(kind, one) for (_, kind), one in zip(columns, lists, strict=True)]
            return self._statements.run_packed(_numbered_arrays(statement, columns), arrays)
        self.flush()
        return self._driver.execute(_unnested(statement, columns), lists).rowcount  # type: ignore[no-any-return]

    def update(self, table: str, columns: Columns, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if len(rows) <= FEW_UPDATED:
            self.run_many(_updating_one(table, columns), [(*row[1:], row[0]) for row in rows])
            return
        (key, _), *others = columns
        values = ", ".join(f"{name} = r.{name}" for name, _ in others)
        self.apply(f"UPDATE {table} SET {values} FROM {{rows}} r WHERE {table}.{key} = r.{key}", columns, rows)  # noqa: S608

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        if len(rows) <= FEW:
            self.run_many(_inserting_one(table), rows)
            return
        portions = [rows[start : start + COPIED] for start in range(0, len(rows), COPIED)]
        self._statements.copy(_copying(table), [self._packed(table, portion) for portion in portions])

    def _packed(self, table: str, rows: Sequence[Row]) -> bytearray:
        """The rows in PostgreSQL's binary COPY format."""
        packer = self._packers.get(table)
        if packer is None:
            packer = self._packers[table] = Transformer(self._driver)
            numbers = [self._driver.adapters.types.get_oid(kind) for _, kind in KINDS[table]]
            packer.set_dumper_types(numbers, Format.BINARY)
        data = bytearray(_HEADER)
        for row in rows:
            format_row_binary(row, packer, data)
        data += _END
        return data

    def insert_keys(self, pairs: Sequence[tuple[int, int]]) -> None:
        if len(pairs) <= FEW_APPLIED:
            statement = "INSERT INTO match_key (key, record_id) SELECT key, record_id FROM {rows} r"
            self.apply(statement, _KEY_ROWS, sorted(pairs))
        else:
            self._statements.copy(_COPYING_KEYS, [_binary_pairs(pairs)])

    def numbers(self, name: str, count: int) -> range:
        return next_numbers(self, name, count)

    def insert_changes(self, rows: Sequence[Row]) -> None:
        if len(rows) == 1:  # the counter's row is locked no longer than the commit takes
            self.later(_NUMBERED_CHANGE, *rows[0])
        elif rows:
            insert_numbered_changes(self, rows)

    def insert_landing(self, row: Row) -> int:
        number = int(self.fetch(*_LANDING_ID)[0][0])
        self.later(_LANDING, number, *row)
        return number

    def landing_id_ahead(self) -> None:
        self.ahead(_LANDING_ID)

    def record_ids(self, count: int) -> list[int]:
        return [row[0] for row in self.fetch(*_record_ids(count))]

    def record_ids_ahead(self, count: int) -> None:
        self.ahead(_record_ids(count))

    def instant(self, moment: datetime) -> datetime:
        return moment


@lru_cache(maxsize=64)
def _copying(table: str) -> str:
    names = ", ".join(name for name, _ in KINDS[table])
    return f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)"


@lru_cache(maxsize=64)
def _inserting_one(table: str) -> str:
    names = ", ".join(name for name, _ in KINDS[table])
    marks = ", ".join(f"?::{kind}" for _, kind in KINDS[table])
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our own names


@lru_cache(maxsize=64)
def _updating_one(table: str, columns: Columns) -> str:
    (key, kind), *others = columns
    values = ", ".join(f"{name} = ?::{kind}" for name, kind in others)
    return f"UPDATE {table} SET {values} WHERE {key} = ?::{kind}"  # noqa: S608 - our own names


def _record_ids(count: int) -> Question:
    return "SELECT nextval('record_id') FROM generate_series(1, ?)", count


@lru_cache(maxsize=256)
def _postgres(statement: str) -> str:
    marks = {"{ints}": "= ANY(%s::bigint[])", "{texts}": "= ANY(%s::text[])", "?": "%s"}
    return PLACEHOLDERS.sub(lambda match: marks[match.group()], statement)


def _sent(statement: str, values: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """The statement and its values as ``Statements`` wants them."""
    numbered, kinds, plain = _numbered(statement)
    if len(kinds) != len(values):
        raise TypeError("a value for each place, and a place for each value")
    if plain:
        return numbered, values
    return numbered, [value if kind == "?" else _array(kind, value) for value, kind in zip(values, kinds, strict=True)]


def _array(kind: str, values: Sequence[Any]) -> str | Packed:
    if kind == "{ints}" and len(values) > FEW_APPLIED:
        with suppress(Unpackable):
            return Packed(packed_array("int8", values))
    return array_of(values)


@lru_cache(maxsize=256)
def _numbered(statement: str) -> tuple[str, tuple[str, ...], bool]:
    """With ``$1``, ``$2``, …, as libpq wants it, what stood there, and whether that is nothing but values."""
    kinds, places = {"{ints}": "= ANY(${}::bigint[])", "{texts}": "= ANY(${}::text[])", "?": "${}"}, count(1)
    numbered = PLACEHOLDERS.sub(lambda match: kinds[match.group()].format(next(places)), statement)
    found = _kinds(statement)
    return numbered.replace("%%", "%"), found, set(found) <= {"?"}


@lru_cache(maxsize=256)
def _numbered_arrays(statement: str, columns: Columns) -> str:
    arrays = ", ".join(f"${place}::{kind}[]" for place, (_, kind) in enumerate(columns, 1))
    return statement.replace("{rows} r", f"unnest({arrays}) AS r({', '.join(name for name, _ in columns)})")


@lru_cache(maxsize=256)
def _unnested(statement: str, columns: Columns) -> str:
    # Arrays in binary: a text inside JSON is escaped here and read letter by letter there.
    arrays = ", ".join(f"%b::{kind}[]" for _, kind in columns)
    names = ", ".join(name for name, _ in columns)
    return statement.replace("{rows} r", f"unnest({arrays}) AS r({names})")


@lru_cache(maxsize=256)
def _kinds(statement: str) -> tuple[str, ...]:
    return tuple(PLACEHOLDERS.findall(statement))


def _lists(statement: str, values: Iterable[Any]) -> list[Any]:
    # A literal of plain digits is sent several times faster than an adapted list of ints.
    return [
        "{" + ",".join(map(str, value)) + "}" if kind == "{ints}" else value
        for value, kind in zip(values, _kinds(statement), strict=True)
    ]


_NUMBERED_CHANGE = (
    "WITH taken AS (INSERT INTO counter (name, value) VALUES ('change', 1) "  # noqa: S608 - our own names
    "ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value) "
    f"INSERT INTO change ({', '.join(name for name, _ in KINDS['change'])}) "
    f"SELECT value, {', '.join(f'?::{kind}' for _, kind in KINDS['change'][1:])} FROM taken"
)
_LANDING_ID: Question = ("SELECT nextval('landing_id_seq')",)
_LANDING = "INSERT INTO landing (id, stream_id, record_ids, records, landed_at) VALUES (?, ?, ?, ?, ?)"
_KEY_ROWS: Columns = (("key", "int8"), ("record_id", "int8"))
_COPYING_KEYS = "COPY match_key (key, record_id) FROM STDIN (FORMAT BINARY)"
_PAIR = pack(">hiqiq", 2, 8, 0, 8, 0)  # two fields of eight bytes each
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"


def _binary_pairs(pairs: Iterable[tuple[int, int]]) -> bytes:
    """Two bigint columns in PostgreSQL's binary COPY format, sorted by the first as the index is."""
    firsts, seconds = zip(*sorted(pairs, key=itemgetter(0)), strict=True)
    rows = bytearray(_PAIR) * len(firsts)
    spread(rows, len(_PAIR), 6, firsts)
    spread(rows, len(_PAIR), 18, seconds)
    return b"".join((_HEADER, rows, _END))
