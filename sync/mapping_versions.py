"""Versions of mapping files: who published what and when. The file in the project's folder is what counts.

A file that was changed in an editor or by version control is noted as a version of its own before the next one is
published, so nothing that was ever in force is lost.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import Column, Connection, Index, Integer, String, Table, Text, func, insert, select

from connectors.errors import BadConfiguration
from mappings.compile import Mapper, compile_mapping
from mappings.spec import load_spec
from sync import audit
from sync.connecting.drafts import write_text
from sync.database import UtcDateTime, metadata
from sync.errors import Misused, NotFound, Refused
from sync.project import Project

LONGEST = 200_000
BY_FILE = "file"
"""Who made a version that appeared in the folder."""

mapping_version = Table(
    "mapping_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("connection", String(80), nullable=False),
    Column("stream", String(120), nullable=False),
    Column("number", Integer, nullable=False, comment="counts the versions of the stream's mapping, from 1"),
    Column("contents", Text, nullable=False, comment="the file as it was"),
    Column("note", Text, nullable=False, server_default=""),
    Column("made_by", String(200), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Index("uq_mapping_version_number", "connection", "stream", "number", unique=True),
    comment="What mapping files held when they were published.",
)


class MappingText(NamedTuple):
    """A mapping file as it is. ``own``: it belongs to the project; else it comes with the connector, or is missing."""

    contents: str
    own: bool
    there: bool

    @property
    def digest(self) -> str:
        """Names the contents: what was edited is published only over the same."""
        return digest(self.contents)


class Version(NamedTuple):
    """A version of a stream's mapping."""

    number: int
    made_by: str
    made_at: datetime
    note: str
    contents: str


class ChangedMeanwhile(Refused):
    """Somebody else has published, or changed the file, since the page was loaded."""

    code = "changed_meanwhile"
    default_remedy = "Compare with the newest version, then publish again."


def digest(contents: str) -> str:
    """A short name of a text."""
    return blake2b(contents.encode(), digest_size=12).hexdigest()


def current(project: Project, name: str, stream: str) -> MappingText:
    """The mapping of a stream as it is in force. Raises BadConfiguration for a file that cannot be read."""
    try:
        path = project.mapping_file(name, stream)
    except BadConfiguration:
        return MappingText("", own=False, there=False)
    try:
        contents = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadConfiguration(
            "{file} cannot be read.", file=path.name, remedy="It must be a text in UTF-8 that this user may read."
        ) from None
    return MappingText(contents, own=project.has_own_mapping(name, stream), there=True)


def compiled(project: Project, name: str, stream: str, contents: str) -> Mapper:
    """A text as the mapping of a stream. Raises SpecError."""
    if len(contents) > LONGEST:
        raise Misused("A mapping has at most {longest} characters.", longest=LONGEST, remedy="Make it shorter.")
    path = project.own_mapping_path(name, stream)
    shipped = partial(project.default_mapping_file, name, stream)
    spec = load_spec(contents, default=shipped, name=path.name, folder=path.parent)
    return compile_mapping(spec, defaults=project.mapping_defaults(name))


def versions(connection: Connection, name: str, stream: str, limit: int = 100) -> list[Version]:
    """The newest first."""
    columns = mapping_version.c
    rows = connection.execute(
        select(columns.number, columns.made_by, columns.made_at, columns.note, columns.contents)
        .where(columns.connection == name, columns.stream == stream)
        .order_by(columns.number.desc())
        .limit(limit)
    )
    return [Version(*row) for row in rows]


def version(connection: Connection, name: str, stream: str, number: int) -> Version:
    """One version. Raises NotFound."""
    found = next((one for one in versions(connection, name, stream, 10_000) if one.number == number), None)
    if found is None:
        raise NotFound("There is no version {number} of this mapping.", number=number, remedy="See the list of them.")
    return found


def publish(project: Project, name: str, stream: str, contents: str, *, over: str, note: str = "") -> int:
    """Put a text in force; answers its number. ``over`` is the digest of what it replaces.

    Raises SpecError for a text that is no mapping, ChangedMeanwhile if the file is no longer what it was.
    """
    compiled(project, name, stream, contents)
    with project.database.transaction() as connection:
        before = current(project, name, stream)
        if before.digest != over:
            raise ChangedMeanwhile("The mapping was changed meanwhile.")
        if before.there:
            _note_file(connection, name, stream, before)
        number = _insert(connection, name, stream, contents, audit.actor(), note)
        details = {"version": number, "note": note[:200]}
        audit.record(connection, audit.actor(), "mapping.published", f"stream:{name}.{stream}", details)
        write_text(project.own_mapping_path(name, stream), contents.encode())
    project.refresh()
    return number


def _note_file(connection: Connection, name: str, stream: str, before: MappingText) -> None:
    newest = next(iter(versions(connection, name, stream, 1)), None)
    if newest is None or newest.contents != before.contents:
        _insert(connection, name, stream, before.contents, BY_FILE if before.own else "connector", "")


def _insert(connection: Connection, name: str, stream: str, contents: str, by: str, note: str) -> int:
    columns = mapping_version.c
    last = connection.execute(
        select(func.max(columns.number)).where(columns.connection == name, columns.stream == stream)
    ).scalar_one()
    number = int(last or 0) + 1
    values = {"connection": name, "stream": stream, "number": number, "contents": contents, "note": note[:500]}
    connection.execute(insert(mapping_version).values(**values, made_by=by[:200], made_at=datetime.now(UTC)))
    return number
