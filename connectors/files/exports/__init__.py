"""Exports of well-known systems, recognised by their column names alone and shipped with a mapping.

``known.yaml`` says which columns give an export away; beside it stands a mapping per export. Column names are compared
as they are written: a mapping reads them by these very names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from connectors.documents import load_document
from connectors.manifest import Identifier, Part, Text

FOLDER = Path(__file__).parent

Names = Annotated[list[str], Field(min_length=1)]


class Known(Part):
    """One export: ``columns`` must all be there; a list among them stands for any one of its names.

    ``key`` names the columns that may identify a row, the first that is there counting; ``mapping`` is a file beside
    ``known.yaml``, or in another connector's folder where the export has the fields of its interface.
    """

    title: Text
    mapping: str
    columns: Annotated[list[str | Names], Field(min_length=3)]
    key: list[str] = Field(default_factory=list)


class _Register(Part):
    exports: dict[Identifier, Known]


@dataclass(frozen=True, slots=True)
class Export:
    """A recognised export: its title in both languages, its mapping file, and the column that identifies a row."""

    id: str
    title: Text
    mapping: Path
    key: str | None


@cache
def known_exports() -> dict[str, Known]:
    """All exports that can be recognised, by their ids."""
    return load_document(FOLDER / "known.yaml").validate(_Register).exports


def recognise(columns: Iterable[str]) -> Export | None:
    """The export that has these columns; of several, the one that more columns speak for. None for unknown ones."""
    names = frozenset(columns)
    fitting = [(len(known.columns), name) for name, known in known_exports().items() if _fits(known, names)]
    if not fitting:
        return None
    _, found = max(fitting, key=lambda pair: pair[0])
    known = known_exports()[found]
    key = next((name for name in known.key if name in names), None)
    return Export(found, known.title, (FOLDER / known.mapping).resolve(), key)


def _fits(known: Known, names: frozenset[str]) -> bool:
    return all(wanted in names if isinstance(wanted, str) else not names.isdisjoint(wanted) for wanted in known.columns)
