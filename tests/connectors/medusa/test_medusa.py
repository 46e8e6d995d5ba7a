"""The Medusa manifest against a real Medusa."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

import connectors
from connectors.conformance import ConformanceSuite, Copy, Source
from connectors.contract import Connector, Context, Inbound, Mode, Read, Write
from connectors.errors import RecordRejected
from connectors.registry import load_registry
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.simulator import keyed_hash, posted
from tests.systems.fixtures import available
from tests.systems.medusa import Medusa
from tests.systems.medusa import medusa as start_medusa

pytestmark = [pytest.mark.systems, pytest.mark.timeout(900), pytest.mark.xdist_group("medusa")]
FOLDER = Path(connectors.__file__).parent / "medusa"
SECRET = "medusa-hook-secret"
_numbers = itertools.count(1)


class MedusaSource(Source):
    """Customers, changed through the shop's own interface and, for equal stamps, in its database."""

    stream = "customers"
    folder = FOLDER
    page_size = 5

    def __init__(self, shop: Medusa) -> None:
        self.shop = shop
        self.connector = load_registry().get("medusa").load()

    def settings(self) -> dict[str, Any]:
        return {
            "base_url": self.shop.url,
            "email": self.shop.email,
            "password": self.shop.password,
            "webhook_secret": SECRET,
        }

    def webhook(self, key: str) -> Inbound:
        """What the subscriber in the README sends."""
        body = json.dumps({"name": "customer.updated", "data": {"id": key}}, separators=(",", ":")).encode()
        stamp = str(int(time.time() * 1000))
        signature = keyed_hash(SECRET, f"{stamp}.".encode() + body).hex()
        return posted(body, {"X-Kehu-Timestamp": stamp, "X-Kehu-Signature": signature})

    def keys(self) -> set[str]:
        return {key for (key,) in self.shop.sql("SELECT id FROM customer WHERE deleted_at IS NULL")}

    def add(self) -> str:
        created = self.shop.call("POST", "/customers", {"email": f"new{next(_numbers)}@example.com", "last_name": "王"})
        return str(created["customer"]["id"])

    def update(self, key: str) -> None:
        self.shop.call("POST", f"/customers/{key}", {"first_name": f"Renamed {next(_numbers)}"})

    def delete(self, key: str) -> None:
        self.shop.call("DELETE", f"/customers/{key}")

    def tie(self, keys: Sequence[str]) -> None:
        self.shop.sql("UPDATE customer SET updated_at = now() WHERE id = ANY(%s)", list(keys))

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "password": "wrong-password"}, "password"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "base_url": "http://127.0.0.1:9"}

    def body(self, number: int) -> dict[str, Any]:
        return {"email": f"written{number}@example.com", "first_name": "Written", "last_name": str(number)}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.keys())
        ((email,),) = self.shop.sql("SELECT email FROM customer WHERE id = %s", other)
        return Write({"email": email}, "conflict", key=one)

    def context(self) -> Context:
        return Context(connection="shop", allow_private=["127.0.0.0/8"])


class TestConformance(ConformanceSuite):
    @pytest.fixture
    def source(self, medusa: Medusa) -> MedusaSource:
        return MedusaSource(medusa)


@pytest.fixture
def source(medusa: Medusa) -> MedusaSource:
    return MedusaSource(medusa)


@pytest.fixture
def connector(source: MedusaSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


@pytest.fixture(scope="module")
def forgetful() -> Iterator[Medusa]:
    """A shop whose tokens live for two seconds."""
    yield from available(lambda: start_medusa(token_ttl="2s"))


def bodies(connector: Connector[Any]) -> dict[str, dict[str, Any]]:
    pages = connector.read(Read("customers", Mode.FULL))
    return {record.key: orjson.loads(record.body) for page in pages for record in page.records}


def test_addresses_groups_and_metadata_come_with_the_customer(connector: Connector[Any]) -> None:
    found = next(body for body in bodies(connector).values() if body["email"] == "INFO@HongDa.example")
    assert found["metadata"] == {"税号": "91310000"}
    assert [address["city"] for address in found["addresses"]] == ["上海"]
    assert found["groups"] == []


def test_a_token_that_expires_amid_a_read_is_renewed(forgetful: Medusa) -> None:
    source = MedusaSource(forgetful)
    copy = Copy(source.connect(), source)
    assert set(copy.full(lambda: time.sleep(2.5)).bodies) == source.keys()


def test_a_customer_changed_during_the_read_is_read_again(connector: Connector[Any], source: MedusaSource) -> None:
    copy = Copy(connector, source)
    first = sorted(source.keys())[0]
    copy.full(lambda: source.update(first)).incremental()
    assert copy.bodies[first] == bodies(connector)[first]


def test_the_same_email_twice_updates_the_customer_there_is(connector: Connector[Any], source: MedusaSource) -> None:
    key = source.add()
    before = bodies(connector)
    (one,) = connector.write("customers", [Write({"email": before[key]["email"], "phone": "1"}, "w1")])
    assert one.error is None
    assert one.key == key
    after = bodies(connector)
    assert set(after) == set(before)
    assert after[key]["phone"] == "1"


def test_a_field_the_shop_does_not_know_rejects_that_record_alone(
    connector: Connector[Any], source: MedusaSource
) -> None:
    bad = Write({"email": "bad@example.com", "no_such_field": 1}, "w2")
    one, two = connector.write("customers", [bad, Write(source.body(77), "w3")])
    assert isinstance(one.error, RecordRejected)
    assert "no_such_field" in str(one.error)
    assert two.error is None


def test_the_default_mapping_tells_companies_from_people(connector: Connector[Any]) -> None:
    mapper = compile_mapping(load_spec(FOLDER / "mapping.yaml"))
    customers = {body["email"]: mapper(body) for body in bodies(connector).values()}
    company = customers["INFO@HongDa.example"][0].customer
    assert (company["kind"], company["name"]) == ("organisation", "上海宏达贸易有限公司")
    assert company["addresses"][0]["country"] == "CN"
    person = customers["sean@example.com"][0].customer
    assert (person["kind"], person["family_name"], person["given_name"]) == ("person", "O'Brien", "Seán")
    assert customers["nobody@example.com"][0].customer["emails"][0]["value"] == "nobody@example.com"
