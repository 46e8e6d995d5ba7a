"""What is wrong with a configuration, in the user's language and without noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import BadConfiguration
from sync import language
from sync.errors import ConfigurationFaults
from sync.language import Phrase
from sync.project import Project

SHEET = "connections: {sheet: {connector: files, settings: {%s}}}\n"


def told(folder: Path, text: str, chosen: str = "en") -> list[str]:
    (folder / "kehu.yaml").write_text(text)
    with pytest.raises(BadConfiguration) as raised:
        Project.load(folder).open("sheet")
    error = raised.value
    faults = error.faults if isinstance(error, ConfigurationFaults) else [error]
    return [language.told(fault, chosen)[0] for fault in faults]


@pytest.mark.parametrize(
    ("text", "english", "chinese"),
    [
        ("web: {port: abc}", "web.port is not right: a whole number is wanted.", "应为整数"),
        ("web: {port: 70000}", "it must not be above 65,535.", "不得大于 65,535"),
        ("workers: {threads: 0}", "it must not be below 1.", "不得小于 1"),
        ("region: China", "two capital letters, e.g. CN, US or DE.", "两个大写字母"),
        ("web: {host: 0.0.0.0}", "serves this machine only", "仅限本机访问"),
        ("connections: []", "a block of settings is wanted.", "应为一组设置"),
        ("connectors: 5", "a text is wanted", "应为文本"),
    ],
)
def test_what_is_wrong_is_said_in_both_languages(tmp_path: Path, text: str, english: str, chinese: str) -> None:
    (found,) = told(tmp_path, text)
    assert found.startswith("kehu.yaml, line 1: ")
    assert english in found
    (found,) = told(tmp_path, text, "zh")
    assert chinese in found


def test_a_setting_that_was_left_empty_is_told_as_empty(tmp_path: Path) -> None:
    left = "connections: {sheet: {connector: tryton, settings: {base_url: , database: d, user: u, password: p}}}"
    (found,) = told(tmp_path, left)
    assert "the setting connections.sheet.settings.base_url is empty: write its value" in found


def test_a_connectors_own_reason_is_translated(tmp_path: Path) -> None:
    (found,) = told(tmp_path, SHEET % "", "zh")
    assert "请给出 streams 或 path 之一" in found


def test_the_member_of_a_union_that_was_not_meant_is_not_told(tmp_path: Path) -> None:
    found = told(tmp_path, SHEET % "streams: {customers: {pth: a.csv}}")
    assert len(found) == 2
    assert not any("customers.str" in one for one in found)


def test_numbers_that_are_names_have_no_separators_and_counts_do() -> None:
    assert language.text("{port} {count}", {"port": 43389, "count": 43389}) == "43389 43,389"


def test_a_phrase_is_translated_inside_another_text_and_english_by_itself() -> None:
    phrase = Phrase("it must not be above {limit}", limit=7)
    assert phrase == "it must not be above 7"
    assert language.text("{reason}!", {"reason": phrase}, "zh") == "不得大于 7!"
