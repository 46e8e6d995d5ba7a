"""JSONata behind the adapter: Chinese names work, threads share, hostile data and endless programs are refused."""

import threading
from typing import Any

import pytest

from mappings.errors import RecordInvalid
from mappings.expressions import Expression, ExpressionError, check_record, fields_read


def run(source: str, record: Any) -> Any:
    return Expression(source)(record, record)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("客户名称", "甲公司"),
        ("客户名称 & '（' & 城市 & '）'", "甲公司（深圳）"),
        ("`a b`.`x.y`", 1),
        ("list[t='e'].v", "one"),
        ("$join(list.v, '; ')", "one; two"),
        ("missing", None),
        ("missing.deep & ''", ""),
        ("a ? 'yes' : 'no'", "yes"),
        ("$record.a", True),
        ("list.v", ["one", "two"]),
        ("{'k': n * 2}", {"k": 6}),
        ("$match('C12', /[0-9]+/).match", "12"),
    ],
)
def test_expressions_read_records(source: str, expected: object) -> None:
    record = {
        "客户名称": "甲公司",
        "城市": "深圳",
        "a b": {"x.y": 1},
        "a": True,
        "n": 3,
        "list": [{"t": "e", "v": "one"}, {"t": "p", "v": "two"}],
    }
    assert run(source, record) == expected


@pytest.mark.parametrize(
    "source", ["a b c(", "'open", "(((", "", "$eval(a)", "1 + $eval ('2')", "a" * 10_001, "(" * 9_000]
)
def test_wrong_expressions_are_refused_when_compiled(source: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(source)


def test_the_word_eval_in_a_text_is_harmless() -> None:
    assert run("'see $eval here'", {}) == "see $eval here"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("($f := function($n) { $f($n + 1) }; $f(0))", ""),
        ("($f := function($n) { 1 + $f($n) }; $f(0))", ""),
        ("$map([1..100000], function($x) { $map([1..100000], function($y) { $y }) })", "timeout"),
        ("$number(text)", ""),
        ("text + 1", ""),
        ("$error('no')", "no"),
        ("$pad('a', 2000000)", "larger than 1 MB"),
        ("[1..400000]", "larger than 1 MB"),
    ],
)
def test_endless_large_or_failing_expressions_refuse_the_record(source: str, reason: str) -> None:
    with pytest.raises(RecordInvalid, match=reason) as caught:
        run(source, {"text": "x"})
    assert caught.value.rule == "expression"
    assert caught.value.path.startswith("=")


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "record",
    [nested(100_000), {"n": 2**64}, {"t": "\ud800"}, {"\ud800": 1}, {"o": object()}, {"t": "x" * 8_000_001}],
    ids=["deep", "integer", "surrogate", "key", "foreign", "large"],
)
def test_records_that_would_break_the_engine_never_reach_it(record: dict[str, Any]) -> None:
    with pytest.raises(RecordInvalid) as caught:
        check_record(record)
    assert caught.value.rule in ("json", "size")


def test_a_record_as_deep_as_allowed_is_safe() -> None:
    record = nested(200)
    check_record(record)
    assert run("a.a.a", record) is not None


def test_one_expression_serves_many_threads() -> None:
    expression = Expression("a & '!'")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(500):
                assert expression({"a": f"{number}-{turn}"}, {}) == f"{number}-{turn}!"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a.b & c", ["a.b", "c"]),
        ("$uppercase(客户名称)", ["客户名称"]),
        ("'not.this' & `x y`.z", ["'x y'.z"]),
        ("list[type='e'].value", ["list", "type"]),
        ("a and b or c in d", ["a", "b", "c", "d"]),
        ("$f(1) + 2", []),
        ("/* no.comment */ x", ["x"]),
        ("true ? null : false", []),
    ],
)
def test_the_fields_of_an_expression_are_found_in_its_text(source: str, names: list[str]) -> None:
    assert fields_read(source) == names
