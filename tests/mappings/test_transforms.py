"""Named transforms: what each does, with its parameters, alone and in chains."""

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import RecordInvalid
from mappings.instants import zone_named
from mappings.language import TransformCall
from mappings.transforms import Context, TransformError, build_chain, registered, signature_of

CONTEXT = Context("CN", zone_named("Asia/Shanghai"), {"colours": {"R": "red", "1": "one"}})


def run(chain: list[Any], value: Any) -> Any:
    return build_chain([TransformCall.model_validate(call) for call in chain], CONTEXT)(value)


@pytest.mark.parametrize(
    ("chain", "value", "expected"),
    [
        (["trim"], "  a ", "a"),
        ([{"trim": "-"}], "--a-", "a"),
        (["upper"], "aß", "ASS"),
        (["lower"], "AÉ", "aé"),
        (["title"], "ann lee", "Ann Lee"),
        (["collapse"], "a \t\n b\u200b", "a b"),
        (["split"], "a, b,,c", ["a", "b", "c"]),
        ([{"split": "; |"}], "a;b|c", ["a", "b", "c"]),
        ([{"split": " "}], "a b", ["a", "b"]),
        ([{"join": ", "}], ["a", None, 2], "a, 2"),
        ([{"part": {"index": -1, "by": "/"}}], "a/b", "b"),
        ([{"part": 5}], "a b", None),
        ([{"cut": 2}], "abc", "ab"),
        ([{"replace": {"old": "-", "new": "."}}], "a-b", "a.b"),
        ([{"replace": "-"}], "a-b", "ab"),
        ([{"prefix": "C"}], 7, "C7"),
        ([{"suffix": "!"}], "a", "a!"),
        ([{"strip_prefix": "Fa. "}], "Fa. X", "X"),
        ([{"strip_suffix": "Co"}], "X Co", "X"),
        ([{"pad": 6}], 42, "000042"),
        (["digits"], "T１２-3x", "123"),
        ([{"regex": "^C(\\d+)$"}], "C12", "12"),
        ([{"regex": {"pattern": "(?P<y>\\d{4})", "group": "y"}}], "in 2026!", "2026"),
        ([{"regex": "x"}], "y", None),
        ([{"regex": {"pattern": "(\\d)(\\d)", "replace": "\\2\\1"}}], "a12", "a21"),
        ([{"regex": "客户(.)"}], "大客户甲", "甲"),
        ([{"matching": "^[A-Z]"}], "Ab", "Ab"),
        (["halfwidth"], "ＡＢ１", "AB1"),
        (["plain"], "<p>a &amp; <b>b</b></p>", "a & b"),
        (["first"], [None, "", "a"], "a"),
        (["last"], ["a", "b", None], "b"),
        (["unique"], ["a", "b", "a"], ["a", "b"]),
        (["decimal"], "¥1,234.50", "1234.5"),
        (["number"], 2, "2"),
        (["integer"], "12.0", 12),
        ([{"multiply": 0.01}], 12345, "123.45"),
        ([{"multiply": "1000"}], "1.5", "1500"),
        (["boolean"], "是", True),
        ([{"boolean": {"true": ["J"]}}], "j", True),
        ([{"boolean": {"true": ["J"]}}], "k", False),
        ([{"boolean": {"true": ["J"], "false": ["N"]}}], "n", False),
        (["negate"], "1", False),
        (["date"], "2026-01-02T20:00:00Z", "2026-01-03"),
        ([{"date": "%d/%m/%Y"}], "02/01/2026", "2026-01-02"),
        ([{"date": ["%Y%m", "%d.%m.%y"]}], "02.01.26", "2026-01-02"),
        ([{"date": "excel"}], 46024, "2026-01-02"),
        ([{"datetime": {"zone": "UTC"}}], "2026-01-02 03:04", "2026-01-02T03:04:00+00:00"),
        ([{"datetime": {"format": "%Y-%m-%d %H:%M %z"}}], "2026-01-02 03:04 +0100", "2026-01-02T02:04:00+00:00"),
        ([{"default": "x"}], None, "x"),
        ([{"default": "x"}], " ", "x"),
        ([{"default": "x"}], "y", "y"),
        ([{"lookup": "colours"}], " r ", "red"),
        ([{"lookup": "colours"}], 1.0, "one"),
        ([{"lookup": {"table": {"a": "b", "*": "c"}}}], "z", "c"),
        ([{"lookup": {"table": "colours", "otherwise": "keep"}}], "z", "z"),
        ([{"lookup": {"table": "colours", "otherwise": "drop"}}], "z", None),
        (["simplified"], "廣東", "广东"),
        (["traditional"], "广东", "廣東"),
        (["latin_name"], "张伟", "Zhang Wei"),
        (["native_only"], "张伟", "张伟"),
        (["native_only"], "Zhang", None),
        (["latin_only"], "Zhang", "Zhang"),
        (["latin_only"], "张", None),
        (["given_name"], "欧阳修", "修"),
        (["family_name"], "欧阳修", "欧阳"),
        (["family_name"], "Lee, Ann", "Lee"),
        (["strip_legal_form"], "Acme GmbH", "Acme"),
        (["strip_legal_form"], "华为技术有限公司", "华为技术"),
        (["strip_legal_form"], "Acme", "Acme"),
        (["email"], "Ann <A@b.cn>", "a@b.cn"),
        (["phone"], "138 1234 5679", "+8613812345679"),
        ([{"phone": "DE"}], "030 901820", "+4930901820"),
        ([{"identifier": "eu.vat"}], "DE 136 695 976", "DE136695976"),
        ([{"identifier": {"scheme": "eu.vat", "valid_only": True}}], "DE 136 695 977", None),
        (["country"], "德国", "DE"),
    ],
)
def test_transforms(chain: list[Any], value: object, expected: object) -> None:
    assert run(chain, value) == expected


