"""`kehu connector` shows how good a connector is, in both languages."""

from __future__ import annotations

import orjson
import pytest

from sync.cli import run


@pytest.mark.parametrize(
    ("language", "grade", "open_rule", "unverified"),
    [
        ("en", "gold", "tested against a simulator", "how many calls at once a licence allows"),
        ("zh", "金级", "仅按公开接口的模拟服务测试", "许可允许的并发调用数"),
    ],
)
def test_list_and_show_tell_the_grade(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    grade: str,
    open_rule: str,
    unverified: str,
) -> None:
    monkeypatch.setenv("KEHU_LANG", language)
    assert run(["connector", "list"]) == 0
    rows = {line.split("\t")[0]: line.split("\t") for line in capsys.readouterr().out.splitlines()}
    assert rows["tryton"][3] == grade
    assert run(["connector", "show", "kingdee"]) == 0
    shown = capsys.readouterr()
    assert f"real_system\t{open_rule}" in shown.out
    assert unverified in shown.err


def test_what_stays_unverified_is_data_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["connector", "list", "--json"]) == 0
    found = {one["id"]: one for one in orjson.loads(capsys.readouterr().out)["data"]}
    assert found["odoo"]["grade"] == "gold"
    assert found["youzan"]["unverified"]
    assert found["files"]["unverified"] == []
