"""Canonical fields: whatever goes in, what comes out fits the customer model and is JSON."""

import string
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.compile import MappingDefaults, compile_mapping
from mappings.customer import Customer
from mappings.errors import RecordInvalid
from mappings.instants import zone_named
from mappings.spec import load_spec
from mappings.targets import attribute_setter, display_name, setter

EARLY, LATE = datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2100-01-01")
SHANGHAI = zone_named("Asia/Shanghai")

MAPPING = compile_mapping(
    load_spec("""
customers:
  - kind: {from: kind, default: organisation, on_error: drop, required: false}
    name: name
    legal_name: {from: legal, on_error: keep_raw}
    trading_name: {from: trading, on_error: drop}
    given_name: {from: given, on_error: keep_raw}
    family_name: {from: family, on_error: drop}
    birth_date: birth
    identifiers: [{scheme: cn.uscc, from: tax}, {each: ids, scheme: {from: s}, from: v, on_error: keep_raw}]
    emails: [{from: mail, on_error: keep_raw, label: {from: label, on_error: keep_raw}, verified: yes}, mails]
    phones: [{from: phone, on_error: keep_raw, extension: ext, label: work}, {each: phones, from: "@", on_error: drop}]
    addresses:
      - {text: {from: text, on_error: keep_raw}, split: true, country: country, postcode: {from: zip, on_error: drop}}
      - {each: places, label: home, city: {from: city, on_error: drop}, latin: {from: latin, on_error: drop}}
    status: {from: status, on_error: drop}
    currency: {from: currency, on_error: drop}
    credit_limit: {from: limit, on_error: drop}
    owner: {from: owner, on_error: keep_raw}
    language: language
    website: website
    tags: {from: tags, on_error: drop}
    consents:
      channel: {from: channel, on_error: drop}
      granted: {from: granted, on_error: drop}
      at: {from: at, on_error: drop}
    external_ids: {a: {from: id, on_error: drop}}
    attributes: {t: {from: t, on_error: drop}, n: {from: n, on_error: drop}, l: {from: l, on_error: drop}}
    source_changed_at: {from: at, on_error: drop}
    last_contact_at: {from: birth, on_error: drop}
"""),
    defaults=MappingDefaults("CN", "Asia/Shanghai", {"t": "text", "n": "integer", "l": "list"}),
)
FIELDS = [
    "kind",
    "name",
    "legal",
    "trading",
    "given",
    "family",
    "birth",
    "tax",
    "ids",
    "mail",
    "mails",
    "label",
    "phone",
    "ext",
    "phones",
    "text",
    "country",
    "zip",
    "places",
    "status",
    "currency",
    "limit",
    "owner",
    "language",
    "website",
    "tags",
    "channel",
    "granted",
    "at",
    "id",
    "t",
    "n",
    "l",
]

plausible = st.one_of(
    st.sampled_from(
        [
            "person",
            "company",
            "张伟",
            "Acme GmbH",
            "a@b.cn",
            "A@B.cn;c@d.cn",
            "138 1234 5679",
            "0755-26001234转12",
            "CN",
            "中国",
            "518057",
            "深圳市南山区科技园1号",
            "active",
            "停用",
            "CNY",
            "￥",
            "¥1,234.50",
            "1.234,5",
            "zh_CN",
            "www.x.cn",
            "email",
            "微信",
            "是",
            "no",
            "2026-01-02T03:04:05Z",
            "2026-01-02 03:04:05.123",
            "1980/1/2",
            "20260102",
            "91440300708461136T",
        ]
    ),
    st.datetimes().map(datetime.isoformat),
    st.dates().map(date.isoformat),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.text(string.digits + "+-() #x", max_size=30),
    st.emails(),
)
anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=700), plausible),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["s", "v", "city", "latin", "x"]), inner, max_size=4),
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), st.one_of(plausible, anything), max_size=20))
def test_every_output_fits_the_customer_model_and_is_json_without_empty_values(record: dict[str, Any]) -> None:
    try:
        mapped = MAPPING({"name": "甲", **record})
    except RecordInvalid:
        return
    for _, customer in mapped:
        model = Customer.model_validate_json(orjson.dumps(customer))
        assert set(customer) <= set(model.model_fields_set)
        assert not list(empties(customer))
        assert orjson.loads(orjson.dumps(customer)) == customer


def empties(value: Any) -> Any:
    if value is None or value in ("", [], {}):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from empties(inner)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), plausible, max_size=20))
def test_mapping_is_a_function_of_the_record(record: dict[str, Any]) -> None:
    def outcome() -> object:
        try:
            return MAPPING(record)
        except RecordInvalid as error:
            return str(error)

    assert outcome() == outcome()


@given(st.datetimes(min_value=EARLY, max_value=LATE, timezones=st.timezones()))
def test_an_instant_is_kept_to_the_microsecond_in_utc(moment: datetime) -> None:
    text = setter("source_changed_at", SHANGHAI)(moment.isoformat())
    assert datetime.fromisoformat(text) == moment.astimezone(UTC)
    assert text.endswith("+00:00")


