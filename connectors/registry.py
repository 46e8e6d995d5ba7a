"""Every connector there is: built-ins, plugins by entry point, manifests of the project. Broken ones stay.

Listing reads manifests only. A connector's code is imported when its settings are asked for or it is created,
so that one slow or broken plugin costs the others nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from connectors.budget import Rate
from connectors.contract import Config, Connector, Context
from connectors.documents import nearest, validate
from connectors.errors import BadConfiguration, ConnectorError
from connectors.importing import IMPORTING
from connectors.manifest import (
    CONTRACT_VERSION,
    MANIFEST_NAME,
    Manifest,
    StreamNote,
    Text,
    load_manifest,
    mapping_files,
)
from connectors.quality import QUALITY_NAME, Grade, Quality, load_quality

ENTRY_POINT_GROUP = "kehu.connectors"
BUILT_IN_FOLDER = Path(__file__).parent

AnyConnector = type[Connector[Any]]


@dataclass(slots=True)
class ConnectorInfo:
    """One connector as the gallery shows it.

    ``broken`` is the reason why it cannot be used, None as long as nothing is known against it. ``mappings``
    maps the names that ``Stream.mapping`` uses to files. ``origin`` says where it comes from, in words.
    """

    id: str
    origin: str
    folder: Path
    manifest: Manifest | None = None
    quality: Quality | None = None
    broken: ConnectorError | None = None
    mappings: Mapping[str, Path] = field(default_factory=dict)
    manifest_path: Path | None = None
    _loaded: AnyConnector | None = None

    @property
    def title(self) -> Text:
        """Its title; the id where the manifest could not be read."""
        return self.manifest.title if self.manifest else Text(en=self.id, zh=self.id)

    @property
    def kind(self) -> str:
        """What sort of system it connects, e.g. ``erp``."""
        return self.manifest.kind.value if self.manifest else "other"

    @property
    def maturity(self) -> str:
        """alpha, beta or stable."""
        return self.manifest.maturity.value if self.manifest else "alpha"

    @property
    def grade(self) -> Grade:
        """What its quality scale earns it."""
        return self.quality.grade if self.quality else Grade.NONE

    @property
    def streams(self) -> Mapping[str, StreamNote]:
        """The streams its manifest declares; empty for connectors whose streams depend on the settings."""
        return self.manifest.streams if self.manifest else {}

    @property
    def rate(self) -> Rate | None:
        """How many calls one account of the system may make, where its manifest says so."""
        return self.manifest.rate.rate() if self.manifest and self.manifest.rate else None

    @property
    def docs(self) -> Path | None:
        """Its README, where it has one."""
        path = self.folder / (self.manifest.docs if self.manifest else "README.md")
        return path if path.is_file() else None

    @property
    def config_model(self) -> type[Config]:
        """The model of its settings; imports the connector. Raises BadConfiguration if that fails."""
        return self.load().config_model

    def load(self) -> AnyConnector:
        """The connector's class; raises BadConfiguration, and remembers the reason, if it cannot be used."""
        if self.broken is not None:
            raise self.broken
        with IMPORTING:
            if self._loaded is None:
                try:
                    self._loaded = self._import()
                except ConnectorError as error:
                    self.broken = error
                    raise
            return self._loaded

    def _import(self) -> AnyConnector:
        assert self.manifest is not None  # noqa: S101 - without a manifest the entry is broken
        if self.manifest.connector is None:
            from connectors.rest import bind

            return bind(self.manifest, self.folder)
        return _import_class(self.id, self.manifest.connector)


