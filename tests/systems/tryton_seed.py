"""Fills a fresh Tryton database with a small, deliberately awkward list of parties. Runs in Tryton's environment.

python tryton_seed.py TRYTOND_CONF DATABASE
"""

from __future__ import annotations

import sys
from typing import Any

from proteus import Model, config  # type: ignore[import-not-found]

CITIES = [("上海", "200000"), ("北京", "100000"), ("München", "80331"), ("São Paulo", "01310-100")]
COMPANIES = [
    ("上海宏达贸易有限公司", "Shanghai Hongda Trading Co., Ltd."),
    ("深圳市腾飞电子有限公司", "Shenzhen Tengfei Electronics"),
    ("Müller & Söhne GmbH", "Mueller"),
    ("Acme Ltd", "ACME LIMITED"),
    ("北京華信科技股份有限公司", "Huaxin Technology"),
    ("Ñandú Importações S/A", "Nandu"),
]
PEOPLE = ["张伟", "Zhang Wei", "李娜", "王芳", "O'Brien, Seán", "Anna-Lena Größe", "陳大文", "  blank  Name "]
SHARED_EMAIL = "einkauf@acme.example"


def seed() -> None:
    party_model = Model.get("party.party")
    companies = [company(party_model, number, *names) for number, names in enumerate(COMPANIES)]
    people = [person(party_model, number, name) for number, name in enumerate(PEOPLE)]
    for number in range(14):
        company(party_model, 100 + number, f"批量客户{number:02d}有限公司", f"Batch {number:02d}")
    relate(companies, people)
    archived = companies[3]
    archived.active = False
    archived.save()
    nameless = party_model(name=None)
    nameless.save()


def company(party_model: Any, number: int, name: str, other: str) -> Any:
    party = party_model(name=name)
    party.contact_mechanisms.new(type="email", value=f"info{number}@example.com", name=other)
    party.contact_mechanisms.new(type="phone", value=f"+8621620012{number % 100:02d}")
    party.contact_mechanisms.new(type="website", value=f"https://example.com/{number}")
    if number == 2:
        party.identifiers.new(type="eu_vat", code="DE136695976")
    if number == 3:
        party.contact_mechanisms.new(type="email", value=SHARED_EMAIL)
    (address,) = party.addresses or [party.addresses.new()]
    address.city, address.postal_code = CITIES[number % len(CITIES)]
    address.street_unstructured = f"南京西路{number}号"
    party.save()
    return party


def person(party_model: Any, number: int, name: str) -> Any:
    party = party_model(name=name)
    party.contact_mechanisms.new(type="mobile", value=f"+861380013{8000 + number}")
    address = SHARED_EMAIL if number in (3, 4) else f"person{number}@example.org"
    party.contact_mechanisms.new(type="email", value=address)
    party.save()
    return party


def relate(companies: list[Any], people: list[Any]) -> None:
    types = Model.get("party.relation.type")
    employs, employed = types(name="雇用"), types(name="联系人")
    employs.save(), employed.save()
    employed.reverse, employs.reverse = employs, employed
    employed.save(), employs.save()
    relations = Model.get("party.relation.all")
    for number, somebody in enumerate(people[:4]):
        relations(from_=somebody, to=companies[number % 2], type=employed).save()


if __name__ == "__main__":
    config.set_trytond(sys.argv[2], user="admin", config_file=sys.argv[1])
    seed()
