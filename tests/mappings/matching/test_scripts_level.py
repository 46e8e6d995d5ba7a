"""A name in characters and the same in pinyin: what it says is learnt from how many records are in which script."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.matching.calibrate import calibrate
from mappings.matching.columns import PERSON_COLUMNS, Values, person_values
from mappings.matching.probabilistic import VALUES, FellegiSunterMatcher, default_model
from mappings.matching.scripts_level import AGREE, LABEL, with_scripts
from mappings.matching.table import Table

NAMES = ["王小明", "李娜", "张伟", "刘洋", "陈静", "杨帆", "赵敏", "黄磊", "周杰", "吴倩", "徐丽", "孙强"]


def person(name: str, **other: Any) -> Values:
    return person_values({"kind": "person", "name": name, **other})


def level(model: Any, name: str) -> dict[str, Any]:
    comparisons = {c["output_column_name"]: c["comparison_levels"] for c in model.settings["comparisons"]}
    found: dict[str, Any] = next(v for v in comparisons[name] if v["label_for_charts"] == LABEL.format(name))
    return found


def test_m_is_the_share_of_pairs_in_both_scripts_that_agree() -> None:
    records = [person(name) for name in NAMES[:9]] + [person("Wang Xiaoming")] * 3
    base = default_model("person")
    drawn = [np.ones(len(c.levels), dtype=np.int64) for c in base.comparisons]
    model, _counts = with_scripts(base, Table(PERSON_COLUMNS, records), drawn)
    assert level(model, "given")["m_probability"] == pytest.approx(AGREE * 2 * 0.75 * 0.25)
    assert level(model, "family")["m_probability"] == pytest.approx(AGREE * 2 * 0.75 * 0.25)


def test_europeans_are_no_chinese_in_pinyin() -> None:
    europeans = ["Anna Smith", "Li Smith", "Susan Wang-Meier", "John Li", "Nina Berg", "Émile Dubois"]
    records = [person(name) for name in [*NAMES[:4], "Wang Xiaoming", "Li Na", *europeans]]
    base = default_model("person")
    drawn = [np.ones(len(c.levels), dtype=np.int64) for c in base.comparisons]
    model, _counts = with_scripts(base, Table(PERSON_COLUMNS, records), drawn)
    for name in ("given", "family"):
        assert level(model, name)["m_probability"] == pytest.approx(AGREE * 2 * (4 / 12) * (2 / 12))


def test_without_anybody_in_pinyin_the_level_keeps_what_it_says() -> None:
    base = default_model("person")
    counts = [np.full(len(c.levels), 10_000, dtype=np.int64) for c in base.comparisons]
    records = Table(PERSON_COLUMNS, [person(name) for name in [*NAMES, "Anna Smith"]])
    model, found = with_scripts(base, records, counts)
    assert level(model, "given") == level(base, "given")
    assert all((one == other).all() for one, other in zip(found, counts, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([*NAMES, "Wang Xiaoming", "Li Na", "Ann Smith"]), min_size=1, max_size=20))
def test_the_counts_are_those_of_all_pairs_with_replacement(names: list[str]) -> None:
    records = [person(name) for name in names]
    base = default_model("person")
    counts = [np.full(len(c.levels), 10_000, dtype=np.int64) for c in base.comparisons]
    model, found = with_scripts(base, Table(PERSON_COLUMNS, records), counts)
    given, latin = PERSON_COLUMNS.index("given"), PERSON_COLUMNS.index("given_latin")
    crossing = [
        (one, other)
        for one in records
        for other in records
        if (one[given] == one[latin]) != (other[given] == other[latin])
    ]
    agreeing = sum(one[latin] == other[latin] for one, other in crossing) / len(records) ** 2
    place = next(i for i, v in enumerate(model.comparisons[0].levels) if v.label == LABEL.format("given"))
    both = {"Wang Xiaoming", "Li Na"} & {*names} and {*NAMES} & {*names}
    expected = round(agreeing * counts[0].sum()) if both else 10_000
    assert abs(int(found[0][place]) - expected) <= 1


def test_equal_pinyin_across_scripts_speaks_for_one_customer() -> None:
    chance = random.Random(5)
    given_names = [a + b for a in "小明晓志建国海丽" for b in "伟芳娜敏静强磊洋"]
    people: list[dict[str, Any]] = [
        {"name": f"{chance.choice('王李张刘陈杨赵黄周吴')}{chance.choice(given_names)}",
         "phones": [{"value": f"+8613{chance.randrange(10**9):09}"}]}
        for _ in range(300)
    ]  # fmt: skip
    records = [person(**one) for one in people]
    pinyin = {"kind": "person", "name": "Ouyang Xiuxian", "phones": [{"value": "+8613911112222"}]}
    characters = {"kind": "person", "name": "欧阳秀贤", "phones": [{"value": "+8613911112222"}]}
    records += [person_values(pinyin), person_values(characters), person("WANG Xiaowei"), person("Liu Yang")]
    matcher = FellegiSunterMatcher(calibrate(default_model("person"), records))
    left, right = matcher.features(pinyin), matcher.features(characters)
    steps = {step["comparison"]: step["weight"] for step in matcher.explain(left, right)["steps"]}
    assert steps["given"] > 4
    assert steps["family"] > 2
    other = matcher.features({**characters, "name": "欧阳建国"})
    assert matcher.pair_weight(left, other) < matcher.pair_weight(left, right) - 8
    assert left[VALUES + PERSON_COLUMNS.index("given_latin")] == "xiuxian"
