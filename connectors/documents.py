"""YAML files and settings that say precisely what is wrong: file, line, key, what is allowed and nearest."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from time import time_ns
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connectors.errors import BadConfiguration

Place = tuple[str | int, ...]
"""Where in a document: keys and list indexes from the top."""

ModelT = TypeVar("ModelT", bound=BaseModel)


class BadDocument(BadConfiguration):
    """A file of the project or of a connector is wrong; the message says where."""

    default_remedy = "Correct the file at the place that is named."


MAX_BYTES = 1_000_000
MAX_NODES = 20_000
_MOMENT = 2_000_000_000  # nanoseconds: file systems tell the time in steps


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML mapping and the line (from 1) on which each of its keys stands."""

    path: Path
    data: dict[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of a place, or of its nearest ancestor that stands in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def validate(self, model: type[ModelT]) -> ModelT:
        """The document as ``model``; raises BadConfiguration naming file, line and key."""
        return validate(model, self.data, document=self)


def load_document(path: Path) -> Document:
    """Read a YAML mapping of at most 1 MB; raises BadConfiguration for anything else."""
    try:
        size = path.stat().st_size
        text = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise BadDocument(
            "{file} cannot be read: {reason}.", file=path.name, reason=error.strerror or "no reason given"
        ) from None
    if size > MAX_BYTES:
        raise BadDocument("{file} is larger than {limit} bytes.", file=path.name, limit=MAX_BYTES)
    return parse_document(text, path)


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What differs once a file was written again; None if that cannot be told, because it was written a moment ago."""
    try:
        known = path.stat()
    except OSError:
        return None
    if time_ns() - known.st_mtime_ns < _MOMENT:
        return None
    return known.st_ino, known.st_size, known.st_mtime_ns


def parse_document(text: bytes, path: Path) -> Document:
    """The document in ``text``; ``path`` is only named in errors."""
    _require_utf8(text, path)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise BadDocument("{file} must hold one YAML mapping.", file=path.name)
        lines = dict(_lines(node, path))
        return Document(path, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        if "'\\t'" in (error.problem or ""):
            raise BadDocument(
                "{file}, line {line}: a tab stands where YAML allows spaces only.", file=path.name, line=line
            ) from None
        raise BadDocument(
            "{file}, line {line}: not valid YAML ({reason}).", file=path.name, line=line, reason=error.problem
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadDocument("{file} is not valid YAML ({reason}).", file=path.name, reason=type(error).__name__) from None


def _require_utf8(text: bytes, path: Path) -> None:
    """Raises BadDocument with the line of the first bytes that are not UTF-8. UTF-16 with its mark is YAML too."""
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise BadDocument(
            "{file}, line {line}: this is not UTF-8 text.",
            remedy="Save the file as UTF-8.",
            file=path.name,
            line=text.count(b"\n", 0, error.start) + 1,
        ) from None


def _lines(root: yaml.MappingNode, path: Path) -> Iterator[tuple[Place, int]]:
    """Every place with its line; refuses keys written twice and documents that grow by aliases."""
    todo: list[tuple[Place, yaml.Node]] = [((), root)]
    seen = 0
    while todo:
        place, node = todo.pop()
        seen += 1
        if seen > MAX_NODES:
            raise BadDocument("{file} has more than {limit} entries.", file=path.name, limit=MAX_NODES)
        if isinstance(node, yaml.MappingNode):
            for name, line, value in _entries(node, path):
                yield (*place, name), line
                todo.append(((*place, name), value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                yield (*place, index), value.start_mark.line + 1
                todo.append(((*place, index), value))


def _entries(node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, int, yaml.Node]]:
    names: set[str] = set()
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in names:
            raise BadDocument(
                "{file}, line {line}: the key {key} is written twice.", file=path.name, line=line, key=name
            )
        names.add(name)
        yield name, line, value


def validate(
    model: type[ModelT], data: Any, *, document: Document | None = None, where: str = "", connection: str = ""
) -> ModelT:
    """``data`` as ``model``; raises a BadConfiguration for the first fault, which knows the others (``also``).

    ``where`` is said in front when there is no document. Values of secret fields are never quoted.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # `input` may be a secret: it is quoted only for choices, whose values are never secret.
        faults = [
            _fault(model, details, document, where or "settings", connection)
            for details in sorted(error.errors(include_url=False), key=_urgency)
        ]
    first, *others = faults
    first.also = tuple(others)
    raise first


def nearest(name: str, allowed: Sequence[str]) -> str | None:
    """The allowed name that ``name`` was probably meant to be."""
    found = get_close_matches(name.lower(), [item.lower() for item in allowed], n=1, cutoff=0.6)
    return next((item for item in allowed if found and item.lower() == found[0]), None)


def _urgency(details: ErrorDetails) -> bool:
    """Misspelt keys first: they are often why another is missing."""
    return details["type"] != "extra_forbidden"


def _fault(
    model: type[BaseModel], details: ErrorDetails, document: Document | None, where: str, connection: str
) -> BadConfiguration:
    if document is None:
        return _worded(model, details, None, where, connection)
    line = document.line(tuple(details["loc"]))
    fault = _worded(model, details, document, f"{document.path.name}, line {line}", connection)
    fault.template = fault.template.replace("{where}", "{file}, line {line}", 1)  # as texts are translated
    fault.params.update(file=document.path.name, line=line)
    return fault


def _worded(
    model: type[BaseModel], details: ErrorDetails, document: Document | None, where: str, connection: str
) -> BadConfiguration:
    place = tuple(details["loc"])
    key = spelling(place, document)
    kind = details["type"]
    common: dict[str, Any] = {"setting": key, "where": where, "key": key}
    if connection:
        common["connection"] = connection
    if document is not None:
        common["remedy"] = BadDocument.default_remedy
    if kind == "extra_forbidden":
        return _unknown(str(place[-1]), sorted(allowed_keys(model, place[:-1])), common)
    if kind == "missing":
        return BadConfiguration("{where}: the setting {key} is missing.", **common)
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        return _not_allowed(details, common)
    return BadConfiguration("{where}: {key} is not right: {reason}.", reason=_reason(details), **common)


def _unknown(name: str, allowed: list[str], common: dict[str, Any]) -> BadConfiguration:
    meant = nearest(name, allowed)
    names = ", ".join(allowed)
    if meant is None:
        return BadConfiguration("{where}: unknown setting {key}. Allowed: {allowed}.", allowed=names, **common)
    return BadConfiguration(
        "{where}: unknown setting {key}. Did you mean {nearest}? Allowed: {allowed}.",
        allowed=names,
        nearest=meant,
        **common,
    )


def _not_allowed(details: ErrorDetails, common: dict[str, Any]) -> BadConfiguration:
    said = details.get("ctx", {})
    expected = str(said.get("expected") or said.get("expected_tags") or "")
    allowed = [item.strip().strip("'") for item in expected.replace(" or ", ", ").split(",")]
    value = str(said.get("tag", details["input"]))[:60]
    return BadConfiguration(
        "{where}: {key} cannot be {value}. Allowed: {allowed}. Nearest: {nearest}.",
        value=value,
        allowed=", ".join(allowed),
        nearest=nearest(value, allowed) or allowed[0],
        **common,
    )


def _reason(details: ErrorDetails) -> str:
    text = details["msg"].removeprefix("Value error, ").rstrip(".")
    return text[:1].lower() + text[1:]


def spelling(place: Place, document: Document | None) -> str:
    """A place as a user writes it. pydantic inserts the names of union members, which no file holds."""
    if document is None:
        return ".".join(str(part) for part in place if not _is_type_name(part))
    shown: list[str] = []
    data: Any = document.data
    for index, part in enumerate(place):
        last = index == len(place) - 1
        if isinstance(data, Mapping) and (part in data or last):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        shown.append(str(part))
    return ".".join(shown) or document.path.name


def _is_type_name(part: str | int) -> bool:
    return isinstance(part, str) and ("[" in part or part[:1].isupper())


def allowed_keys(model: Any, place: Place) -> set[str]:
    """The keys a model allows at a place (for messages); empty where it allows any."""
    kinds: list[Any] = [model]
    for part in place:
        stepped = [inner for kind in kinds for inner in _step(kind, part)]
        kinds = stepped or kinds
    return {name for kind in kinds for name in _fields(kind)}


def _step(kind: Any, part: str | int) -> list[Any]:
    steps: list[Any] = []
    for plain in _members(kind):
        origin = get_origin(plain)
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            steps += [
                info.annotation
                for name, info in plain.model_fields.items()
                if part in (name, info.alias) and info.annotation is not None
            ]
        elif origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
            steps.append(get_args(plain)[1])
        elif isinstance(part, int) and get_args(plain):
            steps.append(get_args(plain)[0])
    return steps


def _members(kind: Any) -> list[Any]:
    if get_origin(kind) in (Union, types.UnionType):
        return [member for part in get_args(kind) for member in _members(part)]
    return [kind]


def _fields(kind: Any) -> set[str]:
    return {
        info.alias or name
        for plain in _members(kind)
        if isinstance(plain, type) and issubclass(plain, BaseModel)
        for name, info in plain.model_fields.items()
    }
