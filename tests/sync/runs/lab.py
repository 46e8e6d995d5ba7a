"""A small but real installation for tests of runs: a source in a SQLite file that tests change and make fail,
a connector for it through the real contract, and a workspace around a real database.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

import orjson
from sqlalchemy import Connection, insert, select, text

from connectors.contract import (
    Capability,
    Checked,
    Config,
    Connector,
    Context,
    Cursor,
    Deletes,
    Mode,
    Page,
    Read,
    Record,
    Rejected,
    Stream,
)
from connectors.errors import BadCredentials, CursorExpired, EndlessPages, RecordRejected, RetryLater, WaitUntil
from mappings.contract import Decision, Evidence, Features, Mapped, Member, seniority
from mappings.errors import RecordInvalid
from mappings.survivorship import SurvivorshipRules
from sync.database import Database
from sync.master.streams import StreamRef
from sync.runs import clock, requests
from sync.runs.history import RunView, show
from sync.runs.run import execute
from sync.runs.states import RunMode, Status
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state
from sync.runs.workspace import Pace
from sync.schema import metadata
from sync.settings import Settings

CONNECTION, STREAM = "shop", "customers"
QUICK = Pace(first=0.02, most=0.05, retries=3, in_process=0.5, beat=5.0, lease=30.0)


class Source:
    """A system of customers: rows with a key, a change stamp and a body, and faults to come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as db:
            db.executescript(
                "PRAGMA journal_mode=WAL;"
                "CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, stamp INTEGER, body TEXT);"
                "CREATE TABLE IF NOT EXISTS faults (kind TEXT, at_key TEXT, times INTEGER);"
                "CREATE TABLE IF NOT EXISTS reads (mode TEXT, cursor TEXT, resumed INTEGER);"
            )

    def put(self, key: str, stamp: int = 1, **values: Any) -> None:
        """Create or change one customer."""
        self.put_all({key: values}, stamp)

    def put_all(self, rows: Mapping[str, Mapping[str, Any]], stamp: int = 1) -> None:
        """Create or change many customers with one change stamp."""
        self.put_raw(
            {
                key: {"name": f"Customer {key}", "email": f"{key}@example.com"} | dict(values)
                for key, values in rows.items()
            },
            stamp,
        )

    def put_raw(self, bodies: Mapping[str, Mapping[str, Any]], stamp: int = 1) -> None:
        """Create or change records with exactly these bodies."""
        rows = [(key, stamp, orjson.dumps(dict(body))) for key, body in bodies.items()]
        with self._open() as db:
            db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", rows)

    def fill(self, count: int, stamp: int = 1) -> None:
        """``count`` customers with keys k0000, k0001, ..."""
        self.put_all({f"k{number:04}": {} for number in range(count)}, stamp)

    def remove(self, *keys: str) -> None:
        """Delete for good."""
        with self._open() as db:
            db.executemany("DELETE FROM rows WHERE key = ?", [(key,) for key in keys])

    def keys(self) -> set[str]:
        """All keys that exist."""
        with self._open() as db:
            return {row[0] for row in db.execute("SELECT key FROM rows")}

    def break_at(self, key: str, kind: str, times: int = 1) -> None:
        """The next ``times`` reads of the page with this key fail in the manner of ``kind``."""
        with self._open() as db:
            db.execute("INSERT INTO faults VALUES (?, ?, ?)", (kind, key, times))

    def heal(self) -> None:
        """No more faults."""
        with self._open() as db:
            db.execute("DELETE FROM faults")

    def reads(self) -> list[tuple[str, Any, bool]]:
        """The reads asked for so far: mode, cursor, resumed."""
        with self._open() as db:
            rows = db.execute("SELECT mode, cursor, resumed FROM reads ORDER BY rowid").fetchall()
        return [(mode, orjson.loads(cursor), bool(resumed)) for mode, cursor, resumed in rows]

    def pages(self, statement: str, *values: Any) -> list[tuple[str, int, bytes]]:
        with self._open() as db:
            return db.execute(statement, values).fetchall()

    def note_read(self, request: Read) -> None:
        with self._open() as db:
            cursor = orjson.dumps(request.cursor)
            db.execute("INSERT INTO reads VALUES (?, ?, ?)", (request.mode, cursor, request.resumed))

    def fault(self, keys: Sequence[str]) -> tuple[str, str] | None:
        """The fault that hits a page with these keys; it is used up by one."""
        with self._open() as db:
            for kind, key, times in db.execute("SELECT kind, at_key, times FROM faults WHERE times > 0").fetchall():
                if key in keys:
                    db.execute("UPDATE faults SET times = ? WHERE kind = ? AND at_key = ?", (times - 1, kind, key))
                    return kind, key
        return None

    def _open(self) -> Any:
        return _Transaction(self.path)


