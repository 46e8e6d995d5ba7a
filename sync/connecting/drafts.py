"""Connections that are being set up: a file each in the state folder, of the form of ``connections.d``.

Whoever leaves can go on later. Secrets are stored in the vault at once, and are gone when a draft is discarded.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection

from connectors.documents import Document, load_document, parse_document
from sync import audit, vault
from sync.errors import Misused, NotFound
from sync.included import FOLDER, connection_of, is_name
from sync.project import Project
from sync.settings import ConnectionSettings

DRAFTS = "drafts"


def names(project: Project) -> list[str]:
    """The connections that are being set up."""
    return sorted(path.stem for path in (project.state_folder / DRAFTS).glob("*.yaml"))


def load(project: Project, name: str) -> tuple[ConnectionSettings, Document]:
    """A draft. Raises NotFound, BadConfiguration."""
    path = _path(project, name)
    if not path.is_file():
        raise NotFound("There is no draft {name}.", name=name[:80], remedy="Begin again with the gallery of systems.")
    document = load_document(path)
    return connection_of(document, name), document


def own_data(project: Project, name: str) -> dict[str, Any]:
    """What stands in a connection's own file, or in its draft. Raises NotFound where it has none."""
    path = _path(project, name) if name in names(project) else published_path(project, name)
    if not path.is_file():
        raise NotFound("The connection {name} has no file of its own.", name=name[:80], remedy="It is in kehu.yaml.")
    return load_document(path).data


def begin(project: Project, name: str, connector: str) -> None:
    """A new draft. Raises Misused for a name that cannot be, or is taken."""
    if not is_name(name):
        raise Misused("{name} cannot be a connection's name: use letters, digits, - and _.", name=name[:80])
    if name in project.settings.connections or name in names(project):
        raise Misused("There is a connection {name} already.", name=name, remedy="Choose another name.")
    save(project, name, {"connector": connector})


def save(project: Project, name: str, data: Mapping[str, Any]) -> None:
    """Store a draft. Raises BadConfiguration for settings that cannot be."""
    connection_of(parsed(name, data), name)
    write(_path(project, name), data)


def trial(project: Project, name: str) -> Project:
    """The project as it would be with the draft."""
    return project.trying(name, *load(project, name))


def discard(project: Project, connection: Connection, name: str) -> None:
    """Forget a draft and the secrets it has stored."""
    forget_secrets(project, connection, name)
    _path(project, name).unlink(missing_ok=True)


def publish(project: Project, name: str) -> None:
    """The draft becomes a connection of the project. Raises Misused where the name was taken meanwhile."""
    settings, document = load(project, name)
    project.refresh()
    if name in project.settings.connections:
        raise Misused("There is a connection {name} already.", name=name, remedy="Choose another name.")
    put(project, name, document.data)
    _path(project, name).unlink(missing_ok=True)
    audit_details = {"connector": settings.connector, "streams": sorted(settings.streams)}
    with project.database.transaction() as connection:
        project.register(connection)
        audit.record(connection, audit.actor(), "connection.added", f"connection:{name}", audit_details)


def put(project: Project, name: str, data: Mapping[str, Any]) -> None:
    """Write the file of a connection, and take it in. Raises BadConfiguration for settings that cannot be."""
    connection_of(parsed(name, data), name)
    write(published_path(project, name), data)
    project.refresh()


def remove(project: Project, name: str) -> None:
    """Take a connection with a file of its own out of the project: records stay, its secrets go."""
    if not project.is_included(name):
        raise Misused("The connection {name} has no file of its own.", name=name[:80], remedy="It is in kehu.yaml.")
    published_path(project, name).unlink(missing_ok=True)
    project.refresh()
    with project.database.transaction() as connection:
        project.register(connection)
        forget_secrets(project, connection, name)
        audit.record(connection, audit.actor(), "connection.removed", f"connection:{name}")


def secret_name(connection: str, field: str) -> str:
    """How the vault calls a secret of a connection's settings."""
    return f"connections/{connection}/{field}"


def forget_secrets(project: Project, connection: Connection, name: str) -> None:
    """Forget all secrets that forms have stored for a connection."""
    for one in vault.stored(connection):
        if one.name.startswith(secret_name(name, "")):
            project.vault.remove(connection, one.name, by=audit.actor())


def published_path(project: Project, name: str) -> Path:
    """The file of a connection in ``connections.d``."""
    return project.folder / FOLDER / f"{_checked(name)}.yaml"


def parsed(name: str, data: Mapping[str, Any]) -> Document:
    """Data as the document that would be written."""
    return parse_document(_dumped(data), Path(f"{name}.yaml"))


def write(path: Path, data: Mapping[str, Any]) -> None:
    """Write a file whole or not at all."""
    write_text(path, _dumped(data))


def write_text(path: Path, text: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _path(project: Project, name: str) -> Path:
    return project.state_folder / DRAFTS / f"{_checked(name)}.yaml"


def _checked(name: str) -> str:
    """A name that can be a file's: it holds no separators."""
    if not is_name(name):
        raise NotFound("There is no connection {name}.", name=name[:80])
    return name


def _dumped(data: Mapping[str, Any]) -> bytes:
    return str(yaml.safe_dump(dict(data), allow_unicode=True, sort_keys=False, width=110)).encode()
