"""How much a name says that stands in Chinese characters on one side and in pinyin on the other (张伟, Zhang Wei).

How often that happens depends on the data alone, for customers as for strangers: where one record in ten is in pinyin,
18 pairs of 100 are in both scripts. So m and u of the level are learnt from the scripts of the records, not from pairs.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mappings.matching.model import MatchModel, compile_model
from mappings.matching.table import Table

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
    """Of random pairs of records that have the name: the share in both scripts, and of equal pinyin besides."""
    written, latin = records.column(name), records.column(f"{name}_latin")
    known = (written.codes >= 0) & (latin.codes >= 0)
    count = int(known.sum())
    if not count:
        return 0.0, 0.0
    chinese = np.array([not text.isascii() for text in written.pool])[written.codes[known]]
    sound, size = latin.codes[known], len(latin.pool)
    one, other = np.bincount(sound[chinese], minlength=size), np.bincount(sound[~chinese], minlength=size)
    share = float(chinese.mean())
    return 2 * share * (1 - share), 2 * float((one / count) @ (other / count))
