"""Declarative REST: a YAML manifest is a connector. The language is described in docs/connectors.md."""

from __future__ import annotations

from pathlib import Path

from connectors.errors import BadConfiguration
from connectors.manifest import load_manifest
from connectors.rest.connector import RestConnector, bind
from connectors.rest.manifest import RestManifest

__all__ = ["RestConnector", "RestManifest", "bind", "bind_file"]


def bind_file(path: Path) -> type[RestConnector]:
    """A connector class for the REST manifest in a file; raises BadConfiguration for any other file."""
    manifest, _ = load_manifest(path)
    if not isinstance(manifest, RestManifest):
        raise BadConfiguration("{file} describes a class, not a REST connector.", file=path.name)
    return bind(manifest, path.parent)
