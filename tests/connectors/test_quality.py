"""The quality scale: what is missing is as visible as what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import BadConfiguration
from connectors.quality import RULES, Grade, Status, load_quality


def scale(folder: Path, lines: dict[str, str]):
    folder.joinpath("quality.yaml").write_text("rules:\n" + "".join(f"  {k}: {v}\n" for k, v in lines.items()))
    return load_quality(folder)


def rules(*levels: Grade) -> dict[str, str]:
    return {rule: "done" for level in levels for rule in RULES[level]}


def test_without_a_file_there_is_no_scale(tmp_path):
    assert load_quality(tmp_path) is None


@pytest.mark.parametrize(
    ("levels", "grade"),
    [
        ([], Grade.NONE),
        ([Grade.BRONZE], Grade.BRONZE),
        ([Grade.BRONZE, Grade.SILVER], Grade.SILVER),
        ([Grade.BRONZE, Grade.SILVER, Grade.GOLD], Grade.GOLD),
        ([Grade.SILVER, Grade.GOLD], Grade.NONE),
    ],
)
def test_a_grade_needs_all_rules_of_its_level_and_below(tmp_path, levels, grade):
    assert scale(tmp_path, {"readme": "todo"} | rules(*levels)).grade is grade


def test_exempt_counts_and_keeps_its_reason(tmp_path):
    quality = scale(tmp_path, rules(Grade.BRONZE) | {"check": "{exempt: a folder needs no login}"})
    assert quality.grade is Grade.BRONZE
    (verdict,) = [v for v in quality.verdicts if v.rule == "check"]
    assert (verdict.status, verdict.reason) == (Status.EXEMPT, "a folder needs no login")


def test_what_is_open_is_listed_with_its_reason(tmp_path):
    quality = scale(tmp_path, rules(Grade.BRONZE) | {"resume": "{todo: needs an account to test}"})
    assert quality.open()[0].level is Grade.SILVER
    assert ("resume", "needs an account to test") in {(v.rule, v.reason) for v in quality.open()}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"chekc": "done"}, "nearest: check"),
        ({"check": "exempt"}, "check must be done, todo"),
        ({"check": "{exempt: no}"}, "check must be done, todo"),
        ({"check": "{todo: a read of 100,000 records}"}, "in quotes if it holds a comma"),
        ({"check": "maybe"}, "check must be done, todo"),
    ],
)
def test_a_wrong_scale_says_what_is_wrong(tmp_path, line, expected):
    with pytest.raises(BadConfiguration) as caught:
        scale(tmp_path, line)
    assert expected in "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
