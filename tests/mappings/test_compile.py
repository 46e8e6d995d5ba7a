"""Compiled mappings: records in, canonical customers out."""

import threading
from typing import Any

import pytest

from mappings.compile import Mapper, MappingDefaults, compile_mapping
from mappings.contract import CompiledMapping
from mappings.customer import Customer
from mappings.errors import RecordInvalid
from mappings.spec import load_spec


def mapper(text: str, **defaults: Any) -> Mapper:
    return compile_mapping(load_spec(text), defaults=MappingDefaults(**defaults))


def customer(body: str, record: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    (mapped,) = mapper("customer:\n  kind: organisation\n" + body, **defaults)(record)
    Customer.model_validate(mapped.customer)
    return dict(mapped.customer)


def test_a_mapper_is_a_compiled_mapping() -> None:
    mapping: CompiledMapping = mapper("customer: {kind: person, name: n}")
    assert mapping({"n": "张伟"}) == [("", {"kind": "person", "name": "张伟"})]


def test_a_whole_customer_from_chinese_columns() -> None:
    body = """
  name: 客户名称
  legal_name: [发票抬头, 客户名称]
  identifiers: {scheme: cn.uscc, from: 税号}
  phones: [{from: 手机, label: mobile}, 电话]
  emails: 邮箱
  addresses: {label: registered, text: 地址, split: true}
  status: {from: 状态, table: {正常: active, "*": inactive}}
  currency: 币别
  credit_limit: 信用额度
  source_changed_at: 修改时间
"""
    record = {
        "客户名称": " 深圳市甲科技有限公司 ",
        "税号": "91440300708461136T",
        "手机": "138 1234 5679",
        "电话": "0755-26001234",
        "邮箱": "A@x.cn；b@y.com",
        "地址": "广东省深圳市南山区科技园1号",
        "状态": "正常",
        "币别": "人民币",
        "信用额度": "¥1,234.50",
        "修改时间": "2026年1月2日 03:04",
        "别的": 1,
    }
    assert customer(body, record, timezone="Asia/Shanghai") == {
        "kind": "organisation",
        "name": "深圳市甲科技有限公司",
        "legal_name": "深圳市甲科技有限公司",
        "status": "active",
        "currency": "CNY",
        "credit_limit": "1234.5",
        "source_changed_at": "2026-01-01T19:04:00+00:00",
        "identifiers": [{"scheme": "cn.uscc", "value": "91440300708461136T", "valid": True}],
        "emails": [{"value": "a@x.cn"}, {"value": "b@y.com"}],
        "phones": [{"value": "+8613812345679", "label": "mobile"}, {"value": "+8675526001234"}],
        "addresses": [
            {
                "label": "registered",
                "text": "广东省深圳市南山区科技园1号",
                "region": "广东省",
                "city": "深圳市",
                "district": "南山区",
                "street": "科技园1号",
            }
        ],
    }


def test_keys_come_in_the_same_order_whatever_the_order_in_the_file() -> None:
    record = {"n": "x", "w": "x.cn", "o": "王"}
    first = customer("  name: n\n  website: w\n  owner: o\n", record)
    second = customer("  owner: o\n  website: w\n  name: n\n", record)
    assert list(first.items()) == list(second.items())


@pytest.mark.parametrize("empty", [None, "", "  ", [], {}, False, float("nan")])
def test_no_value_leaves_no_key(empty: object) -> None:
    body = "  name: n\n  owner: x\n  emails: x\n  phones: x\n  addresses: {city: x, label: home}\n  tags: x\n"
    assert customer(body, {"n": "甲", "x": empty}) == {"kind": "organisation", "name": "甲"}


def test_a_record_that_identifies_nobody_is_refused_with_what_was_dropped() -> None:
    with pytest.raises(RecordInvalid, match=r"nobody can be recognised.*nonsense.*is no email") as caught:
        customer("  emails: mail\n", {"mail": "nonsense"})
    assert caught.value.rule == "identity"


def test_a_bad_value_names_path_value_rule_and_remedy() -> None:
    with pytest.raises(RecordInvalid) as caught:
        customer("  name: n\n  credit_limit: terms.limit\n", {"n": "甲", "terms": {"limit": "much"}})
    error = caught.value
    assert (error.path, error.rule, error.value) == ("terms.limit", "type", "much")
    assert "terms.limit: expected a number, found much" in str(error)
    assert error.remedy


@pytest.mark.parametrize(
    ("body", "bad", "kept"),
    [
        ("  emails: {from: x}\n", "nonsense", None),
        ("  emails: {from: x, on_error: keep_raw}\n", "nonsense", [{"value": "nonsense"}]),
        ("  phones: x\n", "12", None),
        ("  phones: x\n", "123456", [{"value": "123456"}]),
        ("  identifiers: {scheme: cn.uscc, from: x}\n", "0000000", None),
        (
            "  identifiers: {scheme: cn.uscc, from: x}\n",
            "91440300708461136X",
            [{"scheme": "cn.uscc", "value": "91440300708461136X"}],
        ),
        ("  website: x\n", "no page", None),
        ("  language: x\n", "中文", None),
        ("  birth_date: x\n", "1900-01-01", None),
        ("  owner: {from: x, on_error: keep_raw}\n", "a" * 300, "a" * 200),
        ("  currency: {from: x, on_error: drop}\n", "coins", None),
    ],
)
def test_the_policy_decides_what_becomes_of_a_bad_value(body: str, bad: str, kept: object) -> None:
    mapping = mapper("customer:\n  kind: organisation\n  name: n\n" + body)
    mapped, notes = mapping.explain({"n": "甲", "x": bad})
    found = {key: value for key, value in mapped[0].customer.items() if key not in ("kind", "name")}
    assert list(found.values()) == ([] if kept is None else [kept])
    kept_in_full = bad in ("123456", "91440300708461136X")
    assert [note.path for note in notes] == ([] if kept_in_full else ["x"])


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("  emails: {from: x, on_error: reject}\n", "email"),
        ("  phones: {from: x, on_error: reject}\n", "phone"),
        ("  website: {from: x, on_error: reject}\n", "website"),
        ("  currency: x\n", "currency"),
        ("  status: x\n", "status"),
        ("  source_changed_at: x\n", "date"),
        ("  owner: {from: missing, required: true}\n", "required"),
        ("  status: {from: x, table: {a: active}}\n", "lookup"),
        ("  owner: '=$number(x)'\n", "expression"),
    ],
)
def test_what_must_be_right_rejects_the_record(body: str, rule: str) -> None:
    with pytest.raises(RecordInvalid) as caught:
        customer("  name: n\n" + body, {"n": "甲", "x": "§"})
    assert caught.value.rule == rule


