"""Which stream a number in the tables stands for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from mappings.contract import RecordKey
from sync.master.bulk import Question, bulk_for
from sync.master.identity import founder_id


@dataclass(frozen=True, slots=True)
class StreamRef:
    """A stream of a connection, as the master sees it. ``priority`` rules survivorship: lower wins."""

    id: int
    connection_id: int
    connection: str
    name: str
    priority: int = 100

    def key(self, source_id: str, part: str = "") -> RecordKey:
        """The key of one of its records."""
        return (self.connection_id, self.id, source_id, part)

    def founder_id(self, source_id: str, part: str = "") -> int:
        """The id of the customer that one of its records would found."""
        return founder_id(self.connection, self.name, source_id, part)


LOADING: Question = (
    "SELECT s.id, s.connection_id, c.name, s.name, s.priority "
    "FROM stream_state s JOIN connection c ON c.id = s.connection_id",
)
"""What ``load`` asks."""


def load(connection: Connection) -> dict[int, StreamRef]:
    """All streams by number, removed ones too: their records still explain golden values."""
    return {row[0]: StreamRef(*row) for row in bulk_for(connection).fetch(*LOADING)}
