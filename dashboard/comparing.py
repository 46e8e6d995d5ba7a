"""Customers side by side: for each field whether they agree, and which parts of the values differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from dashboard.showing import PLAIN, Eyes, Voice, plain
from mappings.survivorship import FIELDS

EQUAL, DIFFERENT, ALONE = "equal", "different", "alone"
_NOT_COMPARED = ("source_created_at", "source_changed_at", "last_contact_at")
_LONGEST = 200


class Piece(NamedTuple):
    """A part of a line; ``differs``: the others have something else there."""

    text: str
    differs: bool


class Row(NamedTuple):
    """A field: whether those that know it agree (``equal``, ``different``), only one knows it (``alone``), and the
    lines of each customer's value.
    """

    field: str
    mark: str
    cells: list[list[list[Piece]]]


class Shown(NamedTuple):
    """A customer to be compared."""

    kind: str
    golden: Mapping[str, Any]


def rows(customers: Sequence[Shown], eyes: Eyes, voice: Voice = PLAIN) -> list[Row]:
    """The fields that any of the customers has, in the order of the canonical customer."""
    return [_row(field, customers, eyes, voice) for field in FIELDS if any(field in one.golden for one in customers)]


def _row(field: str, customers: Sequence[Shown], eyes: Eyes, voice: Voice) -> Row:
    values = [one.golden.get(field) for one in customers]
    texts = [[] if value is None else plain(value, voice, field) for value in values]
    mark = _mark(field, [text for text in texts if text])
    cells = []
    for one, value, lines in zip(customers, values, texts, strict=True):
        others = [other for other in texts if other and other is not lines]
        if eyes.personal:
            single = len(lines) == 1 and any(len(other) == 1 for other in others)
            cells.append([_pieces(line, others, mark, single=single) for line in lines])
        else:
            seen = eyes.value(one.kind, field, value)
            cells.append(
                [[Piece(line, mark == DIFFERENT)] for line in ([] if seen is None else plain(seen, voice, field))]
            )
    return Row(field, mark, cells)


def _mark(field: str, known: Sequence[Sequence[str]]) -> str:
    if len(known) < 2 or field in _NOT_COMPARED:
        return ALONE
    return EQUAL if all(sorted(one) == sorted(known[0]) for one in known) else DIFFERENT


def _pieces(line: str, others: Sequence[Sequence[str]], mark: str, *, single: bool) -> list[Piece]:
    if mark != DIFFERENT or all(line in other for other in others):
        return [Piece(line, False)]
    if not single or len(line) > _LONGEST or not any(len(other) == 1 and line not in other for other in others):
        return [Piece(line, True)]
    model = next(other[0] for other in others if line not in other and len(other) == 1)
    return _against(line, model[:_LONGEST])


def _against(line: str, model: str) -> list[Piece]:
    matcher = SequenceMatcher(None, model.casefold(), line.casefold(), autojunk=False)
    if len(line.casefold()) != len(line) or matcher.ratio() < 0.75:  # little in common: marked as a whole
        return [Piece(line, True)]
    parts = [(line[start:end], kind != "equal") for kind, _, _, start, end in matcher.get_opcodes() if end > start]
    return [Piece(text, differs) for text, differs in parts]
