"""A project folder to start from: a commented kehu.yaml, and connections with the settings they need."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from connectors.registry import Registry
from sync import language

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from sync.cli.begun import Begun

TEMPLATES = Path(__file__).parent / "templates"
IGNORED = ".env\n.kehu/\n"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for. ``connections``: name to connector; ``begun``: those that begin with a file."""

    folder: Path = Path()

    language: str = "en"
    region: str = "US"
    time_zone: str = "UTC"
    database: str | None = None
    broker: str | None = None
    connections: Mapping[str, str] = field(default_factory=dict)
    begun: Mapping[str, Begun] = field(default_factory=dict)


def files(wanted: Wanted, registry: Registry) -> dict[str, str]:
    """The files of a new project by relative path. Raises BadConfiguration for an unknown connector."""
    template = (TEMPLATES / f"kehu.{wanted.language}.yaml").read_text(encoding="utf-8")
    blocks = [
        _begun(name, wanted.begun[name], wanted.folder) if name in wanted.begun else _connection(name, one, registry)
        for name, one in wanted.connections.items()
    ]
    drafts = {
        f"mappings/{drafted_name(name, one.stream)}": one.draft for name, one in wanted.begun.items() if one.draft
    }
    variables = [line for name, connector in wanted.connections.items() for line in _secrets(name, connector, registry)]
    text = template.format(
        region=_quoted(wanted.region),
        time_zone=_quoted(wanted.time_zone),
        database=_optional("database", wanted.database, "postgresql://kehu:${DATABASE_PASSWORD}@localhost/kehu"),
        broker=_optional("broker", wanted.broker, "redis://localhost:6379/0"),
        connections="".join(blocks) or _example(),
    )
    return {
        "kehu.yaml": text,
        ".gitignore": IGNORED,
        ".env": "".join(f"{line}\n" for line in variables),
        "mappings/.gitkeep": "",
        "connectors/.gitkeep": "",
        **drafts,
    }


def drafted_name(connection: str, stream: str) -> str:
    """The mapping file that is drafted for a stream."""
    return "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in f"{connection}.{stream}.yaml")


def _begun(name: str, begun: Begun, folder: Path) -> str:
    """A connection of files that begins with one, as YAML."""
    mapping = {"mapping": drafted_name(name, begun.stream)} if begun.draft else None
    settings = begun.settings(folder)
    body = {"connector": "files", "every": "15m", "settings": settings, "streams": {begun.stream: mapping}}
    return textwrap.indent(yaml.safe_dump({name: body}, allow_unicode=True, sort_keys=False), "  ") + "\n"


def variable(connection: str, setting: str) -> str:
    """The environment variable that holds a secret setting."""
    letters = f"{connection}_{setting}".upper()
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in letters)
    return f"_{name}" if name[0].isdigit() else name


def _connection(name: str, connector: str, registry: Registry) -> str:
    info = registry.get(connector)
    lines = [f"  {name}:", f"    connector: {connector}", "    every: 15m", "    settings:"]
    lines += [f"      {line}" for line in _settings(name, info.config_model.model_fields)]
    if info.streams:
        lines += ["    streams:", *(f"      {stream}:" for stream, note in info.streams.items() if note.mapping)]
    else:
        lines += ["    streams:", "      customers:", "        mapping: customers.yaml"]
    return "\n".join(lines) + "\n\n"


def _settings(connection: str, fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    for name, info in fields.items():
        about = f"  # {language.text(info.description)}" if info.description else ""
        key = info.alias or name
        if _is_secret(info):
            yield f"{key}: ${{{variable(connection, key)}}}{about}"
        elif info.is_required():
            yield f"{key}: {about}"
        elif info.examples:
            yield f"{key}: {_flow(info.examples[0])}{about}"
        else:
            yield f"# {key}: {_shown(info.default)}{about}"


def _secrets(connection: str, connector: str, registry: Registry) -> Iterator[str]:
    for name, info in registry.get(connector).config_model.model_fields.items():
        if _is_secret(info):
            yield f"{variable(connection, info.alias or name)}="


def _is_secret(info: FieldInfo) -> bool:
    return "Secret" in str(info.annotation)


def _shown(default: Any) -> str:
    return _quoted(default) if isinstance(default, str | int | float | bool) else ""


def _flow(value: Any) -> str:
    """Nested data as YAML on one line."""
    return str(yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000)).rstrip("\n")


def _quoted(value: Any) -> str:
    """A scalar as YAML writes it, with quotes where it needs them."""
    dumped = yaml.safe_dump(value, allow_unicode=True, width=1000)
    return str(dumped).removesuffix("\n").removesuffix("\n...")


def _optional(key: str, value: str | None, example: str) -> str:
    return f"{key}: {_quoted(value)}" if value else f"# {key}: {example}"


def _example() -> str:
    return (
        "  # spreadsheet:\n"
        "  #   connector: files\n"
        "  #   settings:\n"
        "  #     path: customers.xlsx\n"
        "  #   streams:\n"
        "  #     customers: {mapping: customers.yaml}\n"
    )
