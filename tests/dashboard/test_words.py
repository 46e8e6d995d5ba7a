"""Codes in words: fields, rules, states and kinds of change, in the visitor's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

from dashboard.rendering import told_moment
from dashboard.showing import Voice, plain
from dashboard.value_words import ACTION_WORDS
from dashboard.words import word
from mappings.customer import Customer
from mappings.survivorship import Rule
from sync.identity.permissions import SCOPES
from sync.runs.states import RunMode

ROOT = Path(__file__).parents[2]


def chinese(code: object) -> str:
    return word(code, "zh")


def test_every_field_rule_and_mode_has_a_word_in_both_languages() -> None:
    codes = [*Customer.model_fields, *get_args(Rule), *RunMode]
    without = [code for code in codes if code != "attributes" and chinese(code) == str(code)]
    assert without == []
    assert word("most_recent", "en") == "most recent"


def voice(language: str) -> Voice:
    moment = lambda value: told_moment(value, ZoneInfo("Asia/Shanghai"))  # noqa: E731
    return Voice(lambda code: word(code, language), moment)


def test_what_is_no_code_of_ours_stays_as_it_is() -> None:
    assert chinese("华强电子") == "华强电子"
    assert plain("open", voice("zh"), "name") == ["open"], "a name that happens to be a word of ours"
    assert plain("active", voice("zh"), "owner") == ["active"]
    assert plain({"value": "1", "label": "open"}, voice("zh"), "phones") == ["1 (类别: open)"]


def test_a_refused_consent_does_not_look_like_a_given_one() -> None:
    refused = {"channel": "email", "granted": False, "source": "shop"}
    assert plain([refused], voice("en")) == ["channel: by email, not granted, source: shop"]
    assert plain([{**refused, "granted": True}], voice("zh")) == ["渠道: 电子邮件, 同意, 来源: shop"]


def test_codes_inside_values_are_told_in_words() -> None:
    zh = voice("zh")
    assert plain("organisation", zh, "kind") == ["机构"]
    assert plain([{"value": "a@b.example", "label": "work", "verified": True}], zh) == ["a@b.example (工作, 已核实)"]
    assert plain([{"value": "91350211M000100Y43", "scheme": "cn.uscc"}], zh) == [
        "91350211M000100Y43 (统一社会信用代码)"
    ]
    assert plain([{"value": "7", "scheme": "odoo.vat"}], zh) == ["7 (类型: odoo.vat)"]


def test_the_record_of_an_organisation_is_told_as_people_write_it() -> None:
    reference = {"connection": "erp", "stream": "customers", "source_id": "13", "part": "branch:3", "role": "财务"}
    assert plain(reference, voice("zh"), "organisation") == ["erp/customers/13#branch:3 (角色: 财务)"]
    assert plain({"source_id": "13"}, voice("en"), "organisation") == ["13"]
    assert plain({"source_id": "#", "role": "finance"}, voice("en"), "organisation") == [
        "of the same record (role: finance)"
    ]


def test_moments_are_told_in_the_zone_of_the_project_and_what_looks_like_one_stays() -> None:
    assert plain("2026-03-12T00:45:54+00:00", voice("zh"), "last_contact_at") == ["2026-03-12 08:45:54 CST"]
    assert plain("2026-13-12T00:45:54Z", voice("zh")) == ["2026-13-12T00:45:54Z"]
    assert plain("1980-01-02", voice("zh"), "birth_date") == ["1980-01-02"]


def recorded(path: Path) -> Iterator[str]:
    """The actions that a module records by a literal name: ``record(connection, actor, "…", …)``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "record":
            third = node.args[2] if len(node.args) > 2 else None
            if isinstance(third, ast.Constant) and isinstance(third.value, str):
                yield third.value


def test_the_audit_log_s_actions_have_words() -> None:
    found = {
        one for folder in ("sync", "dashboard") for path in (ROOT / folder).rglob("*.py") for one in recorded(path)
    }
    assert len(found) > 30
    assert {f"action {one}" for one in found} - ACTION_WORDS.keys() == set()


def test_a_company_is_told_by_name_where_it_is_known() -> None:
    known = Voice(companies={"erp/customers/13": "华强电子"})
    reference = {"connection": "erp", "stream": "customers", "source_id": "13", "role": "finance"}
    assert plain(reference, known, "organisation") == ["华强电子 (role: finance)"]
    assert plain({**reference, "source_id": "14"}, known, "organisation") == ["erp/customers/14 (role: finance)"]


def test_phones_and_addresses_read_as_people_write_them() -> None:
    zh = voice("zh")
    assert plain([{"value": "+8613812345678", "label": "mobile"}], zh, "phones") == ["+86 138 1234 5678 (手机)"]
    assert plain([{"label": "shipping", "country": "CN", "city": "义乌", "street": "港口路1号"}], zh, "addresses") == [
        "义乌港口路1号 CN (收货)"
    ]
    assert plain([{"label": "billing"}], voice("en"), "addresses") == ["for invoices"]


def test_every_permission_is_told_in_words() -> None:
    assert [scope for scope in SCOPES if chinese(f"may {scope}") == f"may {scope}"] == []
