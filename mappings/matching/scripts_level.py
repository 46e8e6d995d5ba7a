"""How much a name says that stands in Chinese characters on one side and in pinyin on the other (张伟, Zhang Wei).

How often that happens depends on the data alone, for customers as for strangers: where one record in ten is in pinyin,
18 pairs of 100 are in both scripts. So m and u of the level are learnt from the scripts of the records, not from pairs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mappings.matching.model import MatchModel, compile_model
from mappings.matching.table import Coded, Table
from mappings.normalise.surnames import SURNAMES, is_pinyin

LABEL = "{} in both scripts"
AGREE = 0.8
"""Of the pairs of one customer in both scripts, so many have the same pinyin."""
Counts = NDArray[np.int64]


def with_scripts(model: MatchModel, records: Table, counts: Sequence[Counts]) -> tuple[MatchModel, list[Counts]]:
    """The model with m of the level as the records have it, and the counts of random pairs by comparison and level with
    those of the level worked out instead of drawn. Records all in one script change nothing.
    """
    settings, found = copy.deepcopy(dict(model.settings)), list(counts)
    for index, comparison in enumerate(settings["comparisons"]):
        name = comparison["output_column_name"]
        for place, level in enumerate(comparison["comparison_levels"]):
            if level.get("label_for_charts") != LABEL.format(name):
                continue
            crossing, agreeing = _shares(records, name)
            if crossing:
                level["m_probability"] = AGREE * crossing
                found[index] = found[index].copy()
                found[index][place] = round(agreeing * int(found[index].sum()))
    made = compile_model(model.kind, model.columns, settings, model.term_frequencies)
    return replace(model, comparisons=made.comparisons, settings=made.settings), found


def _shares(records: Table, name: str) -> tuple[float, float]:
    """Of random pairs of records that have the name: the share in characters and pinyin, and of equal pinyin besides.

    Among Europeans nobody is in characters, so that more pairs of one customer than of strangers are in both scripts;
    but given and family name would both say so, of one thing that is seen once.
    """
    written, latin = records.column(name), records.column(f"{name}_latin")
    known = (written.codes >= 0) & (latin.codes >= 0)
    count = int(known.sum())
    in_characters = _that(written, lambda text: not text.isascii()) & known
    in_pinyin = _chinese_in_latin(records) & known & ~in_characters
    characters, pinyin = int(in_characters.sum()), int(in_pinyin.sum())
    if not characters or characters == count:
        return 0.0, 0.0
    size = len(latin.pool)
    one, other = (np.bincount(latin.codes[mask], minlength=size) for mask in (in_characters, known & ~in_characters))
    return 2 * characters * pinyin / count**2, 2 * float((one / count) @ (other / count))


def _chinese_in_latin(records: Table) -> NDArray[np.bool_]:
    """The records whose names in Latin letters may be pinyin: a Chinese surname, and syllables."""
    surname = _that(records.column("family_latin"), SURNAMES.__contains__)
    return surname & _that(records.column("given_latin"), lambda text: all(is_pinyin(word) for word in text.split()))


def _that(column: Coded, test: Callable[[str], bool]) -> NDArray[np.bool_]:
    return np.array([*map(test, column.pool), False])[column.codes]
