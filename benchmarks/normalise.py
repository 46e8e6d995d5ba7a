"""What normalising, matching by rules and survivorship cost: µs a call on inputs that do not repeat.

Run with ``python benchmarks/normalise.py``. Every input differs, so caches are as cold as in a first load.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from mappings.matching.rules import RuleMatcher
from mappings.normalise import addresses, dates, emails, identifiers, names, organisations, phones
from mappings.survivorship import Source, SurvivorshipRules, golden

COUNT = 10_000
_RANDOM = random.Random(7)
_GIVEN = "james mary robert patricia john jennifer michael linda david elizabeth wei lena jürgen zoë andré".split()  # noqa: SIM905
_SURNAMES = "张王李赵刘陈杨黄周吴徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任"
_CHARACTERS = "伟芳娜敏静丽强磊洋艳勇军杰娟涛明超秀兰霞平刚桂英华建国文志永春红玉海云雪梅子轩浩宇欣怡"
_CITIES = ["深圳", "上海", "北京", "广州", "杭州", "成都", "武汉", "苏州"]
_TRADES = ["科技", "贸易", "电子商务", "机械设备", "进出口", "计算机系统"]


def main() -> None:
    """Print a table of costs."""
    print(f"{'step':44} {'µs':>8}")
    for label, function, inputs in [*_normalisers(), *_matching(), *_merging()]:
        print(f"{label:44} {_cost(function, inputs):8.2f}")


def _cost(function: Callable[[Any], Any], inputs: Sequence[Any]) -> float:
    best = float("inf")
    for start in range(0, len(inputs), len(inputs) // 4):
        part = inputs[start : start + len(inputs) // 4]
        started = time.perf_counter()
        for value in part:
            function(value)
        best = min(best, (time.perf_counter() - started) / max(len(part), 1))
    return best * 1e6


def _normalisers() -> list[tuple[str, Callable[[Any], Any], list[Any]]]:
    mobiles = [f"139 {_digits(4)} {_digits(4)}" for _ in range(COUNT)]
    return [
        ("phone, plain (CN mobile)", lambda t: phones.normalise_phone(t, "CN"), mobiles),
        (
            "phone, plain (US)",
            lambda t: phones.normalise_phone(t, "US"),
            [f"(202) 4{_digits(2)}-{_digits(4)}" for _ in range(COUNT)],
        ),
        (
            "phone, with extension",
            lambda t: phones.normalise_phone(t, "CN"),
            [f"0755-860{_digits(5)}转{_digits(3)}" for _ in range(2000)],
        ),
        ("phone, the library alone", lambda t: phones.phone_by_library(t, "CN"), mobiles[:2000]),
        ("email, plain", emails.normalise_email, [_email() for _ in range(COUNT)]),
        ("email, with display name", emails.normalise_email, [f'"Jo" <{_email()}>' for _ in range(COUNT)]),
        ("email, folded for comparison", emails.fold_email, [_email() for _ in range(COUNT)]),
        ("person's words, Latin", names.person_tokens, [_latin_name() for _ in range(COUNT)]),
        ("person's words, Chinese", names.person_tokens, [_chinese_name() for _ in range(COUNT)]),
        ("person split", names.split_person_name, [_latin_name() for _ in range(COUNT)]),
        (
            "organisation taken apart, Latin",
            organisations.split_organisation_name,
            [f"{_latin_name()} Trading GmbH" for _ in range(COUNT)],
        ),
        (
            "organisation taken apart, Chinese",
            organisations.split_organisation_name,
            [_company() for _ in range(COUNT)],
        ),
        (
            "identifier, cn.uscc",
            lambda t: identifiers.normalise_identifier("cn.uscc", t),
            [f"914403{_digits(12)}" for _ in range(COUNT)],
        ),
        (
            "identifier, eu.vat",
            lambda t: identifiers.normalise_identifier("eu.vat", t),
            [f"DE{_digits(9)}" for _ in range(COUNT)],
        ),
        ("birth date", dates.normalise_birth_date, [f"19{_digits(2)}-0{1 + i % 9}-1{i % 10}" for i in range(COUNT)]),
        (
            "Chinese address taken apart",
            addresses.split_chinese_address,
            [f"{c}市中山路{_digits(3)}号" for c in _CITIES * 250],
        ),
        ("address in Latin letters", addresses.latin_address, [f"{c}市中山路{_digits(3)}号" for c in _CITIES * 250]),
    ]


def _matching() -> list[tuple[str, Callable[[Any], Any], list[Any]]]:
    matcher = RuleMatcher()
    kinds = {
        "person, Latin": [_person(_latin_name()) for _ in range(COUNT)],
        "person, Chinese": [_person(_chinese_name()) for _ in range(COUNT)],
        "company, Chinese": [{**_person(_company()), "kind": "organisation"} for _ in range(COUNT)],
    }
    rows: list[tuple[str, Callable[[Any], Any], list[Any]]] = []
    for label, customers in kinds.items():
        features = [matcher.features(c) for c in customers]
        pairs = [(a, (*b[:4], a[4], *b[5:])) for a, b in pairwise(features)]
        rows += [
            (f"features and keys, {label}", lambda c: matcher.keys(matcher.features(c)), customers),
            (f"compare, {label}, shared contacts", lambda pair: matcher.compare(*pair), pairs),
        ]
    return rows


def _merging() -> list[tuple[str, Callable[[Any], Any], list[Any]]]:
    rules = SurvivorshipRules()
    triples = [[Source((i, 1, "1", ""), _person(_latin_name()), i) for i in range(3)] for _ in range(2000)]
    return [
        ("golden record of three sources", lambda members: golden(members, rules), triples),
        ("golden record of one source", lambda members: golden(members[:1], rules), triples),
    ]


def _person(name: str) -> dict[str, Any]:
    return {
        "kind": "person",
        "name": name,
        "emails": [{"value": _email()}],
        "phones": [{"value": f"+86139{_digits(8)}"}],
        "addresses": [{"country": "CN", "city": "深圳市", "street": f"中山路{_digits(3)}号"}],
        "status": "active",
        "source_changed_at": f"2024-0{_RANDOM.randint(1, 9)}-01T00:00:00Z",
    }


def _digits(count: int) -> str:
    return "".join(_RANDOM.choice("0123456789") for _ in range(count))


def _email() -> str:
    return f"{_RANDOM.choice(_GIVEN[:11])}.{_digits(6)}@firm{_digits(2)}.com"


def _latin_name() -> str:
    return f"{_RANDOM.choice(_GIVEN)} {''.join(_RANDOM.choice('aeioustrnlmk') for _ in range(7))}".title()


def _chinese_name() -> str:
    return _RANDOM.choice(_SURNAMES) + "".join(_RANDOM.choice(_CHARACTERS) for _ in range(2))


def _company() -> str:
    brand = "".join(_RANDOM.choice(_CHARACTERS) for _ in range(3))
    return f"{_RANDOM.choice(_CITIES)}市{brand}{_RANDOM.choice(_TRADES)}有限公司"


if __name__ == "__main__":
    main()