@pytest.mark.parametrize(
    ("chain", "value"),
    [
        (["integer"], "1.5"),
        (["decimal"], "x"),
        (["boolean"], "maybe"),
        (["date"], "02/01/2026"),
        ([{"date": "%Y"}], "x"),
        ([{"date": "excel"}], "x"),
        ([{"lookup": "colours"}], "z"),
        ([{"matching": "^a"}], "b"),
        (["email"], "x"),
        (["phone"], "x"),
        (["country"], "Atlantis"),
        (["upper"], {"a": 1}),
        (["upper"], [{"a": 1}]),
        (["trim"], "a" * 200_000),
    ],
)
def test_what_does_not_fit_is_refused_with_the_value(chain: list[Any], value: object) -> None:
    with pytest.raises(RecordInvalid) as caught:
        run(chain, value)
    assert caught.value.value
    assert len(caught.value.value) <= 200


def test_chains_run_in_order_item_by_item_and_stop_at_nothing() -> None:
    assert run([{"split": ";"}, "trim", "upper", "unique", {"join": "+"}], " a ; b;A") == "A+B"
    assert run(["upper", {"default": "none"}, "lower"], None) == "none"
    assert run(["upper", "lower"], []) is None
    assert run([{"split": ","}, {"regex": "x(.)"}], "xa,y,xb") == ["a", "b"]


@pytest.mark.parametrize(
    "call",
    [
        "nope",
        {"cut": 0},
        {"cut": {"length": 1, "more": 2}},
        {"pad": {"length": 3, "fill": "ab"}},
        {"regex": "("},
        {"regex": {"pattern": "a", "replace": "b", "group": 0}},
        {"lookup": "nope"},
        {"date": {"zone": "Nowhere"}},
        {"phone": "Germany"},
        {"multiply": "x"},
        {"split": ""},
        {"trim": {"a": 1}},
        {"regex": "a" * 1_001},
    ],
)
def test_wrong_transforms_are_refused_when_compiled(call: Any) -> None:
    with pytest.raises(TransformError):
        run([call], "x")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_no_pattern_takes_long(pattern: str) -> None:
    start = time.monotonic()
    run([{"regex": pattern}], "a" * 99_000 + "!")
    assert time.monotonic() - start < 1


def test_every_transform_is_documented() -> None:
    for name, text in registered().items():
        assert text.endswith((".", "`.")), name
        assert "context" not in signature_of(name)


@given(
    st.sampled_from(sorted(set(registered()) - {"lookup"})),
    st.one_of(st.text(), st.integers(), st.floats(), st.lists(st.text()), st.none()),
)
def test_a_transform_answers_or_refuses_whatever_it_gets(name: str, value: Any) -> None:
    arguments: dict[str, Any] = {
        "part": 0,
        "cut": 5,
        "replace": "a",
        "prefix": "p",
        "suffix": "s",
        "strip_prefix": "p",
        "strip_suffix": "s",
        "pad": 3,
        "regex": "(.)",
        "matching": ".",
        "multiply": "2",
        "default": 1,
        "identifier": "cn.uscc",
    }
    with contextlib.suppress(RecordInvalid):
        run([{name: arguments[name]} if name in arguments else name], value)
