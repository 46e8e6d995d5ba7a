"""What is known to be true, for an evaluation: a column that names entities, or a file of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from connectors.files.config import Limits, StreamConfig
from connectors.files.locate import Source
from connectors.files.readers import open_file, open_reader
from connectors.files.rows import BadRow, Row, printable
from mappings.values import text_of
from sync.dedupe.accuracy import nearest
from sync.errors import Misused
from sync.matching.evaluating import Listed

SAME = frozenset({"same", "1", "yes", "y", "true", "match", "duplicate", "是", "相同"})
DIFFERENT = frozenset(
    {"different", "0", "no", "n", "false", "distinct", "non-match", "nonmatch", "not the same", "否", "不同"}
)
MOST_PAIRS = 10_000_000


class NamedPair(NamedTuple):
    """Two records by id, and whether they are the same."""

    left: str
    right: str
    same: bool


class PairFile(NamedTuple):
    """The pairs of a file. ``complete``: no verdicts were given, so that pairs not listed are different."""

    pairs: list[NamedPair]
    complete: bool


def read_pairs(path: Path) -> PairFile:
    """Read a file with two ids a row and optionally same or different. Raises Misused with the place of the fault."""
    if not path.is_file():
        raise Misused("{file} is not there, or is no file.", file=printable(str(path)),
                      remedy="Check the path; several files are given one after the other.")  # fmt: skip
    config, limits = StreamConfig.model_validate({"path": ""}), Limits.model_validate({})
    source = Source(path, printable(path.name))
    with open_file(source, config, limits) as handle:
        reader = open_reader(handle, source, config, limits)
        rows = list(islice(reader.rows(), MOST_PAIRS + 1))
        columns = list(reader.columns)
    if len(rows) > MOST_PAIRS:
        raise Misused("{file} has more than {limit} pairs.", file=source.name, limit=MOST_PAIRS,
                      remedy="Give a sample of them.")  # fmt: skip
    pairs, judged = [], len(columns or _names(rows)) > 2
    for line, row in rows:
        pairs.append(_pair(row, line, source.name, judged))
    if not pairs:
        raise Misused(
            "There is no pair in {file}.",
            file=source.name,
            remedy="Give a file with the ids of two records in each row, and optionally same or different.",
        )
    return PairFile(pairs, not judged)


def _names(rows: Sequence[tuple[int, Any]]) -> list[str]:
    return next((list(row) for _line, row in rows if not isinstance(row, BadRow)), [])


def _pair(row: Row | BadRow, line: int, file: str, judged: bool) -> NamedPair:
    cells = [] if isinstance(row, BadRow) else [_cell(value) for value in row.values()]
    verdict = cells[2].casefold() if judged and len(cells) > 2 else "same"
    if len(cells) < 2 or not cells[0] or not cells[1] or verdict not in SAME | DIFFERENT:
        raise Misused(
            "{file}, row {line}: expected the ids of two records and then same or different, found {found}.",
            file=file,
            line=line,
            found=", ".join(cells)[:120] or "-",
            remedy="Correct the row. Without a third column all pairs are the same, and pairs not listed different.",
        )
    return NamedPair(cells[0], cells[1], verdict in SAME)


def _cell(value: object) -> str:
    return "" if isinstance(value, dict | list) else (text_of(value) or "").strip()


def id_column(rows: Iterable[Mapping[str, Any]], pairs: PairFile, wanted: str | None, columns: Sequence[str]) -> str:
    """The column that holds the ids of the pair file: the one named, else the one where most of them occur."""
    if wanted is not None:
        if wanted not in columns:
            raise Misused(
                "There is no column {column}. Did you mean {near}? The columns are: {columns}.",
                column=wanted[:80],
                near=nearest(wanted, columns) or "-",
                columns=", ".join(columns)[:1_000],
                remedy="Give --id one of these.",
            )
        return wanted
    ids = {one for pair in pairs.pairs for one in (pair.left, pair.right)}
    hits: Counter[str] = Counter()
    for row in rows:
        hits.update(name for name, value in row.items() if _cell(value) in ids)
    if not hits:
        raise Misused(
            "No column of the files holds the ids of the pairs, such as {example}.",
            example=pairs.pairs[0].left[:80],
            remedy="Check that the pair file belongs to these files, or name the column with --id.",
        )
    return min(hits, key=lambda name: (-hits[name], list(columns).index(name) if name in columns else 0))


class Located(NamedTuple):
    """Pairs whose records were found, and how many pairs name a record that was not."""

    pairs: list[Listed]
    unknown: int


def locate(pairs: Iterable[NamedPair], number_of: Callable[[str], int | None]) -> Located:
    """The pairs by the records' numbers. Raises Misused if none is found."""
    found, unknown, example = [], 0, ""
    for pair in pairs:
        left, right = number_of(pair.left), number_of(pair.right)
        if left is None or right is None or left == right:
            unknown += 1
            example = example or (pair.left if left is None else pair.right)
        else:
            found.append(Listed(left, right, pair.same))
    if not found:
        raise Misused(
            "None of the records that the pairs name was found, for example {example}.",
            example=example[:80] or "-",
            remedy="Ids are those of the id column, or CONNECTION/STREAM/KEY in a project.",
        )
    return Located(found, unknown)
