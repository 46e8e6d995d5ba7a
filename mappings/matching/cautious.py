"""The shipped models as a master uses them, which merges customers by itself and asks stewards about the rest.

Two things differ from what a one-off search for duplicates wants. A name in Chinese characters and the same name in
pinyin agree as names do (张伟, Zhang Wei), where homophones in characters hardly do. And mailboxes that look alike say
nothing: they are made of names, and namesakes who are strangers have such mailboxes.
"""

from __future__ import annotations

import copy
from typing import Any

from mappings.matching.calibrate import with_settings
from mappings.matching.defaults import COLUMNS, default_settings
from mappings.matching.model import Kind, MatchModel, compile_model

ACCEPT_FROM, REVIEW_FROM = 2.0, -4.0
"""Groups merge from the first mean weight on (four to one); pairs from the second on (one to sixteen) are for stewards
to review.
"""
SMALL_PRIOR = 1 / 200
"""The prior before anything is learnt: equal names say enough, one equal mailbox alone does not."""
_BOTH_SCRIPTS = 0.2


def cautious_model(kind: Kind) -> MatchModel:
    """The shipped model of a kind, not yet calibrated."""
    settings = default_settings(kind)
    settings["probability_two_random_records_match"] = SMALL_PRIOR
    for comparison in settings["comparisons"]:
        if comparison["output_column_name"] in ("given", "family"):
            _add_both_scripts(comparison)
    return without_lookalikes(compile_model(kind, COLUMNS[kind], settings))


def without_lookalikes(model: MatchModel) -> MatchModel:
    """The model in which similar mailboxes weigh nothing. What is calibrated anew is passed through here again."""
    settings: dict[str, Any] = copy.deepcopy(dict(model.settings))
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if 'jaro_winkler_similarity("email_l"' in level["sql_condition"]:
                level["u_probability"] = level["m_probability"]
    return with_settings(model, settings, model.term_frequencies)


def _add_both_scripts(comparison: dict[str, Any]) -> None:
    name, levels = comparison["output_column_name"], comparison["comparison_levels"]
    homophones = f'"{name}_latin_l" = "{name}_latin_r"'
    place = next(number for number, level in enumerate(levels) if level["sql_condition"] == homophones)
    latin = f'("{name}_l" = "{name}_latin_l" OR "{name}_r" = "{name}_latin_r")'
    level = copy.deepcopy(levels[place])
    level |= {"sql_condition": f"{homophones} AND {latin}", "m_probability": _BOTH_SCRIPTS}
    level["label_for_charts"] = level["sql_condition"]
    levels.insert(place, level)