class Registry:
    """All connectors by id, in the order of their ids."""

    def __init__(self, infos: Iterable[ConnectorInfo]) -> None:
        self._infos: dict[str, ConnectorInfo] = {}
        for info in infos:
            self._add(info)

    def __iter__(self) -> Iterator[ConnectorInfo]:
        return iter(sorted(self._infos.values(), key=lambda info: info.id))

    def __len__(self) -> int:
        return len(self._infos)

    def __contains__(self, connector: str) -> bool:
        return connector in self._infos

    def get(self, connector: str) -> ConnectorInfo:
        """The connector of that id, broken or not; raises BadConfiguration with the nearest id."""
        if connector in self._infos:
            return self._infos[connector]
        raise _unknown(connector, sorted(self._infos))

    def create(self, connector: str, settings: Mapping[str, Any], context: Context) -> Connector[Any]:
        """A connector with these settings; raises BadConfiguration naming setting, allowed and nearest."""
        kind = self.get(connector).load()
        config = validate(
            kind.config_model,
            dict(settings),
            where=f"connection {context.connection}",
            connection=context.connection,
        )
        return kind(config, context)

    def verify(self) -> list[ConnectorInfo]:
        """Import every connector (listing imports none); returns the broken ones. For ``kehu doctor``."""
        for info in self:
            try:
                info.load()
            except ConnectorError:
                continue
        return [info for info in self if info.broken is not None]

    def _add(self, info: ConnectorInfo) -> None:
        if info.id in self._infos:
            other = self._infos[info.id]
            info.broken = BadConfiguration(
                "The connector {connector} of {origin} has the same id as the one of {other}.",
                remedy="Rename or remove one of the two.",
                connector=info.id,
                origin=info.origin,
                other=other.origin,
            )
            info.id = self._free(f"{info.id} ({info.origin})")
        self._infos[info.id] = info

    def _free(self, name: str) -> str:
        taken, number = name, 2
        while taken in self._infos:
            taken, number = f"{name} {number}", number + 1
        return taken


def load_registry(extra_folders: Iterable[Path] = (), plugins: Iterable[EntryPoint] | None = None) -> Registry:
    """All connectors. ``extra_folders`` are project folders with ``*.yaml`` REST manifests or connectors.

    ``plugins`` are the entry points of the group ``kehu.connectors``; by default those of the environment.
    Nothing raises: what cannot be read is listed as broken.
    """
    infos = [_read(path, "kehu") for path in sorted(BUILT_IN_FOLDER.glob(f"*/{MANIFEST_NAME}"))]
    return Registry(infos + _brought(extra_folders, plugins))


def find_connector(connector: str, extra_folders: Iterable[Path] = ()) -> ConnectorInfo:
    """The connector of that id as ``load_registry`` would tell, without reading the manifests of all others.

    A built-in stands in a folder of its own id, and nothing else can take that id. Raises BadConfiguration with the
    nearest id.
    """
    built_in = BUILT_IN_FOLDER / connector / MANIFEST_NAME
    if connector.isidentifier() and built_in.is_file():
        return _read(built_in, "kehu")
    others = Registry(_brought(extra_folders, None))
    return (others if connector in others else load_registry(extra_folders)).get(connector)


def _brought(extra_folders: Iterable[Path], plugins: Iterable[EntryPoint] | None) -> list[ConnectorInfo]:
    """The connectors of plugins and of the project."""
    found = entry_points(group=ENTRY_POINT_GROUP) if plugins is None else plugins
    infos = [_plugin(entry) for entry in found]
    return infos + [_read(path, "the project") for folder in extra_folders for path in _manifests(Path(folder))]


def _manifests(folder: Path) -> list[Path]:
    """REST manifests directly in the folder, and manifests of connector folders one level below."""
    files = [path for path in folder.glob("*.yaml") if path.name != QUALITY_NAME and "mapping" not in path.stem]
    return sorted(files) + sorted(folder.glob(f"*/{MANIFEST_NAME}"))


def _plugin(entry: EntryPoint) -> ConnectorInfo:
    origin = entry.dist.name if entry.dist is not None else entry.value
    try:
        folder = _package_folder(entry.value)
    except ConnectorError as error:
        return ConnectorInfo(entry.name, origin, Path(), broken=error)
    info = _read(folder / MANIFEST_NAME, origin, fallback=entry.name)
    if info.broken is None and info.id != entry.name:
        info.broken = BadConfiguration(
            "The entry point is called {name} but its manifest says {connector}.",
            remedy="Give both the same name in the plugin's pyproject.toml and manifest.yaml.",
            name=entry.name,
            connector=info.id,
        )
        info.id = entry.name
    return info