class _Transaction:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> sqlite3.Connection:
        self.db = sqlite3.connect(self.path, timeout=30)
        return self.db

    def __exit__(self, kind: object, *_: object) -> None:
        with closing(self.db):
            if kind is None:
                self.db.commit()


class LedgerConfig(Config):
    """Where the source lies and what it can do."""

    path: str
    incremental: bool = True
    ids: bool = True
    deletes: Deletes = Deletes.SWEEP
    lookback: int = 0
    delay: float = 0.0
    total: bool = False
    unseen: int = 0  # so many more the source says it has than it gives
    partitions: tuple[str, ...] = ("",)


class Ledger(Connector[LedgerConfig]):
    """The connector of ``Source``: keyset pages by key (full) or by stamp and key (incremental)."""

    id: ClassVar[str] = "ledger"
    config_model: ClassVar[type[Config]] = LedgerConfig

    def __init__(self, config: LedgerConfig, context: Context) -> None:
        super().__init__(config, context)
        self.source = Source(Path(config.path))

    def check(self) -> Checked:
        return Checked("The source is there.")

    def discover(self) -> Sequence[Stream]:
        can = [Capability.INCREMENTAL] * self.config.incremental + [Capability.IDS] * self.config.ids
        return [Stream(STREAM, capabilities=frozenset(can), deletes=self.config.deletes)]

    def partitions(self, stream: str) -> Sequence[str]:
        return self.config.partitions

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        yield sorted(self.source.keys())

    def read(self, request: Read) -> Iterator[Page]:
        self.source.note_read(request)
        if request.mode is Mode.FULL:
            yield from self._full(request)
        else:
            yield from self._incremental(request)

    def _full(self, request: Read) -> Iterator[Page]:
        cursor = request.cursor or {"after": "", "start": self._newest()}
        if "after" not in cursor:  # the last page was stored: only its completion is missing
            return
        after, start = cursor["after"], cursor["start"]
        low = int(request.since.timestamp()) if request.since else -1
        high = int(request.until.timestamp()) if request.until else 2**40
        while rows := self.source.pages(
            "SELECT key, stamp, body FROM rows WHERE key > ? AND key LIKE ? AND stamp >= ? AND stamp < ? "
            "ORDER BY key LIMIT ?",
            after,
            f"{request.partition}%",
            low,
            high,
            request.page_size,
        ):
            after = rows[-1][0]
            yield self._page(rows, {"after": after, "start": start})
        yield Page([], {"stamp": start[0], "key": start[1]})

    def _incremental(self, request: Read) -> Iterator[Page]:
        assert request.cursor is not None
        stamp, key = request.cursor["stamp"], request.cursor["key"]
        lookback = self.config.lookback if request.lookback is None else request.lookback
        if not request.resumed and lookback:
            stamp, key = stamp - lookback, ""
        # Never past the newest stamp at the read's start: the look-back of the next one is counted from there.
        until = request.cursor["until"] if request.resumed else self._newest()[0]
        while rows := self.source.pages(
            "SELECT key, stamp, body FROM rows WHERE (stamp, key) > (?, ?) AND stamp <= ? AND key LIKE ? "
            "ORDER BY stamp, key LIMIT ?",
            stamp,
            key,
            until,
            f"{request.partition}%",
            request.page_size,
        ):
            key, stamp = rows[-1][0], rows[-1][1]
            yield self._page(rows, {"stamp": stamp, "key": key, "until": until})

    def _newest(self) -> list[Any]:
        rows = self.source.pages("SELECT key, stamp, '' FROM rows ORDER BY stamp DESC, key DESC LIMIT 1")
        return [rows[0][1], rows[0][0]] if rows else [0, ""]

    def _page(self, rows: Sequence[tuple[str, int, bytes]], cursor: Cursor) -> Page:
        time.sleep(self.config.delay)
        rejected = self._fail([row[0] for row in rows])
        records = [
            Record(key, bytes(body), datetime.fromtimestamp(stamp, UTC).isoformat())
            for key, stamp, body in rows
            if key not in {bad.key for bad in rejected} and key not in self.illegible
        ]
        total = len(self.source.keys()) + self.config.unseen if self.config.total else None
        return Page(records, cursor, rejected=rejected, total=total)

    @property
    def illegible(self) -> set[str]:
        """Rows whose keys cannot be made out."""
        rows = self.source.pages("SELECT at_key, 0, '' FROM faults WHERE kind = 'illegible'")
        return {row[0] for row in rows}

    def _fail(self, keys: Sequence[str]) -> Sequence[Rejected]:
        found = self.source.fault(keys)
        if found is None:
            return ()
        kind, key = found
        if kind == "rejected":
            return [Rejected(key, b"\xff\xfe broken", RecordRejected("The row cannot be read.", path="row"))]
        if kind == "illegible":
            bad = RecordRejected("The row cannot be read.", path="row")
            return [Rejected(f"row {keys.index(key)}", b"\xff\xfe broken", bad, identified=False)]
        if kind == "exit":
            os._exit(70)
        raise {
            "retry": lambda: RetryLater("The shop did not answer."),
            "wait": lambda: WaitUntil("Too many calls.", until=datetime.now(UTC) + timedelta(seconds=0.05)),
            "wait_past": lambda: WaitUntil("Too many calls.", until=datetime.now(UTC) - timedelta(hours=1)),
            "wait_long": lambda: WaitUntil("Too many calls.", until=datetime.now(UTC) + timedelta(hours=1)),
            "credentials": lambda: BadCredentials("The shop refused the key.", setting="token"),
            "endless": lambda: EndlessPages("The shop repeats its pages."),
            "cursor": lambda: CursorExpired("The shop no longer knows our position."),
            "boom": lambda: RuntimeError("secret-canary-41f2"),
        }[kind]()


