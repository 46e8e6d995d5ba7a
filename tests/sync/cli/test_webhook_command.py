"""``kehu webhook`` as people type it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from sync.cli import run as invoke
from tests.webhook_receiver import receiver


@pytest.fixture
def kehu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    (tmp_path / "kehu.yaml").write_text("language: en\nwebhooks: {allow_private: [127.0.0.1]}\n")

    def run(*arguments: str) -> tuple[int, str, str]:
        code: Any = invoke(["-C", str(tmp_path), *arguments])
        said = capsys.readouterr()
        return int(code or 0), said.out, said.err

    return run


def test_a_webhook_is_added_tested_disabled_rotated_replayed_and_removed(
    kehu: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    with receiver(tmp_path) as other:
        code, out, _ = kehu("webhook", "add", other.url, "--event", "customer.merged", "--json")
        assert code == 0
        made = orjson.loads(out)["data"]
        assert made["secret"].startswith("whsec_")
        number = made["id"]
        assert kehu("webhook", "test", number)[0] == 0
        other.told(default="fail")
        code, _, said = kehu("webhook", "test", number)
        assert code == 1
        assert "answered 500" in said
    assert number in kehu("webhook", "list")[1]
    shown = orjson.loads(kehu("webhook", "show", number, "--json")[1])["data"]
    assert [one["outcome"] for one in shown["deliveries"]] == ["failed", "delivered"]
    assert made["secret"] not in str(shown)
    assert kehu("webhook", "disable", number)[0] == 0
    assert "disabled" in kehu("webhook", "show", number)[1]
    assert kehu("webhook", "enable", number)[0] == 0
    assert kehu("webhook", "rotate", number)[1].startswith("whsec_")
    assert kehu("webhook", "replay", number, "--from", "1")[0] == 0
    assert kehu("webhook", "remove", number, "--yes")[0] == 0
    code, _, said = kehu("webhook", "show", number)
    assert code != 0
    assert "There is no webhook" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "https://127.0.0.2/"), "allow_private"),
        (("add", "shop.example/hooks"), "https://"),
        (("add", "https://1.1.1.1/", "--event", "customer.sold"), "customer.merged"),
    ],
)
def test_likely_mistakes_are_told_with_what_to_do(
    kehu: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], said: str
) -> None:
    code, _, told = kehu("webhook", *arguments)
    assert code != 0
    assert said in told
