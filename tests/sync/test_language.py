"""Two languages: every text a user can meet has both, with the same places."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime

import pytest

from connectors.auth.naming import naming_settings
from connectors.contract import Checked
from connectors.errors import BadConfiguration, BadCredentials, RetryLater
from sync import language
from tests.collected import templates

CHINESE = re.compile(r"[\u4e00-\u9fff]")
COMMAND = re.compile(r"`[^`]*`")


def places(text: str) -> set[str]:
    return {name for _literal, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}


def test_every_template_has_a_chinese_translation() -> None:
    catalogue = language.catalogue("zh")
    missing = {text: place for text, place in templates().items() if text not in catalogue}
    assert not missing, "\n".join(f"{place}: {text}" for text, place in missing.items())


def test_the_catalogue_holds_nothing_that_is_not_used() -> None:
    assert sorted(language.catalogue("zh").keys() - templates().keys()) == []


def test_translations_have_the_same_places() -> None:
    different = {k: v for k, v in language.catalogue("zh").items() if places(k) != places(v)}
    assert different == {}


def test_translations_are_chinese_and_keep_commands_as_they_are_typed() -> None:
    for english, chinese in language.catalogue("zh").items():
        if re.search(r"[A-Za-z]{4,}", COMMAND.sub("", re.sub(r"\{\w+\}", "", english))):
            assert CHINESE.search(chinese), english
        typed = {word for word in COMMAND.findall(english) if word.startswith("`kehu ")}
        assert typed == {word for word in COMMAND.findall(chinese) if word.startswith("`kehu ")}, english


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        (("zh_CN.UTF-8",), "zh"),
        ((None, "", "fr_FR", "zh-Hant"), "zh"),
        (("C.UTF-8", None), "en"),
        (("EN-gb", "zh"), "en"),
        ((), "en"),
    ],
)
def test_the_first_known_language_is_chosen(candidates: tuple[str | None, ...], chosen: str) -> None:
    assert language.choose(*candidates) == chosen


def test_a_passed_check_is_told_in_the_language() -> None:
    checked = Checked("The files can be read; streams: {streams}.", params={"streams": 2})
    assert str(checked) == "The files can be read; streams: 2."
    language.use("zh")
    try:
        assert language.passed(checked) == "2 个流的文件可以读取。"
        assert language.passed(Checked("Logged in as {odd.")) == "Logged in as {odd.", "plugins may say anything"
    finally:
        language.use("en")
    assert language.passed(checked) == str(checked)


def test_errors_are_told_with_message_and_remedy_in_the_language() -> None:
    error = RetryLater("There is no connection {name}. Configured: {names}.", name="erp", names="-")
    english, chinese = language.told(error, "en"), language.told(error, "zh")
    assert english[0] == "There is no connection erp. Configured: -."
    assert CHINESE.search(chinese[0])
    assert "erp" in chinese[0]
    assert CHINESE.search(chinese[1])


def test_a_text_without_translation_is_shown_in_english() -> None:
    assert language.text("Unheard of {x}", {"x": 1}, "zh") == "Unheard of 1"


def test_foreign_exceptions_are_told_by_their_text() -> None:
    assert language.told(ValueError("odd")) == ("odd", "")
    assert language.told(KeyError()) == ("KeyError", "")


def test_counts_and_moments_are_written_for_people() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    shown = language.text("{count} at {when}", {"count": 1234567, "when": moment}, "en")
    assert shown.startswith("1,234,567 at 2026-01-0")


def test_a_place_that_nobody_filled_reads_like_a_placeholder() -> None:
    error = BadConfiguration("Wrong.")
    assert language.told(error, "en")[1].endswith("`kehu connection test CONNECTION`.")


def test_an_error_that_tells_another_is_translated_whole() -> None:
    refused = "{connection}: the credentials were refused by {method} {path}{excerpt}"
    with pytest.raises(BadCredentials) as caught, naming_settings("crm", "api_key"):
        raise BadCredentials(refused, connection="crm", method="GET", path="/me", excerpt="")
    assert language.told(caught.value, "zh")[0] == "crm：GET /me 拒绝了凭据 需更正的设置：api_key。"
    assert str(caught.value) == "crm: the credentials were refused by GET /me Settings to correct: api_key."