def _package_folder(package: str) -> Path:
    """Where a plugin's package lies, without running it (a dotted name runs the packages above it)."""
    try:
        spec = importlib.util.find_spec(package.partition(":")[0])
    except Exception as error:
        raise _unimportable(package, error) from None
    if spec is None or not spec.submodule_search_locations:
        raise BadConfiguration(
            "The plugin's package {package} is not installed.",
            remedy="Install the plugin again; its entry point must name a package that holds manifest.yaml.",
            package=package,
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _read(path: Path, origin: str, fallback: str | None = None) -> ConnectorInfo:
    """What a manifest says, or the reason why it says nothing."""
    name = path.parent.name if path.name == MANIFEST_NAME else path.stem
    info = ConnectorInfo(fallback or name, origin, path.parent, manifest_path=path)
    try:
        manifest, _ = load_manifest(path)
        info.id, info.manifest = manifest.id, manifest
        info.mappings = mapping_files(manifest, path.parent)
        _require_contract(manifest)
        info.quality = load_quality(path.parent)
    except ConnectorError as error:
        info.broken = error
    return info


def _require_contract(manifest: Manifest) -> None:
    if manifest.contract != CONTRACT_VERSION:
        raise BadConfiguration(
            "The connector speaks contract version {theirs}; this program speaks version {ours}.",
            remedy="Install the version of the plugin that was made for this version of kehu.",
            setting="contract",
            theirs=manifest.contract,
            ours=CONTRACT_VERSION,
        )


def _unknown(connector: str, installed: list[str]) -> BadConfiguration:
    meant, allowed = nearest(connector, installed), ", ".join(installed)
    if meant is None:
        return BadConfiguration(
            "There is no connector {connector}. Installed: {allowed}.",
            setting="connector",
            remedy="Correct the connector's name, or install the plugin that brings it.",
            connector=connector[:60],
            allowed=allowed,
        )
    return BadConfiguration(
        "There is no connector {connector}. Did you mean {nearest}? Installed: {allowed}.",
        setting="connector",
        remedy="Correct the connector's name, or install the plugin that brings it.",
        connector=connector[:60],
        nearest=meant,
        allowed=allowed,
    )


def _import_class(connector: str, reference: str) -> AnyConnector:
    module_name, _, class_name = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (Exception, SystemExit) as error:  # a plugin may do anything while it is imported
        raise _unimportable(reference, error) from error
    if not (isinstance(found, type) and issubclass(found, Connector)):
        raise BadConfiguration(
            "{reference} is not a connector.",
            remedy="Let the class inherit connectors.contract.Connector.",
            reference=reference,
        )
    _require_declarations(found, connector, reference)
    return found


def _require_declarations(found: AnyConnector, connector: str, reference: str) -> None:
    model = getattr(found, "config_model", None)
    if not (isinstance(model, type) and issubclass(model, Config)):
        raise BadConfiguration(
            "{reference} has no config_model that inherits connectors.contract.Config.",
            remedy="Declare the class attribute config_model.",
            reference=reference,
        )
    if getattr(found, "id", None) != connector:
        raise BadConfiguration(
            "{reference} calls itself {theirs}, its manifest {connector}.",
            remedy="Give both the same id.",
            reference=reference,
            theirs=getattr(found, "id", "nothing"),
            connector=connector,
        )


def _unimportable(reference: str, error: BaseException) -> BadConfiguration:
    return BadConfiguration(
        "{reference} cannot be imported: {reason}.",
        remedy="Install what the plugin needs, or remove the plugin.",
        reference=reference,
        reason=f"{type(error).__name__}: {error}"[:300],
    )
