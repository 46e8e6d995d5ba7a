"""Suppliers in Chinese: branches and sister companies, switchboards, renamed ones, short and English names."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from stdnum.cn import uscc

from benchmarks.exports.errors import Change, missing, one_change
from benchmarks.exports.making import Export, Key, Row
from benchmarks.population import vocabulary as words
from benchmarks.population.persons import latin_given, traditional


class City(NamedTuple):
    """A city, the prefix of its phone numbers, and the code of a district of it."""

    name: str
    prefix: str
    district: str


CITIES = [
    City("北京市", "010", "110108"),
    City("上海市", "021", "310115"),
    City("深圳市", "0755", "440305"),
    City("杭州市", "0571", "330106"),
    City("广州市", "020", "440106"),
    City("成都市", "028", "510107"),
    City("苏州市", "0512", "320594"),
]
FORMS = ("有限公司", "有限责任公司", "股份有限公司", "(集团)有限公司")
USCC_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
AGENCY = "021-61234567"  # the number of a tax agency that many companies give
COPIES = {1: 60, 2: 26, 3: 10, 4: 4}


@dataclass(frozen=True)
class Site:
    """A company, or one of its branches, as a row has it; ``brand``, ``trade`` and ``form`` are the head's."""

    brand: str
    trade: str
    form: str
    domain: str
    name: str
    short: str
    english: str
    tax: str
    phone: str
    city: str
    street: str
    contact: str


def company(chance: random.Random) -> Iterator[Site]:
    """A company, one in four with branches, one in twelve with a sister company at its address."""
    city = chance.choice(CITIES)
    head = _head(chance, city)
    sites = [head]
    if chance.random() < 0.25:
        sites += [_branch(chance, head) for _ in range(chance.randint(1, 4))]
    if chance.random() < 0.08:
        sites.append(_sister(chance, head, city))
    for site in sites:
        yield replace(site, contact=_contact(chance))


def _head(chance: random.Random, city: City) -> Site:
    brand = "".join(chance.choice(words.BRAND_CHARACTERS) for _ in range(chance.choice((2, 2, 3))))
    trade, form = words.zipf(chance, words.TRADES), chance.choice(FORMS)
    return Site(
        brand=brand,
        trade=trade,
        form=form,
        domain=latin_given(brand) + chance.choice((".com", ".com.cn", ".cn")),
        name=city.name[:-1] + brand + trade + form,
        short=brand + trade,
        english=latin_given(brand).title() + " " + chance.choice(("Technology", "Trading", "Industry")),
        tax=_tax_number(chance, city),
        phone=_phone(chance, city),
        city=city.name,
        street=_street(chance),
        contact="",
    )


def _branch(chance: random.Random, head: Site) -> Site:
    city = chance.choice(CITIES)
    place = city.name[:-1]
    return replace(
        head,
        name=head.name + place + chance.choice(("分公司", "分公司", "办事处")),
        short=head.short + place + "分公司",
        english="",
        tax=_tax_number(chance, city),
        phone=head.phone if chance.random() < 0.35 else _phone(chance, city),
        city=city.name,
        street=_street(chance),
    )


def _sister(chance: random.Random, head: Site, city: City) -> Site:
    short = head.brand + words.zipf(chance, words.TRADES)
    return replace(
        head, name=city.name[:-1] + short + head.form, short=short, english="", tax=_tax_number(chance, city)
    )


def _tax_number(chance: random.Random, city: City) -> str:
    """A unified social credit code with a right check digit (GB 32100-2015)."""
    body = f"91{city.district}" + "".join(chance.choice(USCC_CHARACTERS) for _ in range(9))
    return body + str(uscc.calc_check_digit(body))


def _phone(chance: random.Random, city: City) -> str:
    return f"{city.prefix}-{chance.randint(20000000, 89999999)}"


def _street(chance: random.Random) -> str:
    return f"{chance.choice(words.CHINESE_STREETS)}{chance.randint(1, 999)}号"


def _contact(chance: random.Random) -> str:
    surname = words.zipf(chance, words.SURNAMES)
    return surname + "".join(chance.choice(words.NAME_CHARACTERS) for _ in range(2))


def _by_short_name(_chance: random.Random, site: Site) -> Site:
    return replace(site, name=site.short)


def _in_traditional(_chance: random.Random, site: Site) -> Site:
    return replace(site, name=traditional(site.name))


def _without_form(_chance: random.Random, site: Site) -> Site:
    return replace(site, name=site.name.replace("有限公司", ""))


def _in_wide_characters(chance: random.Random, site: Site) -> Site:
    name = site.name.replace("(", "（").replace(")", "）")
    return replace(site, name=name + chance.choice(("", " ", "\u3000")))


def _in_english(_chance: random.Random, site: Site) -> Site | None:
    return replace(site, name=site.english + " Co., Ltd.") if site.english else None


def _with_shorter_form(_chance: random.Random, site: Site) -> Site:
    return replace(site, name=site.name.replace("有限责任公司", "有限公司"))


def _with_city_in_full(_chance: random.Random, site: Site) -> Site:
    return replace(site, name=site.name[:2] + "市" + site.name[2:])


def _without_trade(_chance: random.Random, site: Site) -> Site:
    return replace(site, name=site.name.replace(site.trade, "")) if len(site.brand) > 2 else site


def _renamed(chance: random.Random, site: Site) -> Site:
    return replace(site, name=site.brand + words.zipf(chance, words.TRADES) + site.form)


NAME_CHANGES: list[tuple[float, Change[Site]]] = [
    (0.15, _by_short_name),
    (0.25, _in_traditional),
    (0.32, _without_form),
    (0.38, _in_wide_characters),
    (0.44, _in_english),
    (0.50, _with_shorter_form),
    (0.54, _with_city_in_full),
    (0.58, _without_trade),
    (0.63, _renamed),
]


def _later(chance: random.Random, site: Site) -> Site:
    """The site in another row: a name written otherwise, somebody's mobile, moved, a wrong digit in the tax number."""
    site = one_change(chance, site, NAME_CHANGES)
    if chance.random() < 0.15:
        site = replace(site, phone=f"1{chance.choice('35789')}{chance.randint(0, 999999999):09}")
    if chance.random() < 0.12:
        site = replace(site, street=_street(chance))
    if chance.random() < 0.04:
        site = replace(site, tax=site.tax[:9] + chance.choice("0123456789") + site.tax[10:])
    return site


def _row(chance: random.Random, site: Site, again: bool) -> Row:
    if again:
        site = _later(chance, site)
    phone = AGENCY if chance.random() < 0.04 else site.phone
    return {
        "单位名称": site.name,
        "统一社会信用代码": missing(chance, site.tax, 0.45),
        "联系电话": missing(chance, phone, 0.2),
        "联系人": missing(chance, site.contact if chance.random() < 0.75 else _contact(chance), 0.3),
        "开票地址": missing(chance, site.city + site.street, 0.25),
        "电子邮件": missing(chance, chance.choice(("info", "sales", "caiwu", "hr")) + "@" + site.domain, 0.6),
    }


SUPPLIERS_CN = Export(3_000, "CN", "实体", "s", Key("客户编码", "C{:05}"), COPIES, company, _row)
