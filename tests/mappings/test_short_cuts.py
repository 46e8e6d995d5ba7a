"""Usual values take short cuts through mapping and comparing: what they come to is what the long way gives."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import targets
from mappings.compile import Mapper, MappingDefaults, compile_mapping
from mappings.errors import RecordInvalid
from mappings.filling import Field, Notes, fill, filling
from mappings.matching.rules import RuleMatcher
from mappings.normalise import divisions as divisions_module
from mappings.normalise import names, organisations
from mappings.normalise.addresses import normalise_postcode
from mappings.normalise.divisions import divisions, leading_city, leading_province
from mappings.readings import set_postcode
from mappings.sources import failing
from mappings.spec import load_spec
from mappings.values import TextUpTo

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just("x" * 20))
NAMES = st.one_of(
    st.lists(
        st.sampled_from("Wei Zhang ouyang N/A x 0 Mr Jr Smith O'Brien Jürgen 张伟 (VIP) not available 12".split()),  # noqa: SIM905
        max_size=4,
    ).map(" ".join),
    st.text("aZ x0-/张ü\t(", max_size=8),
)


def mapper(body: str) -> Mapper:
    return compile_mapping(
        load_spec("customer:\n  kind: person\n  name: name\n" + body), defaults=MappingDefaults(region="CN")
    )


def outcome(mapping: Mapper, record: dict[str, Any]) -> object:
    try:
        found = mapping.explain(record)
    except RecordInvalid as error:
        return str(error)
    return found.mapped, [str(note) for note in found.notes]


CONTACTS = mapper("""\
  emails: [email, {from: work, label: work, verified: true}]
  phones: [phone, {from: mobile, label: mobile}]
