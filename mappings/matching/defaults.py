"""The models that ship with the product: m probabilities measured once on nine labelled sets (persons,
organisations).

u probabilities, term frequencies and the prior are the customer base's own: ``calibrate`` fills them in.
The u values here only stand in until then.
"""

from __future__ import annotations

from typing import Any

from mappings.matching.columns import ORGANISATION_COLUMNS, PERSON_COLUMNS
from mappings.matching.model import Kind
from mappings.matching.scripts_level import LABEL

ALIKE = 0.02
"""Of two relatives, one pair in so many has the same given name, and one the same birth date: namesakes, twins."""
COLUMNS: dict[Kind, tuple[str, ...]] = {"person": PERSON_COLUMNS, "organisation": ORGANISATION_COLUMNS}


def default_settings(kind: Kind) -> dict[str, Any]:
    """Splink settings with the default m, and u by a rule of thumb."""
    return {
        "link_type": "dedupe_only",
        "sql_dialect": "duckdb",
        "unique_id_column_name": "unique_id",
        "probability_two_random_records_match": 1e-4,
        "blocking_rules_to_generate_predictions": [],
        "comparisons": _person() if kind == "person" else _organisation(),
    }


def _person() -> list[dict[str, Any]]:
    return [_labelled(one) for one in _person_comparisons()]


def _labelled(comparison: dict[str, Any]) -> dict[str, Any]:
    """However many records hold initials alone, one is the initial of a stranger's name in one of fourteen cases. And
    levels of names in both scripts are called so: calibration knows them by that.
    """
    for level in comparison["comparison_levels"]:
        if level["sql_condition"] == _BOTH_SCRIPTS.format(comparison["output_column_name"]):
            level["label_for_charts"] = LABEL.format(comparison["output_column_name"])
        if level["sql_condition"] == _INITIAL:
            level |= {
                "label_for_charts": "an initial",
                "u_probability": level["m_probability"] / 14,
                "fix_u_probability": True,
                "fix_m_probability": True,
            }
    return comparison


def _person_comparisons() -> list[dict[str, Any]]:
    return [
        _comparison("given", '"given_l" IS NULL OR "given_r" IS NULL', [
            (_same("given"), 0.78, "given"),
            (_BOTH_SCRIPTS.format("given"), 0.2, None),
            (_same("given_latin"), 0.02, None),
            (_same("root"), 0.02, "root"),
            (_SWAPPED_NAMES, 0.01, None),
            (_similar("given_latin", 0.92), 0.07, None),
            (_INITIAL, 0.03, None),
            (_similar("given_latin", 0.82), 0.03, None),
            (_similar("given_latin", 0.7), 0.02, None),
        ], 0.04),
        _comparison("family", '"family_l" IS NULL OR "family_r" IS NULL', [
            (_same("family"), 0.82, "family"),
            (_BOTH_SCRIPTS.format("family"), 0.2, None),
            (_same("family_latin"), 0.02, None),
            (_SWAPPED_NAMES, 0.01, None),
            (_similar("family_latin", 0.92), 0.07, None),
            (_similar("family_latin", 0.82), 0.03, None),
            (_similar("family_latin", 0.7), 0.01, None),
        ], 0.04),
        _comparison("birth", _null("birth"), [
            (_same("birth"), 0.82, "birth"),
            (f'levenshtein("birth_l", "birth_r") <= 1 OR ({_SAME_YEAR} AND {_SWAPPED})', 0.10, None),
            (f"({_SAME_YEAR} AND ({_SAME_MONTH} OR {_SAME_DAY})) OR ({_SAME_MONTH} AND {_SAME_DAY})", 0.03, None),
            (_edits("birth", 2), 0.01, None),
            (_SAME_YEAR, 0.01, None),
        ], 0.03),
        _comparison("email", _null("email"), [
            (_same("email"), 0.60, "email"),
            (_shared("emails"), 0.02, None),
            (f'levenshtein("email_l", "email_r") <= 2 OR {_LOCAL}', 0.14, None),
            (_similar("email", 0.88), 0.08, None),
        ], 0.16),
        _comparison("phone", _null("phone"), [
            (_same("phone"), 0.66, "phone"),
            (_shared("phones"), 0.02, None),
            (_edits("phone", 1), 0.10, None),
        ], 0.22),
        _comparison("street", _null("street"), [
            (_same("street"), 0.65, "street"), (_similar("street", 0.9), 0.13, None)], 0.22),
        _comparison("city", _null("city"), [
            (_same("city"), 0.70, "city"), (_similar("city", 0.9), 0.10, None)], 0.20),
        _comparison("postcode", _null("postcode"), [
            (_same("postcode"), 0.70, "postcode"), (_edits("postcode", 1), 0.12, None)], 0.18),
        _comparison("number", _null("number"), [
            (_same("number"), 0.85, "number"),
            (_edits("number", 1), 0.09, None),
            (_edits("number", 2), 0.02, None),
        ], 0.04),
        _fixed("middle", [(_same("middle"), 0.9, 0.12)], 0.1, 0.88),
        _fixed("generation", [
            (_same("generation"), 0.99, 0.94), (_EITHER.format("generation"), 0.006, 0.05)], 0.0002, 0.01),
    ]  # fmt: skip


