"""Mapping files loaded and validated: ``load_spec``. The language itself is in ``mappings.language``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mappings.document import Document, merge, read_document
from mappings.errors import SpecError
from mappings.language import MappingSpec, written_location
from mappings.tables import TableSpec, load_table

Default = Path | str | Callable[[], Path | None] | None

__all__ = ["Default", "MappingSpec", "build_spec", "load_spec", "nearest"]


def load_spec(
    source: Path | str, *, default: Default = None, name: str | None = None, folder: Path | None = None
) -> MappingSpec:
    """The mapping in a file (``Path``) or in YAML text (``str``), which may stand for a file in ``folder``.

    ``default`` is the mapping that `extends: default` means, or what finds it: the one shipped with the connector.
    Only files that extend it ask for it: to find it may mean to look into a source. ``name`` is how messages call a
    text. Value tables in CSV files beside the mapping are read here. Raises ``SpecError`` that names file, line and
    key, what is allowed, and the nearest valid spelling.
    """
    document = read_document(source, name)
    folder = source.parent if isinstance(source, Path) else folder
    _require_object(document)
    _load_tables(document, folder)
    if "extends" in document.data:
        document = _extended(document, default)
    return build_spec(document)


def build_spec(document: Document) -> MappingSpec:
    """The validated mapping of a document. Raises ``SpecError``."""
    try:
        spec = MappingSpec.model_validate({**document.data, "file": document.file})
    except ValidationError as error:
        raise spec_error(error, document) from None
    spec._document = document
    return spec


def spec_error(error: ValidationError, document: Document) -> SpecError:
    """The first problem of a validation, in the words of the file."""
    problems = error.errors(include_url=False)
    first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    location = written_location(first["loc"], document)
    file, line = document.place(location)
    key = ".".join(str(part) for part in location) or "(top)"
    if first["type"] == "extra_forbidden":
        return unknown_key(file, line, key, str(location[-1]), _allowed(first["loc"]))
    problem = first["msg"].removeprefix("Value error, ")
    return SpecError("{file}, line {line}, {key}: {problem}", file=file, line=line, key=key, problem=problem)


def unknown_key(file: str, line: int, key: str, word: str, allowed: list[str]) -> SpecError:
    """The error for a misspelt or misplaced key."""
    near = nearest(word, allowed)
    options = ", ".join(sorted(allowed))
    if near:
        return SpecError(
            "{file}, line {line}: “{key}” is not known here; did you mean “{near}”? Allowed: {allowed}",
            file=file, line=line, key=key, near=near, allowed=options,
        )  # fmt: skip
    return SpecError(
        "{file}, line {line}: “{key}” is not known here. Allowed: {allowed}",
        file=file, line=line, key=key, allowed=options,
    )  # fmt: skip


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The likeliest intended spelling: swapped letters first, then the closest by difflib."""
    found = difflib.get_close_matches(word, list(allowed), n=4, cutoff=0.6)
    swapped = [one for one in found if sorted(one) == sorted(word)]
    return next(iter(swapped or found), None)


def _require_object(document: Document) -> None:
    if not isinstance(document.data, dict):
        raise SpecError("{file}: a mapping file holds keys such as `customer:`", file=document.file, line=1)


def _extended(document: Document, given: Default) -> Document:
    wanted = document.data["extends"]
    file, line = document.place(("extends",))
    if wanted != "default":
        raise SpecError(
            "{file}, line {line}: extends: “{value}” is not known; only `default` is",
            file=file,
            line=line,
            value=wanted,
        )
    default = given() if callable(given) else given
    if default is None:
        raise SpecError(
            "{file}, line {line}: this stream has no default mapping to extend",
            file=file, line=line, remedy="Leave out `extends` and write the whole mapping.",
        )  # fmt: skip
    base = read_document(default, None if isinstance(default, Path) else "default mapping")
    _require_object(base)
    _load_tables(base, default.parent if isinstance(default, Path) else None)
    return merge(document, base)


def _load_tables(document: Document, folder: Path | None) -> None:
    tables = document.data.get("tables")
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict) and "csv" in table:
            file, line = document.place(("tables", name))
            try:
                spec = TableSpec.model_validate(table)
            except ValidationError as error:
                problem = error.errors(include_url=False)[0]
                raise SpecError(
                    "{file}, line {line}: table {name}: {problem}",
                    file=file, line=line, name=name, problem=f"{problem['loc'][-1]}: {problem['msg']}",
                ) from None  # fmt: skip
            tables[name] = load_table(spec, folder, file, line)


def _allowed(location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand beside the offending one, by walking the models along its location."""
    model: type[BaseModel] = MappingSpec
    for part in location[:-1]:
        model = _model_at(model, part) or model
    hidden = {"file", "name"} if model is MappingSpec else set()
    extra = ["customer", "extends"] if model is MappingSpec else []
    return [info.alias or name for name, info in model.model_fields.items() if name not in hidden] + extra


def _model_at(model: type[BaseModel], part: int | str) -> type[BaseModel] | None:
    for name, info in model.model_fields.items():
        if part in (name, info.alias):
            return _inner_model(info.annotation)
    return None


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None
