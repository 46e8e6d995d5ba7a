"""Splink on DuckDB and on Spark weigh as we do, and the customers are the same."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.population import customers
from mappings.errors import SpecError
from mappings.matching.model import compile_model
from mappings.matching.probabilistic import FellegiSunterMatcher
from sync import language
from sync.dedupe.matching import Matching
from sync.dedupe.records import Records
from sync.errors import Misused
from sync.matching import spark_sql
from sync.matching.engines import Engine, engine, pair_weights, partition
from sync.matching.splinking import ExtraMissing

pytestmark = pytest.mark.slow

pytest.importorskip("splink")


@pytest.fixture(autouse=True)
def _english() -> None:
    language.use("en")


@pytest.fixture(scope="module")
def matching() -> Matching:
    """Made-up persons and organisations, English and Chinese, and some odd ones."""
    matcher, records = FellegiSunterMatcher(), Records()
    odd = [
        {"kind": "person"},
        {"kind": "organisation", "name": "有限公司"},
        {"kind": "person", "given_name": "a'b\"c\\"},
    ]
    for number, customer in enumerate([*(one for _entity, one in customers(700, seed=4)), *odd, *odd]):
        records.profile_of.append(records.profiles.number(matcher.features(customer)))
        records.file.append(0)
        records.line.append(number)
        records.row.append(number)
    records.profiles.close()
    return Matching(records)


def silent(done: int, total: int) -> None:
    """Nobody watches."""


def assert_same(matching: Matching, chosen: Engine) -> None:
    ours = matching.links(silent)
    theirs = matching.links(silent, pair_weights(chosen, matching.matcher.models, matching.records.profiles))
    assert ours.compared == theirs.compared > 3_000
    assert (ours.left, ours.right) == (theirs.left, theirs.right)
    np.testing.assert_allclose(theirs.weight, ours.weight, rtol=0, atol=1e-9)
    assert matching.clusters(theirs, silent) == matching.clusters(ours, silent)


def test_duckdb_gives_the_same_customers(matching: Matching) -> None:
    with engine("duckdb") as chosen:
        assert_same(matching, chosen)


def test_a_partition_of_features_is_the_same_by_every_engine(matching: Matching) -> None:
    features = [matching.records.profiles[profile] for profile in matching.records.profile_of]
    own = partition(matching.matcher.models, features)
    assert sorted(record for group in own for record in group) == list(range(len(features)))
    assert partition(matching.matcher.models, features, "duckdb") == own
    assert own == matching.clusters(matching.links(silent), silent)


def test_our_own_engine_by_its_name(matching: Matching) -> None:
    with engine("own") as chosen:
        assert_same(matching, chosen)


@pytest.fixture
def spark() -> Iterator[Engine]:
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    with engine("spark", "local[2]") as chosen:
        yield chosen


@pytest.mark.slow
@pytest.mark.systems
def test_spark_gives_the_same_customers(matching: Matching, spark: Engine) -> None:
    assert_same(matching, spark)


def test_without_java_spark_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ExtraMissing, match="Spark needs Java") as caught, engine("spark"):
        pass
    assert "openjdk" in caught.value.remedy


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "pyspark" else find(name, *a))
    with pytest.raises(ExtraMissing, match="pyspark") as caught, engine("spark"):
        pass
    assert "kehu[spark]" in caught.value.remedy


def test_an_unknown_engine_names_those_there_are() -> None:
    with pytest.raises(Misused, match="no engine mysql"), engine("mysql"):
        pass


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('"name_l" = "name_r"', "(`name_l` = `name_r`)"),
        ('length("name_l") = 1 AND NOT "name_r" IS NULL', "((length(`name_l`) = 1) AND (NOT (`name_r` IS NULL)))"),
        ('len(list_intersect("words_l", "words_r")) >= 1', "(size(array_intersect(`words_l`, `words_r`)) >= 1)"),
        ("\"name_l\" = 'it''s' OR \"name_r\" = 'a\\b'", "((`name_l` = 'it\\'s') OR (`name_r` = 'a\\\\b'))"),
        ('jaro_winkler_similarity("name_l", "name_r") > 0.9', "(kehu_jaro_winkler(`name_l`, `name_r`) > 0.9D)"),
    ],
)
def test_conditions_are_told_to_spark_in_its_own_words(condition: str, expected: str) -> None:
    levels = [
        {"sql_condition": condition, "m_probability": 0.9, "u_probability": 0.1},
        {"sql_condition": "ELSE", "m_probability": 0.1, "u_probability": 0.9},
    ]
    settings = {"probability_two_random_records_match": 0.1, "comparisons": [{"comparison_levels": levels}]}
    found = spark_sql.translated(compile_model("organisation", ("name", "words"), settings))
    assert found["comparisons"][0]["comparison_levels"][0]["sql_condition"] == expected


def test_a_function_that_spark_lacks_is_refused() -> None:
    levels = [
        {"sql_condition": "try_strptime(\"d_l\", '%Y-%m-%d') = 0", "m_probability": 0.9, "u_probability": 0.1},
        {"sql_condition": "ELSE", "m_probability": 0.1, "u_probability": 0.9},
    ]
    settings = {"probability_two_random_records_match": 0.1, "comparisons": [{"comparison_levels": levels}]}
    with pytest.raises(SpecError, match="try_strptime"):
        spark_sql.translated(compile_model("person", ("d",), settings))