def _organisation() -> list[dict[str, Any]]:
    subset = 'len(list_intersect("words_l", "words_r"))'
    return [
        _comparison("name", _null("name"), [
            (_same("name"), 0.44, "name"),
            (_same("name_latin"), 0.01, None),
            (_similar("name_latin", 0.93), 0.20, None),
            (f'{_similar("name_latin", 0.86)} OR {subset} = len("words_l") OR {subset} = len("words_r")', 0.17, None),
            (_similar("name_latin", 0.78), 0.07, None),
        ], 0.11),
        _comparison("street", _null("street"), [
            (_same("street"), 0.55, "street"),
            (_similar("street", 0.92), 0.20, None),
            (_similar("street", 0.82), 0.10, None),
        ], 0.15),
        _comparison("phone", _null("phone"), [
            (_same("phone"), 0.68, "phone"), (_shared("phones"), 0.02, None), (_edits("phone", 1), 0.03, None)], 0.27),
        _comparison("postcode", _null("postcode"), [(_same("postcode"), 0.85, "postcode")], 0.15),
        _comparison("city", _null("city"), [
            (_same("city"), 0.85, "city"), (_similar("city", 0.9), 0.03, None)], 0.12),
        _comparison("tax", _null("tax"), [(_same("tax"), 0.93, "tax"), (_edits("tax", 1), 0.03, None)], 0.04),
        _comparison("email", _null("email"), [
            (_same("email"), 0.43, "email"), (_shared("emails"), 0.02, None), (_same("domain"), 0.25, "domain")], 0.30),
        _comparison("contact", _null("contact"), [(_same("contact"), 0.75, "contact")], 0.25),
        _fixed("branch", [(_same("branch"), 0.98, 0.98), (_EITHER.format("branch"), 0.004, 0.7)], 0.000002, 0.6),
        _fixed("seat", [(_same("seat"), 0.97, 0.97)], 0.03, 0.5),
        _fixed("trade", [(_same("trade"), 0.94, 0.94), (_similar("trade", 0.8), 0.04, 0.08)], 0.02, 0.4),
    ]  # fmt: skip


_BOTH_SCRIPTS = '"{0}_latin_l" = "{0}_latin_r" AND ("{0}_l" = "{0}_latin_l" OR "{0}_r" = "{0}_latin_r")'
_INITIAL = (
    '((length("given_latin_l") = 1 OR length("given_latin_r") = 1)'
    ' AND substr("given_latin_l", 1, 1) = substr("given_latin_r", 1, 1))'
)
_SWAPPED_NAMES = (
    'jaro_winkler_similarity("given_latin_l", "family_latin_r") >= 0.88'
    ' AND jaro_winkler_similarity("family_latin_l", "given_latin_r") >= 0.88'
)
_SAME_YEAR = 'substr("birth_l", 1, 4) = substr("birth_r", 1, 4)'
_SAME_MONTH = 'substr("birth_l", 6, 2) = substr("birth_r", 6, 2)'
_SAME_DAY = 'substr("birth_l", 9, 2) = substr("birth_r", 9, 2)'
_SWAPPED = 'substr("birth_l", 6, 2) = substr("birth_r", 9, 2) AND substr("birth_l", 9, 2) = substr("birth_r", 6, 2)'
_LOCAL = "regexp_extract(\"email_l\", '^[^@]+', 0) = regexp_extract(\"email_r\", '^[^@]+', 0)"


def _null(column: str) -> str:
    return f'"{column}_l" IS NULL OR "{column}_r" IS NULL'


def _same(column: str) -> str:
    return f'"{column}_l" = "{column}_r"'


def _similar(column: str, threshold: float) -> str:
    return f'jaro_winkler_similarity("{column}_l", "{column}_r") >= {threshold}'


def _edits(column: str, count: int) -> str:
    return f'levenshtein("{column}_l", "{column}_r") <= {count}'


def _shared(column: str) -> str:
    return f'len(list_intersect("{column}_l", "{column}_r")) >= 1'


_EITHER = "\"{0}_l\" = '' OR \"{0}_r\" = ''"


def _fixed(name: str, levels: list[tuple[str, float, float]], m: float, u: float) -> dict[str, Any]:
    """A comparison of which neither m nor u is learnt: its values say little of strangers, much of relatives."""
    data = _comparison(name, _null(name), [(condition, one, None) for condition, one, _u in levels], m)
    for level, chance in zip(data["comparison_levels"][1:], (*(u for _condition, _m, u in levels), u), strict=True):
        level |= {"u_probability": chance, "fix_m_probability": True, "fix_u_probability": True}
        if level["sql_condition"] == _EITHER.format(name):
            level["label_for_charts"] = "said of one only"
    return data


def _comparison(name: str, null: str, levels: list[tuple[str, float, str | None]], rest: float) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        {"sql_condition": null, "label_for_charts": f"{name} unknown", "is_null_level": True}
    ]
    for number, (condition, m, column) in enumerate(levels):
        level: dict[str, Any] = {"sql_condition": condition, "label_for_charts": condition, "m_probability": m}
        level["u_probability"] = 0.001 * 10 ** min(number, 2)
        if column:
            level |= {"tf_adjustment_column": column, "tf_adjustment_weight": 1.0}
        found.append(level)
    found.append(
        {"sql_condition": "ELSE", "label_for_charts": "all other", "m_probability": rest, "u_probability": 0.9}
    )
    return {"output_column_name": name, "comparison_levels": found}
