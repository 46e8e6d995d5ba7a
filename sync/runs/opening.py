"""Open: the connector, the mapping, and what this run is to read."""

from __future__ import annotations

from typing import Any

from connectors.contract import Connector
from connectors.errors import BadConfiguration, StreamBroken
from mappings.contract import CompiledMapping
from sync.runs import declared, positions, quarantine, remapping
from sync.runs.declared import Declared
from sync.runs.drift import ShapeWatch
from sync.runs.positions import Reading
from sync.runs.session import Opened, Session
from sync.runs.states import RunMode
from sync.runs.wording import storable


class MappingUnusable(StreamBroken):
    """The stream's mapping file is missing or cannot be read."""

    code = "mapping_unusable"


class CannotBackfill(StreamBroken):
    """The stream knows no change stamps, so no range of it can be read."""

    code = "cannot_backfill"
    default_remedy = "Run a full sync instead: `kehu sync run {connection}.{stream} --full`."


def open_source(session: Session) -> Opened:
    """Everything the run needs. Raises what the connector or the mapping raises; the caller closes the connector."""
    known = remapping.followed(session)
    mapping = _mapping(session, known)
    remapping.follow(session, mapping, known)
    connector = session.workspace.open(session.stream.connection)
    try:
        abilities = _declared(session, connector)
        reading = _reading(session, connector, abilities)
    except BaseException:
        connector.close()
        raise
    with session.database.hot_reading() as connection:
        session.open_quarantine = quarantine.open_keys(connection, session.stream.id)
        session.shape = ShapeWatch.load(connection, session.stream)
    return Opened(connector, mapping, abilities, reading)


def _mapping(session: Session, known: str | None) -> CompiledMapping:
    """The stream's mapping. That one stream has none stops this stream, not its neighbours."""
    try:
        return session.workspace.mapping(session.stream.connection, session.stream.name, known=known)
    except BadConfiguration as error:
        raise MappingUnusable(error.template, remedy=error.remedy, **error.params) from None


def _declared(session: Session, connector: Connector[Any]) -> Declared:
    with session.database.hot_reading() as connection:
        known = declared.recall(connection, session.stream)
    if known is not None and session.run.mode is RunMode.INCREMENTAL:
        return known
    known = declared.ask(connector, session.stream)
    with session.unit_of_work() as connection:
        declared.remember(connection, session.stream, known)
    return known


def _reading(session: Session, connector: Connector[Any], known: Declared) -> Reading:
    """The read that this run began before it was interrupted, or a new one."""
    with session.database.hot_reading() as connection:
        begun = positions.begun(connection, session.run.id, known)
    if begun is not None:
        return begun
    if session.run.mode is RunMode.BACKFILL and not known.incremental:
        raise CannotBackfill(
            "{stream} of {connection} cannot be read by a range of time.",
            stream=session.stream.name,
            connection=session.stream.connection,
        )
    partitions = [storable(name, 120) for name in connector.partitions(session.stream.name)]
    with session.unit_of_work() as connection:
        return positions.begin(
            connection,
            session.stream,
            session.run.id,
            session.run.mode,
            known,
            partitions,
            only_sweep=session.run.accepted_deletes is not None,
        )
