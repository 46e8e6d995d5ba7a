"""A weight of ours equals Splink's for the same model and pair, whatever is in the columns."""

from __future__ import annotations

import csv
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from mappings.matching.model import MatchModel, compile_model, read_model
from mappings.matching.score import Scorer

duckdb = pytest.importorskip("duckdb")
splink = pytest.importorskip("splink")
pa = pytest.importorskip("pyarrow")

import splink.comparison_level_library as cll  # noqa: E402
import splink.comparison_library as cl  # noqa: E402
from splink import DuckDBAPI, Linker, SettingsCreator  # noqa: E402

COLUMNS = ["unique_id", "given", "family", "birth", "city", "email", "phone"]
LATIN = ["John", "Jon", "Johnny", "Jürgen", "Jurgen", "José", "Jose", "Zoë", "Anna", "Ann", "", "O'Brien", "ab", "ba"]
CHINESE = ["张伟", "张玮", "章薇", "王芳", "李娜", "李那", "欧阳娜娜", ""]
BIRTHS = [
    "1980-04-03",
    "1980-04-04",
    "1980-03-04",
    "1981-04-03",
    "000-04-23",
    "1980-02-30",
    "0000-01-01",
    "1990-4-3",
    " 1980-04-03",
    "x",
    "",
]
CITIES = ["London", "Lodnon", "München", "Munchen", "深圳", "上海", ""]


def record(number: int, chance: random.Random) -> dict[str, Any]:
    names = CHINESE if chance.random() < 0.4 else LATIN
    values = {
        "given": chance.choice(names),
        "family": chance.choice(names),
        "birth": chance.choice(BIRTHS)
        if chance.random() < 0.5
        else f"19{chance.randint(40, 99)}-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}",
        "city": chance.choice(CITIES),
        "email": f"{chance.choice(LATIN[:9])}{chance.randint(1, 9)}@{chance.choice(['x.cn', 'münchen.de', 'y.com'])}",
        "phone": str(chance.randint(10_000_000, 10_000_060)),
    }
    return {"unique_id": number, **{k: (None if chance.random() < 0.12 else v) for k, v in values.items()}}


def comparisons() -> list[Any]:
    return [
        cl.NameComparison("given"),
        cl.JaroWinklerAtThresholds("family", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        cl.DateOfBirthComparison("birth", input_is_string=True),
        cl.ExactMatch("city").configure(term_frequency_adjustments=True),
        cl.EmailComparison("email"),
        cl.CustomComparison(
            output_column_name="phone",
            comparison_levels=[
                cll.NullLevel("phone"),
                cll.ExactMatchLevel("phone", term_frequency_adjustments=True).configure(
                    tf_minimum_u_value=0.01, tf_adjustment_weight=0.7
                ),
                cll.LevenshteinLevel("phone", 1),
                cll.DamerauLevenshteinLevel("phone", 2),
                {
                    "sql_condition": 'substr("phone_l", 1, 7) = substr("phone_r", 1, 7) AND NOT ("city_l" IS NULL)',
                    "label_for_charts": "area",
                },
                cll.ElseLevel(),
            ],
        ),
    ]


def splink_scores(
    rows: list[dict[str, Any]], names: list[str], settings: SettingsCreator
) -> tuple[MatchModel, list[tuple[int, int, float]]]:
    """Splink's own weights of all pairs, and its model with its term frequencies, read by us."""
    api = DuckDBAPI(duckdb.connect())
    schema = pa.schema([("unique_id", pa.int64()), *((n, pa.string()) for n in names[1:])])
    linker = Linker(api.register(pa.Table.from_pylist(rows, schema=schema)), settings, log_level=40)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e5, seed=7)
    saved = with_untrained_filled(linker.misc.save_model_to_json())
    again = Linker(api2(rows, schema), saved, log_level=40)
    table = again.inference.predict().as_duckdbpyrelation().to_arrow_table().to_pylist()
    model = compile_model("person", tuple(names), saved, frequencies(rows, names))
    return model, [(r["unique_id_l"], r["unique_id_r"], r["match_weight"]) for r in table]


def api2(rows: list[dict[str, Any]], schema: Any) -> Any:
    """A second connection: two linkers on one share their term-frequency tables wrongly."""
    return DuckDBAPI(duckdb.connect()).register(pa.Table.from_pylist(rows, schema=schema))


