"""Checks everything a project needs, one finding each, and says the remedy for what is wrong."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from connectors.errors import BadConfiguration, ConnectorError
from mappings.errors import MappingError
from sync import language, migrations, overview
from sync.children import valkey_binary, web_listener
from sync.errors import ConfigurationFaults, SyncError
from sync.language import _
from sync.migrations import SchemaState
from sync.project import LOCK_FILE, Project
from sync.runs import services
from sync.up import runs

LEAST_FREE = 1_000_000_000
Told = ConnectorError | MappingError | SyncError
_TOLD = (ConnectorError, MappingError, SyncError)


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(NamedTuple):
    """One check: what was looked at, how it came out, what is the case, what to do."""

    subject: str
    verdict: Verdict
    message: str
    remedy: str = ""


def examine(path: Path, *, online: bool = True) -> Iterator[Finding]:
    """All checks, each as soon as it is made. ``online``: also log in to every connected system."""
    yield _python()
    try:
        project = Project.load(path)
    except ConnectorError as error:
        yield from _wrong("kehu.yaml", error)
        return
    try:
        yield from _project(project, online)
    finally:
        project.close()


def _project(project: Project, online: bool) -> Iterator[Finding]:
    count = len(project.settings.connections)
    yield Finding("kehu.yaml", Verdict.OK, _("The configuration is right; connections: {count}.", count=count))
    yield from _secrets_file(project)
    yield from _regions(project)
    yield from _guarded("database", lambda: _database(project))
    yield from _guarded("broker", lambda: _broker(project))
    yield from _guarded("web", lambda: _web(project))
    yield from _connectors(project)
    yield from _guarded("survivorship", lambda: _survivorship(project))
    for name in project.settings.connections:
        yield from _guarded(name, lambda name=name: _connection(project, name, online))  # type: ignore[misc]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))  # an older one cannot even import this module
    return Finding("python", Verdict.OK, _("Python {version}", version=version))


def _secrets_file(project: Project) -> Iterator[Finding]:
    path = project.folder / ".env"
    if path.exists() and path.stat().st_mode & 0o077:
        yield Finding(
            ".env", Verdict.WARNING, _("Other users of this machine can read .env."), _("Run `chmod 600 .env`.")
        )


def _regions(project: Project) -> Iterator[Finding]:
    """Countries that there are none of: their phone numbers would never be understood."""
    from phonenumbers import SUPPORTED_REGIONS  # slow to import

    connections = project.settings.connections
    given = {"region": project.settings.region} | {f"{name}.region": one.region for name, one in connections.items()}
    for key, region in given.items():
        if region is not None and region not in SUPPORTED_REGIONS:
            yield Finding(
                "kehu.yaml",
                Verdict.WARNING,
                _("{key} is {region}, and there is no such country.", key=key, region=region),
                _("Write the two letters of ISO 3166-1, e.g. CN, US or DE."),
            )


def _database(project: Project) -> Iterator[Finding]:
    schema = migrations.inspect(project.database)
    if project.embedded_database:
        free = shutil.disk_usage(project.state_folder).free
        if free < LEAST_FREE:
            yield Finding(
                "database",
                Verdict.WARNING,
                _("Only {free} MB are free on the disk of the database.", free=free // 1_000_000),
                _("Make room, or move the project."),
            )
    elif schema.state is not SchemaState.CURRENT:
        migrations.require_current(project.database)  # raises what is wrong
    if schema.state is SchemaState.NEWER:
        migrations.require_current(project.database)
    kind = "PostgreSQL" if project.database.is_postgres else "SQLite"
    yield Finding("database", Verdict.OK, _("{kind} answers; schema {revision}.", kind=kind, revision=schema.head))
    if schema.state is SchemaState.CURRENT:
        yield from _work(project)


def _work(project: Project) -> Iterator[Finding]:
    """What stands still, and why; nothing to tell before the first sync."""
    with project.database.reading() as connection:
        streams, stuck = overview.streams(connection), services.stuck_landings(connection)
    for stream in streams:
        if stream.paused and not stream.removed and stream.reason is not None:
            message = language.text(stream.reason.template, stream.reason.params)
            remedy = language.text(stream.remedy, stream.reason.params)
            yield Finding(f"{stream.connection}.{stream.stream}", Verdict.WARNING, message, remedy)
    if stuck:
        yield Finding(
            "matching",
            Verdict.WARNING,
            _("{count} stored pages could not be matched and were set aside.", count=len(stuck)),
            _("Look into the worker's log for the reason; after an update, run `kehu sync retry-stuck`."),
        )


def _broker(project: Project) -> Iterator[Finding]:
    if project.broker.answers():
        yield Finding("broker", Verdict.OK, _("The broker answers."))
    elif project.broker.embedded:
        valkey_binary()
        yield Finding("broker", Verdict.OK, _("The embedded broker is started by `kehu up`."))
    else:
        yield Finding(
            "broker",
            Verdict.WRONG,
            _("The broker does not answer."),
            _("Check `broker:` in kehu.yaml, and that the server runs."),
        )


def _web(project: Project) -> Iterator[Finding]:
    """Whether the dashboard runs, or could: Refused for a port that another program has taken."""
    if not runs(project.state_folder / LOCK_FILE):
        web_listener(project).close()
        return
    yield Finding("web", Verdict.OK, _("Everything runs (`kehu up`)."))


def _connectors(project: Project) -> Iterator[Finding]:
    broken = project.registry.verify()
    for info in broken:
        if info.broken is not None:
            message, remedy = language.told(info.broken)
            yield Finding(f"connector {info.id}", Verdict.WARNING, message, remedy)
    good = len(list(project.registry)) - len(broken)
    yield Finding("connectors", Verdict.OK, _("{count} connectors can be used.", count=good))


def _survivorship(project: Project) -> Iterator[Finding]:
    _rules = project.survivorship
    yield from ()


def _connection(project: Project, name: str, online: bool) -> Iterator[Finding]:
    connector = project.open(name)
    try:
        streams = project.streams(name)
        for stream in streams:
            project.mapping(name, stream)
        if not streams:
            yield Finding(
                name,
                Verdict.WARNING,
                _("No stream is configured, so nothing is synced."),
                _("List them with `kehu connection discover {name}`, then write them into kehu.yaml.", name=name),
            )
        if online:
            yield Finding(name, Verdict.OK, language.passed(connector.check()))
        else:
            yield Finding(name, Verdict.OK, _("The settings are right; not tried."))
    finally:
        with suppress(ConnectorError):
            connector.close()


def _guarded(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except _TOLD as error:
        error.params.setdefault("connection", subject)  # remedies name it in the command to type
        yield from _wrong(subject, error)
    except DBAPIError as error:
        yield from _wrong(subject, migrations.unavailable(error))
    except Exception as error:  # a plugin may raise anything: the other checks go on
        yield Finding(
            subject,
            Verdict.WRONG,
            _("Something unexpected happened: {kind}.", kind=type(error).__name__),
            _("Run the command again with --debug to see where, and report it."),
        )


def _wrong(subject: str, error: Told) -> Iterator[Finding]:
    faults = error.faults if isinstance(error, ConfigurationFaults) else [error, *_others(error)]
    for fault in faults:
        message, remedy = language.told(fault)
        yield Finding(subject, Verdict.WRONG, message, remedy)


def _others(error: Told) -> tuple[BadConfiguration, ...]:
    return error.also if isinstance(error, BadConfiguration) else ()
