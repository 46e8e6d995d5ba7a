"""``connections.d/NAME.yaml`` beside kehu.yaml: a file a connection, as the dashboard writes them and people may.

Such a file holds what would stand under the connection's name in kehu.yaml. All files are text, hold no secrets, and
belong under version control.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from connectors.documents import Document, load_document
from connectors.errors import BadConfiguration
from sync.errors import raise_faults
from sync.faults import faults_of
from sync.settings import ConnectionSettings, Name, Settings

FOLDER = "connections.d"
MOST = 500
Stamp = tuple[tuple[str, int, int], ...]


def with_included(path: Path, settings: Settings) -> tuple[Settings, Mapping[str, Document]]:
    """The settings with the connections of the folder added, in the order of their names, and where each stands.

    Raises BadConfiguration for a faulty file, or a name that kehu.yaml holds too.
    """
    found: dict[str, ConnectionSettings] = {}
    places: dict[str, Document] = {}
    for file in sorted((path.parent / FOLDER).glob("*.yaml"))[:MOST]:
        name, document = file.stem, load_document(file)
        if not is_name(name):
            raise BadConfiguration(
                "{file} cannot be a connection's name: use letters, digits, - and _.",
                file=f"{FOLDER}/{file.name}",
                remedy="Rename the file.",
            )
        if name in settings.connections:
            raise BadConfiguration(
                "The connection {name} stands in {file} and in {other}.",
                name=name,
                file=path.name,
                other=f"{FOLDER}/{file.name}",
                remedy="Remove one of the two.",
            )
        found[name], places[name] = connection_of(document, name), document
    if not found:
        return settings, {}
    return settings.model_copy(update={"connections": {**settings.connections, **found}}), places


def connection_of(document: Document, name: str) -> ConnectionSettings:
    """The settings in a connection's own file. Raises BadConfiguration, or ConfigurationFaults for several faults."""
    try:
        return ConnectionSettings.model_validate(document.data)
    except ValidationError as error:
        raise_faults(document.path.name, faults_of(ConnectionSettings, error, document, connection=name))
        raise


def is_name(text: str) -> bool:
    """Whether a connection may be called so."""
    try:
        TypeAdapter(Name).validate_python(text)
    except ValidationError:
        return False
    return True


def mapping_name(connection: str, stream: str) -> str:
    """The file of a stream's own mapping, where its settings name none."""
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in stream)
    return f"{connection}.{safe}.yaml"


def stamp_of(path: Path, settings: Settings) -> Stamp:
    """Name, time and size of every file that configuration is read from: another stamp means another content."""
    return tuple(_stamps(path, settings))


def _stamps(path: Path, settings: Settings) -> Iterator[tuple[str, int, int]]:
    folder = path.parent
    singles = [path, folder / ".env"]
    folders = [folder / FOLDER, folder / settings.mappings, folder / settings.connectors]
    for file in [*singles, *(file for one in folders for file in sorted(one.glob("*.*")))]:
        try:
            found = file.stat()
        except OSError:
            continue
        yield str(file), found.st_mtime_ns, found.st_size
