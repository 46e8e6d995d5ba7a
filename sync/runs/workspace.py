"""What a run needs of the project around it. ``sync.project.Project`` is one; tests make their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from connectors.contract import Connector
from mappings.contract import CompiledMapping, Matcher
from sync.database import Database
from sync.master.inforce import MatcherSource
from sync.settings import Settings, StreamSettings

if TYPE_CHECKING:
    from mappings.survivorship import SurvivorshipRules


class Workspace(Protocol):
    """Database, configuration, and what is made from configuration."""

    @property
    def database(self) -> Database:
        """Where everything is kept."""

    @property
    def settings(self) -> Settings:
        """The whole of kehu.yaml."""

    @property
    def matcher(self) -> Matcher | MatcherSource:
        """The match model, or what tells which version of it is in force."""

    @property
    def survivorship(self) -> SurvivorshipRules:
        """The rules by which a field's winner is chosen."""

    def open(self, name: str) -> Connector[Any]:
        """A connector of a connection; the caller closes it. Raises BadConfiguration."""

    def mapping(self, connection: str, stream: str, *, known: str | None = None) -> CompiledMapping:
        """The compiled mapping of a stream; one whose fingerprint is ``known`` compiles when a record needs it.

        Raises SpecError or BadConfiguration.
        """


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a run is; all in seconds but ``retries``.

    Passing faults are tried again after ``first``, doubled each time up to ``most``, with jitter, ``retries`` times in
    a row without progress. Waits up to ``in_process`` are slept through; for longer ones the run gives its worker back.
    """

    first: float = 1.0
    most: float = 60.0
    retries: int = 8
    in_process: float = 5.0
    beat: float = 5.0
    lease: float = 30.0


def stream_settings(workspace: Workspace, connection: str, stream: str) -> StreamSettings:
    """How a stream is to be read; the defaults where nothing is written down."""
    configured = workspace.settings.connections.get(connection)
    if configured is None:
        return StreamSettings.model_validate({})
    return configured.streams.get(stream) or StreamSettings.model_validate({})
