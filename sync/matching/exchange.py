"""A version as a file, and back: one JSON with Splink's settings and the frozen tables of each kind of customer.

Whatever is wrong with a file is told with its path inside the file and what is expected there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, select

from mappings.errors import SpecError
from mappings.matching.cautious import ACCEPT_FROM, REVIEW_FROM
from mappings.matching.defaults import COLUMNS
from mappings.matching.model import Kind, MatchModel, read_model
from sync.errors import Misused
from sync.master.tables import match_model
from sync.matching import store
from sync.matching.modelfile import LARGEST
from sync.matching.packed import KINDS, unpacked

SCHEMA = "kehu.match_model/1"
MOST_IN_BLOCK = 1_000
_REMEDY = "Write one with `kehu match export VERSION FILE`, or `kehu match train --out FILE`."


class Imported(NamedTuple):
    """The models of a file by kind, and its thresholds."""

    models: dict[Kind, MatchModel]
    accept_from: float
    review_from: float
    block_cap: int | None


def export(connection: Connection, number: int, file: Path) -> None:
    """Write a version. Raises NotFound (also for the rules), Misused if the file cannot be written."""
    store.load(connection, number)
    contents = connection.execute(select(match_model.c.contents).where(match_model.c.id == number)).scalar_one()
    body = {"schema": SCHEMA, "block_cap": store.get(connection, number).block_cap, **unpacked(contents)}
    try:
        file.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise Misused(
            "{file} cannot be written: {reason}.",
            file=str(file),
            reason=error.strerror or str(error),
            remedy="Name another file.",
        ) from None


def read(file: Path) -> Imported:
    """The models of a file. Raises Misused, SpecError naming the place in the file and what is expected there."""
    data = _json(file)
    if data.get("schema", SCHEMA) != SCHEMA:
        raise _wrong("schema", SCHEMA, data["schema"])
    if not any(kind in data for kind in KINDS):
        if "comparisons" in data:
            raise _wrong("comparisons", "Splink's settings under person.splink or organisation.splink", "bare settings")
        raise _wrong("person", "a model of persons, organisations or both", "neither")
    models = {kind: _model(kind, data[kind]) for kind in KINDS if kind in data}
    accept = _threshold(data, "accept_from", ACCEPT_FROM)
    review = _threshold(data, "review_from", REVIEW_FROM)
    if review > accept:
        raise _wrong("review_from", f"at most accept_from ({accept})", review)
    cap = data.get("block_cap")
    if cap is not None and (isinstance(cap, bool) or not isinstance(cap, int) or not 2 <= cap <= MOST_IN_BLOCK):
        raise _wrong("block_cap", f"a whole number between 2 and {MOST_IN_BLOCK}", cap)
    return Imported(models, accept, review, cap)


def _json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST:
            raise Misused("{file} is larger than {limit} bytes.", file=str(file), limit=LARGEST, remedy=_REMEDY)
        data = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise Misused(
            "{file} is not a file of match models: {reason}.", file=str(file), reason=str(error)[:200], remedy=_REMEDY
        ) from None
    if not isinstance(data, dict):
        raise _wrong("", "an object", type(data).__name__)
    return data


def _model(kind: Kind, data: Any) -> MatchModel:
    if not isinstance(data, dict):
        raise _wrong(kind, "an object with kind, columns and splink", data)
    if data.get("kind", kind) != kind:
        raise _wrong(f"{kind}.kind", kind, data["kind"])
    if list(data.get("columns", ())) != list(COLUMNS[kind]):
        raise _wrong(f"{kind}.columns", ", ".join(COLUMNS[kind]), data.get("columns"))
    splink = data.get("splink")
    if not isinstance(splink, dict):
        raise _wrong(f"{kind}.splink", "the settings that Splink's save_model_to_json writes", splink)
    for place, number in _numbers(data):
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
            raise _wrong(f"{kind}.{place}", "a number between 0 and 1", number)
    for name, types in (("shared", str), ("oversized", int)):
        found = data.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, types) for one in found):
            raise _wrong(f"{kind}.{name}", "a list of texts" if types is str else "a list of numbers", found)
    try:
        return read_model({**data, "kind": kind})
    except SpecError as error:
        raise SpecError("{kind}: " + error.template, kind=kind, remedy=_REMEDY, **error.params) from error


def _numbers(data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """All shares in the frozen tables, each with its place."""
    tables = data.get("term_frequencies", {})
    if not isinstance(tables, dict):
        return [("term_frequencies", tables)]
    found: list[tuple[str, Any]] = [(name, data.get(name, 0.0)) for name in ("related", "sites")]
    for name, table in [*((f"term_frequencies.{c}", t) for c, t in tables.items()), ("words", data.get("words", {}))]:
        if not isinstance(table, dict):
            found.append((name, table))
        else:
            found += [(f"{name}.{value[:40]}", number) for value, number in table.items()]
    return found


def _threshold(data: Mapping[str, Any], name: str, default: float) -> float:
    value = data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -100 <= value <= 100:
        raise _wrong(name, "a weight in log2 odds between -100 and 100", value)
    return float(value)


def _wrong(path: str, expected: str, found: object) -> SpecError:
    return SpecError(
        "the match model is wrong at {path}: expected {expected}, found {found}",
        path=path or "the top",
        expected=expected,
        found=str(found)[:100],
        remedy=_REMEDY,
    )