class NameMapping:
    """One customer per record; a name that is not text does not fit. ``rename`` makes another mapping of it."""

    paths = frozenset({"name", "email"})

    def __init__(self, suffix: str = "") -> None:
        self.suffix = suffix
        self.fingerprint = f"names{suffix}"

    def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
        name = record.get("name")
        if not isinstance(name, str):
            raise RecordInvalid("{path} must be text.", path="name", rule="text", value=name)
        customer: dict[str, Any] = {"kind": "organisation", "name": name + self.suffix}
        if record.get("email"):
            customer["emails"] = [{"value": record["email"]}]
        return [Mapped("", customer)]


class EmailMatcher:
    """Records with an equal email are one customer."""

    version = "lab"

    def features(self, customer: Mapping[str, Any]) -> Features:
        return (customer.get("name", ""), sorted(email["value"] for email in customer.get("emails", [])))

    def keys(self, features: Features) -> list[int]:
        digests = (hashlib.blake2b(email.encode(), digest_size=8).digest() for email in features[1])
        return sorted({int.from_bytes(digest, "little", signed=True) for digest in digests})

    def compare(self, left: Features, right: Features) -> Evidence | None:
        return Evidence(10.0, "email") if set(left[1]) & set(right[1]) else None

    def cluster(self, members: Sequence[Member], decisions: Sequence[Decision]) -> list[list[int]]:
        groups: list[list[Member]] = []
        for member in sorted(members, key=lambda one: seniority(one.key)):
            near = [group for group in groups if any(self.compare(member.features, one.features) for one in group)]
            merged = [one for group in near for one in group] + [member]
            groups = [group for group in groups if group not in near] + [merged]
        ordered = [sorted(group, key=lambda one: seniority(one.key)) for group in groups]
        ordered.sort(key=lambda group: seniority(group[0].key))
        return [[one.id for one in group] for group in ordered]