@pytest.mark.parametrize("value", [{"a": 1}, ["x", "y"], True])
def test_a_value_of_another_type_is_rejected_not_guessed(value: object) -> None:
    for body in ("  name: x\n", "  name: n\n  credit_limit: x\n", "  name: n\n  source_changed_at: x\n"):
        with pytest.raises(RecordInvalid) as caught:
            customer(body, {"n": "甲", "x": value})
        assert caught.value.rule in ("type", "date")


def test_lists_repeat_over_items_with_labels_from_the_items() -> None:
    body = """
  name: n
  phones: {each: phones, from: no, label: {from: kind, table: {M: mobile, "*": work}}, verified: ok}
  identifiers: {each: ids, scheme: {from: type}, from: value}
  addresses: {each: places, country: land, street: {concat: [a, b], with: ", "}, postcode: zip}
  consents: {each: consents, channel: {from: by}, granted: {from: out, do: negate}, source: shop, purpose: news}
"""
    record = {
        "n": "Acme",
        "phones": [
            {"no": "13812345679", "kind": "M", "ok": True},
            {"no": "0755-26001234", "kind": "?", "ok": False},
            {},
        ],
        "ids": [{"type": "eu.vat", "value": "DE 136695976"}, {"type": "duns", "value": "15-048-3782"}],
        "places": [{"land": "德国", "a": "Hauptstr. 1", "b": "Hof", "zip": "10115"}, {"land": ""}],
        "consents": [{"by": "email", "out": "1"}, {"by": "微信", "out": 0}, {"by": "email"}],
    }
    found = customer(body, record)
    assert found["phones"] == [
        {"value": "+8613812345679", "label": "mobile", "verified": True},
        {"value": "+8675526001234", "label": "work"},
    ]
    assert found["identifiers"] == [
        {"scheme": "eu.vat", "value": "DE136695976", "valid": True},
        {"scheme": "duns", "value": "150483782"},
    ]
    assert found["addresses"] == [{"country": "DE", "street": "Hauptstr. 1, Hof", "postcode": "10115"}]
    assert found["consents"] == [
        {"channel": "email", "purpose": "news", "granted": False, "source": "shop"},
        {"channel": "wechat", "purpose": "news", "granted": True, "source": "shop"},
    ]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ('"Ann" <a@x.cn>; b@y.cn', ["a@x.cn", "b@y.cn"]),
        ("Ann <a@x.cn>, Bo <b@y.cn>", ["a@x.cn", "b@y.cn"]),
        ('"Lee, Ann" <a@x.cn>', ["a@x.cn"]),
        ("a@x.cn,b@y.cn ，c@z.cn\nd@z.cn", ["a@x.cn", "b@y.cn", "c@z.cn", "d@z.cn"]),
        ("a@x.cn b@y.cn", ["a@x.cn", "b@y.cn"]),
        ("a@x.cn; see memo", ["a@x.cn"]),
    ],
)
def test_no_address_of_a_field_with_several_is_lost(text: str, addresses: list[str]) -> None:
    found = customer("  emails: e\n", {"e": text})["emails"]
    assert [email["value"] for email in found] == addresses


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("13812345679, 13912345678", ["+8613812345679", "+8613912345678"]),
        ("13812345679;13912345678", ["+8613812345679", "+8613912345678"]),
        ("0755-26001234/139 1234 5678", ["+8675526001234", "+8613912345678"]),
        (13812345679.0, ["+8613812345679"]),
        ("１３８１２３４５６７９", ["+8613812345679"]),
    ],
)
def test_no_number_of_a_field_with_several_is_lost(text: object, numbers: list[str]) -> None:
    assert [phone["value"] for phone in customer("  phones: p\n", {"p": text})["phones"]] == numbers


