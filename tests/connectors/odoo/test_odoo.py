"""The Odoo connector against a simulator of both protocols, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import responses

from connectors.conformance import Copy
from connectors.contract import Connector, Context, Mode, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    EndlessPages,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WriteConflict,
)
from connectors.odoo.connector import OdooConnector
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.odoo.odoo_simulator import Fault, Odoo
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies, registered


class OdooSource(VendorSource):
    vendor = "odoo"
    stream = "partners"
    server: Odoo

    def __init__(self, server: Odoo, **settings: Any) -> None:
        super().__init__(server)
        self._settings = settings

    def settings(self) -> dict[str, Any]:
        login = {"database": Odoo.DATABASE, "user": Odoo.USER, "api_key": Odoo.KEY}
        return {"base_url": self.server.url, **login, **self._settings}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"api_key": "wrong-key-000"}, "api_key"

    def body(self, number: int) -> dict[str, Any]:
        return {"name": f"Written {number}", "ref": f"W{number}", "is_company": True, "country_id": 20}

    def conflict(self) -> Write:
        return Write({"name": "ours"}, "conflict", key=min(self.server.rows), expected="2020-01-01T00:00:00Z")


class OdooSuite(VendorSuite):
    throttled = Answer(429, b"Too Many Requests", {"Content-Type": "text/plain"})


class TestJson2(OdooSuite):
    @pytest.fixture
    def source(self) -> Iterator[OdooSource]:
        with Odoo() as server:
            yield OdooSource(server)


class TestJsonRpc(OdooSuite):
    @pytest.fixture
    def source(self) -> Iterator[OdooSource]:
        with Odoo(version="17.0") as server:
            yield OdooSource(server)


@pytest.fixture(params=["19.0", "16.0"])
def odoo(request: pytest.FixtureRequest) -> Iterator[Odoo]:
    with Odoo(version=request.param) as server:
        yield server


@pytest.fixture
def connector(odoo: Odoo) -> Iterator[Connector[Any]]:
    made = OdooSource(odoo).connect()
    yield made
    made.close()


def read(connector: Connector[Any], mode: Mode = Mode.FULL, cursor: Any = None, size: int = 1000) -> list[Any]:
    return [
        record for page in connector.read(Read("partners", mode, cursor, page_size=size)) for record in page.records
    ]


class TestProtocols:
    @pytest.mark.parametrize(
        ("version", "rpc", "path"),
        [("17.0", True, "/jsonrpc"), ("saas~18.2", True, "/jsonrpc"), ("19.0", True, "/json/2"),
         ("saas~19.1", True, "/json/2"), ("20.0", False, "/json/2")],
    )  # fmt: skip
    def test_the_protocol_follows_the_version(self, version: str, rpc: bool, path: str) -> None:
        with Odoo(version=version, rpc=rpc) as server:
            connector = OdooSource(server).connect()
            assert len(read(connector)) == 8
            assert server.calls[-1].path.startswith(path)
            connector.close()

    def test_a_protocol_that_is_set_is_not_asked_for(self) -> None:
        with Odoo() as server:
            connector = OdooSource(server, protocol="jsonrpc").connect()
            assert "JSON-RPC" in str(connector.check())
            assert {call.path for call in server.calls} == {"/jsonrpc"}
            connector.close()

    def test_the_check_says_which_protocol_and_version_it_met(self, odoo: Odoo, connector: Connector[Any]) -> None:
        checked = connector.check()
        assert checked.details["version"] == odoo.version
        assert checked.details["user"] == "7"

    def test_a_database_that_there_is_not_is_named(self, odoo: Odoo) -> None:
        connector = OdooSource(odoo, database="other").connect()
        with pytest.raises(BadConfiguration) as caught:
            connector.check()
        assert caught.value.setting == "database"
        connector.close()

    def test_a_server_that_is_no_odoo_is_told(self, odoo: Odoo, connector: Connector[Any]) -> None:
        odoo.habits.fail_next = [Answer(200, {"hello": "world"})] * 8
        with pytest.raises((StreamBroken, BadConfiguration)):
            connector.check()

    def test_no_traceback_and_no_key_of_the_server_is_shown(self, odoo: Odoo, connector: Connector[Any]) -> None:
        told = Fault(500, "builtins.RuntimeError", f"boom {Odoo.KEY}").told()
        connector.check()
        shape = (
            told if odoo.json2 else {"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "x", "data": told}}
        )
        odoo.habits.fail_next = [Answer(500 if odoo.json2 else 200, shape)]
        with pytest.raises(StreamBroken) as caught:
            read(connector)
        assert "boom" in str(caught.value)
        assert not [word for word in ("secret path", Odoo.KEY) if word in f"{caught.value} {caught.value.params}"]


FAULTS = [
    ("odoo.exceptions.AccessDenied", "Access Denied", 403, BadCredentials),
    ("odoo.http.SessionExpiredException", "Session expired", 403, BadCredentials),
    ("odoo.exceptions.AccessError", "You are not allowed…", 403, PermissionMissing),
    ("psycopg2.OperationalError", "could not connect to server", 500, RetryLater),
    ("psycopg2.errors.SerializationFailure", "could not serialize access", 500, RetryLater),
    ("builtins.KeyError", "'x'", 500, StreamBroken),
    ("werkzeug.exceptions.NotFound", "the model 'res.partner' does not exist", 404, BadConfiguration),
]


@pytest.mark.parametrize(("name", "text", "status", "kind"), FAULTS)
@pytest.mark.parametrize("protocol", ["json2", "jsonrpc"])
def test_errors_are_known_by_the_name_of_the_exception(
    name: str, text: str, status: int, kind: type[Exception], protocol: str
) -> None:
    with Odoo() as server:
        connector = OdooSource(server, protocol=protocol).connect()
        connector.check()
        told = Fault(status, name, text).told()
        rpc = {"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error", "data": told}}
        server.habits.fail_next = [Answer(status, told) if protocol == "json2" else Answer(200, rpc)]
        with pytest.raises(kind):
            read(connector)
        connector.close()


class TestReading:
    def test_archived_partners_are_read_too(self, odoo: Odoo, connector: Connector[Any]) -> None:
        odoo.rows["3"]["active"] = False
        assert len(read(connector)) == 8

    def test_false_is_null_but_for_booleans(self, odoo: Odoo, connector: Connector[Any]) -> None:
        odoo.rows["1"]["active"] = False
        body = json.loads(read(connector)[0].body)
        assert body["phone"] is None
        assert body["active"] is False

    def test_a_server_that_caps_pages_silently_loses_nothing(self) -> None:
        with Odoo(page_cap=3) as server:
            connector = OdooSource(server).connect()
            assert len(read(connector)) == 8
            connector.close()

    def test_a_server_that_ignores_the_filter_by_id_does_not_keep_us_for_ever(
        self, odoo: Odoo, connector: Connector[Any]
    ) -> None:
        connector.check()
        row = {name: odoo.rows["1"][name] for name in ("id", "name", "write_date")}
        page = [row] if odoo.json2 else {"jsonrpc": "2.0", "id": 1, "result": [row]}
        odoo.habits.fail_next = [Answer(200, page)] * 3
        with pytest.raises(EndlessPages):
            read(connector)

    def test_a_partner_that_has_no_change_stamp_is_in_every_read(self, odoo: Odoo, connector: Connector[Any]) -> None:
        odoo.rows["2"]["write_date"] = False
        cursor = [page.cursor for page in connector.read(Read("partners"))][-1]
        assert "2" in {record.key for record in read(connector, Mode.INCREMENTAL, cursor)}

    def test_a_long_transaction_that_is_seen_late_is_within_the_look_back(
        self, odoo: Odoo, connector: Connector[Any]
    ) -> None:
        cursor = [page.cursor for page in connector.read(Read("partners"))][-1]
        seen = odoo.now()
        late = odoo.add(at=seen.replace(microsecond=0) - timedelta(minutes=5))
        assert late in {record.key for record in read(connector, Mode.INCREMENTAL, cursor)}

    def test_customers_only_reads_customers(self, odoo: Odoo) -> None:
        connector = OdooSource(odoo, customers_only=True).connect()
        assert {record.key for record in read(connector)} == {"1", "3", "5", "7"}
        connector.close()

    def test_companies_are_asked_for_in_filter_and_context(self, odoo: Odoo) -> None:
        odoo.rows["1"]["company_id"] = [2, "Other"]
        connector = OdooSource(odoo, companies=[1]).connect()
        assert {record.key for record in read(connector)} == {str(n) for n in range(2, 9)}
        assert '"allowed_company_ids":[1]' in odoo.calls[-1].body.decode().replace(" ", "")
        connector.close()

    def test_further_fields_are_read_and_misspelt_ones_named(self, odoo: Odoo) -> None:
        connector = OdooSource(odoo, fields=["x_tier"]).connect()
        assert "x_tier" in json.loads(read(connector)[0].body)
        connector.close()
        connector = OdooSource(odoo, fields=["x_teir"]).connect()
        with pytest.raises(BadConfiguration, match="x_tier") as caught:
            connector.check()
        assert caught.value.setting == "fields"
        connector.close()

    def test_fields_that_this_odoo_has_not_are_not_asked_for(self, odoo: Odoo, connector: Connector[Any]) -> None:
        names = {field.path for field in connector.discover()[0].fields}
        assert "mobile" not in names
        assert {"id", "name", "write_date"} <= names


class TestWriting:
    def test_only_what_differs_is_sent(self, odoo: Odoo, connector: Connector[Any]) -> None:
        write = Write({"name": "New", "email": "c1@odoo.example", "country_id": 20, "phone": None}, "w", "1")
        (result,) = connector.write("partners", [write])
        assert result.error is None
        assert odoo.writes == [("1", {"name": "New"})]

    def test_nothing_is_sent_when_nothing_differs(self, odoo: Odoo, connector: Connector[Any]) -> None:
        connector.write("partners", [Write({"ref": "C1", "active": True, "street": ""}, "w", "1")])
        assert odoo.writes == []

    def test_a_known_reference_updates_that_partner(self, odoo: Odoo, connector: Connector[Any]) -> None:
        (result,) = connector.write("partners", [Write({"name": "Ours", "ref": "C2"}, "w")])
        assert (result.key, result.created) == ("2", False)
        assert odoo.rows["2"]["name"] == "Ours"

    def test_a_reference_that_several_have_is_a_conflict(self, odoo: Odoo, connector: Connector[Any]) -> None:
        odoo.rows["3"]["ref"] = "C2"
        (result,) = connector.write("partners", [Write({"name": "Ours", "ref": "C2"}, "w")])
        assert isinstance(result.error, WriteConflict)
        assert odoo.writes == []

    def test_an_answer_that_was_lost_does_not_create_twice(self, odoo: Odoo, connector: Connector[Any]) -> None:
        write = Write({"name": "Once"}, "once")
        (first,) = connector.write("partners", [write])
        (again,) = connector.write("partners", [write])
        assert first.created
        assert (again.key, again.created) == (first.key, False)
        assert len(odoo.rows) == 9

    def test_without_a_look_at_external_ids_the_import_still_creates_once(
        self, odoo: Odoo, connector: Connector[Any]
    ) -> None:
        odoo.hides_data_model = True
        write = Write({"name": "Once"}, "once")
        assert {connector.write("partners", [write])[0].key for _ in range(2)} == {"9"}

    def test_lists_are_written_after_the_import(self, odoo: Odoo, connector: Connector[Any]) -> None:
        (result,) = connector.write("partners", [Write({"name": "Tagged", "category_id": [[4, 5, 0]]}, "w")])
        assert odoo.rows[str(result.key)]["category_id"] == [5]

    def test_what_the_import_says_is_told(self, odoo: Odoo, connector: Connector[Any]) -> None:
        odoo.rejects_load = "No matching record found for 'Atlantis' in field 'Country'"
        (result,) = connector.write("partners", [Write({"name": "x"}, "w")])
        assert isinstance(result.error, RecordRejected)
        assert "Atlantis" in str(result.error)

    def test_a_bad_record_is_rejected_and_its_neighbours_are_written(
        self, odoo: Odoo, connector: Connector[Any]
    ) -> None:
        batch = [
            Write({"vat": "BAD1"}, "w1", "1"), Write({"no_such_field": 1}, "w2", "1"), Write({"name": "x"}, "w3", "99"),
            Write({"name": "x"}, "w4", "1; DROP"), Write({"vat": "BAD2", "name": "n"}, "w5"),
            Write({"name": "Good"}, "w6"),
        ]  # fmt: skip
        results = connector.write("partners", batch)
        assert [type(result.error) for result in results] == [RecordRejected] * 5 + [type(None)]
        assert "VAT" in str(results[0].error)
        assert "no_such_field" in str(results[1].error)

    def test_a_record_that_a_rule_forbids_does_not_stop_its_neighbours(
        self, odoo: Odoo, connector: Connector[Any]
    ) -> None:
        connector.write("partners", [])
        text = "Due to security restrictions, you are not allowed to modify 'Contact' (res.partner) records."
        told = Fault(403, "odoo.exceptions.AccessError", text).told()
        rpc = {"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "x", "data": told}}
        answers = iter([Answer(403, told) if odoo.json2 else Answer(200, rpc)])

        def refuse(request: Any) -> None:
            if b'"vals"' in request.body:
                for answer in answers:
                    raise answer

        odoo.habits.before = refuse
        one, two = connector.write("partners", [Write({"name": "a"}, "w1", "1"), Write({"name": "b"}, "w2", "2")])
        assert isinstance(one.error, RecordRejected)
        assert two.error is None

    def test_a_match_field_that_there_is_not_is_named(self, odoo: Odoo) -> None:
        connector = OdooSource(odoo, match_field="x_external").connect()
        with pytest.raises(BadConfiguration) as caught:
            connector.write("partners", [Write({"name": "x"}, "w")])
        assert caught.value.setting == "match_field"
        connector.close()


EXAMPLE = [{"id": 25, "name": "Acme", "vat": "BE0477472701", "email": "info@acme.example", "is_company": True,
            "write_date": "2026-01-02 03:04:05", "active": True, "parent_id": False, "country_id": [20, "Belgium"],
            "state_id": [5, "California (US)"], "city": "Leuven", "lang": "en_US"}]  # fmt: skip
UNAUTHORISED = {"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey",
                "arguments": ["Invalid apikey", 401], "context": {}, "debug": "Traceback …"}  # fmt: skip
FIELDS = {name: {"type": "char"} for name in EXAMPLE[0]} | {"is_company": {"type": "boolean"}}


def documented(protocol: str) -> OdooConnector:
    config = {
        "base_url": "https://93.184.216.34",
        "database": "acme",
        "user": "u",
        "api_key": "k-1",
        "protocol": protocol,
    }
    return OdooConnector(OdooConnector.config_model.model_validate(config), Context("odoo"))


@responses.activate
def test_the_documented_partner_is_read_and_mapped() -> None:
    base = "https://93.184.216.34/json/2/res.partner"
    responses.post(f"{base}/fields_get", json=FIELDS)
    responses.post(f"{base}/search_read", json=EXAMPLE)
    responses.post(f"{base}/search_read", json=[])
    (record,) = read(documented("json2"))
    assert (record.key, record.changed_at) == ("25", "2026-01-02T03:04:05.000000Z")
    mapper = compile_mapping(load_spec(registered("odoo").folder / "mapping.yaml"))
    customer = mapper(json.loads(record.body))[0].customer
    assert (customer["kind"], customer["name"], customer["status"]) == ("organisation", "Acme", "active")
    assert customer["identifiers"][0]["scheme"] == "eu.vat"
    assert customer["addresses"][0]["country"] == "BE"
    assert customer["addresses"][0]["region"] == "California"
    assert customer["language"] == "en-US"


@responses.activate
def test_the_documented_refusal_of_json2_names_the_settings() -> None:
    responses.post("https://93.184.216.34/json/2/res.users/context_get", json=UNAUTHORISED, status=401)
    responses.post("https://93.184.216.34/json/2/res.partner/fields_get", json=UNAUTHORISED, status=401)
    with pytest.raises(BadCredentials, match="api_key"):
        documented("json2").check()


@responses.activate
def test_the_documented_error_of_jsonrpc_comes_with_status_200() -> None:
    data = {"name": "odoo.exceptions.AccessError", "message": "You are not allowed…", "arguments": ["…"], "debug": "…"}
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error", "data": data}}
    responses.post("https://93.184.216.34/jsonrpc", json={"jsonrpc": "2.0", "id": 1, "result": 7})
    responses.post("https://93.184.216.34/jsonrpc", json=error)
    with pytest.raises(PermissionMissing, match="not allowed"):
        documented("jsonrpc").check()


class TestDefaultMapping:
    def test_a_contact_belongs_to_its_company_and_a_mere_address_is_nobody(self) -> None:
        with Odoo(rows=3) as server:
            server.rows["2"] |= {"parent_id": [1, "Customer 1"], "is_company": False}
            server.rows["3"] |= {"parent_id": [1, "Customer 1"], "is_company": False, "type": "delivery"}
            source = OdooSource(server)
            mapper = compile_mapping(load_spec(source.folder / "mapping.yaml"))
            mapped = {key: mapper(body) for key, body in bodies(source).items()}
        assert mapped["2"][0].customer["organisation"]["source_id"] == "1"
        assert mapped["2"][0].customer["kind"] == "person"
        assert not mapped["3"]

    def test_changes_of_a_read_that_was_cut_short_are_not_lost(self, odoo: Odoo) -> None:
        source = OdooSource(odoo)
        connector = source.connect()
        copy = Copy(connector, source)
        pages = connector.read(Read("partners", page_size=3))
        first = next(pages)
        odoo.update("1")
        copy.apply(first, "")
        rest = connector.read(Read("partners", Mode.FULL, first.cursor, resumed=True, page_size=3))
        for page in rest:
            copy.apply(page, "")
        assert "1" in copy.incremental().changed
        connector.close()
