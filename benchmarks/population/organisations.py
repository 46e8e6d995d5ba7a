"""Made-up companies and their branches, each in one to four records."""
# ruff: noqa: E501

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.population import vocabulary as words
from benchmarks.population.persons import latin_given, traditional

FORMS = ("有限公司", "有限责任公司", "股份有限公司")
ENGLISH_FORMS = ("Ltd", "Limited", "Inc", "GmbH", "LLC", "plc")


@dataclass(frozen=True)
class Company:
    """One company as it is."""

    region: str
    brand: str
    trade: str
    form: str
    chinese: bool
    number: str
    phone: str
    domain: str
    street: str
    city: str
    postcode: str
    branch: str = ""


class Maker:
    """Makes companies, alone or with branches; now and then two hundred behind one switchboard."""

    def __init__(self, chance: random.Random, chinese: float) -> None:
        self._chance, self._chinese = chance, chinese
        self._number = 0
        self._switchboard, self._left = "", 0

    def group(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The records of a company and its branches."""
        chance = self._chance
        company = self._company()
        if self._left:
            self._left -= 1
            company = replace(company, phone=self._switchboard)
        elif chance.random() < 0.0005:
            self._switchboard, self._left = company.phone, 199
        found = [company]
        if chance.random() < 0.12:
            found += [self._branch(company) for _ in range(chance.randint(1, 3))]
        for one in found:
            self._number += 1
            entity = f"o{self._number}"
            for copy in range(chance.choices((1, 2, 3, 4), (65, 22, 9, 4))[0]):
                yield entity, self._record(one, copy)

    def _company(self) -> Company:
        chance = self._chance
        if chance.random() < self._chinese:
            _region, city, code = chance.choice(words.CHINESE_CITIES)
            brand = "".join(chance.choice(words.BRAND_CHARACTERS) for _ in range(chance.choice((2, 2, 2, 3, 4))))
            street = f"{chance.choice(words.CHINESE_STREETS)}{chance.randint(1, 900)}号"
            number = "91" + code[:2] + "0" * 2 + "".join(chance.choices("0123456789ABCDEFGHJKLMNPQRTUWXY", k=12))
            return Company(
                city, brand, words.zipf(chance, words.TRADES), chance.choice(FORMS), True, number,
                f"+8610{chance.randint(10000000, 99999999)}", f"{latin_given(brand)}{chance.choice(('', chance.randint(1, 99)))}.com.cn",
                street, city, code + f"{chance.randint(0, 99):02}",
            )  # fmt: skip
        city, code = chance.choice(words.CITIES)
        brand = words.zipf(chance, words.FAMILY)
        if chance.random() < 0.4:
            brand += " & " + words.zipf(chance, words.FAMILY)
        trade = chance.choice(words.ENGLISH_TRADES)
        slug = "".join(c for c in brand.lower() if "a" <= c <= "z")
        return Company(
            "", brand, trade, chance.choice(ENGLISH_FORMS), False, f"GB{chance.randint(100000000, 999999999)}",
            f"+4420{chance.randint(70000000, 89999999)}", f"{slug}{trade.lower()}.{chance.choice(('com', 'co.uk', 'net'))}",
            f"{chance.randint(1, 300)} {chance.choice(words.STREETS)} {chance.choice(words.STREET_KINDS)}", city,
            f"{code}{chance.randint(1, 99)} {chance.randint(1, 9)}{chance.choice('ABDEFGHJ')}{chance.choice('LNPQRST')}",
        )  # fmt: skip

    def _branch(self, company: Company) -> Company:
        """Another site of the same company: a customer of its own, with its own address and mostly its own phone."""
        chance = self._chance
        other = self._company()
        while other.chinese != company.chinese:
            other = self._company()
        place = other.city[:-1] + "分公司" if company.chinese else other.city
        phone = company.phone if chance.random() < 0.2 else other.phone
        return replace(
            company, branch=place, phone=phone, street=other.street, city=other.city, postcode=other.postcode,
            number=other.number,
        )  # fmt: skip

    def _record(self, company: Company, copy: int) -> dict[str, Any]:
        chance = self._chance
        name = self._name(company, copy)
        found: dict[str, Any] = {"kind": "organisation", "name": name}
        if company.chinese and not name.isascii():
            found["native_name"] = name
        if chance.random() < 0.25:
            found["identifiers"] = [{"scheme": "number", "value": company.number}]
        if chance.random() < 0.75:
            found["phones"] = [
                {"value": company.phone if not copy or chance.random() < 0.85 else self._company().phone}
            ]
        if chance.random() < 0.6:
            local = (
                chance.choice(("info", "sales", "office", "contact"))
                if chance.random() < 0.6
                else words.zipf(chance, words.GIVEN).lower()
            )
            found["emails"] = [{"value": f"{local}@{company.domain}"}]
        if chance.random() < 0.8:
            address = {"city": company.city, "street": company.street}
            if copy and not company.chinese and chance.random() < 0.25:
                address["street"] = address["street"].replace("Street", "St").replace("Road", "Rd")
            if chance.random() < 0.7:
                address["postcode"] = company.postcode
            found["addresses"] = [address]
        return found

    def _name(self, company: Company, copy: int) -> str:
        chance = self._chance
        kind = chance.random() if copy else 1.0
        if company.chinese:
            if kind < 0.15:
                return company.region[:-1] + company.brand + company.trade + (company.branch or "")
            if kind < 0.3:
                return company.brand + company.trade + chance.choice(FORMS) + company.branch
            if kind < 0.4:
                return traditional(company.region + company.brand + company.trade + company.form + company.branch)
            if kind < 0.45 and not company.branch:
                return latin_given(company.brand).title() + " " + chance.choice(("Technology", "Trading")) + " Co., Ltd"
            return company.region + company.brand + company.trade + company.form + company.branch
        tail = f" ({company.branch})" if company.branch else ""
        if kind < 0.15:
            return f"{company.brand} {company.trade}{tail}"
        if kind < 0.25:
            return f"{words.misspelt(chance, company.brand)} {company.trade} {company.form}{tail}"
        if kind < 0.35:
            return f"{company.brand.replace('&', 'and')} {company.trade} {chance.choice(ENGLISH_FORMS)}{tail}"
        return f"{company.brand} {company.trade} {company.form}{tail}"