def test_an_extension_comes_from_the_number_or_from_its_own_field() -> None:
    body = "  phones: [{from: a, extension: x}, {from: b, extension: x, label: work}]\n"
    found = customer(body, {"a": "0755-26001234转12", "b": "010-62551234", "x": 99})["phones"]
    assert found == [
        {"value": "+8675526001234", "extension": "12"},
        {"value": "+861062551234", "extension": "99", "label": "work"},
    ]


def test_a_number_without_a_scheme_is_left_out_and_noted() -> None:
    text = "customer: {kind: person, name: n, identifiers: {each: ids, scheme: {from: type}, from: code}}"
    mapped, notes = mapper(text).explain({"n": "甲", "ids": [{"code": "X1234"}, {"type": "duns", "code": "150483782"}]})
    assert mapped[0].customer["identifiers"] == [{"scheme": "duns", "value": "150483782"}]
    assert [note.rule for note in notes] == ["identifier"]


def test_an_unknown_word_of_a_table_is_refused_with_the_words_it_knows() -> None:
    with pytest.raises(RecordInvalid, match=r"knows: a, b$"):
        customer("  name: n\n  status: {from: s, table: {A: active, B: inactive}}\n", {"n": "甲", "s": "C"})


def test_repeats_are_folded_and_what_only_a_repeat_says_is_kept() -> None:
    found = customer("  emails: [a, {from: b, label: work}, c]\n", {"a": "X@y.cn", "b": "x@Y.cn", "c": "z@y.cn"})
    assert found["emails"] == [{"value": "x@y.cn", "label": "work"}, {"value": "z@y.cn"}]


def test_no_more_entries_are_kept_than_the_model_allows_and_it_is_noted() -> None:
    mapping = mapper("customer: {kind: organisation, name: n, emails: e}")
    mapped, notes = mapping.explain({"n": "x", "e": [f"a{i}@x.cn" for i in range(80)]})
    assert len(mapped[0].customer["emails"]) == 50
    assert notes[0].rule == "count"


COMPANY = """
when: {not: {field: type, equals: internal}}
customers:
  - kind: {from: is_company, table: {"true": organisation, "false": person}}
    name: name
  - part: contact
    each: contacts
    key: [id, mail]
    kind: person
    name: name
    emails: mail
    organisation: {role: title}
    attributes: {}
  - part: owner
    when: {field: owner, exists: true}
    kind: person
    name: owner
"""


def test_a_company_and_its_contacts_are_several_customers_with_stable_parts() -> None:
    contacts = [{"id": 7, "name": "张伟", "title": "采购"}, {"mail": "Li@x.cn"}, {"id": 9, "title": "nobody"}]
    record = {"is_company": True, "name": "甲公司", "contacts": contacts, "owner": "王芳"}
    assert mapper(COMPANY)(record) == [
        ("", {"kind": "organisation", "name": "甲公司"}),
        ("contact:7", {"kind": "person", "name": "张伟", "organisation": {"source_id": "#", "role": "采购"}}),
        ("contact:Li@x.cn", {"kind": "person", "emails": [{"value": "li@x.cn"}], "organisation": {"source_id": "#"}}),
        ("owner", {"kind": "person", "name": "王芳", "organisation": {"source_id": "#"}}),
    ]
    reordered = {**record, "contacts": contacts[::-1]}
    assert sorted(map(repr, mapper(COMPANY)(reordered))) == sorted(map(repr, mapper(COMPANY)(record)))


