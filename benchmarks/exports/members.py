"""Members of a shop in Chinese: families behind one phone and address; pinyin, traditional characters, titles."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.exports.errors import Change, missing, one_change
from benchmarks.exports.making import Export, Key, Row, day_between, weighed
from benchmarks.population import vocabulary as words
from benchmarks.population.persons import latin_family, latin_given, traditional

Area = tuple[str, str, str]

AREAS: list[Area] = [
    ("浙江省", "杭州市", "西湖区"),
    ("浙江省", "杭州市", "余杭区"),
    ("上海市", "上海市", "浦东新区"),
    ("北京市", "北京市", "海淀区"),
    ("广东省", "深圳市", "南山区"),
    ("江苏省", "苏州市", "工业园区"),
    ("四川省", "成都市", "武侯区"),
]
BUILDERS = ["翠苑", "绿城", "万科", "金地", "保利", "中海", "龙湖", "碧桂园", "恒大"]
COMPOUNDS = ["花园", "小区", "公馆", "新村", "家园"]
PLACEHOLDER = "13800138000"
FAMILY_SIZES = {1: 60, 2: 20, 3: 14, 4: 6}
COPIES = {1: 62, 2: 25, 3: 10, 5: 3}
MARRIED_IN, SECOND_CHILD = 1, 3
TWINS = 0.3


@dataclass(frozen=True)
class Member:
    """A member as a row has them."""

    surname: str
    given: str
    name: str
    mobile: str
    email: str
    birth: datetime.date
    area: Area
    street: str


@dataclass(frozen=True)
class Home:
    """What a family shares."""

    surname: str
    area: Area
    street: str
    phone: str


def family(chance: random.Random) -> Iterator[Member]:
    """The members of one family; of four, the youngest two may be twins."""
    home = Home(words.zipf(chance, words.SURNAMES), chance.choice(AREAS), _flat(chance), _mobile(chance))
    before: Member | None = None
    for place in range(weighed(chance, FAMILY_SIZES)):
        before = _member(chance, home, place, before)
        yield before


def _member(chance: random.Random, home: Home, place: int, before: Member | None) -> Member:
    surname = words.zipf(chance, words.SURNAMES) if place == MARRIED_IN else home.surname
    given = _given(chance, 1 if chance.random() < 0.25 else 2)
    birth = day_between(chance, 1940, 1985) if place < 2 else day_between(chance, 1990, 2012)
    if before and place == SECOND_CHILD and chance.random() < TWINS:
        birth = before.birth
    mobile = home.phone if place == 0 or chance.random() < 0.5 else _mobile(chance)
    email = _email(chance, surname, given, mobile)
    return Member(surname, given, surname + given, mobile, email, birth, home.area, home.street)


def _given(chance: random.Random, length: int) -> str:
    return "".join(chance.choice(words.NAME_CHARACTERS) for _ in range(length))


def _mobile(chance: random.Random) -> str:
    return f"1{chance.choice('35789')}{chance.randint(0, 999999999):09}"


def _flat(chance: random.Random) -> str:
    compound = chance.choice(BUILDERS) + chance.choice(COMPOUNDS)
    street = f"{chance.choice(words.CHINESE_STREETS)}{chance.randint(1, 400)}号"
    return f"{street}{compound}{chance.randint(1, 20)}幢{chance.randint(1, 3)}单元{chance.randint(101, 2504)}室"


def _new_flat(chance: random.Random) -> str:
    street = f"{chance.choice(words.CHINESE_STREETS)}{chance.randint(1, 400)}号"
    return f"{street}{chance.randint(1, 20)}幢{chance.randint(101, 2504)}室"


def _email(chance: random.Random, surname: str, given: str, mobile: str) -> str:
    by_number = f"{chance.randint(10**7, 10**9)}@qq.com"
    by_name = f"{latin_given(given)}{latin_family(surname)}{chance.randint(1, 999)}@126.com"
    return chance.choice((f"{mobile}@163.com", by_number, by_name))


def _in_traditional(_chance: random.Random, member: Member) -> Member:
    return replace(member, name=traditional(member.name))


def _in_pinyin(_chance: random.Random, member: Member) -> Member:
    return replace(member, name=f"{latin_given(member.given)} {latin_family(member.surname)}".title())


def _in_capitals(_chance: random.Random, member: Member) -> Member:
    return replace(member, name=(latin_family(member.surname) + latin_given(member.given)).upper())


def _wrong_character(chance: random.Random, member: Member) -> Member:
    return replace(member, name=member.name[:-1] + chance.choice(words.NAME_CHARACTERS))


def _by_title(chance: random.Random, member: Member) -> Member:
    return replace(member, name=member.surname + chance.choice(("先生", "女士")))


def _spaced(_chance: random.Random, member: Member) -> Member:
    return replace(member, name=f"{member.surname} {member.given}")


NAME_CHANGES: list[tuple[float, Change[Member]]] = [
    (0.12, _in_traditional),
    (0.22, _in_pinyin),
    (0.26, _in_capitals),
    (0.32, _wrong_character),
    (0.36, _by_title),
    (0.39, _spaced),
]


def _later(chance: random.Random, member: Member) -> Member:
    """The member when they came again: a name written otherwise, a new number, moved, another day of birth."""
    member = one_change(chance, member, NAME_CHANGES)
    member = replace(member, mobile=_later_mobile(chance, member.mobile))
    if chance.random() < 0.12:
        member = replace(member, area=chance.choice(AREAS), street=_new_flat(chance))
    if chance.random() < 0.06:
        member = replace(member, birth=member.birth.replace(day=chance.randint(1, 28)))
    return member


def _later_mobile(chance: random.Random, mobile: str) -> str:
    if chance.random() < 0.15:
        return _mobile(chance)
    if chance.random() < 0.05:
        return mobile[:5] + str(chance.randint(0, 9)) + mobile[6:]
    return mobile


def _row(chance: random.Random, member: Member, again: bool) -> Row:
    if again:
        member = _later(chance, member)
    mobile = PLACEHOLDER if chance.random() < 0.02 else member.mobile
    address = _address(chance, member, again)
    return {
        "姓名": member.name,
        "手机": missing(chance, _written_mobile(chance, mobile), 0.08),
        "邮箱": missing(chance, member.email, 0.55),
        "出生日期": missing(chance, _written_day(chance, member.birth), 0.4),
        "收货地址": missing(chance, address, 0.15),
        "会员等级": chance.choice(("普通", "银卡", "金卡")),
    }


def _address(chance: random.Random, member: Member, again: bool) -> str:
    if again and chance.random() < 0.2:
        return "".join(member.area[1:]) + member.street.replace("幢", "栋")
    return "".join(dict.fromkeys(member.area)) + member.street  # a municipality is its own province


def _written_mobile(chance: random.Random, mobile: str) -> str:
    parts = (mobile[:3], mobile[3:7], mobile[7:])
    return chance.choice((mobile, mobile, "+86 " + " ".join(parts), "-".join(parts)))


def _written_day(chance: random.Random, day: datetime.date) -> str:
    return chance.choice(
        (day.isoformat(), f"{day.year}/{day.month}/{day.day}", f"{day.year}年{day.month}月{day.day}日")
    )


MEMBERS_CN = Export(3_000, "CN", "truth", "m", Key("会员编号", "VIP{:06}"), COPIES, family, _row)