""")
EMAILS = ["Ann@Shop.CN", "a@b.cn", "a@b.cn\n", "a@b", "a@b.cn; c@d.cn", "Ann <a@b.cn>", "a@münchen.de", "", " ", "@"]
NUMBERS = ["+8613912345678", "139 1234 5678", "0755-86013388", "+1 202 456 1111", "12345", "+86", "139…", "", "+0", " "]


@given(
    st.fixed_dictionaries({field: st.one_of(SCALARS, st.sampled_from(EMAILS)) for field in ("email", "work")}),
    st.fixed_dictionaries({field: st.one_of(SCALARS, st.sampled_from(NUMBERS)) for field in ("phone", "mobile")}),
)
def test_a_contact_alone_is_read_as_in_a_list_of_one(emails: dict[str, Any], phones: dict[str, Any]) -> None:
    record = {"name": "Ann Lee", **emails, **phones}
    listed = {field: value if field == "name" or value is None else [value] for field, value in record.items()}
    assert outcome(CONTACTS, record) == outcome(CONTACTS, listed)


def field(name: str, nested: tuple[str, str] | None) -> Field:
    outer, inner = nested or (name, "")

    def get(item: Any, root: Any) -> Any:
        value = item.get(outer) if isinstance(item, dict) else None
        return (value.get(inner) if isinstance(value, dict) else None) if nested else value

    return Field(name, None, get, TextUpTo(9), failing(name, "drop", 0), nested)


FIELDS = st.lists(
    st.builds(
        field,
        st.sampled_from("abc"),
        st.one_of(st.none(), st.tuples(st.sampled_from(["one", "two"]), st.sampled_from("xy"))),
    ),
    max_size=6,
)
ITEMS = st.one_of(
    SCALARS,
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "one", "two"]),
        st.one_of(SCALARS, st.dictionaries(st.sampled_from("xy"), SCALARS), st.lists(SCALARS, max_size=1)),
    ),
)


@given(FIELDS, ITEMS)
def test_neighbouring_fields_of_one_object_are_read_as_each_would_be(fields: list[Field], item: Any) -> None:
    together: dict[str, Any] = {}
    one_by_one: dict[str, Any] = {}
    notes: Notes = []
    single_notes: Notes = []
    fill(filling(fields), item, item, together, notes)
    for one in fields:
        fill(filling([one]), item, item, one_by_one, single_notes)
    assert list(together.items()) == list(one_by_one.items())
    assert [str(note) for note in notes] == [str(note) for note in single_notes]


def test_a_value_that_cannot_be_read_never_keeps_the_text_of_the_field_before_it() -> None:
    mapping = mapper("  owner: {from: deep.owner, do: [multiply: 2], on_error: keep_raw}\n")
    (mapped,) = mapping({"name": "Ann", "deep": {"owner": "east"}})
    assert mapped.customer["owner"] == "east"


@given(
    st.text("0123456789", min_size=1, max_size=40),
    st.sampled_from(["CN", "US", "DE", "FR", "GB", "CA", "NL", "JP", "IT", None]),
)
def test_a_postcode_of_digits_is_brought_into_its_countrys_form(written: str, country: str | None) -> None:
    entry = {"postcode": written, **({"country": country} if country else {})}
    set_postcode(entry)
    assert entry["postcode"] == (normalise_postcode(written, country) or written.upper()[:20])


@given(
    st.one_of(
        st.text(max_size=30),
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["", "https://", "HTTP://", "ftp://"]),
            st.text("ab.-:张 @\u3000", max_size=9),
            st.sampled_from(["", ".cn", ".cn/a b", ".cn:80/?x=<", ".cn/#é", ".c"]),
        ),
    )
)
def test_web_addresses_of_printable_text_are_told_as_those_of_any(text: str) -> None:
    if text.isprintable():
        assert bool(targets._PRINTABLE_WEBSITE.match(text)) == bool(re.match(targets._WEBSITE, text))


@given(
    st.one_of(
        st.text(max_size=12), st.from_regex(r"[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{1,4}){0,2}(\.UTF-8)?", fullmatch=True)
    )
)
def test_a_language_known_from_before_is_read_as_one_behind_blanks(text: str) -> None:
    def read(value: str) -> str | None:
        try:
            return targets.language(value)
        except RecordInvalid as error:
            return error.rule

    assert read(text) == read(" " * 40 + text)


@given(NAMES)
def test_plain_names_have_the_words_that_they_have_looked_at_closely(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "_plain_words", lambda text: None)
        closely = names.person_tokens(text)
    assert names.person_tokens(text) == closely


def test_text_that_is_no_utf_8_costs_its_neighbours_no_other_key() -> None:
    def keys(*contacts: str) -> list[int]:
        return RuleMatcher().keys(("p", ["ann lee"], [], [], list(contacts), [], [], [], "", ""))

    assert keys("p:1", "p:\ud800") == [*keys("p:1"), *keys("p:\ud800")]


HAN = st.one_of(
    st.text("深圳市上海广东省北京通州贸易科技有限公司店行aＡ路", max_size=12), st.sampled_from([*divisions().cities])
)


@given(HAN, st.text("路大道街市科技", max_size=3))
def test_a_place_at_the_start_is_the_longest_that_the_table_names(place: str, rest: str) -> None:
    text, known = place + rest, divisions()
    for table, found in ((known.provinces, leading_province(text)), (known.cities, leading_city(text))):
        lengths = [
            length
            for length in range(2, len(text) + 1)
            if text[:length] in table and not text.startswith(divisions_module._STREET, length)
        ]
        assert found.length == max(lengths, default=0)


@given(HAN, st.lists(st.sampled_from(sorted(organisations._TRADES)), max_size=2).map("".join))
def test_a_trade_at_the_end_is_the_longest_that_leaves_two_characters(start: str, end: str) -> None:
    text = start + end
    found = [trade for trade in organisations._TRADES if text.endswith(trade) and len(text) - len(trade) >= 2]
    assert organisations._suffix(text, organisations._TRADES_BY_END) == max(found, key=len, default="")
