"""A project: the folder with ``kehu.yaml``, and everything the engine needs that is made from it.

Loading reads and checks the file; it opens no socket and resolves no secret of a connection. ``open`` does that, per
connection, so that one missing password stops one connection and not the others.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import ArgumentError

from connectors.budget import Rate
from connectors.contract import Connector, Context
from connectors.documents import Document, Place
from connectors.errors import BadConfiguration
from connectors.registry import ConnectorInfo, Registry, find_connector, load_registry
from sync.broker import Broker
from sync.database import Database
from sync.errors import NotFound, raise_faults
from sync.faults import faults_of, line_of
from sync.included import mapping_name, stamp_of, with_included
from sync.master.tombstones import VAULT
from sync.secrets import Secrets
from sync.settings import ConnectionSettings, Settings, find_settings, load_settings
from sync.sockets import socket_in

if TYPE_CHECKING:
    from mappings.contract import CompiledMapping
    from mappings.fingerprint import MappingDefaults
    from mappings.survivorship import SurvivorshipRules
    from sync.master.inforce import MatcherSource
    from sync.vault import Vault

STATE_FOLDER = ".kehu"
LOCK_FILE = "up.lock"
"""In the state folder: held by whoever runs the project."""
DEFAULT_REGION = "CN"


class Project:
    """One configured project. Cheap to make; parts are made when first asked for and then kept."""

    def __init__(self, path: Path, settings: Settings, document: Document) -> None:
        self.path = path.resolve()
        self.folder = self.path.parent
        self.settings = settings
        self.document = document
        self.secrets = Secrets(self.folder)
        self._included: Mapping[str, Document] = {}
        self._stamp = stamp_of(self.path, settings)
        self._mappings: dict[tuple[str, str], CompiledMapping] = {}
        self._connectors: dict[str, ConnectorInfo] = {}

    @classmethod
    def load(cls, path: Path | str = ".") -> Project:
        """The project of a folder (or one above it) or of a settings file. Raises BadConfiguration."""
        found = find_settings(Path(path))
        settings, document = load_settings(found)
        whole, included = with_included(found, settings)
        made = cls(found, whole, document)
        made._included = included
        return made

    def refresh(self) -> bool:
        """Take in configuration and mapping files that have changed; answers whether any has.

        Cheap when nothing has: a look at the files' stamps. Database and broker stay those of the start. Raises
        BadConfiguration for faulty files, and everything stays as it was.
        """
        if stamp_of(self.path, self.settings) == self._stamp:
            return False
        fresh = Project.load(self.path)
        self.settings, self.document, self._included = fresh.settings, fresh.document, fresh._included
        self.secrets, self._mappings, self._connectors = fresh.secrets, {}, {}
        for made in ("registry", "survivorship", "_with_vault"):
            self.__dict__.pop(made, None)
        self._stamp = fresh._stamp
        return True

    def trying(self, name: str, settings: ConnectionSettings, document: Document) -> Project:
        """The same project with one more connection (or another version of one), which nobody else sees."""
        other = copy.copy(self)
        connections = {**self.settings.connections, name: settings}
        other.settings = self.settings.model_copy(update={"connections": connections})
        other._included = {**self._included, name: document}
        other._mappings, other._connectors = {}, {}
        return other

    def place_of(self, name: str, *key: str) -> tuple[Document, Place]:
        """Where a setting of a connection stands: the file, and the place in it."""
        if name in self._included:
            return self._included[name], key
        return self.document, ("connections", name, *key)

    def is_included(self, name: str) -> bool:
        """Whether a connection has a file of its own in ``connections.d``."""
        return name in self._included

    @property
    def state_folder(self) -> Path:
        """Where the embedded database, the broker's socket and logs live; private to this user."""
        folder = self.folder / STATE_FOLDER
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise BadConfiguration(
                "The folder {folder} cannot be used: {reason}.",
                remedy="Let this user write there, or move the project to another folder.",
                folder=str(folder),
                reason=error.strerror or type(error).__name__,
            ) from None
        return folder

    @property
    def exports_folder(self) -> Path:
        """Where the files of exports stand; every worker and every web process must reach it."""
        given = self.settings.exports.folder
        return self.state_folder / "exports" if given is None else self.folder / Path(given).expanduser()

    @cached_property
    def database_url(self) -> str:
        """The configured database, else SQLite in the project's state folder."""
        if self.settings.database is None:
            return f"sqlite:///{self.state_folder / 'kehu.db'}"
        return str(self._resolved(self.settings.database, "database"))

    @property
    def embedded_database(self) -> bool:
        """Whether the database is our own SQLite file, which migrates by itself."""
        return self.settings.database is None

    @cached_property
    def database(self) -> Database:
        """The database; nothing is connected yet. Raises BadConfiguration for a URL that makes no sense."""
        try:
            made = Database(self.database_url)
        except (ArgumentError, ImportError, ValueError):
            raise BadConfiguration(
                "{file}: database is not a URL of SQLite or PostgreSQL.",
                setting="database",
                remedy=(
                    "Write it like postgresql://user:password@host/name, the password as a reference; "
                    "or leave it out for SQLite."
                ),
                file=self.path.name,
            ) from None
        made.carry(**{VAULT: lambda: self.vault})
        return made

    @cached_property
    def broker(self) -> Broker:
        """The configured broker, else the embedded one (which may not run), on a socket only this user may open."""
        if self.settings.broker is not None:
            return Broker(str(self._resolved(self.settings.broker, "broker")), None)
        socket = socket_in(self.state_folder)
        return Broker(f"unix://{socket}", socket)

    @cached_property
    def registry(self) -> Registry:
        """All connectors: built-in, plugins, and the project's own manifests."""
        return load_registry([self.folder / self.settings.connectors])

    @cached_property
    def _with_vault(self) -> Secrets:
        """For connections; what leads to the database itself cannot be stored in it."""
        return Secrets(self.folder, vault=self._stored_secret)

    def _stored_secret(self, name: str) -> str | None:
        with self.database.reading() as connection:
            return self.vault.get(connection, name)

    @cached_property
    def vault(self) -> Vault:
        """What seals secrets in the database; its master key is made with the first use. Raises BadConfiguration."""
        from sync.vault import Vault

        return Vault.at(self.state_folder)

    @cached_property
    def matcher(self) -> MatcherSource:
        """Tells which version of the match model is in force."""
        from sync.matching.active import ActiveVersion

        return ActiveVersion()

    @cached_property
    def survivorship(self) -> SurvivorshipRules:
        """The rules by which a field's winner is chosen. Raises SpecError for rules that do not exist."""
        from mappings.survivorship import SurvivorshipRules

        fields = dict(self.settings.survivorship)
        default: Any = fields.pop("default", "most_recent")
        chosen: Any = fields
        return SurvivorshipRules(default, chosen)

    def connection(self, name: str) -> ConnectionSettings:
        """The settings of one connection; raises NotFound naming those there are."""
        try:
            return self.settings.connections[name]
        except KeyError:
            names = ", ".join(sorted(self.settings.connections)) or "-"
            raise NotFound("There is no connection {name}. Configured: {names}.", name=name[:80], names=names) from None

    def connector_info(self, name: str) -> ConnectorInfo:
        """The connector behind a connection; raises BadConfiguration if there is none of that name."""
        connector = self.connection(name).connector
        if connector not in self._connectors:
            try:
                self._connectors[connector] = find_connector(connector, [self.folder / self.settings.connectors])
            except BadConfiguration as error:
                error.params.update(connection=name)
                raise
        return self._connectors[connector]

    def open(self, name: str) -> Connector[Any]:
        """A connector of the connection, with secrets resolved and its call budget. The caller closes it.

        Raises BadConfiguration, or ConfigurationFaults when several settings are wrong.
        """
        settings = self.connection(name)
        document, place = self.place_of(name, "settings")
        kind = self.connector_info(name).load()
        key, where = ".".join(map(str, place)), line_of(document, place)
        values = self._with_vault.resolve(settings.settings, where=where, key=key)
        try:
            config = kind.config_model.model_validate(values)
        except ValidationError as error:
            raise_faults(document.path.name, faults_of(kind.config_model, error, document, place, connection=name))
            raise
        return kind(config, self.context(name))

    def resolved(self, value: Any, key: str) -> Any:
        """A setting with what it refers to in its place. Raises BadConfiguration for a reference that leads nowhere."""
        return self._with_vault.resolve(value, where=self.path.name, key=key)

    def context(self, name: str) -> Context:
        """What the connection's connector is given by the engine."""
        settings = self.connection(name)
        return Context(
            connection=name,
            folder=self.folder,
            allow_private=tuple(settings.allow_private),
            budget=self.broker.budget(*self._account(name)),
        )

    def streams(self, name: str) -> list[str]:
        """The streams to sync: those written down, else all that the connector's manifest declares."""
        settings = self.connection(name)
        if settings.streams:
            return [stream for stream, own in settings.streams.items() if own.enabled]
        return [stream for stream, note in self.connector_info(name).streams.items() if note.mapping]

    def mapping(self, name: str, stream: str, *, known: str | None = None) -> CompiledMapping:
        """The compiled mapping of a stream: the project's own file, else the connector's default. Kept once made.

        ``known`` is a fingerprint under which it compiled before: the same is not compiled until a record needs it.
        Raises SpecError for a faulty file, BadConfiguration where there is none.
        """
        key = (name, stream)
        if key not in self._mappings:
            self._mappings[key] = self._compile(name, stream, known)
        return self._mappings[key]

    def mapping_file(self, name: str, stream: str) -> Path:
        """Where the mapping of a stream stands: the file that its settings name, else ``CONNECTION.STREAM.yaml`` in the
        folder of mappings, else what the connector ships. Raises BadConfiguration where there is none.
        """
        own = self.connection(name).streams.get(stream)
        if own is not None and own.mapping is not None:
            return self._own_mapping(name, stream, own.mapping)
        conventional = self.own_mapping_path(name, stream)
        if conventional.is_file():
            return conventional
        shipped = self.default_mapping_file(name, stream)
        if shipped is not None:
            return shipped
        raise BadConfiguration(
            "{file}: the stream {stream} of {connection} needs a mapping; its connector ships none.",
            setting=f"connections.{name}.streams.{stream}.mapping",
            remedy="Draft one with `kehu mapping suggest {connection}.{stream}`, or on the page of the mapping.",
            file=self.path.name,
            stream=stream,
            connection=name,
        )

    def own_mapping_path(self, name: str, stream: str) -> Path:
        """Where the project's own mapping of a stream stands, or would: never the file that its connector ships."""
        own = self.connection(name).streams.get(stream)
        folder = self.folder / self.settings.mappings
        if own is not None and own.mapping is not None:
            return folder / own.mapping
        return folder / mapping_name(name, stream)

    def has_mapping(self, name: str, stream: str) -> bool:
        """Whether a mapping file exists for a stream, right or not."""
        try:
            self.mapping_file(name, stream)
        except BadConfiguration:
            return False
        return True

    def is_mapped_by_default(self, name: str, stream: str) -> bool:
        """Whether the mapping in use is the shipped one as it is: fields that it reads in vain are nobody's mistake."""
        return not self.has_own_mapping(name, stream) and self.has_mapping(name, stream)

    def has_own_mapping(self, name: str, stream: str) -> bool:
        """Whether the stream's mapping is a file of the project's, there or not; asks no source."""
        own = self.connection(name).streams.get(stream)
        return (own is not None and own.mapping is not None) or self.own_mapping_path(name, stream).is_file()

    def default_mapping_file(self, name: str, stream: str) -> Path | None:
        """The mapping that the connector ships for a stream, or for the known export its file is; else None."""
        info = self.connector_info(name)
        note = info.streams.get(stream)
        if note is None:
            from sync.recognition import shipped_for

            return shipped_for(self, name, stream)
        return info.mappings.get(note.mapping) if note.mapping is not None else None

    def _own_mapping(self, name: str, stream: str, file: str) -> Path:
        path = (self.folder / self.settings.mappings / file).resolve()
        if path.is_file():
            return path
        document, place = self.place_of(name, "streams", stream, "mapping")
        raise BadConfiguration(
            "{file}, line {line}: there is no mapping file {path}.",
            setting=".".join(map(str, place)),
            file=document.path.name,
            line=document.line(place),
            remedy="Draft one with `kehu mapping suggest {connection}.{stream}`, or correct the name.",
            path=f"{self.settings.mappings}/{file}",
            connection=name,
            stream=stream,
        )

    def sign_on_secret(self) -> str | None:
        """The client secret of single sign-on. Raises BadConfiguration where it is referred to and not there."""
        given = self.settings.web.sign_on
        if given is None or given.client_secret is None:
            return None
        where = line_of(self.document, ("web", "sign_on"))
        found = self._with_vault.resolve(given.client_secret, where=where, key="web.sign_on.client_secret")
        return found.get_secret_value() if isinstance(found, SecretStr) else str(found)

    def register(self, connection: Connection) -> None:
        """Bring connections, streams and schedules into the tables; see ``sync.registration``."""
        from sync.registration import register

        register(self, connection)

    def calls_left(self, name: str) -> int | None:
        """How many calls the account of a connection may make now; None where that is not known."""
        return self.broker.calls_left(*self._account(name)) if name in self.settings.connections else None

    def _account(self, name: str) -> tuple[str, Rate | None]:
        """By what name the vendor counts the connection's calls, and how many it may make, where that is set."""
        settings = self.connection(name).rate
        if settings is None:
            return name, None
        return settings.account or name, Rate(settings.calls, settings.per)

    def mapping_defaults(self, name: str) -> MappingDefaults:
        """What the mappings of a connection take from its settings: region, time zone, declared attributes."""
        from mappings.fingerprint import MappingDefaults

        own, top = self.connection(name), self.settings
        return MappingDefaults(
            region=own.region or top.region or DEFAULT_REGION,
            timezone=own.time_zone or top.time_zone,
            attributes={key: declared.type for key, declared in top.attributes.items()},
        )

    def _compile(self, name: str, stream: str, known: str | None) -> CompiledMapping:
        from mappings.deferred import DeferredMapping
        from mappings.spec import load_spec

        path, shipped = self.mapping_file(name, stream), partial(self.default_mapping_file, name, stream)
        spec, defaults = load_spec(path, default=shipped), self.mapping_defaults(name)
        deferred = DeferredMapping(spec, defaults)
        if deferred.fingerprint == known:
            return deferred
        from mappings.compile import compile_mapping

        return compile_mapping(spec, defaults=defaults)

    def _resolved(self, value: str, key: str) -> Any:
        return self.secrets.resolve(value, where=line_of(self.document, (key,)), key=key)

    def close(self) -> None:
        """Give back pooled database connections."""
        if "database" in self.__dict__:
            self.database.dispose()