def test_contacts_of_a_person_refer_to_no_organisation() -> None:
    record = {"is_company": False, "name": "张伟", "contacts": [{"id": 1, "name": "李四"}]}
    assert mapper(COMPANY)(record)[1].customer == {"kind": "person", "name": "李四"}


def test_records_that_a_condition_leaves_out_give_no_customer() -> None:
    assert mapper(COMPANY)({"type": "Internal", "is_company": True, "name": "甲"}) == []


@pytest.mark.parametrize(
    ("contacts", "path"),
    [
        ([{"id": 1, "name": "a"}, {"name": "b"}], "contacts[1].id | mail"),
        ([{"id": 1, "name": "a"}, {"id": "1", "name": "b"}], "contact"),
        ([{"id": 1, "name": {"first": "a"}}], "contacts[0].name"),
    ],
)
def test_an_error_in_an_item_names_the_item(contacts: list[dict[str, Any]], path: str) -> None:
    with pytest.raises(RecordInvalid) as caught:
        mapper(COMPANY)({"is_company": True, "name": "甲", "contacts": contacts})
    assert caught.value.path == path


def test_equal_items_with_one_key_are_one_customer() -> None:
    record = {"is_company": True, "name": "甲", "contacts": [{"id": 1, "name": "a"}, {"id": 1, "name": "a"}]}
    assert [mapped.part for mapped in mapper(COMPANY)(record)] == ["", "contact:1"]


def test_an_organisation_elsewhere_is_referred_to_by_its_id_and_an_id_like_our_mark_is_escaped() -> None:
    text = "customer: {kind: person, name: n, organisation: {source_id: company.id, stream: companies}}"
    record: dict[str, Any] = {"n": "张伟", "company": {"id": 42}}
    assert mapper(text)(record)[0].customer["organisation"] == {"source_id": "42", "stream": "companies"}
    record["company"]["id"] = "#1001"
    assert mapper(text)(record)[0].customer["organisation"]["source_id"] == "##1001"


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"given": "伟", "family": "张"}, "张伟"),
        ({"given": "Ann", "family": "Lee"}, "Ann Lee"),
        ({"given": "Ann"}, "Ann"),
        ({"family": "张", "legal": "张伟商行"}, "张伟商行"),
    ],
)
def test_the_name_to_show_is_derived_when_the_source_has_none(record: dict[str, str], name: str) -> None:
    text = "customer: {kind: person, name: none, legal_name: legal, given_name: given, family_name: family}"
    assert mapper(text)(record)[0].customer["name"] == name


def test_attributes_are_checked_by_their_declared_type() -> None:
    declared = {"tier": "text", "size": "integer", "score": "decimal", "vip": "boolean", "day": "date", "tags": "list"}
    body = "  name: n\n  attributes: {tier: a, size: b, score: c, vip: d, day: e, tags: f}\n"
    record = {"n": "x", "a": 5, "b": "12", "c": "1.50", "d": "是", "e": "2026/1/2", "f": ["x", "x", 2]}
    assert customer(body, record, attributes=declared)["attributes"] == {
        "tier": "5",
        "size": 12,
        "score": "1.5",
        "vip": True,
        "day": "2026-01-02",
        "tags": ["x", "2"],
    }
    with pytest.raises(RecordInvalid):
        customer(body, {**record, "b": "1.5"}, attributes=declared)


def test_paths_name_every_field_that_is_read() -> None:
    text = """
when: {field: flags.live, exists: true}
customers:
  - kind: organisation
    name: "=a.b & $uppercase(c) & 'not.this'"
    addresses: {each: places, city: "meta[key=city].value", region: $.region}
    owner: 'x.y'
  - {part: p, each: "contacts[]", key: id, kind: person, name: "names[0].full"}
"""
    assert mapper(text).paths == {
        "flags.live",
        "a.b",
        "c",
        "places[]",
        "places[].meta[].key",
        "places[].meta[].value",
        "region",
        "x.y",
        "contacts[]",
        "contacts[].id",
        "contacts[].names[].full",
    }


def test_the_fingerprint_changes_with_anything_that_changes_results_and_with_nothing_else() -> None:
    text = "customer: {kind: person, name: n, status: {from: s, table: {a: active}}}"
    same = mapper(text).fingerprint
    assert mapper("# a comment\ndescription: other\n" + text).fingerprint == same
    others = [
        mapper(text.replace("name: n", "name: m")),
        mapper(text.replace("a: active", "b: active")),
        mapper(text, region="DE"),
        mapper(text, timezone="Asia/Shanghai"),
        mapper(text, attributes={"a": "text"}),
    ]
    assert len({same, *(other.fingerprint for other in others)}) == 6


