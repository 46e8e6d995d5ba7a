"""`kehu steward`: every command, its JSON, its dry run, its exit codes."""

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
  erp:
    connector: files
    settings: {streams: {customers: {path: erp.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml}}
  shop:
    connector: files
    settings: {streams: {customers: {path: shop.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml}}
"""
MAPPING = """
customer:
  kind: person
  name: name
  emails: [email]
  birth_date: born
  identifiers: [{from: vat, scheme: eu.vat}]
"""
ERP = "id,name,email,born,vat\n1,Ann Li,ann@example.com,1980-01-01,\n2,Bob Wu,bob@example.com,,\n"
SHOP = "id,name,email,born,vat\n7,Ann Li,ann@example.com,1980-01-01,\n8,Jo Wu,bob@example.com,,\n9,Zoe,,,\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEHU_LANG", "en")
    language.use("en")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text(MAPPING)
    (tmp_path / "erp.csv").write_text(ERP)
    (tmp_path / "shop.csv").write_text(SHOP)
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    run(["sync", "run"])
    return tmp_path


def kehu(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def data(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    got, out, err = kehu(capsys, *arguments, "--json")
    assert got == code, err
    return json.loads(out)["data"]


def test_a_decision_is_rehearsed_made_listed_and_undone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = ("erp/customers/2", "shop/customers/8")
    tried = data(capsys, "steward", "decide", *pair, "same", "--dry-run")
    assert (tried["decision"], len(tried["before"]), len(tried["after"])) == (None, 2, 1)
    assert data(capsys, "steward", "log") == []
    code, out, err = kehu(capsys, "steward", "decide", *pair, "same", "--by", "Mia", "--reason", "met him")
    assert code == 0
    assert "Decision 1 is in effect." in err
    assert "Next: kehu steward undo 1" in err
    assert [line.split("\t")[0] for line in out.splitlines()] == ["before", "before", "after"]
    entry = data(capsys, "steward", "log", "shop/customers/8")[0]
    assert (entry["by"], entry["reason"], entry["sides"]) == ("Mia", "met him", [[pair[0]], [pair[1]]])
    assert len(data(capsys, "steward", "undo", "1")["after"]) == 2
    assert data(capsys, "steward", "log")[1]["undone_by"] == 2


def test_a_sync_does_not_undo_what_was_decided(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = data(capsys, "master", "get", "erp/customers/1")["id"]
    excluded = data(capsys, "steward", "exclude", number, "shop/customers/7")
    assert len(excluded["after"]) == 2
    data(capsys, "steward", "pin", number, "name", "Dr Ann Li")
    (folder / "erp.csv").write_text(ERP.replace("1980-01-01", "1980-01-02"))
    assert run(["sync", "run", "--full"]) == 0
    shown = data(capsys, "master", "get", "erp/customers/1")
    assert shown["golden"]["name"] == "Dr Ann Li"
    assert shown["golden"]["birth_date"] == "1980-01-02"
    assert len(shown["sources"]) == 1


def test_a_merge_that_is_blocked_lists_all_reasons(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (data(capsys, "master", "get", key)["id"] for key in ("erp/customers/2", "shop/customers/9"))
    data(capsys, "steward", "decide", "erp/customers/2", "shop/customers/9", "different")
    found = data(capsys, "steward", "merge", one, other, "C0000000000000", code=1)
    assert [blocker["code"] for blocker in found] == ["unknown_id", "kept_apart"]
    code, _out, err = kehu(capsys, "steward", "merge", one, other, "C0000000000000")
    assert code == 1
    assert "kept_apart: Decision 1 of" in err
    assert "reasons: 2" in err


def test_customers_are_merged_and_unmerged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [data(capsys, "master", "get", key)["id"] for key in ("erp/customers/2", "shop/customers/9")]
    before = data(capsys, "steward", "merge", *ids, "--dry-run")["before"]
    merged = data(capsys, "steward", "merge", *ids)["after"]
    assert [len(one["records"]) for one in merged] == [2]
    assert data(capsys, "steward", "unmerge", ids[1])["after"] == before
    code, _out, err = kehu(capsys, "steward", "unmerge", ids[0])
    assert code == 1
    assert "No steward merged anything" in err


def test_values_are_pinned_listed_and_unpinned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = data(capsys, "master", "get", "erp/customers/2")["id"]
    data(capsys, "steward", "pin", number, "emails", '[{"value": "bob@new.example"}]')
    data(capsys, "steward", "pin", number, "name", "--empty")
    golden = data(capsys, "master", "get", number)["golden"]
    assert golden["emails"] == [{"value": "bob@new.example"}]
    assert "name" not in golden
    assert [one["field"] for one in data(capsys, "steward", "pins", number)] == ["emails", "name"]
    data(capsys, "steward", "unpin", number, "name")
    data(capsys, "steward", "unpin", number, "emails")
    assert data(capsys, "master", "get", number)["golden"]["name"] == "Bob Wu"
    code, _out, err = kehu(capsys, "steward", "unpin", number, "name")
    assert (code, "is not pinned" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("decide", "erp/customers/2", "erp/customers/99", "same"), "No customer has a source record"),
        (("decide", "erp/customers/2", "erp/customers/1", "perhaps"), "Usage error"),
        (("exclude", "nobody", "erp/customers/1"), "There is no customer nobody"),
        (("pin", "nobody", "name"), "Give a value"),
        (("pin", "nobody", "emails", "a@b"), "must be JSON"),
        (("undo", "7"), "There is no decision 7"),
        (("decide", "erp/customers/2", "erp/customers/1", "same", "--by", " "), "who decides?"),
    ],
)
def test_misuse_ends_with_2_and_says_what_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = kehu(capsys, "steward", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_the_queue_shows_what_only_a_person_can_decide(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data(capsys, "steward", "queue") == []
    # The same name and mailbox, but two different valid tax numbers: the rules keep them apart and leave the evidence.
    (folder / "erp.csv").write_text(ERP + "5,Acme,hq@acme.example,,DE136695976\n")
    (folder / "shop.csv").write_text(SHOP + "6,Acme,hq@acme.example,,DE129274202\n")
    assert run(["sync", "run", "--full"]) == 0
    (found,) = data(capsys, "steward", "queue")
    assert (found["left"]["record"], found["right"]["record"]) == ("erp/customers/5", "shop/customers/6")
    assert (found["rule"], found["records"]) == ("different tax numbers", 2)
    code, _out, err = kehu(capsys, "steward", "queue")
    assert code == 0
    assert "Next: kehu steward decide erp/customers/5 shop/customers/6 same --dry-run" in err
    blocked = data(capsys, "steward", "merge", found["left"]["customer"], found["right"]["customer"], code=1)
    assert [one["code"] for one in blocked] == ["different_tax_ids"]
    assert len(data(capsys, "steward", "decide", "erp/customers/5", "shop/customers/6", "same")["after"]) == 1
    assert data(capsys, "steward", "queue") == []


def test_everything_speaks_chinese(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = data(capsys, "master", "get", "erp/customers/1")["id"]
    code, _out, err = kehu(capsys, "steward", "merge", number, number, "--lang", "zh")
    assert code == 1
    assert "too_few: 合并" in err
    assert "无法合并" in err