def with_untrained_filled(model: dict[str, Any]) -> dict[str, Any]:
    """Any m and u do for comparing formulas; training may leave rare levels without."""
    for number, comparison in enumerate(model["comparisons"]):
        for at, level in enumerate(comparison["comparison_levels"]):
            if not level.get("is_null_level"):
                level["m_probability"] = round(0.9 / (at + number + 1), 3)
                level.setdefault("u_probability", 0.01 * (at + 1))
    return json.loads(json.dumps(model))  # type: ignore[no-any-return]


def frequencies(rows: list[dict[str, Any]], names: list[str]) -> dict[str, dict[str, float]]:
    tables: dict[str, dict[str, float]] = {}
    for name in names[1:]:
        values = [r[name] for r in rows if r[name] is not None]
        tables[name] = {v: values.count(v) / len(values) for v in set(values)}
    return tables


def assert_equal(
    rows: list[dict[str, Any]], names: list[str], model: MatchModel, scored: list[tuple[int, int, float]], least: int
) -> None:
    scorer = Scorer(model)
    by_id = {r["unique_id"]: tuple(r[n] for n in names) for r in rows}
    assert len(scored) >= least
    worst = max(abs(scorer.weight(by_id[a], by_id[b]) - weight) for a, b, weight in scored)
    assert worst <= 1e-9


@pytest.mark.slow
def test_weights_equal_splinks_on_nulls_accents_chinese_and_impossible_dates() -> None:
    chance = random.Random(11)
    rows = [record(number, chance) for number in range(220)]
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=comparisons(),
        blocking_rules_to_generate_predictions=["1=1"],
        probability_two_random_records_match=0.003,
    )
    model, scored = splink_scores(rows, COLUMNS, settings)
    assert_equal(rows, COLUMNS, model, scored, 24_000)


LABELLED = Path(os.environ.get("KEHU_ER_DATA", "no-such-folder"))


@pytest.mark.slow
@pytest.mark.skipif(not LABELLED.exists(), reason="KEHU_ER_DATA names no folder with labelled sets")
def test_weights_equal_splinks_on_real_persons() -> None:
    with (LABELLED / "fake_1000.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    names = ["unique_id", "first_name", "surname", "dob", "city", "email"]
    rows = [{n: (int(r[n]) if n == "unique_id" else r[n] or None) for n in names} for r in found]
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.NameComparison("first_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison("dob", input_is_string=True),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.EmailComparison("email"),
        ],
        blocking_rules_to_generate_predictions=["1=1"],
    )
    model, scored = splink_scores(rows, names, settings)
    assert_equal(rows, names, model, scored, 400_000)


def test_a_model_read_back_scores_the_same() -> None:
    settings = json.loads(
        json.dumps(SettingsCreator("dedupe_only", comparisons=comparisons()).create_settings_dict("duckdb"))
    )
    model = compile_model(
        "person", tuple(COLUMNS), with_untrained_filled({**settings, "probability_two_random_records_match": 0.01})
    )
    again = read_model(json.loads(json.dumps(model.to_json())))
    chance = random.Random(3)
    rows = [tuple(record(i, chance).values()) for i in range(40)]
    one, other = Scorer(model), Scorer(again)
    assert [one.weight(a, b) for a in rows for b in rows] == [other.weight(a, b) for a in rows for b in rows]


def test_the_waterfall_adds_up_to_the_weight() -> None:
    chance = random.Random(5)
    rows = [record(number, chance) for number in range(30)]
    settings = json.loads(
        json.dumps(SettingsCreator("dedupe_only", comparisons=comparisons()).create_settings_dict("duckdb"))
    )
    filled = with_untrained_filled({**settings, "probability_two_random_records_match": 0.01})
    scorer = Scorer(compile_model("person", tuple(COLUMNS), filled, frequencies(rows, COLUMNS)))
    values = [tuple(r.values()) for r in rows]
    for left in values:
        steps = scorer.waterfall(left, values[0])
        assert scorer.weight(left, values[0]) == pytest.approx(
            scorer.prior + sum(s.weight + s.adjustment for s in steps)
        )