def test_the_region_and_zone_of_the_file_come_before_those_of_the_connection() -> None:
    text = "region: DE\ntimezone: UTC\ncustomer: {kind: person, phones: p, last_contact_at: t}"
    found = mapper(text, timezone="Asia/Shanghai")({"p": "030 901820", "t": "2026-01-02 03:04"})[0].customer
    assert found["phones"] == [{"value": "+4930901820"}]
    assert found["last_contact_at"] == "2026-01-02T03:04:00+00:00"


def test_a_mapper_works_in_many_threads_at_once() -> None:
    mapping = mapper("customer: {kind: person, name: \"=a & ' ' & b\"}")
    failures: list[object] = []

    def work(number: int) -> None:
        for turn in range(300):
            found = mapping({"a": str(number), "b": str(turn)})
            if found[0].customer["name"] != f"{number} {turn}":
                failures.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_mapping_leaves_the_record_as_it_was() -> None:
    record = {"is_company": True, "name": " 甲 ", "contacts": [{"id": 7, "name": "张伟"}]}
    before = repr(record)
    mapper(COMPANY)(record)
    assert repr(record) == before


@pytest.mark.parametrize(
    ("condition", "record", "holds"),
    [
        ("flag", {"flag": True}, True),
        ("flag", {"flag": "no"}, False),
        ("flag", {"flag": 0}, False),
        ("flag", {}, False),
        ("{field: a, equals: 1}", {"a": "1"}, True),
        ("{field: a, equals: B2B}", {"a": " b2b "}, True),
        ("{field: a, equals: true}", {"a": True}, True),
        ("{field: a, in: [x, 2]}", {"a": 2.0}, True),
        ("{field: a, in: [x]}", {}, False),
        ("{field: a, exists: false}", {"a": ""}, True),
        ("{field: a, exists: true}", {"a": False}, True),
        ("{field: a, matches: '^C[0-9]+$'}", {"a": "C12"}, True),
        ("{field: a, matches: x}", {"a": ["y", "x"]}, True),
        ("{not: a}", {}, True),
        ("{any: [a, b]}", {"b": 1}, True),
        ("{all: [a, b]}", {"b": 1}, False),
        ("[a, b]", {"a": 1, "b": 1}, True),
        ("'=a > 5'", {"a": 6}, True),
        ("'=a > 5'", {"a": 4}, False),
        ("'=a > 5'", {"a": "x"}, False),
        ("{field: 'list[].k', equals: v}", {"list": [{"k": "u"}, {"k": "v"}]}, True),
        ("{field: a, equals: 1}", {"a": {"deep": 1}}, False),
        ("{field: a, equals: 1}", {"a": float("inf")}, False),
    ],
)
def test_conditions(condition: str, record: dict[str, Any], holds: bool) -> None:
    mapping = mapper(f"when: {condition}\ncustomer: {{kind: person, name: {{const: x}}}}")
    assert bool(mapping(record)) is holds


def test_numbers_that_lost_digits_are_dropped_with_a_note_wherever_they_would_identify() -> None:
    text = """
customer:
  kind: organisation
  name: n
  phones: [手机, 电话]
  identifiers: {scheme: cn.uscc, from: 税号}
  external_ids: {erp: 编码}
"""
    record = {"n": "甲", "手机": "1.38E+10", "电话": "0755-26001234", "税号": "9.14403E+17", "编码": "1.00E+12"}
    mapped, notes = mapper(text).explain(record)
    assert mapped[0].customer == {"kind": "organisation", "name": "甲", "phones": [{"value": "+8675526001234"}]}
    assert {(note.path, note.value) for note in notes} == {
        ("手机", "1.38E+10"),
        ("税号", "9.14403E+17"),
        ("编码", "1.00E+12"),
    }
    assert all("lost digits" in str(note) and "as text" in note.remedy for note in notes)
    whole = {"n": "甲", "手机": "1.3800138000E+10", "编码": "SE-5E10", "税号": "91440300708461136T"}
    mapped, notes = mapper(text).explain(whole)
    assert mapped[0].customer["phones"] == [{"value": "+8613800138000"}]
    assert mapped[0].customer["external_ids"] == {"erp": "SE-5E10"}
    assert not notes


def test_an_amount_in_scientific_notation_is_that_amount() -> None:
    assert customer("  name: n\n  credit_limit: c\n", {"n": "甲", "c": "1.5E+08"})["credit_limit"] == "150000000"
