"""What the verbs of one run share while it is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from sqlalchemy import Connection

from connectors.contract import Connector
from mappings.contract import CompiledMapping, Matcher
from sync.database import Database
from sync.errors import SyncError
from sync.master.inforce import MatcherSource
from sync.master.streams import StreamRef
from sync.runs import lease
from sync.runs.claim import Claimed
from sync.runs.declared import Declared
from sync.runs.drift import ShapeWatch
from sync.runs.lease import Keeper
from sync.runs.positions import Reading
from sync.runs.workspace import Pace, Workspace
from sync.settings import StreamSettings


class Stopping(SyncError):
    """The worker shuts down: the run is given back between two pages."""

    code = "stopping"


class CancelRequested(SyncError):
    """A human cancelled the run."""

    code = "cancelled"


@dataclass
class Session:
    """One claimed run in this worker."""

    workspace: Workspace
    run: Claimed
    keeper: Keeper
    settings: StreamSettings
    stop: Event
    pace: Pace
    open_quarantine: set[str] = field(default_factory=set)
    shape: ShapeWatch | None = None
    cancelled: bool = False
    restarts: int = 0
    database_faults: int = 0

    @property
    def matcher(self) -> Matcher | MatcherSource:
        """The match model, loaded when a record needs it."""
        return self.workspace.matcher

    @property
    def database(self) -> Database:
        """Where everything is kept."""
        return self.workspace.database

    @property
    def stream(self) -> StreamRef:
        """The stream that is read."""
        return self.run.stream

    @contextmanager
    def unit_of_work(self) -> Iterator[Connection]:
        """A transaction that commits only if the lease is still ours at its end. Raises LeaseLost."""
        with self.database.hot_transaction() as connection:
            yield connection
            lease.renew(connection, self.run.lease)

    def check(self) -> None:
        """Between two pages: is the run still wanted, and still ours?"""
        self.keeper.alive()
        if self.cancelled:
            raise CancelRequested("The run was cancelled.")
        if self.stop.is_set():
            raise Stopping("The worker shuts down.")

    def sleep(self, seconds: float) -> None:
        """Wait a moment, shorter if the worker shuts down."""
        self.stop.wait(max(0.0, seconds))
        self.check()


@dataclass(slots=True)
class Opened:
    """The source of a run, opened."""

    connector: Connector[Any]
    mapping: CompiledMapping
    declared: Declared
    reading: Reading