@dataclass
class LabWorkspace:
    """The ``Workspace`` of tests. ``config`` are settings of the connector on top of the source's path."""

    database: Database
    source: Source
    config: dict[str, Any] = field(default_factory=dict)
    stream_settings: dict[str, Any] = field(default_factory=dict)
    suffix: str = ""

    def __post_init__(self) -> None:
        self.matcher = EmailMatcher()
        self.survivorship = SurvivorshipRules()
        self.mapping_class = NameMapping

    @property
    def settings(self) -> Settings:
        streams = {STREAM: {"page_size": 10, **self.stream_settings}}
        return Settings.model_validate({"connections": {CONNECTION: {"connector": "ledger", "streams": streams}}})

    def open(self, name: str) -> Ledger:
        config = LedgerConfig(path=str(self.source.path), **self.config)
        return Ledger(config, Context(connection=name))

    def mapping(self, connection: str, stream: str, *, known: str | None = None) -> Any:
        return self.mapping_class(self.suffix)


class Lab:
    """A workspace with one registered stream, and shortcuts for what tests do all the time."""

    def __init__(self, url: str, folder: Path) -> None:
        self.workspace = LabWorkspace(Database(url), Source(folder / "source.db"))
        self.url, self.folder = url, folder
        self.source, self.database = self.workspace.source, self.workspace.database
        self.stream = self._register()

    def _register(self) -> StreamRef:
        metadata.create_all(self.database.engine)
        with self.database.transaction() as connection:
            found = connection.execute(select(stream_state.c.id)).scalar_one_or_none()
            if found is None:
                made = insert(connections).values(name=CONNECTION, connector="ledger", created_at=clock.now())
                parent = connection.execute(made.returning(connections.c.id)).scalar_one()
                connection.execute(insert(stream_state).values(connection_id=parent, name=STREAM))
            return requests.find_stream(connection, CONNECTION, STREAM)

    def request(self, mode: RunMode = RunMode.INCREMENTAL, **options: Any) -> int:
        with self.database.transaction() as connection:
            return requests.request_run(connection, self.stream.id, mode, **options).run_id

    def sync(
        self, mode: RunMode = RunMode.INCREMENTAL, *, pace: Pace = QUICK, stop: Event | None = None, **options: Any
    ) -> RunView:
        """Request a run and work on it here and now."""
        run_id = self.request(mode, **options)
        execute(self.workspace, run_id, pace=pace, stop=stop)
        return self.run(run_id)

    def go_on(self, run_id: int) -> Status | None:
        return execute(self.workspace, run_id, pace=QUICK)

    def run(self, run_id: int) -> RunView:
        with self.database.reading() as connection:
            return show(connection, run_id)

    def live(self) -> set[str]:
        """The source ids of live records in the master."""
        return {row[0] for row in self.query("SELECT source_id FROM source_record WHERE deleted_at IS NULL")}

    def names(self) -> dict[str, str]:
        """The names of the active customers, by the source ids of their records."""
        rows = self.query(
            "SELECT r.source_id, c.name FROM source_record r JOIN crosswalk w ON w.record_id = r.id "
            "JOIN customer c ON c.id = w.customer_id WHERE r.deleted_at IS NULL AND c.status = 'active'"
        )
        return {row[0]: row[1] for row in rows}

    def query(self, statement: str, **values: Any) -> list[Any]:
        with self.database.reading() as connection:
            return list(connection.execute(text(statement), values).all())

    def execute(self, statement: str, **values: Any) -> None:
        with self.database.transaction() as connection:
            connection.execute(text(statement), values)

    def writing(self) -> Any:
        """A transaction."""
        return self.database.transaction()

    def reading(self) -> Any:
        """A snapshot."""
        return self.database.reading()


def events(connection: Connection, run_id: int) -> list[str]:
    from sync.runs.events import of_run

    return [str(event.text) for event in of_run(connection, run_id)]
