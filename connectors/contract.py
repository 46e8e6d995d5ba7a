"""The whole plugin promise on one page.

A connector turns one kind of system into pages of raw records and, where it can, writes customers back. It knows
nothing of customers, mappings or the database. The engine calls, in this order and each as often as it likes:

    check()        can we reach it and log in?              raises an error that names the failing setting
    discover()     which streams are there, with which fields?
    partitions()   may a stream be read in independent parts?
    read()         pages of records, each with the cursor to continue from once that page is stored
    ids()          only the keys, for sweeps of deletes and for reconciling (capability)
    write()        create or update records (capability)
    verify()       is this inbound webhook authentic, and what does it hint at? (capability)
    fetch()        the records of hinted keys as they are now, where the system can be asked for single ones

Promises the engine relies on, all tested by ``connectors.conformance``:

1. ``Record.key`` is stable and unique within its stream; ``Record.body`` is one JSON object in UTF-8.
2. Reading again from a page's cursor loses nothing. It may repeat records; the engine drops what is unchanged.
3. A cursor is JSON, opaque to the engine, and never passes a record that was not in this or an earlier page.
4. Errors are those of ``connectors.errors``. Nothing else escapes, and no text holds a secret.
5. ``read`` holds at most a page or two in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from connectors.errors import fill

if TYPE_CHECKING:
    from connectors.budget import Budget

Cursor = Mapping[str, Any]
"""Where to continue: JSON made by the connector, stored by the engine, never looked into."""


class Capability(StrEnum):
    """What a stream or connector can do beyond a full read."""

    INCREMENTAL = "incremental"
    IDS = "ids"
    WRITE = "write"
    WEBHOOK = "webhook"


class Deletes(StrEnum):
    """How deletes become known: told by the system, found by comparing keys, or not at all."""

    FEED = "feed"
    SWEEP = "sweep"
    NONE = "none"


class Record(NamedTuple):
    """One raw record. ``changed_at`` is the source's own change stamp in ISO 8601 UTC, if it has one."""

    key: str
    body: bytes
    changed_at: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that should have been a record and could not be read: kept in quarantine with its reason.

    ``identified``: the key is the record's own. Where it cannot be made out, give the place ("sales.csv#7") as the key
    and False: a full read then deletes nothing, since what was not seen may be this record.
    """

    key: str
    body: bytes
    reason: Exception
    identified: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, what was deleted, and the cursor to continue from once all this is stored.

    ``total`` is the expected number of records of this read, when the system tells it (for progress only).
    """

    records: Sequence[Record]
    cursor: Cursor
    deleted: Sequence[str] = ()
    rejected: Sequence[Rejected] = ()
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a stream's records. ``type`` is string, number, boolean, object, array, null or any."""

    path: str
    type: str = "any"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of record a connection offers, e.g. customers or contacts.

    ``lookback`` seconds are read again at the start of every incremental run, for late commits and coarse stamps.
    Deletes that only a sweep finds are looked for every ``sweep_every`` seconds by listing the ids; 0 means after each
    run that read anything, where listing is cheap.
    ``mapping`` names the default mapping file shipped with the connector (relative to its folder), if any.
    """

    name: str
    title: str = ""
    capabilities: frozenset[Capability] = frozenset()
    deletes: Deletes = Deletes.NONE
    lookback: int = 0
    fields: Sequence[Field] = ()
    mapping: str | None = None
    sweep_every: int = 86_400


class Mode(StrEnum):
    """Everything, or what changed since the cursor."""

    FULL = "full"
    INCREMENTAL = "incremental"


@dataclass(frozen=True, slots=True)
class Read:
    """What to read. ``cursor`` is None at the start of a first or full read.

    ``resumed`` is true when the same run goes on after a crash or pause: continue exactly at the cursor. When it is
    false and the mode is incremental, the connector steps back by the stream's look-back first, or by ``lookback``
    seconds where somebody has set it (None: the stream's own; streams that need no look-back ignore it). ``since`` and
    ``until`` bound a backfill by the source's change stamp, where the stream is incremental.
    """

    stream: str
    mode: Mode = Mode.FULL
    cursor: Cursor | None = None
    partition: str = ""
    resumed: bool = False
    since: datetime | None = None
    until: datetime | None = None
    page_size: int = 1000
    lookback: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One record to create or update in the target.

    ``key`` is the target's own id where known (update), else None (create, or upsert by ``idempotency_key``, which
    is the same for every try of the same write). ``expected`` is the version or change stamp we last saw, for
    targets with optimistic locking.
    """

    body: Mapping[str, Any]
    idempotency_key: str
    key: str | None = None
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of one write, in the order of the batch: ``key`` on success, else ``error``."""

    key: str | None
    created: bool = False
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """An inbound webhook request exactly as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Hint:
    """What a verified webhook says may have changed. A hint is never trusted as data: the record is read again."""

    stream: str
    key: str | None = None
    delivery_id: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A passed check: one sentence that tells whom we are logged in as, and details worth showing.

    With ``params``, ``message`` is an English template whose ``{named}`` places they fill: it can be translated.
    """

    message: str
    details: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return fill(self.message, dict(self.params)) if self.params else self.message


@dataclass(slots=True)
class Context:
    """What the engine gives a connector: its name, its budget of calls, its allowed private addresses.

    ``folder`` is the project folder against which relative paths of the configuration are read.
    """

    connection: str
    folder: Path = field(default_factory=Path.cwd)
    allow_private: Sequence[str] = ()
    budget: Budget | None = None

    def now(self) -> datetime:
        """The current time, aware, UTC. Tests replace it."""
        return datetime.now(UTC)


class Config(BaseModel):
    """Base of every connector's configuration. Unknown keys are refused; secrets are typed ``SecretStr``."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


ConfigT = TypeVar("ConfigT", bound=Config)


class Connector(ABC, Generic[ConfigT]):
    """One configured connection to one system. Construction does no I/O; ``close`` may be called more than once."""

    id: ClassVar[str]
    config_model: ClassVar[type[Config]]
    acknowledgement: ClassVar[bytes] = b""
    """What is answered to a webhook that was taken, where the system wants to read more than status 200."""

    def __init__(self, config: ConfigT, context: Context) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    def check(self) -> Checked:
        """Log in and do the cheapest call that proves the configured streams can be read."""

    @abstractmethod
    def discover(self) -> Sequence[Stream]:
        """The streams, with their fields as far as the system tells them or a sample shows them."""

    @abstractmethod
    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order. The last page may be empty; its cursor is where the next incremental read starts."""

    def partitions(self, stream: str) -> Sequence[str]:
        """Names of parts that can be read independently and in parallel; one unnamed part by default."""
        return [""]

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys that exist now, in batches. Only for streams with the capability ``ids``."""
        raise NotImplementedError(f"{self.id} cannot list ids")

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update; one result per write, in order. Safe to repeat with the same idempotency keys."""
        raise NotImplementedError(f"{self.id} cannot write")

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """Check the signature of an inbound webhook and say what it hints at. Raises BadCredentials if forged."""
        raise NotImplementedError(f"{self.id} has no webhooks")

    def challenge(self, request: Inbound) -> bytes | None:
        """The plain text to answer when the system tests the webhook's address; None: the request is no such test.

        Asked before ``verify``. Raises BadCredentials if forged.
        """
        return None

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """The records of these keys as they are now; ``deleted`` names those that are gone, the cursor says nothing.

        Only for streams whose hints name keys; the others are read incrementally after a hint.
        """
        raise NotImplementedError(f"{self.id} cannot be asked for single records")

    def close(self) -> None:
        """Give back sockets and files."""
