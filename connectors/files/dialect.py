"""How a delimited text file is written: what separates its columns and encloses its cells.

Every plausible combination parses the first lines; the one whose rows agree best on one number of columns wins. That
is slower than csv.Sniffer's guess by letter counts (milliseconds, once a file) and right far more often.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

DELIMITERS = (",", "\t", ";", "|", "，", "\x01")
SAMPLE_CHARS = 65_536
SAMPLE_ROWS = 200
_HINT = re.compile(r"^sep=(.)\r?\n")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What csv.reader has to know. ``hint`` is true if the first line only tells the delimiter (``sep=;``)."""

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    skip_blanks: bool = False
    hint: bool = False

    def reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """A strict parser of ``lines``: misplaced quotes raise csv.Error instead of shifting columns."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            skipinitialspace=self.skip_blanks,
            doublequote=True,
            strict=True,
        )


def detect_dialect(sample: str, delimiter: str | None = None, quote: str | None = None) -> Dialect:
    """The dialect of a file by its beginning; what is given is not questioned."""
    hint = _HINT.match(sample)
    if hint:
        delimiter, sample = delimiter or hint.group(1), sample[hint.end() :]
    lines = sample.splitlines(keepends=True)[:SAMPLE_ROWS]
    best, highest = Dialect(delimiter or ",", quote or '"'), (0.0, 0)
    for dialect in _candidates(sample, delimiter, quote):
        score = _score(lines, dialect)
        if score > highest:
            best, highest = dialect, score
    return Dialect(best.delimiter, best.quote, best.escape, best.skip_blanks, hint is not None)


def _candidates(sample: str, delimiter: str | None, quote: str | None) -> Iterator[Dialect]:
    for sign in (delimiter,) if delimiter else DELIMITERS:
        if delimiter is None and sign not in sample:
            continue
        for mark in (quote,) if quote else _quotes(sample, sign):
            blanks = f"{sign} {mark}" in sample
            yield Dialect(sign, mark, None, blanks)
            if f"\\{mark}" in sample:
                yield Dialect(sign, mark, "\\", blanks)


def _quotes(sample: str, delimiter: str) -> tuple[str, ...]:
    """Double quotes; single ones too where no double ones stand and cells are enclosed in them."""
    edge = re.escape(delimiter)
    enclosed = re.search(rf"(?:^|{edge})'[^'\n]*'(?:{edge}|$)", sample, re.MULTILINE)
    return ('"', "'") if enclosed and '"' not in sample else ('"',)


def _score(lines: list[str], dialect: Dialect) -> tuple[float, int]:
    """How many of the rows agree on their number of columns (1 is all), and that number."""
    widths: Counter[int] = Counter()
    faults = 0
    try:
        for row in dialect.reader(iter(lines)):
            widths[len(row)] += any(row)
    except csv.Error:
        faults = 1
    wide = {width: count for width, count in widths.items() if width > 1 and count}
    if not wide:
        return 0.0, 0
    width = max(wide, key=lambda number: (wide[number], number))
    rows = sum(widths.values())
    agreeing = wide[width] / rows - (0.2 if faults else 0.0)
    quoted = 0.1 if _leftover(lines, dialect) else 0.0
    return round(agreeing - quoted, 3), width


def _leftover(lines: list[str], dialect: Dialect) -> bool:
    """Whether quotes that enclosed cells were taken for text."""
    try:
        return any(
            len(cell) > 1 and cell[0] in "'\"" and cell[0] == cell[-1]
            for row in dialect.reader(iter(lines))
            for cell in row
        )
    except csv.Error:
        return False
