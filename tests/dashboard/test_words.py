"""Codes in words: fields, rules, states and kinds of change, in the visitor's language."""

from __future__ import annotations

from typing import get_args

from dashboard.showing import plain
from dashboard.words import word
from mappings.customer import Customer
from mappings.survivorship import Rule
from sync.runs.states import RunMode


def chinese(code: object) -> str:
    return word(code, "zh")


def test_every_field_rule_and_mode_has_a_word_in_both_languages() -> None:
    codes = [*Customer.model_fields, *get_args(Rule), *RunMode]
    without = [code for code in codes if code != "attributes" and chinese(code) == str(code)]
    assert without == []
    assert word("most_recent", "en") == "most recent"


def test_what_is_no_code_of_ours_stays_as_it_is() -> None:
    assert chinese("华强电子") == "华强电子"
    assert plain("open", chinese) == ["open"], "a name that happens to be a word of ours"


def test_a_refused_consent_does_not_look_like_a_given_one() -> None:
    refused = {"channel": "email", "granted": False, "source": "shop"}
    assert plain([refused], lambda code: word(code, "en")) == ["channel: email, not granted, source: shop"]
    assert plain([{**refused, "granted": True}], chinese) == ["渠道: email, 同意, 来源: shop"]
