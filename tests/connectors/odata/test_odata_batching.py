"""Several writes in one request to an OData service: quicker, each with its own result, never less certain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from connectors.budget import LocalBudget
from connectors.contract import Write
from connectors.errors import PermissionMissing, RecordRejected, RetryLater, WriteConflict
from connectors.odata.batching import Ask, Form, JsonForm, MultipartForm
from connectors.response import Response
from tests.connectors.business_central.business_central_server import BusinessCentralServer
from tests.connectors.business_central.test_business_central import CustomerSource
from tests.connectors.dynamics_dataverse.dataverse_server import DataverseServer
from tests.connectors.dynamics_dataverse.test_dataverse import DataverseSource
from tests.connectors.odata_server import Answer
from tests.connectors.sap_s4hana.sap_server import SapServer
from tests.connectors.sap_s4hana.test_sap_s4hana import PartnerSource

SYSTEMS = {
    "business_central": (BusinessCentralServer, CustomerSource, "displayName"),
    "dynamics_dataverse": (DataverseServer, DataverseSource, "name"),
    "sap_s4hana": (SapServer, PartnerSource, "OrganizationBPName1"),
}


class Case:
    """One system, a connector to it, and the field that is written."""

    def __init__(self, server: Any, source: Any, name: str) -> None:
        self.server, self.source, self.name = server, source, name
        self.connector = source.connect()
        self.connector.check()
        server.calls.clear()

    def write(self, *writes: Write) -> list[Any]:
        return list(self.connector.write(self.source.stream, writes))

    def row(self, key: str) -> dict[str, Any]:
        rows: dict[str, Any] = self.server.rows if isinstance(self.server, SapServer) else self.table.rows
        return dict(rows[key])

    def change(self, key: str, **fields: Any) -> None:
        if isinstance(self.server, SapServer):
            self.server.change(key, **fields)
        else:
            self.server.change(self.table.name, key, **fields)

    @property
    def table(self) -> Any:
        return next(iter(self.server.tables.values()))

    def requests(self) -> list[str]:
        """The requests that were made, without the calls within batches and without a look at who we are."""
        whole = [call.path.rpartition("/")[2] for call in self.server.calls if call.path.endswith("/$batch")]
        within = sum(1 for call in self.server.calls if isinstance(call.headers, CaseInsensitiveDict))
        others = len(self.server.calls) - len(whole) - within
        return whole + ["one"] * others


@pytest.fixture(params=list(SYSTEMS))
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    make, source, name = SYSTEMS[request.param]
    with make(6) as server:
        case = Case(server, source(server), name)
        yield case
        case.connector.close()


def changes(case: Case, *places: int) -> list[Write]:
    keys = sorted(case.source.keys())
    return [Write({case.name: f"改{place}"}, f"u{place}", key=keys[place]) for place in places]


def test_five_changes_take_two_requests(case: Case) -> None:
    results = case.write(*changes(case, 0, 1, 2, 3, 4))
    assert [result.error for result in results] == [None] * 5
    assert [case.row(result.key)[case.name] for result in results] == [f"改{place}" for place in range(5)]
    assert case.requests().count("$batch") == 2
    assert len(case.requests()) <= 4  # besides: which company it is; a token against forged requests


def test_new_records_are_made_once_however_often_they_are_sent(case: Case) -> None:
    before = case.source.keys()
    batch = [Write(case.source.body(number), f"w{number}") for number in (4, 5, 6)]
    first, again = case.write(*batch), case.write(*batch)
    assert [result.created for result in first] == [True] * 3
    assert [result.key for result in again] == [result.key for result in first]
    assert case.source.keys() - before == {result.key for result in first}


@pytest.mark.parametrize("batches", ["whole", "stops", "silent", "none"])
def test_a_refused_record_leaves_its_neighbours_alone_whatever_the_service_makes_of_batches(
    case: Case, batches: str
) -> None:
    case.server.habits.batches = batches
    one, two, three = changes(case, 0, 1, 2)
    bad = Write({"no_such_field": 1}, "bad", key=two.key)
    gone = Write({case.name: "x"}, "gone", key="99999999-0000-0000-0000-000000000000")
    results = case.write(one, bad, gone, three)
    assert [type(result.error) for result in results] == [type(None), RecordRejected, RecordRejected, type(None)]
    assert [case.row(result.key)[case.name] for result in (results[0], results[3])] == ["改0", "改2"]


@pytest.mark.parametrize("status", [401, 429, 500, 503, 501])
def test_what_is_refused_for_the_moment_within_a_batch_is_done_alone(case: Case, status: int) -> None:
    case.server.habits.fail_parts = [Answer(status, {"error": {"code": "x", "message": "not now"}})] * 2
    results = case.write(*changes(case, 0, 1, 2))
    assert [result.error for result in results] == [None] * 3
    assert [case.row(result.key)[case.name] for result in results] == ["改0", "改1", "改2"]


def test_a_record_changed_between_look_and_write_is_not_overwritten(case: Case) -> None:
    one, two = changes(case, 0, 1)
    case.server.habits.before_write = lambda: case.change(str(one.key), **{case.name: "theirs"})
    first, second = case.write(
        Write(one.body, "w1", one.key, expected="2020-01-01T00:00:00Z"), Write(two.body, "w2", two.key)
    )
    assert isinstance(first.error, WriteConflict)
    assert second.error is None


def test_two_writes_of_one_record_are_made_in_order(case: Case) -> None:
    one, two, three = changes(case, 0, 1, 2)
    last = Write({case.name: "zuletzt"}, "w9", key=one.key)
    results = case.write(one, two, last, three)
    assert [result.error for result in results] == [None] * 4
    assert case.row(str(one.key))[case.name] == "zuletzt"


def test_a_batch_whose_answer_was_lost_makes_nobody_twice(case: Case) -> None:
    before = case.source.keys()
    batch = [Write(case.source.body(number), f"w{number}") for number in (4, 5)]
    case.server.habits.lose_answer_of_writes = 1
    with pytest.raises(RetryLater):
        case.write(*batch)
    results = case.write(*batch)
    assert case.source.keys() - before == {result.key for result in results}


def test_a_missing_right_to_write_stops_the_batch(case: Case) -> None:
    case.server.habits.forbidden |= {"write", "write accounts"}
    with pytest.raises(PermissionMissing):
        case.write(*changes(case, 0, 1))


def test_every_call_within_a_batch_counts_for_the_limit_of_calls(case: Case) -> None:
    taken: list[float] = []

    class Counted(LocalBudget):
        def take(self, weight: float = 1.0) -> None:
            taken.append(weight)

    context = replace(case.source.context(), budget=Counted())
    connector = case.source.connector(case.connector.config, context)
    connector.write(case.source.stream, changes(case, 0, 1, 2, 3))
    assert max(taken) == 1.0  # a whole batch at once would wait for ever: no budget is as deep
    assert sum(taken) >= 8
    connector.close()


# --- how calls are packed

ASKS = [
    Ask("GET", "accounts(1)?$select=name"),
    Ask("PATCH", "accounts(2)", {"name": "Müller \r\n--x 客户"}, {"If-Match": 'W/"1"'}),
    Ask("POST", "accounts", {"name": "x"}),
]
DOCUMENTED = (
    "--batchresponse_f2\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    'HTTP/1.1 200 OK\r\nContent-Type: application/json; odata.metadata=minimal\r\nETag: W/"9"\r\n\r\n'
    '{"accountid":"1","name":"客户"}\r\n'
    "--batchresponse_f2\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n"
    "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    "Content-ID: 1\r\n\r\n"
    "HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\nOData-EntityId: https://x/accounts(2)\r\n\r\n\r\n"
    "--changesetresponse_1--\r\n"
    "--batchresponse_f2\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    'HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/json\r\n\r\n{"error":{"code":"0x80040237"}}\r\n'
    "--batchresponse_f2--\r\n"
)


def whole(body: bytes, kind: str) -> Response:
    return Response("crm", "POST", "https://x/api/$batch", 200, CaseInsensitiveDict({"Content-Type": kind}), body)


def test_a_documented_answer_in_parts_is_taken_apart_in_its_order() -> None:
    found = MultipartForm().answers(whole(DOCUMENTED.encode(), "multipart/mixed; boundary=batchresponse_f2"), ASKS)
    one, two, three = found
    assert one is not None
    assert two is not None
    assert three is not None
    assert one.json() == {"accountid": "1", "name": "客户"}
    assert (two.status, two.body, two.headers["odata-entityid"]) == (204, b"", "https://x/accounts(2)")
    assert (three.status, three.json()) == (412, {"error": {"code": "0x80040237"}})
    assert three.path == "/api/accounts"


def test_answers_in_json_are_told_by_their_numbers() -> None:
    body = (
        b'{"responses":[{"id":"2","status":201,"headers":{"location":"x"},"body":{"id":"n"}},{"id":"0","status":429}]}'
    )
    one, two, three = JsonForm().answers(whole(body, "application/json"), ASKS)
    assert (one, two) == (None, None)
    assert three is not None
    assert three.json() == {"id": "n"}


@pytest.mark.parametrize("form", [JsonForm(), MultipartForm()])
@given(
    body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "multipart/mixed; boundary=x", "", "x/y"])
)
def test_an_answer_that_is_none_answers_nothing_and_does_no_harm(form: Form, body: bytes, kind: str) -> None:
    assert form.answers(whole(body, kind), ASKS) == [None] * 3


@given(text=st.text(max_size=50), tag=st.text(alphabet="\r\n-:x", max_size=9))
def test_no_value_can_leave_its_place_in_the_parts(text: str, tag: str) -> None:
    content, headers = MultipartForm("/api/").packed([Ask("PATCH", "a(1)", {"name": text}, {"If-Match": tag})] * 2)
    assert content.count(b"If-Match: ") == 2
    assert b"\r\n\r\nx" not in content
    mark = headers["Content-Type"].partition("boundary=")[2].encode()
    assert content.count(b"--" + mark) == 3
    assert content.count(b"PATCH /api/a(1) HTTP/1.1\r\n") == 2
