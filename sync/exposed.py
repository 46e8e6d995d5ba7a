"""The settings of a project as they may be shown: references as they stand, secrets not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from connectors.errors import ConnectorError
from sync.connecting.forms import fields_of
from sync.project import Project

HIDDEN = "***"
_SECRET = re.compile(r"pass|secret|token|credential|auth|cookie|api_?key|access_?key|private_?key|sign", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{[A-Za-z_]\w{0,200}\}")  # without a default, which may be a secret
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def exposed(project: Project) -> dict[str, Any]:
    """All settings in force, by section, without secrets: neither passwords, nor addresses that let anybody in."""
    whole = project.settings.model_dump(mode="json", exclude={"connections"})
    connections = {
        name: {**_plain(own.model_dump(mode="json", exclude={"settings"})), "settings": _settings(project, name)}
        for name, own in project.settings.connections.items()
    }
    return {**_plain(whole), "connections": connections}


def _settings(project: Project, name: str) -> dict[str, Any]:
    """What a connector's own model says is no secret; of a connector that cannot be loaded nothing."""
    given = project.settings.connections[name].settings
    try:
        open_fields = {
            one.name for one in fields_of(project.connector_info(name).load().config_model) if one.kind != "secret"
        }
    except ConnectorError:
        open_fields = set()
    return {key: _value(value) if key in open_fields else _closed(value) for key, value in given.items()}


def _plain(section: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(key): _closed(value) if _SECRET.search(str(key)) and isinstance(value, str) else _value(value)
        for key, value in section.items()
        if value is not None
    }


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, list):
        return [_value(one) for one in value]
    return _address(value) if isinstance(value, str) and _ADDRESS.match(value) else value


def _closed(value: Any) -> str:
    """A reference says where the secret is, which is none itself."""
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value.strip()) else HIDDEN


def _address(text: str) -> str:
    """An address without user, password and query: any of them may let somebody in."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        place = f"{host}:{parts.port}" if parts.port else host
    except ValueError:
        return HIDDEN
    who = f"{HIDDEN}@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, who + place, parts.path, HIDDEN if parts.query else "", ""))
