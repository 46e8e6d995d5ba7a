"""Match models as a file: JSON with one model (``MatchModel.to_json``) for each kind of customer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from mappings.matching.model import Kind, MatchModel, read_model
from sync.errors import Misused
from sync.language import _
from sync.matching.packed import KINDS

LARGEST = 2_000_000_000
"""Bytes of a model file."""


def write_models(file: Path, models: Mapping[Kind, MatchModel]) -> None:
    """Write models by kind. Raises Misused if the file cannot be written."""
    body = {kind: model.to_json() for kind, model in models.items()}
    try:
        file.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise Misused("{file} cannot be written: {reason}.", file=str(file), reason=error.strerror or str(error),
                      remedy="Name another file with --out.") from None  # fmt: skip


def read_models(file: Path) -> dict[Kind, MatchModel]:
    """The models of a file that ``kehu match train --out`` wrote. Raises Misused, SpecError with the place."""
    try:
        if file.stat().st_size > LARGEST:
            raise Misused("{file} is larger than {limit} bytes.", file=str(file), limit=LARGEST)
        data = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise Misused("{file} is not a file of match models: {reason}.", file=str(file), reason=str(error)[:200],
                      remedy="Write one with `kehu match train --out FILE`.") from None  # fmt: skip
    if not isinstance(data, dict) or not any(isinstance(data.get(kind), dict) for kind in KINDS):
        raise Misused("{file} is not a file of match models: {reason}.", file=str(file),
                      reason=_("it has neither person nor organisation"),
                      remedy="Write one with `kehu match train --out FILE`.")  # fmt: skip
    return {kind: read_model(data[kind]) for kind in KINDS if isinstance(data.get(kind), dict)}
