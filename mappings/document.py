"""Mapping files as text: YAML with line numbers, without YAML's surprises, and `extends` merged.

YAML 1.2's core schema is read, so that `no` (Norway), `on`, `12:30`, 2024-01-01 and 007 stay text. Duplicate keys are
errors. Size, depth and the number of nodes (aliases expanded) are capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mappings.errors import SpecError

MAX_BYTES, MAX_NODES, MAX_DEPTH = 1_000_000, 50_000, 40

Location = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader with the YAML 1.2 core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("null", r"^(?:~|null|Null|NULL|)$", "~nN\0")
_Loader.yaml_implicit_resolvers.setdefault("", []).append(("tag:yaml.org,2002:null", re.compile(r"^$")))
_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("int", r"^[-+]?(?:0|[1-9][0-9]{0,17})$", "-+0123456789")
_resolve("float", r"^[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}$", "-+0123456789")


@dataclass(slots=True)
class Document:
    """A file's data, and on which line of which file each key stands."""

    data: Any
    file: str
    lines: dict[Location, int] = field(default_factory=dict)
    base: Document | None = None
    entries: dict[int, Location] = field(default_factory=dict)
    """Where this file wrote the customer that has this place in the merged list."""

    def place(self, location: Location) -> tuple[str, int]:
        """File and line of a key, or of the nearest key around it; the file written by the user comes first."""
        while location:
            for document, candidate in self._candidates(location):
                if candidate in document.lines:
                    return document.file, document.lines[candidate]
            location = location[:-1]
        return self.file, 1

    def _candidates(self, location: Location) -> Iterator[tuple[Document, Location]]:
        """Where a key of the merged document may have been written, the user's own file first."""
        if location[0] == "customers" and len(location) > 1 and location[1] in self.entries:
            own = (*self.entries[int(location[1])], *location[2:])
            yield self, own
            yield self, (*own[:-1], f"{own[-1]}+")
        elif self.base is None or location[0] != "customers":
            yield self, location
        if self.base is not None:
            yield from self.base._candidates(location)


def read_document(source: Path | str, name: str | None = None) -> Document:
    """The document in a file or a text. Raises ``SpecError`` with file and line."""
    text = _read_file(source) if isinstance(source, Path) else source
    file = name or (source.name if isinstance(source, Path) else "mapping")
    if len(text) > MAX_BYTES:
        raise SpecError("{file}: a mapping file may have at most 1 MB", file=file, line=1)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise SpecError("{file}: the mapping file is empty", file=file, line=1)
        lines: dict[Location, int] = {}
        _walk(root, (), lines, file, [0])
        data = loader.construct_document(root)
        single = isinstance(data, dict) and "customer" in data
        return Document(data, file, lines, entries={0: ("customer",)} if single else {})
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(
            "{file}, line {line}: this is not YAML: {problem}", file=file, line=line, problem=error.problem or ""
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpecError("{file}: this is not YAML: {problem}", file=file, line=1, problem=str(error)[:200]) from None


def merge(override: Document, base: Document) -> Document:
    """The base with the override laid over it.

    A customer's field that the override names replaces the base's field whole; `null` removes it; `field+` appends
    to the base's list. `tables`, `attributes` and `external_ids` are merged by key; `customers` by their `part`.
    """
    data = _merge_top(dict(override.data), dict(base.data))
    return Document(data, override.file, override.lines, base, _positions(override.data, base.data))


def _read_file(path: Path) -> str:
    try:
        raw = path.read_bytes()[: MAX_BYTES + 1]
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise SpecError(
            "{file}: the mapping file cannot be read: {problem}", file=str(path), line=1, problem=error.strerror or ""
        ) from None
    except UnicodeDecodeError:
        raise SpecError(
            "{file}: the mapping file is not UTF-8 text", file=str(path), line=1, remedy="Save it as UTF-8."
        ) from None


def _walk(node: yaml.Node, at: Location, lines: dict[Location, int], file: str, count: list[int]) -> None:
    count[0] += 1
    if count[0] > MAX_NODES or len(at) > MAX_DEPTH:
        raise SpecError("{file}: the mapping file is too large or too deep", file=file, line=1)
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _walk(child, (*at, index), lines, file, count)
    elif isinstance(node, yaml.MappingNode):
        _walk_keys(node, at, lines, file, count)


def _walk_keys(node: yaml.MappingNode, at: Location, lines: dict[Location, int], file: str, count: list[int]) -> None:
    seen: set[str] = set()
    for key, child in node.value:
        line = key.start_mark.line + 1
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
        if not isinstance(key, yaml.ScalarNode):
            raise SpecError("{file}, line {line}: a key must be text", file=file, line=line)
        if name in seen:
            raise SpecError("{file}, line {line}: the key “{key}” stands twice", file=file, line=line, key=name)
        key.tag = "tag:yaml.org,2002:str"
        seen.add(name)
        lines[(*at, name)] = line
        _walk(child, (*at, name), lines, file, count)


def _merge_top(over: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    merged = {**base, **{key: value for key, value in over.items() if key != "extends"}}
    merged.pop("extends", None)
    if isinstance(base.get("tables"), dict) and isinstance(over.get("tables"), dict):
        merged["tables"] = {**base["tables"], **over["tables"]}
    if "customer" not in over and "customers" not in over:
        return _without_null(merged)
    entries = _merge_entries(_entries(over), _entries(base))
    merged.pop("customer", None)
    merged["customers"] = entries
    return _without_null(merged)


def _entries(data: Mapping[str, Any]) -> list[Any]:
    if isinstance(data.get("customer"), dict):
        return [data["customer"]]
    return data["customers"] if isinstance(data.get("customers"), list) else []


def _positions(over: dict[str, Any], base: dict[str, Any]) -> dict[int, Location]:
    """For every customer of the override: its place in the merged list, and where the override wrote it."""
    parts = [entry.get("part") for entry in _entries(base) if isinstance(entry, dict)]
    found: dict[int, Location] = {}
    new = len(_entries(base))
    for index, entry in enumerate(_entries(over)):
        part = entry.get("part") if isinstance(entry, dict) else None
        if part in parts:
            position = parts.index(part)
        else:
            position, new = new, new + 1
        found[position] = ("customer",) if "customer" in over else ("customers", index)
    return found


def _merge_entries(over: list[Any], base: list[Any]) -> list[Any]:
    merged = list(base)
    parts = [entry.get("part") for entry in base if isinstance(entry, dict)]
    for entry in over:
        if isinstance(entry, dict) and entry.get("part") in parts:
            index = parts.index(entry.get("part"))
            merged[index] = _merge_customer(entry, merged[index])
        else:
            merged.append(entry)
    return merged


def _merge_customer(over: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        if key.endswith("+"):
            merged[key[:-1]] = _as_list(base.get(key[:-1])) + _as_list(value)
        elif key in ("attributes", "external_ids") and isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = _without_null({**base[key], **value})
        else:
            merged[key] = value
    return _without_null(merged)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _without_null(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}
