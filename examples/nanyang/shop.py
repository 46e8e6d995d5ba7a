"""The web shop's customers, as its REST service gives them out (see ``shop_server``)."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from examples.nanyang import noise
from examples.nanyang.clock import moment
from examples.nanyang.truth import Sighting
from examples.nanyang.world import Person, World

FILE_NAME = "shop.json"
KNOWN = 0.75
JUNK = ("test", "测试", "asdf")


class Shop:
    """Writes the shop's data and remembers who is who."""

    def __init__(self, seed: int, world: World) -> None:
        self._rng = Random(f"nanyang:{seed}:shop")
        self._world = world
        self._customers: list[dict[str, Any]] = []
        self.sightings: list[Sighting] = []

    def write(self, folder: Path) -> None:
        """Write shop.json, which the service loads, into the folder."""
        for person in self._world.persons:
            if self._rng.random() < KNOWN:
                self._account(person)
                if self._rng.random() < 0.05:  # a second account, with another spelling
                    self._account(person)
        for number, word in enumerate(JUNK):
            self._junk(number, word)
        self._customers.sort(key=lambda one: int(one["id"]))
        text = json.dumps(self._customers, ensure_ascii=False, indent=1, sort_keys=True)
        (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")

    def _account(self, person: Person) -> None:
        rng, place = self._rng, person.place
        company = (
            noise.company_name(rng, person.employer, latin=0.2) if person.employer and rng.random() < 0.5 else None
        )
        record = self._record(
            email=noise.email(rng, person.email),
            name=noise.person_name(rng, person, latin=0.35),
            phone=noise.phone(rng, person.mobile) if rng.random() < 0.85 else None,
            company=company,
            verified=rng.random() < 0.8,
        )
        record["address"] = {
            "country": place.country,
            "province": place.province or None,
            "city": rng.choice([place.city, place.latin]),
            "street": place.street or place.latin_street,
            "postcode": place.postcode or None,
        }
        self.sightings.append(Sighting("shop", "customers", record["id"], "", person.id))

    def _junk(self, number: int, word: str) -> None:
        record = self._record(noise.PLACEHOLDER_EMAIL, f"{word} {word}", noise.PLACEHOLDER_PHONE, None, False)
        self.sightings.append(Sighting("shop", "customers", record["id"], "", f"J{number:04d}"))

    def _record(self, email: str, name: str, phone: str | None, company: str | None, verified: bool) -> dict[str, Any]:
        changed = moment(self._rng, days=400)
        record: dict[str, Any] = {
            "id": str(70_001 + len(self._customers)),
            "email": email,
            "email_verified": verified,
            "name": name,
            "phone": phone,
            "company": company,
            "accepts_marketing": self._rng.random() < 0.4,
            "created_at": (changed - timedelta(days=self._rng.randrange(300))).isoformat().replace("+00:00", "Z"),
            "updated_at": changed.isoformat().replace("+00:00", "Z"),
        }
        self._customers.append(record)
        return record
