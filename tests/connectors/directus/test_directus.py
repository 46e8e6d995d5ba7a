"""The Directus manifest against a real Directus with its rate limiter on."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

import connectors
from connectors.conformance import ConformanceSuite, Copy, Source, Unsupported
from connectors.contract import Connector, Context, Inbound, Mode, Read, Write
from connectors.errors import PermissionMissing
from connectors.registry import load_registry
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.receiver import Receiver
from tests.systems.directus import Directus
from tests.systems.directus import directus as start_directus
from tests.systems.fixtures import available

pytestmark = [pytest.mark.systems, pytest.mark.timeout(900), pytest.mark.xdist_group("directus")]
FOLDER = Path(connectors.__file__).parent / "directus"
TOKEN = "directus-hook-token"
_numbers = itertools.count(1)


class DirectusSource(Source):
    """Contacts, changed through the server's own interface and, for equal stamps, in its database."""

    stream = "contacts"
    folder = FOLDER
    page_size = 5

    def __init__(self, server: Directus, receiver: Receiver | None = None) -> None:
        self.server, self.receiver = server, receiver
        self.connector = load_registry().get("directus").load()

    def settings(self) -> dict[str, Any]:
        return {
            "base_url": self.server.url,
            "email": self.server.email,
            "password": self.server.password,
            "webhook_token": TOKEN,
        }

    def webhook(self, key: str) -> Inbound:
        if self.receiver is None:
            raise Unsupported("nobody receives here")
        self.receiver.forget()
        self.update(key)
        return self.receiver.next()

    def keys(self) -> set[str]:
        return {str(key) for (key,) in self.server.sql("SELECT id FROM contacts")}

    def add(self) -> str:
        return str(self.server.call("POST", "/items/contacts", {"name": f"新联系人{next(_numbers)}"})["id"])

    def update(self, key: str) -> None:
        self.server.call("PATCH", f"/items/contacts/{key}", {"name": f"改名{next(_numbers)}"})

    def delete(self, key: str) -> None:
        self.server.call("DELETE", f"/items/contacts/{key}")

    def tie(self, keys: Sequence[str]) -> None:
        change = "UPDATE contacts SET date_updated = date_trunc('second', now()), phone = '1' WHERE id = ANY(%s)"
        self.server.sql(change, [int(key) for key in keys])

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "password": "wrong-password"}, "password"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "base_url": "http://127.0.0.1:9"}

    def body(self, number: int) -> dict[str, Any]:
        return {"name": f"回写{number}", "email": f"written{number}@example.com"}

    def context(self) -> Context:
        return Context(connection="crm", allow_private=["127.0.0.0/8"])


@pytest.fixture(scope="module")
def receiver(directus: Directus) -> Iterator[Receiver]:
    """Where the server's flow, set up as the README says, tells of changes."""
    made = Receiver()
    options = {"type": "action", "scope": ["items.create", "items.update", "items.delete"], "collections": ["contacts"]}
    flow = directus.call("POST", "/flows", {"name": "kehu", "status": "active", "trigger": "event", "options": options})
    call = {
        "method": "POST", "url": made.url, "body": "{{$trigger}}",
        "headers": [{"header": "Authorization", "value": f"Bearer {TOKEN}"}],
    }  # fmt: skip
    step = {"flow": flow["id"], "key": "tell", "type": "request", "position_x": 1, "position_y": 1, "options": call}
    operation = directus.call("POST", "/operations", step)
    directus.call("PATCH", f"/flows/{flow['id']}", {"operation": operation["id"]})
    yield made
    directus.call("DELETE", f"/flows/{flow['id']}")
    made.close()


class TestConformance(ConformanceSuite):
    @pytest.fixture
    def source(self, directus: Directus, receiver: Receiver) -> DirectusSource:
        return DirectusSource(directus, receiver)


@pytest.fixture
def source(directus: Directus) -> DirectusSource:
    return DirectusSource(directus)


@pytest.fixture
def connector(source: DirectusSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


@pytest.fixture(scope="module")
def strict() -> Iterator[Directus]:
    """A server with tokens of two seconds, that takes three calls a second."""
    yield from available(lambda: start_directus(token_ttl="2s", calls_per_second=3))


def bodies(connector: Connector[Any]) -> dict[str, dict[str, Any]]:
    pages = connector.read(Read("contacts", Mode.FULL))
    return {record.key: orjson.loads(record.body) for page in pages for record in page.records}


def test_too_many_calls_wait_as_long_as_the_server_asks_and_lose_nothing(strict: Directus) -> None:
    source = DirectusSource(strict)
    answers = [requests.get(f"{strict.url}/server/ping", timeout=10) for _ in range(8)]
    assert 429 in [answer.status_code for answer in answers], "the limiter is not on"
    assert set(Copy(source.connect(), source).full().bodies) == source.keys()


def test_new_and_deleted_contacts_are_told_at_once(directus: Directus, receiver: Receiver) -> None:
    source = DirectusSource(directus, receiver)
    connector = source.connect()
    receiver.forget()
    key = source.add()
    assert {hint.key for hint in connector.verify(receiver.next())} == {key}
    source.delete(key)
    (hint,) = connector.verify(receiver.next())
    assert list(connector.fetch("contacts", [hint.key or ""]).deleted) == [key]
    connector.close()


def test_a_token_that_expires_amid_a_read_is_renewed(strict: Directus) -> None:
    source = DirectusSource(strict)
    time.sleep(1.1)
    copy = Copy(source.connect(), source).full(lambda: time.sleep(2.5))
    assert set(copy.bodies) == source.keys()


def test_an_item_edited_for_the_first_time_and_one_never_edited_are_both_followed(
    connector: Connector[Any], source: DirectusSource
) -> None:
    copy = Copy(connector, source).full()
    ((never,),) = source.server.sql("SELECT min(id) FROM contacts WHERE date_updated IS NULL")
    added = source.add()
    source.update(str(never))
    assert {added, str(never)} <= copy.incremental().changed
    assert copy.bodies == bodies(connector)


def test_the_same_email_may_stand_in_two_records(connector: Connector[Any]) -> None:
    shared = [body for body in bodies(connector).values() if body["email"] == "zhang.wei@example.com"]
    assert len(shared) >= 2


def test_a_collection_that_may_not_be_read_says_so(source: DirectusSource) -> None:
    made = source.connect({**source.settings(), "collection": "nowhere"})
    with pytest.raises(PermissionMissing):
        list(made.read(Read("contacts")))
    made.close()


def test_a_written_contact_is_found_again_by_its_email(connector: Connector[Any], source: DirectusSource) -> None:
    (one,) = connector.write("contacts", [Write({"name": "一", "email": "one@example.com"}, "w1")])
    (two,) = connector.write("contacts", [Write({"name": "二", "email": "one@example.com"}, "w2")])
    assert one.key == two.key
    assert bodies(connector)[one.key or ""]["name"] == "二"


def test_the_default_mapping_reads_the_usual_fields(connector: Connector[Any]) -> None:
    mapper = compile_mapping(load_spec(FOLDER / "mapping.yaml"))
    found = [mapper(body)[0].customer for body in bodies(connector).values() if body["email"]]
    by_email = {customer["emails"][0]["value"]: customer for customer in found if customer.get("emails")}
    assert by_email["info@acme.example"]["kind"] == "organisation"
    assert by_email["info@acme.example"]["name"] == "Acme Ltd"
    assert by_email["batch03@example.com"]["kind"] == "person"
