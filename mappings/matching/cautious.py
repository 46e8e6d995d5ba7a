"""The shipped models as a master uses them, which merges customers by itself and asks stewards about the rest.

One thing differs from what a one-off search for duplicates wants: mailboxes that look alike say nothing. They are made
of names, and namesakes who are strangers have such mailboxes.
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
_U = {
    '"given_l" = "given_r"': 0.005,
    '"family_l" = "family_r"': 0.005,
    "given in both scripts": 0.002,
    "family in both scripts": 0.002,
    "swapped": 0.0005,
    '"email_l" = "email_r"': 0.00015,
    '"phone_l" = "phone_r"': 0.00015,
}
"""Before anything is learnt: one equal mailbox and one equal surname are not enough, nor are two equal names alone."""


def cautious_model(kind: Kind) -> MatchModel:
    """The shipped model of a kind, not yet calibrated."""
    settings = default_settings(kind)
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            level["u_probability"] = _U.get(_known_as(level), level.get("u_probability"))
            if level["u_probability"] is None:
                del level["u_probability"]
    return without_lookalikes(compile_model(kind, COLUMNS[kind], settings))


def without_lookalikes(model: MatchModel) -> MatchModel:
    """The model in which similar mailboxes weigh nothing. What is calibrated anew is passed through here again."""
    settings: dict[str, Any] = copy.deepcopy(dict(model.settings))
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if 'jaro_winkler_similarity("email_l"' in level["sql_condition"]:
                level["u_probability"] = level["m_probability"]
    return with_settings(model, settings, model.term_frequencies)


def _known_as(level: dict[str, Any]) -> str:
    condition = str(level["sql_condition"])
    if '"given_latin_l", "family_latin_r"' in condition:
        return "swapped"
    return condition if condition in _U else str(level["label_for_charts"])
