"""`kehu match train` and `kehu match evaluate` on files, as their users meet them."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest

from sync import language
from sync.cli import run

pytest.importorskip("splink")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEHU_LANG", "en")
    language.use("en")


def kehu(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["match", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def data(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code, out, err = kehu(capsys, *arguments, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)["data"]
    return found


def people(path: str, count: int = 130) -> str:
    """Persons twice each, the second time with a typing error; ``who`` says who is who, ``no`` numbers the rows."""
    chance = random.Random(5)
    rows = []
    for who in range(count):
        family = chance.choice(["Smith", "Okafor", "Ivanov", "Garcia", "Muller", "Tanaka", "Rossi"])
        row = {
            "who": f"P{who}",
            "first_name": chance.choice(["Anna", "Boris", "Chen", "Dora", "Emil", "Fatima", "Georg"]),
            "last_name": family,
            "email": "".join(chance.choices("abcdefghijklmnop", k=12)) + "@example.org",
            "date_of_birth": f"{chance.randint(1940, 2004)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        }
        rows += [row, {**row, "last_name": family[:-1] + "x"}]
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, ["no", *rows[0]])
        lines.writeheader()
        lines.writerows({"no": f"N{n}", **row} for n, row in enumerate(rows))
    return path


def test_files_are_judged_against_their_truth_column(capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, "evaluate", people("p.csv"), "--truth", "who")
    assert found["records"] == 260
    assert found["pairs"]["f1"] > 0.97
    assert found["confusion"]["true_same"] + found["confusion"]["false_different"] == 130
    recall = [one["recall"] for one in found["thresholds"]]
    assert recall == sorted(recall, reverse=True)


def test_a_truth_column_that_is_not_there_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    code, _out, err = kehu(capsys, "evaluate", people("p.csv", 3), "--truth", "Who")
    assert code == 2
    assert "There is no column Who. Did you mean who?" in err


def test_truth_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, _out, err = kehu(capsys, "evaluate", people("p.csv", 3))
    assert code == 2
    assert "--truth COLUMN or --pairs FILE" in err


def test_a_complete_list_of_pairs_gives_what_the_truth_column_gives(capsys: pytest.CaptureFixture[str]) -> None:
    people("p.csv")
    pairs = "".join(f"N{n},N{n + 1}\n" for n in range(0, 260, 2))
    Path("pairs.csv").write_text("a,b\n" + pairs, encoding="utf-8")
    listed = data(capsys, "evaluate", "p.csv", "--pairs", "pairs.csv")
    column = data(capsys, "evaluate", "p.csv", "--truth", "who")
    assert listed["confusion"] == column["confusion"]
    assert listed["clusters"] == column["clusters"]


def test_judged_pairs_count_alone(capsys: pytest.CaptureFixture[str]) -> None:
    people("p.csv")
    Path("pairs.csv").write_text("a,b,verdict\nN0,N1,same\nN2,N3,different\nN0,N9,different\nN0,X,same\n", "utf-8")
    found = data(capsys, "evaluate", "p.csv", "--pairs", "pairs.csv")
    assert found["confusion"] == {"true_same": 1, "false_same": 1, "false_different": 0, "true_different": 1}
    assert (found["unknown_pairs"], found["clusters"]) == (1, None)
    assert found["false_same"][0]["left"] == "p.csv 4"


def test_a_model_of_a_file_judges_files(capsys: pytest.CaptureFixture[str]) -> None:
    people("p.csv")
    found = data(capsys, "train", "p.csv", "--out", "m.json")
    assert found["version"] is None
    assert found["kinds"]["person"]["trained"]
    by_file = data(capsys, "evaluate", "p.csv", "--truth", "who", "--model", "m.json")
    assert by_file["pairs"]["f1"] > 0.97


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("nonsense", "m.json is not a file of match models"),
        ("[]", "it has neither person nor organisation"),
        ('{"person": {"kind": "person"}}', "the match model is wrong at columns"),
        ('{"person": {"kind": "person", "columns": ["given"], "splink": {"sql_dialect": "spark"}}}', "sql_dialect"),
    ],
)
def test_a_faulty_model_file_is_told_by_its_place(
    capsys: pytest.CaptureFixture[str], content: str, expected: str
) -> None:
    Path("m.json").write_text(content, encoding="utf-8")
    code, _out, err = kehu(capsys, "evaluate", people("p.csv", 3), "--truth", "who", "--model", "m.json")
    assert code in (2, 3)
    assert expected in err
