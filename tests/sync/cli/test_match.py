"""`kehu match` as its users meet it, in both languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sync import language
from sync.cli import run

pytestmark = pytest.mark.slow

SETTINGS = """
language: en
region: CN
connections:
  sheet:
    connector: files
    settings: {streams: {customers: {path: customers.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml}}
matching: {model: probability}
"""
ROWS = (
    "id,name,email\n1,张伟,zhang@example.com\n2,Zhang Wei,zhang@example.com\n3,Ann Smith,ann@example.com\n"
    "4,Anna Smith,other@example.com\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.setenv("KEHU_LANG", "en")
    language.use("en")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text("customer: {kind: person, name: name, emails: [email]}\n")
    (tmp_path / "customers.csv").write_text(ROWS)
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    assert run(["sync", "run"]) == 0
    capsys.readouterr()
    return tmp_path


def kehu(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    got = run(["match", *arguments])
    captured = capsys.readouterr()
    assert got == code, captured.err
    return captured.out, captured.err


def data(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(kehu(capsys, *arguments, "--json")[0])["data"]


def test_a_new_project_may_begin_with_the_shipped_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, "versions")
    assert [(v["number"], v["family"], v["origin"], v["state"]) for v in found["versions"]] == [
        (1, "probability", "default", "active")
    ]
    assert found["progress"]["stage"] is None


def test_a_new_project_begins_with_the_rules(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".kehu" / "kehu.db").unlink()
    (folder / "kehu.yaml").write_text(SETTINGS.replace("matching: {model: probability}", ""))
    assert run(["sync", "run"]) == 0
    capsys.readouterr()
    assert data(capsys, "versions")["versions"][0]["family"] == "rules"
    found = data(capsys, "explain", "sheet/customers/1", "sheet/customers/2")
    assert found["same_customer"] is True
    assert found["rule"] == "email and name"


def test_a_pair_that_matched_is_explained_to_the_last_bit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, "explain", "sheet/customers/1", "sheet/customers/2")
    assert found["same_customer"] is True
    total = found["prior"] + sum(step["weight"] + step["adjustment"] for step in found["steps"])
    assert found["weight"] == pytest.approx(total)
    assert found["compared"][0] == pytest.approx(total)
    assert "e" in {key["question"] for key in found["shared"]}


def test_a_pair_that_was_never_compared_is_explained_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = kehu(capsys, "explain", "sheet/customers/1", "sheet/customers/3")
    assert "Prior\ttwo random records" in out
    assert "Never compared: they have no blocking key in common." in err
    assert "They are different customers." in err
    assert kehu(capsys, "explain", "sheet/customers/1", "sheet/customers/1", code=2)[1].startswith("Two different")


def test_explanations_speak_chinese(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEHU_LANG", "zh")
    assert "它们是同一客户。" in kehu(capsys, "explain", "sheet/customers/1", "sheet/customers/2")[1]


def test_a_version_goes_out_and_comes_back_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kehu(capsys, "export", "1", "model.json")
    assert data(capsys, "import", "model.json")["number"] == 1


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        (("person",), 5, "person"),
        (("accept_from",), "high", "accept_from"),
        (("block_cap",), 0, "block_cap"),
        (("person", "columns"), ["given"], "person.columns"),
        (("person", "term_frequencies"), {"given": {"ann": 2}}, "person.term_frequencies.given.ann"),
        (("organisation", "splink", "sql_dialect"), "spark", "splink.sql_dialect"),
        (("person", "splink", "comparisons", 0, "comparison_levels", 1, "sql_condition"), '"no_l" = "no_r"', "no_l"),
    ],
)
def test_a_faulty_file_is_refused_with_the_place_in_it(
    folder: Path, capsys: pytest.CaptureFixture[str], place: tuple[Any, ...], value: Any, path: str
) -> None:
    kehu(capsys, "export", "1", "model.json")
    body = json.loads((folder / "model.json").read_text())
    at = body
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    (folder / "model.json").write_text(json.dumps(body))
    _, err = kehu(capsys, "import", "model.json", code=3)
    assert path in err
    assert len(data(capsys, "versions")["versions"]) == 1


def test_a_switch_asks_compares_and_is_noted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kehu(capsys, "export", "1", "model.json")
    body = json.loads((folder / "model.json").read_text()) | {"accept_from": 50}
    (folder / "model.json").write_text(json.dumps(body))
    assert data(capsys, "import", "model.json")["number"] == 2
    compared = data(capsys, "compare", "1", "2")
    assert (compared["before"], compared["after"], compared["split"], compared["merged"]) == (3, 4, 1, 0)
    assert "add --yes" in kehu(capsys, "use", "2", code=2)[1]
    kehu(capsys, "use", "2", "--yes", "--by", "eve", "--reason", "a test")
    switch = data(capsys, "versions")["switches"][0]
    assert (switch["to_version"], switch["begun_by"], switch["reason"]) == (2, "eve", "a test")
    assert switch["changes"] == {"split": 1, "updated": 1}
    assert switch["finished_at"] is not None
    assert data(capsys, "explain", "sheet/customers/1", "sheet/customers/2")["same_customer"] is False


def test_a_version_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["show", "9"], ["use", "9", "--yes"], ["compare", "1", "9"], ["export", "9", "x.json"]):
        assert "There is no version 9" in kehu(capsys, *command, code=2)[1]


def test_blocks_are_listed_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No block has grown too large." in kehu(capsys, "blocks")[1]
    rows = "".join(f"{n},Ann Smith {n},ann{n}@example.com\n" for n in range(10, 60))
    (folder / "customers.csv").write_text(ROWS + rows)
    assert run(["sync", "run", "--full"]) == 0
    capsys.readouterr()
    found = data(capsys, "blocks")
    assert found[0]["size"] >= 50
    assert found[0]["pairs"] == found[0]["size"] * (found[0]["size"] - 1) // 2


def test_a_rebuild_by_another_engine_changes_no_customer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("splink")
    kehu(capsys, "rebuild", "--engine", "duckdb", "--by", "eve")
    switch = data(capsys, "versions")["switches"][0]
    assert (switch["from_version"], switch["to_version"], switch["begun_by"]) == (1, 1, "eve")
    assert set(switch["changes"].values()) <= {0}
    assert switch["finished_at"] is not None


def test_rules_are_weighed_by_no_engine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".kehu" / "kehu.db").unlink()
    (folder / "kehu.yaml").write_text(SETTINGS.replace("matching: {model: probability}", ""))
    assert run(["sync", "run"]) == 0
    capsys.readouterr()
    _out, err = kehu(capsys, "rebuild", "--engine", "duckdb", code=1)
    assert "matches by rules" in err
    assert data(capsys, "versions")["switches"] == []


def test_what_moved_on_is_told_and_proposed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No version that was learnt from your records is in force" in kehu(capsys, "due")[1]
    rows = "".join(f"{n},Kim Novak{n % 40},kim{n}@example.com\n" for n in range(10, 130))
    (folder / "customers.csv").write_text(ROWS + rows)
    assert run(["sync", "run", "--full"]) == 0
    capsys.readouterr()
    learnt = data(capsys, "versions")["versions"][0]
    assert (learnt["origin"], learnt["state"]) == ("calibrated", "active"), "the first load is over"
    assert data(capsys, "due") == {
        "drift": {"records": 124, "learnt_from": 124, "crowded": 0, "due": False},
        "proposal": None,
    }
    more = "".join(f"{n},Pat Moreau{n % 50},pat{n}@example.com\n" for n in range(200, 300))
    (folder / "customers.csv").write_text(ROWS + rows + more)
    assert run(["sync", "run", "--full"]) == 0
    capsys.readouterr()
    told = kehu(capsys, "due")[1]
    assert "Version 3 is proposed because the data moved on: 224 records now, learnt from 124." in told
    assert "kehu match compare 2 3" in told
    found = data(capsys, "versions")
    assert (found["proposal"]["version"], found["versions"][0]["state"]) == (3, "proposed")
