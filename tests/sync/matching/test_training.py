"""Training without labels: what EM gains, and what it leaves alone when there is nothing to learn from."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks.population import customers
from mappings.matching.columns import PERSON_COLUMNS, Values, person_values
from mappings.matching.probabilistic import default_model
from sync import language
from sync.cli import run
from sync.matching import training
from sync.matching.splinking import ExtraMissing, parameters, require_splink

pytestmark = pytest.mark.slow

pytest.importorskip("splink")

GIVEN = ["anna", "boris", "carla", "dmitri", "elena", "farid", "greta", "hugo", "ines", "jonas", "katja", "liam"]
FAMILY = ["smith", "okafor", "ivanov", "garcia", "muller", "tanaka", "rossi", "novak", "silva", "larsen", "brown"]


@pytest.fixture(autouse=True)
def _english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    language.use("en")


def record(**known: Any) -> Values:
    return tuple(known.get(name) for name in PERSON_COLUMNS)


def people(count: int, seed: int = 3) -> list[Values]:
    """Two records of each of so many people; the second has another mailbox in seven of ten cases."""
    chance = random.Random(seed)
    found = []
    for _number in range(count):
        given, family = chance.choice(GIVEN), chance.choice(FAMILY)
        birth = f"{chance.randint(1950, 2000)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        names = {"given": given, "given_latin": given, "family": family, "family_latin": family, "birth": birth}
        email = letters(chance) + "@example.org"
        found.append(record(**names, email=email, emails=[email]))
        other = letters(chance) + "@mail.com" if chance.random() < 0.7 else email
        found.append(record(**names, email=other, emails=[other]))
    return found


def letters(chance: random.Random) -> str:
    return "".join(chance.choices("abcdefghijklmnop", k=9))


def m_of(model: Any, comparison: str) -> list[float]:
    return [level["m_probability"] for level in parameters(model.settings)[comparison]]


@pytest.fixture(scope="module")
def trained() -> training.Training:
    language.use("en")
    return training.train("person", people(250))


def test_m_moves_to_how_often_matches_agree_in_this_data(trained: training.Training) -> None:
    assert trained.trained
    exact, *_others, rest = m_of(trained.model, "email")
    assert exact == pytest.approx(0.3, abs=0.08)
    assert rest > 0.5


def test_m_of_every_comparison_adds_up_to_one(trained: training.Training) -> None:
    for name in parameters(trained.model.settings):
        assert sum(m_of(trained.model, name)) == pytest.approx(1.0)


def test_fields_and_levels_that_nobody_showed_keep_their_default_and_are_named(trained: training.Training) -> None:
    assert m_of(trained.model, "street") == pytest.approx(m_of(default_model("person"), "street"))
    assert any("street" in note and "default parameters are kept" in note for note in trained.notes)
    assert any("emails" in note for note in trained.notes)


def test_term_frequencies_are_frozen_with_the_model(trained: training.Training) -> None:
    assert set(trained.model.term_frequencies["given"]) == set(GIVEN)


def test_training_is_a_function_of_the_records(trained: training.Training) -> None:
    again = training.train("person", list(reversed(people(250))))
    assert again.model.settings == trained.model.settings


def test_pairs_that_are_mostly_strangers_do_not_train(trained: training.Training) -> None:
    """Few names, so that most pairs of one name are strangers; with two fields left EM cannot tell."""
    session = next(s for s in trained.sessions if s.columns == ("given_latin", "family_latin"))
    assert 0 < session.expected < training.PURE
    assert not session.counted
    assert m_of(trained.model, "birth") == pytest.approx(m_of(default_model("person"), "birth"))


def test_a_session_that_found_something_else_is_told() -> None:
    sessions = [
        training.Session(("street",), 500, 0.8, 0.99, counted=False),
        training.Session(("birth",), 500, 0.9, 0.95, counted=True),
        training.Session(("number",), 0, 0.0, 0.0, counted=False),
    ]
    (note,) = training._doubtful(sessions)
    assert note.startswith("Pairs that agree on street are left out: among them 99.0% matches were found where 80.0%")


def test_relatives_never_make_a_session() -> None:
    shared = {"family", "family_latin", "email", "phone", "street", "city", "postcode"}
    assert all(set(columns) - shared for columns in training.SESSIONS["person"])


def test_of_few_records_the_defaults_are_kept_with_a_sentence() -> None:
    found = training.train("person", people(10))
    assert not found.trained
    assert m_of(found.model, "email") == m_of(default_model("person"), "email")
    assert found.notes[0].startswith("There are only 20 records")


def test_one_value_everywhere_teaches_nothing_and_hangs_nowhere() -> None:
    found = training.train("person", [record(given="li", given_latin="li", city="berlin")] * 3_000)
    assert not found.trained
    assert found.notes == ["No group of pairs held enough matches to learn from: the default parameters are kept."]


def test_records_without_a_value_and_broken_text_are_taken() -> None:
    odd = [record()] * 50 + [record(given="\ud800x", given_latin="x", family="a\0b", family_latin="b")] * 5
    assert training.train("person", people(60) + odd).records == 175


def test_without_splink_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "duckdb" else find(name, *a))
    with pytest.raises(ExtraMissing, match="duckdb"):
        require_splink()
    assert run(["match", "train", "x.csv", "--out", "m.json"]) != 0
    assert "python -m pip install 'kehu[matching]'" in capsys.readouterr().err


@pytest.mark.slow
def test_where_relatives_are_many_matches_are_not_learnt_to_differ_in_what_tells_them_apart() -> None:
    """Families, fathers and sons of one name and twins behind one address, phone and mailbox."""
    found = [person_values(customer) for _entity, customer in customers(1_500, 11, 1.0, 0.0)]
    learnt = training.train("person", found)
    assert learnt.trained
    for comparison in ("given", "birth"):
        assert m_of(learnt.model, comparison)[-1] <= m_of(default_model("person"), comparison)[-1] + 1e-6, comparison