@given(st.lists(st.datetimes(min_value=EARLY, max_value=LATE), min_size=2, max_size=2))
def test_instants_sort_as_text_as_they_sort_in_time(moments: list[datetime]) -> None:
    texts = [setter("source_changed_at", UTC)(moment.isoformat()) for moment in moments]
    assert (texts[0] < texts[1]) == (moments[0] < moments[1])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02 03:04:05", "2026-01-01T19:04:05+00:00"),
        ("2026-01-02T03:04:05.000+0000", "2026-01-02T03:04:05+00:00"),
        ("2026/1/2 3:04", "2026-01-01T19:04:00+00:00"),
        ("2026年1月2日", "2026-01-01T16:00:00+00:00"),
        ("20260102", "2026-01-01T16:00:00+00:00"),
        (20260102, "2026-01-01T16:00:00+00:00"),
        (1767323045, "2026-01-02T03:04:05+00:00"),
        (1767323045000, "2026-01-02T03:04:05+00:00"),
        ("1767323045", "2026-01-02T03:04:05+00:00"),
        ("/Date(1767323045000)/", "2026-01-02T03:04:05+00:00"),
        ("Fri, 02 Jan 2026 03:04:05 +0000", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05.123456+00:00"),
        ("2.1.2026", "2026-01-01T16:00:00+00:00"),
        ("0000-00-00 00:00:00", None),
        ("0001-01-01T00:00:00", None),
        (0, None),
        ("", None),
        (False, None),
    ],
)
def test_points_in_time_are_read_in_the_forms_systems_write(value: object, expected: str | None) -> None:
    assert setter("source_changed_at", SHANGHAI)(value) == expected


@pytest.mark.parametrize(
    "value", ["02/01/2026", "yesterday", "2026-02-30", "2026-13-01", True, {"a": 1}, 12.5, 1e300, "9" * 70]
)
def test_what_is_no_date_without_doubt_is_refused(value: object) -> None:
    with pytest.raises(RecordInvalid):
        setter("source_changed_at", SHANGHAI)(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1,234.50", "1234.5"),
        ("1.234,50", "1234.5"),
        ("¥1,000", "1000"),
        ("1000", "1000"),
        ("0", "0"),
        ("-0", "0"),
        (0.1, "0.1"),
        (1e3, "1000"),
        ("1e3", "1000"),
        ("(12.5)", "-12.5"),
        ("１２", "12"),
        (12, "12"),
        ("CNY 5", "5"),
        ("100.00", "100"),
        ("007", "7"),
        (float("nan"), None),
        (" ", None),
        (None, None),
        ("12,5", "12.5"),
        ("1,234", "1234"),
        (10**20, "1" + "0" * 20),
    ],
)
def test_amounts_become_plain_decimals(value: object, expected: str | None) -> None:
    assert setter("credit_limit", UTC)(value) == expected


@pytest.mark.parametrize("value", ["lots", True, [1], "1e99", 10**40, float("inf"), "1-2", "--1", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(RecordInvalid):
        setter("credit_limit", UTC)(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=4))
def test_equal_amounts_are_equal_text_and_no_digit_is_lost(amount: Any) -> None:
    convert = setter("credit_limit", UTC)
    text = convert(str(amount))
    assert text == convert(f"{amount:f}00" if "." in f"{amount:f}" else f"{amount:f}.000")
    assert type(amount)(text) == amount


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", " a \x00b\u200b  c\n", "a b c"),
        ("name", 13800000000.0, "13800000000"),
        ("name", 1.5, "1.5"),
        ("name", "\ud800", "\ufffd"),
        ("name", 42, "42"),
        ("name", "ＡＢ", "ＡＢ"),
        ("language", "zh_cn", "zh-CN"),
        ("language", "EN", "en"),
        ("currency", "cny", "CNY"),
        ("currency", "RMB", "CNY"),
        ("currency", "美元", "USD"),
        ("currency", "€", "EUR"),
        ("status", True, "active"),
        ("status", False, "inactive"),
        ("status", "Frozen", "blocked"),
        ("kind", "Company", "organisation"),
        ("website", "https://x.cn/a?b=c", "https://x.cn/a?b=c"),
        ("website", "www.例子.中国", "www.例子.中国"),
        ("birth_date", "1980年4月3日", "1980-04-03"),
        ("birth_date", 19800403, "1980-04-03"),
    ],
)
def test_fields_are_normalised(field: str, value: object, expected: object) -> None:
    assert setter(field, SHANGHAI)(value) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a" * 301),
        ("name", True),
        ("name", float("inf")),
        ("name", 10**50),
        ("given_name", "a" * 121),
        ("currency", "12"),
        ("currency", "coins"),
        ("status", "maybe"),
        ("kind", "alien"),
        ("website", "javascript:alert(1)"),
        ("website", "no page"),
        ("language", "中文"),
        ("birth_date", "1850-01-01"),
        ("birth_date", "03/04/1980"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_the_value(field: str, value: object) -> None:
    with pytest.raises(RecordInvalid) as caught:
        setter(field, SHANGHAI)(value)
    assert caught.value.value
    assert caught.value.rule


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("integer", "12.0", 12),
        ("integer", 12.0, 12),
        ("boolean", "是", True),
        ("boolean", "off", False),
        ("date", 1767323045, "2026-01-02"),
        ("list", "a", ["a"]),
        ("list", [], None),
        ("decimal", "1.10", "1.1"),
        ("datetime", "2026-01-02", "2026-01-01T16:00:00+00:00"),
    ],
)
def test_attributes_have_types(kind: Any, value: object, expected: object) -> None:
    assert attribute_setter(kind, SHANGHAI)(value) == expected


def test_the_derived_name_prefers_the_registered_one() -> None:
    assert display_name({"legal_name": "甲公司", "given_name": "x"}) == "甲公司"
    assert display_name({"given_name": "Ann", "family_name": "王"}) == "Ann 王"
    assert display_name({"latin_name": "Zhang Wei"}) == "Zhang Wei"
    assert display_name({}) is None
