"""A connector's manifest: who it is, in both languages, without importing any of its code.

``manifest.yaml`` stands in the connector's folder. With ``connector: package.module:Class`` it describes a
class; without, it is itself a declarative REST connector (see ``connectors.rest``) and describes the wire.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from connectors.budget import Rate
from connectors.contract import Capability
from connectors.documents import Document, load_document, stamp
from connectors.importing import IMPORTING

CONTRACT_VERSION = 1
"""The version of ``connectors.contract`` spoken here. A plugin for another version stays unloaded."""

MANIFEST_NAME = "manifest.yaml"

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""Names of connectors and streams: small letters, digits and underscore."""


class Kind(StrEnum):
    """What sort of system it is."""

    ERP = "erp"
    CRM = "crm"
    SHOP = "shop"
    EMAIL = "email"
    MARKETING = "marketing"
    FILES = "files"
    DATABASE = "database"
    OTHER = "other"


class Maturity(StrEnum):
    """How far to trust it: alpha may still change its settings, beta its streams, stable neither."""

    ALPHA = "alpha"
    BETA = "beta"
    STABLE = "stable"


class Part(BaseModel):
    """Base of everything in a manifest: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Text(Part):
    """A text in both languages of the product."""

    en: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    zh: Annotated[str, StringConstraints(min_length=1, max_length=500)]

    def to(self, language: str) -> str:
        """The text in ``language`` (a tag such as ``zh-CN``); English for any language we do not have."""
        return self.zh if language.lower().startswith("zh") else self.en


class StreamNote(Part):
    """What a manifest tells of a stream: its title and the file beside it with its default mapping."""

    title: Text
    mapping: Annotated[str, StringConstraints(pattern=r"^[\w.-]+\.ya?ml$")] | None = None


class RateBudget(Part):
    """How many calls one account may make: ``calls`` per ``per`` seconds, of which ``burst`` may come at once.

    ``read`` and ``write`` are how many calls one read or write counts for, where the system weighs them.
    """

    calls: Annotated[float, Field(gt=0)]
    per: Annotated[float, Field(gt=0)] = 1.0
    burst: Annotated[float, Field(ge=1)] | None = None
    read: Annotated[float, Field(gt=0)] = 1.0
    write: Annotated[float, Field(gt=0)] = 1.0

    def rate(self) -> Rate:
        """The rate as budgets take it."""
        return Rate(self.calls, self.per, self.burst)


class Manifest(Part):
    """The part of a manifest that every connector has.

    ``streams`` names those known beforehand; a connector to anything (files, databases) leaves it empty.
    ``capabilities`` are what at least one stream can do. ``connector`` is ``package.module:Class``.
    """

    id: Identifier
    title: Text
    kind: Kind
    about: Text | None = None
    contract: int = CONTRACT_VERSION
    maturity: Maturity = Maturity.ALPHA
    connector: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")] | None = None
    docs: str = "README.md"
    rate: RateBudget | None = None
    capabilities: frozenset[Capability] = frozenset()
    streams: dict[Identifier, StreamNote] = Field(default_factory=dict)


def load_manifest(path: Path) -> tuple[Manifest, Document]:
    """Read and validate a manifest; raises BadConfiguration naming file, line and key.

    A manifest without ``connector`` is validated as a REST manifest, with every rule of that language. What was read
    is kept for as long as the file stays as it is: whoever gets it changes nothing in it.
    """
    known = stamp(path)
    return _read(path) if known is None else _kept(path, known)


@lru_cache(maxsize=256)
def _kept(path: Path, _stamp: tuple[int, int, int]) -> tuple[Manifest, Document]:
    return _read(path)


def _read(path: Path) -> tuple[Manifest, Document]:
    document = load_document(path)
    if "connector" in document.data:
        return document.validate(Manifest), document
    with IMPORTING:
        from connectors.rest.manifest import RestManifest  # only REST manifests pay for this import

    return document.validate(RestManifest), document


def mapping_files(manifest: Manifest, folder: Path) -> dict[str, Path]:
    """Default mappings by the name ``Stream.mapping`` uses: declared ones, any ``mapping*.yaml`` beside."""
    declared = {note.mapping for note in manifest.streams.values() if note.mapping}
    beside = {path.name for path in folder.glob("*.yaml") if re.match(r"mapping", path.name)}
    return {name: folder / name for name in sorted(declared | beside) if (folder / name).is_file()}
