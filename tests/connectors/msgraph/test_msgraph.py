"""The Microsoft Graph connector against a small mailbox that behaves as the documentation says, and as it may."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import responses

import connectors.msgraph
from connectors.conformance import ConformanceSuite, Copy, Source, Unsupported
from connectors.contract import Connector, Context, Inbound, Mode, Page, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.msgraph import mail
from connectors.msgraph.connector import GraphConnector
from connectors.registry import load_registry
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.msgraph.graph_server import MAILBOX, GraphServer, person, refused
from tests.connectors.odata_server import Answer

FOLDER = Path(connectors.msgraph.__file__).parent
STATE = "state-of-ours-1234"
_numbers = itertools.count(1)


class ContactSource(Source):
    connector = GraphConnector
    stream = "contacts"
    folder = FOLDER

    def __init__(self, server: GraphServer, **settings: Any) -> None:
        self.server, self._settings = server, settings

    def settings(self) -> dict[str, Any]:
        client, secret = self.server.CLIENT
        login = {"tenant": self.server.TENANT, "client_id": client, "client_secret": secret}
        where = {"base_url": f"{self.server.url}/v1.0", "login_url": f"{self.server.url}/login", "mailbox": MAILBOX}
        return {**where, **login, "client_state": STATE, **self._settings}

    def keys(self) -> set[str]:
        return set(self.server.tables["contacts"].rows)

    def add(self) -> str:
        return self.server.add()

    def update(self, key: str) -> None:
        self.server.change("contacts", key, displayName=f"改名{next(_numbers)}")

    def delete(self, key: str) -> None:
        self.server.remove("contacts", key)

    def tie(self, keys: Sequence[str]) -> None:
        self.server.tie("contacts", list(keys))

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "client_secret": "wrong-secret"}, "client_secret"

    def unreachable(self) -> dict[str, Any]:
        raise Unsupported("tested for Dataverse, over the same client: it takes seconds of patience")

    def body(self, number: int) -> dict[str, Any]:
        return {"displayName": f"Written {number}", "companyName": "Acme"}

    def conflict(self) -> Write:
        return Write({"displayName": "ours"}, "conflict", key=min(self.keys()), expected="2025-01-01T00:00:00Z")

    def webhook(self, key: str) -> Inbound:
        data = {"id": key, "@odata.etag": f'W/"{next(_numbers)}"'}
        return posted(note(resource=f"Users/u1/Contacts/{key}", resourceData=data))


class MailSource(ContactSource):
    stream = "correspondents"

    def keys(self) -> set[str]:
        return {row["from"]["emailAddress"]["address"] for row in self.inbox().values()}

    def inbox(self) -> dict[str, Any]:
        return self.server.tables[self.server.uses["inbox"]].rows

    def add(self) -> str:
        key = self.server.deliver()
        return str(self.inbox()[key]["from"]["emailAddress"]["address"])

    def update(self, key: str) -> None:
        self.server.deliver(key)

    def delete(self, key: str) -> None:
        for message in [k for k, row in self.inbox().items() if row["from"]["emailAddress"]["address"] == key]:
            self.server.remove(self.server.uses["inbox"], message)

    def tie(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.server.deliver(key, at=self.server.clock)

    def body(self, number: int) -> dict[str, Any]:
        raise Unsupported("mail is only read")

    def webhook(self, key: str) -> Inbound:
        return posted(note(resource=f"Users/u1/Messages/AAMkM{next(_numbers)}", resourceData={"id": "AAMkM1"}))


@pytest.fixture
def server() -> Iterator[GraphServer]:
    with GraphServer(contacts=8, mails=8) as server:
        yield server


@pytest.fixture
def source(server: GraphServer) -> ContactSource:
    return ContactSource(server)


@pytest.fixture
def mails(server: GraphServer) -> MailSource:
    return MailSource(server)


@pytest.fixture
def connector(source: ContactSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


class GraphSuite(ConformanceSuite):
    def test_a_forged_webhook_is_refused_and_shows_no_secret(self, source: Source, connector: Connector[Any]) -> None:
        """Notifications carry no signature: what proves them is the client state in their body."""
        forged = posted(note(clientState="guessed"))
        with pytest.raises(BadCredentials) as caught:
            connector.verify(forged)
        assert STATE not in f"{caught.value} {caught.value.remedy} {caught.value.params}"


class TestContacts(GraphSuite):
    @pytest.fixture
    def source(self, server: GraphServer) -> ContactSource:
        return ContactSource(server)


class TestContactsWithoutDelta(GraphSuite):
    """As in clouds that do not offer it: by change stamps."""

    @pytest.fixture
    def source(self, server: GraphServer) -> ContactSource:
        server.delta = False
        return ContactSource(server)


class TestCorrespondents(GraphSuite):
    @pytest.fixture
    def source(self, server: GraphServer) -> MailSource:
        return MailSource(server)


class TestCorrespondentsBySearch(GraphSuite):
    @pytest.fixture
    def source(self, server: GraphServer, monkeypatch: pytest.MonkeyPatch) -> MailSource:
        monkeypatch.setattr(mail, "PAGE", 0.001)
        monkeypatch.setattr(mail, "_HEADERS", {"Prefer": 'odata.maxpagesize=3,IdType="ImmutableId"'})
        return MailSource(server)


def pages(connector: Connector[Any], mode: Mode = Mode.FULL, cursor: Any = None, **more: Any) -> list[Page]:
    stream = more.pop("stream", "contacts")
    return list(connector.read(Read(stream, mode, cursor, page_size=3, **more)))


def keys(found: Sequence[Page]) -> list[str]:
    return [record.key for page in found for record in page.records]


def people(connector: Connector[Any], cursor: Any = None) -> dict[str, Any]:
    found = pages(connector, Mode.INCREMENTAL if cursor else Mode.FULL, cursor, stream="correspondents")
    return {record.key: orjson.loads(record.body) for page in found for record in page.records}


class TestAddressBook:
    def test_the_check_tells_of_folders_and_messages(self, connector: Connector[Any]) -> None:
        assert "8 messages in 2 folders" in str(connector.check())

    def test_a_settled_copy_is_asked_for_changes_with_one_call(self, server: GraphServer, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        server.calls.clear()
        assert keys(pages(connector, Mode.INCREMENTAL, cursor)) == []
        assert len(server.calls) == 1

    def test_a_delete_is_told_by_the_next_read(self, source: ContactSource, connector: Any) -> None:
        cursor = pages(connector)[-1].cursor
        gone = min(source.keys())
        source.delete(gone)
        assert [key for page in pages(connector, Mode.INCREMENTAL, cursor) for key in page.deleted] == [gone]

    def test_a_token_that_ends_amid_the_read_is_renewed(self, server: GraphServer, source: ContactSource) -> None:
        assert set(Copy(source.connect(), source).full(server.tokens.clear).bodies) == source.keys()

    @pytest.mark.parametrize("status", [429, 503, 509])
    def test_graph_is_waited_for_exactly_as_long_as_it_asks(
        self, server: GraphServer, connector: Any, status: int
    ) -> None:
        body = {"error": {"code": "TooManyRequests", "message": "Please retry again later."}}
        server.habits.fail_next = [Answer(status, body, {"Retry-After": "120"})]
        before = connector.context.now()
        with pytest.raises(WaitUntil) as caught:
            pages(connector)
        assert 115 < (caught.value.until - before).total_seconds() < 125

    def test_a_storm_of_refusals_is_weathered(self, server: GraphServer, connector: Any) -> None:
        server.habits.fail_next = [refused(429, "ApplicationThrottled"), refused(503, "ErrorServerBusy")]
        assert len(set(keys(pages(connector)))) == 8

    def test_an_answer_cut_short_is_asked_for_again(self, server: GraphServer, connector: Any) -> None:
        server.habits.cut_next = 1
        assert len(set(keys(pages(connector)))) == 8

    def test_a_missing_permission_is_told_apart_from_wrong_credentials(
        self, server: GraphServer, connector: Any
    ) -> None:
        server.habits.forbidden.add("GET contacts")
        with pytest.raises(PermissionMissing, match="Access is denied"):
            connector.check()

    def test_a_wrong_mailbox_is_named(self, server: GraphServer) -> None:
        connector = ContactSource(server, mailbox="nobody@us.example").connect()
        with pytest.raises(BadConfiguration, match=r"nobody@us\.example") as caught:
            connector.check()
        assert caught.value.setting == "mailbox"

    def test_the_client_state_is_shown_nowhere(self, server: GraphServer, connector: Any) -> None:
        server.habits.fail_next = [refused(400, "x", f"odd {STATE}"), refused(400, "x", f"odd {STATE}")]
        with pytest.raises(StreamBroken) as caught:
            pages(connector)
        assert STATE not in str(caught.value)

    def test_hinted_contacts_are_read_again_as_a_read_shows_them(self, source: ContactSource, connector: Any) -> None:
        there, gone = sorted(source.keys())[:2]
        source.delete(gone)
        page = connector.fetch("contacts", [there, gone])
        assert list(page.deleted) == [gone]
        whole = Copy(source.connect(), source).full().bodies
        assert {record.key: orjson.loads(record.body) for record in page.records} == {there: whole[there]}

    @pytest.mark.parametrize("batches", [True, False])
    def test_many_hinted_contacts_are_read_again_in_few_calls(
        self, server: GraphServer, source: ContactSource, connector: Any, batches: bool
    ) -> None:
        for _ in range(22):
            source.add()
        server.batches = batches
        gone = min(source.keys())
        wanted = sorted(source.keys())
        source.delete(gone)
        server.calls.clear()
        page = connector.fetch("contacts", wanted)
        assert ({record.key for record in page.records}, list(page.deleted)) == (source.keys(), [gone])
        assert len(server.calls) == (2 if batches else 2 + len(wanted))


class TestPeopleInMail:
    def test_the_last_contact_is_told_in_both_directions_over_all_folders(
        self, server: GraphServer, connector: Any
    ) -> None:
        server.deliver("ann@x.example", folder=server.folder("Customers", server.uses["inbox"]))
        sent = {"from": person(MAILBOX), "toRecipients": [person("ANN@x.example", "Ann Lee")]}
        server.deliver(folder=server.uses["sentitems"], **sent)
        ann = people(connector)["ann@x.example"]
        assert (ann["received"], ann["sent"], ann["messages"]) == (1, 1, 2)
        assert ann["last_sent"] > ann["last_received"]
        assert ann["name"] == "Ann Lee"

    def test_junk_and_drafts_are_left_out(self, server: GraphServer, connector: Any) -> None:
        server.deliver("spam@x.example", folder=server.uses["junkemail"])
        server.deliver("spam2@x.example", folder=server.folder("In junk", server.uses["junkemail"]))
        server.deliver("draft@x.example", isDraft=True)
        assert not {"spam@x.example", "spam2@x.example", "draft@x.example"} & people(connector).keys()

    def test_named_folders_are_read_and_an_unknown_one_is_named(self, server: GraphServer) -> None:
        server.deliver("old@x.example", folder=server.folder("Alt Kunden"))
        connector = ContactSource(server, folders=["alt kunden", "sentitems"]).connect()
        assert set(people(connector)) == {"old@x.example"}
        with pytest.raises(BadConfiguration, match="no folder Nowhere"):
            ContactSource(server, folders=["Nowhere"]).connect().check()

    def test_more_folders_than_can_be_followed_are_told(self, server: GraphServer, connector: Any) -> None:
        for number in range(mail.MOST_FOLDERS):
            server.folder(f"F{number}")
        with pytest.raises(BadConfiguration) as caught:
            connector.check()
        assert caught.value.setting == "folders"

    def test_senders_without_an_address_colleagues_and_machines_are_left_out(self, server: GraphServer) -> None:
        server.deliver("/O=EXCHANGELABS/OU=X/CN=RECIPIENTS/CN=1")
        server.deliver("boss@us.example")
        server.deliver("no-reply@shop.example")
        before = set(people(ContactSource(server, own_domains=["us.example"]).connect()))
        assert all(address.startswith("contact") for address in before)

    def test_a_copy_in_another_folder_counts_once(self, server: GraphServer, connector: Any) -> None:
        server.deliver("ann@x.example", internetMessageId="<same@x>")
        server.deliver("ann@x.example", internetMessageId="<same@x>", folder=server.folder("Archive"))
        assert people(connector)["ann@x.example"]["messages"] == 1

    def test_nothing_new_costs_a_call_a_folder(self, server: GraphServer, connector: Any) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        server.calls.clear()
        assert people(connector, cursor) == {}
        assert len([call for call in server.calls if call.path.endswith("/delta")]) == 2

    def test_where_it_pays_only_the_people_in_new_messages_are_searched_for(
        self, server: GraphServer, connector: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        monkeypatch.setattr(mail, "PAGE", 0.001)
        server.deliver("new@x.example")
        server.calls.clear()
        assert set(people(connector, cursor)) == {"new@x.example"}
        assert [call.query["$search"] for call in server.calls if call.path.endswith("/messages")] == [
            '"participants:new@x.example"'
        ]
        assert len([call for call in server.calls if call.path.endswith("/delta")]) == 2

    def test_a_folder_made_since_is_read_whole(self, server: GraphServer, connector: Any) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        server.deliver("new@x.example", folder=server.folder("New"))
        assert set(people(connector, cursor)) == {"new@x.example"}

    def test_a_backfill_finds_who_wrote_between_two_moments(self, server: GraphServer, connector: Any) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        server.deliver("now@x.example")
        bounds = {"since": server.clock, "until": server.clock}
        found = pages(connector, Mode.INCREMENTAL, cursor, stream="correspondents", **bounds)
        assert keys(found) == ["now@x.example"]
        assert found[-1].cursor == cursor


class TestWhatIsNotPromised:
    """Statements of the documentation that could not be checked: being wrong costs time, never data."""

    @pytest.mark.parametrize("status", [400, 404, 410])
    def test_an_outdated_link_of_contacts_means_a_full_read(
        self, server: GraphServer, connector: Any, status: int
    ) -> None:
        cursor = pages(connector)[-1].cursor
        server.habits.fail_next = [refused(status, "resyncRequired")]
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, cursor)

    def test_an_outdated_link_of_a_folder_costs_that_folder_a_whole_read(
        self, server: GraphServer, mails: MailSource, connector: Any
    ) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        server.forget_links()
        assert set(people(connector, cursor)) == mails.keys()

    @pytest.mark.parametrize("counts_from", ["start", "end"])
    def test_contacts_changed_amid_a_read_are_not_lost_wherever_the_link_counts_from(
        self, server: GraphServer, source: ContactSource, counts_from: str
    ) -> None:
        server.token_counts_from = counts_from
        copy = Copy(source.connect(), source).full(lambda: source.update(min(source.keys()))).incremental()
        assert copy.bodies == Copy(source.connect(), source).full().bodies

    @pytest.mark.parametrize("stream", ["contacts", "correspondents"])
    def test_items_that_hold_only_their_id_are_read_whole(self, server: GraphServer, stream: str) -> None:
        source = ContactSource(server) if stream == "contacts" else MailSource(server)
        copy = Copy(source.connect(), source).full()
        server.sends_reduced = True
        source.update(min(source.keys()))
        copy.incremental()
        server.sends_reduced = False
        assert copy.bodies == Copy(source.connect(), source).full().bodies

    @pytest.mark.parametrize("habit", ["search_works", "search_tells_folders"])
    def test_a_search_that_cannot_be_relied_upon_is_not(
        self, server: GraphServer, mails: MailSource, monkeypatch: pytest.MonkeyPatch, habit: str
    ) -> None:
        copy = Copy(mails.connect(), mails).full()
        monkeypatch.setattr(mail, "PAGE", 0.001)
        monkeypatch.setattr(mail, "_HEADERS", {"Prefer": 'odata.maxpagesize=3,IdType="ImmutableId"'})
        setattr(server, habit, False)
        mails.update(min(mails.keys()))
        assert copy.incremental().bodies == Copy(mails.connect(), mails).full().bodies

    def test_more_messages_than_a_search_shows_are_gone_through(
        self, server: GraphServer, mails: MailSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy = Copy(mails.connect(), mails).full()
        monkeypatch.setattr(mail, "PAGE", 0.001)
        monkeypatch.setattr(mail, "FOUND_AT_MOST", 3)
        monkeypatch.setattr(mail, "_HEADERS", {"Prefer": 'odata.maxpagesize=3,IdType="ImmutableId"'})
        one = min(mails.keys())
        for _ in range(4):
            mails.update(one)
        assert copy.incremental().bodies[one]["messages"] == 5

    def test_a_round_without_a_link_at_its_end_is_an_error_and_no_end(
        self, server: GraphServer, connector: Any
    ) -> None:
        def forget(call: Any) -> None:
            if call.path.endswith("/messages/delta"):
                raise Answer(200, {"value": []})

        routed = server.route
        server.route = lambda call: forget(call) or routed(call)  # type: ignore[method-assign]
        with pytest.raises(StreamBroken, match="without a link"):
            pages(connector, stream="correspondents")

    def test_links_of_another_address_are_not_followed(self, server: GraphServer, connector: Any) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        other = {folder: "https://other.example/delta?$deltatoken=1" for folder in cursor["position"]}
        assert len(people(connector, {"position": other})) == 8

    @pytest.mark.parametrize("stream", ["contacts", "correspondents"])
    def test_a_foreign_position_means_a_full_read(self, connector: Any, stream: str) -> None:
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, {"value": "x"}, stream=stream)


class TestWriting:
    def sent(self, server: GraphServer, method: str) -> list[Any]:
        return [call for call in server.calls if call.method == method]

    def test_only_what_differs_is_sent(self, server: GraphServer, source: ContactSource, connector: Any) -> None:
        key = source.add()
        same = server.tables["contacts"].rows[key]["companyName"]
        (result,) = connector.write("contacts", [Write({"displayName": "New", "companyName": same}, "w", key)])
        assert result.error is None
        (call,) = self.sent(server, "PATCH")
        assert call.body == {"displayName": "New"}
        assert call.headers["If-Match"].startswith('W/"')

    @pytest.mark.parametrize("ignores", [False, True])
    def test_a_contact_changed_since_we_saw_it_is_not_overwritten(
        self, server: GraphServer, source: ContactSource, connector: Any, ignores: bool
    ) -> None:
        server.ignores_if_match = ignores
        key = source.add()
        seen = server.tables["contacts"].rows[key]["@odata.etag"]
        source.update(key)
        server.change("contacts", key, server.now().replace(year=2030))
        stale = [Write({"displayName": "ours"}, "w", key, expected=seen)]
        (result,) = connector.write("contacts", stale)
        assert isinstance(result.error, WriteConflict)

    def test_a_contact_changed_between_look_and_write_is_not_overwritten(
        self, server: GraphServer, source: ContactSource, connector: Any
    ) -> None:
        key = source.add()
        server.habits.before_write = lambda: server.change("contacts", key, displayName="theirs")
        (result,) = connector.write("contacts", [Write({"displayName": "ours"}, "w", key)])
        assert isinstance(result.error, WriteConflict)
        assert server.tables["contacts"].rows[key]["displayName"] == "theirs"

    def test_a_lost_answer_does_not_create_twice(
        self, server: GraphServer, source: ContactSource, connector: Any
    ) -> None:
        before, write = source.keys(), Write({"displayName": "Once"}, "once'")
        server.habits.lose_answer_of_writes = 1
        with pytest.raises(Exception, match="contacts"):
            connector.write("contacts", [write])
        (result,) = connector.write("contacts", [write])
        assert source.keys() - before == {result.key}

    def test_marks_that_cannot_be_searched_for_create_nothing(
        self, server: GraphServer, source: ContactSource, connector: Any
    ) -> None:
        before = source.keys()
        server.marks_can_be_searched = False
        with pytest.raises(StreamBroken, match="invalid nodes"):
            connector.write("contacts", [Write({"displayName": "x"}, "w")])
        assert source.keys() == before

    def test_a_bad_record_is_rejected_and_its_neighbours_are_written(self, connector: Any) -> None:
        batch = [
            Write({"noSuch": 1}, "w1"),
            Write({"displayName": "Good"}, "w2"),
            Write({"displayName": "x"}, "3", "?"),
        ]
        one, two, three = connector.write("contacts", batch)
        assert isinstance(one.error, RecordRejected)
        assert "noSuch" in str(one.error)
        assert two.error is None
        assert isinstance(three.error, RecordRejected)

    def test_the_people_in_mail_are_read_only(self, connector: Any) -> None:
        with pytest.raises(BadConfiguration, match="read only"):
            connector.write("correspondents", [Write({"name": "x"}, "w")])


class TestWritingTogether:
    def written(self, server: GraphServer, connector: Any, batch: Sequence[Write]) -> list[Any]:
        server.calls.clear()
        server.parts.clear()
        return list(connector.write("contacts", batch))

    def updates(self, source: ContactSource, **more: Any) -> list[Write]:
        return [Write({"displayName": f"Neu {key}"}, f"w{key}", key, **more) for key in sorted(source.keys())]

    def test_eight_updates_are_two_calls_and_each_goes_under_its_own_tag(
        self, server: GraphServer, source: ContactSource, connector: Any
    ) -> None:
        tags = {key: row["@odata.etag"] for key, row in server.tables["contacts"].rows.items()}
        assert [result.error for result in self.written(server, connector, self.updates(source))] == [None] * 8
        assert [call.path for call in server.calls] == ["/v1.0/$batch"] * 2
        sent = {call.path.rpartition("/")[2]: call for call in server.parts if call.method == "PATCH"}
        assert {key: call.headers["If-Match"] for key, call in sent.items()} == tags
        assert all(set(call.body) == {"displayName"} for call in sent.values())

    def test_more_than_twenty_go_in_turns(self, server: GraphServer, source: ContactSource, connector: Any) -> None:
        for _ in range(37):
            source.add()
        assert not [result for result in self.written(server, connector, self.updates(source)) if result.error]
        assert len(server.calls) == 6
        assert all(row["displayName"].startswith("Neu") for row in server.tables["contacts"].rows.values())

    def test_each_record_has_its_own_result(self, server: GraphServer, source: ContactSource, connector: Any) -> None:
        one, two, three, four, *_ = sorted(source.keys())
        same = server.tables["contacts"].rows[two]["displayName"]
        before = source.keys()
        batch = [
            Write({"displayName": "A"}, "w1", one),
            Write({"displayName": same}, "w2", two),
            Write({"noSuch": 1}, "w3", three),
            Write({"displayName": "ours"}, "w4", four, expected="2025-01-01T00:00:00Z"),
            Write({"displayName": "x"}, "w5", "AAMkC99999"),
            Write({"displayName": "New"}, "w6"),
            Write({"noSuch": 1}, "w7"),
            Write({"displayName": "Newer"}, "w8"),
        ]
        results = self.written(server, connector, batch)
        none = type(None)
        kinds = [type(result.error) for result in results]
        assert kinds == [none, none, RecordRejected, WriteConflict, RecordRejected, none, RecordRejected, none]
        assert [result.created for result in results] == [False] * 5 + [True, False, True]
        assert source.keys() - before == {results[5].key, results[7].key}
        assert [call.path for call in server.calls] == ["/v1.0/$batch"] * 2
        again = self.written(server, connector, batch)
        assert [result.key for result in again] == [result.key for result in results]
        assert source.keys() - before == {results[5].key, results[7].key}

    def test_a_contact_changed_between_look_and_write_is_refused_alone(
        self, server: GraphServer, source: ContactSource, connector: Any
    ) -> None:
        batch = self.updates(source)

        def meanwhile(number: int, one: Any) -> None:
            if one["method"] == "PATCH" and number == 1:
                server.change("contacts", str(batch[1].key), displayName="theirs")

        server.batch_habit = meanwhile
        results = self.written(server, connector, batch)
        assert [isinstance(result.error, WriteConflict) for result in results] == [False, True] + [False] * 6
        assert server.tables["contacts"].rows[str(batch[1].key)]["displayName"] == "theirs"

    @pytest.mark.parametrize("method", ["GET", "PATCH"])
    @pytest.mark.parametrize("status", [429, 503, 0])
    def test_what_is_throttled_fails_or_is_missing_inside_is_written_alone(
        self, server: GraphServer, source: ContactSource, connector: Any, status: int, method: str
    ) -> None:
        odd = Answer(status, {"error": {"code": "TooManyRequests", "message": "later"}}, {"Retry-After": "1"})
        server.batch_habit = lambda number, one: odd if (number, one["method"]) == (2, method) else None
        assert not [result for result in self.written(server, connector, self.updates(source)) if result.error]
        assert all(row["displayName"].startswith("Neu") for row in server.tables["contacts"].rows.values())
        assert [call.method for call in server.calls if "$batch" not in call.path] == ["GET", "PATCH"]

    def test_where_there_are_no_batches_each_goes_alone(
        self, server: GraphServer, source: ContactSource, connector: Any
    ) -> None:
        server.batches = False
        assert not [result for result in self.written(server, connector, self.updates(source)) if result.error]

    def test_the_same_contact_twice_ends_as_the_last_write_says(
        self, server: GraphServer, source: ContactSource, connector: Any
    ) -> None:
        one, two, *_ = sorted(source.keys())
        batch = [
            Write({"displayName": "first"}, "w1", one),
            Write({"displayName": "x"}, "w2", two),
            Write({"displayName": "last"}, "w3", one),
            Write({"displayName": "Twin"}, "w4"),
            Write({"displayName": "Twin"}, "w4"),
        ]
        results = self.written(server, connector, batch)
        assert not [result for result in results if result.error]
        assert server.tables["contacts"].rows[one]["displayName"] == "last"
        assert results[3].key == results[4].key

    def test_a_missing_right_stops_the_batch(self, server: GraphServer, source: ContactSource, connector: Any) -> None:
        def forbid(number: int, one: Any) -> Answer | None:
            return refused(403, "ErrorAccessDenied") if one["method"] == "PATCH" else None

        server.batch_habit = forbid
        with pytest.raises(PermissionMissing):
            connector.write("contacts", self.updates(source))

    def test_an_update_that_was_heard_though_its_answer_was_lost_is_no_conflict(
        self, server: GraphServer, source: ContactSource, connector: Any
    ) -> None:
        seen = {key: row["@odata.etag"] for key, row in server.tables["contacts"].rows.items()}
        batch = [Write({"displayName": "N"}, f"w{key}", key, expected=seen[key]) for key in sorted(seen)]
        server.habits.lose_answer_of_writes = 2  # of the batch that looks, and of the one that changes
        for _ in range(3):
            try:
                results = connector.write("contacts", batch)
            except RetryLater:
                continue
        assert [result.error for result in results] == [None] * 8


def note(**more: Any) -> dict[str, Any]:
    return {
        "subscriptionId": "s1", "clientState": STATE, "changeType": "updated", "tenantId": "t",
        "resource": "Users/u1/Contacts/AAMkC00001", "subscriptionExpirationDateTime": "2026-01-09T00:00:00Z",
        "resourceData": {"id": "AAMkC00001", "@odata.etag": 'W/"1"'},
    } | more  # fmt: skip


def posted(*notes: Any) -> Inbound:
    return Inbound("POST", "/x", {}, {}, json.dumps({"value": list(notes)}).encode())


class TestNotifications:
    def test_a_contact_is_hinted_at_and_repetitions_are_recognised(self, connector: Any) -> None:
        (hint,) = connector.verify(posted(note(), note()))
        assert (hint.stream, hint.key) == ("contacts", "AAMkC00001")
        later = note(resourceData={"id": "AAMkC00001", "@odata.etag": 'W/"2"'})
        assert connector.verify(posted(later))[0].delivery_id != hint.delivery_id
        assert connector.verify(posted(note(resourceData={"id": "AAMkC00001"})))[0].delivery_id is None

    def test_messages_and_missed_notifications_hint_at_streams(self, connector: Any) -> None:
        (hint,) = connector.verify(posted(note(resource="Users/u1/Messages/AAMkM1")))
        assert (hint.stream, hint.key) == ("correspondents", None)
        missed = note(lifecycleEvent="missed", resource="")
        assert {hint.stream for hint in connector.verify(posted(missed))} == {"contacts", "correspondents"}

    @pytest.mark.parametrize("notes", [[], [{}], [note(clientState="x")], [note(), note(clientState=None)], ["odd"]])
    def test_what_graph_has_not_sent_is_refused(self, connector: Any, notes: list[Any]) -> None:
        with pytest.raises(BadCredentials):
            connector.verify(posted(*notes))

    def test_without_a_client_state_the_setting_is_named(self, server: GraphServer) -> None:
        settings = ContactSource(server).settings()
        del settings["client_state"]
        with pytest.raises(BadConfiguration) as caught:
            ContactSource(server).connect(settings).verify(posted(note()))
        assert caught.value.setting == "client_state"

    def test_the_test_of_an_address_is_answered_with_its_token(self, connector: Any) -> None:
        assert connector.challenge(Inbound("POST", "/x", {}, {"validationToken": "Validation: t 1"}, b"")) == (
            b"Validation: t 1"
        )
        assert connector.challenge(posted(note())) is None


HOST = "https://93.184.216.34"
MESSAGES = json.loads("""{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Collection(message)",
"@odata.deltaLink":"https://93.184.216.34/v1.0/users/u/mailFolders/inbox/messages/delta?$deltatoken=abc","value":[
{"@odata.etag":"W/\\"CQAAABYAAA\\"","id":"AAMkAG1","internetMessageId":"<1@x.example>","receivedDateTime":
"2026-01-02T03:04:05Z","from":{"emailAddress":{"name":"Ann Lee","address":"ann@x.example"}},"toRecipients":[
{"emailAddress":{"name":"Sales","address":"sales@us.example"}}]},{"@removed":{"reason":"deleted"},"id":"AAMkAG2"}]}""")


def documented(**settings: Any) -> Connector[Any]:
    login = {"tenant": "t.example", "client_id": "c", "client_secret": "s3cret-of-app", "login_url": HOST}
    given = {"base_url": f"{HOST}/v1.0", "mailbox": "u", "own_domains": ["us.example"], **login, **settings}
    return GraphConnector(GraphConnector.config_model(**given), Context("graph"))  # type: ignore[arg-type]


@responses.activate
def test_the_documented_messages_tell_of_one_person() -> None:
    responses.post(f"{HOST}/t.example/oauth2/v2.0/token", json={"access_token": "t0ken", "expires_in": 3599})
    responses.get(f"{HOST}/v1.0/users/u/mailFolders", json={"value": [{"id": "inbox", "displayName": "Inbox"}]})
    responses.get(f"{HOST}/v1.0/users/u/mailFolders/inbox/messages/delta", json=MESSAGES)
    found = pages(documented(folders=["inbox"]), stream="correspondents")
    (record,) = [record for page in found for record in page.records]
    assert record.key == "ann@x.example"
    assert found[-1].cursor == {"position": {"inbox": MESSAGES["@odata.deltaLink"]}}
    spec = load_spec(FOLDER / "mapping_correspondents.yaml")
    (customer,) = compile_mapping(spec)(orjson.loads(record.body))
    assert customer.customer["last_contact_at"].startswith("2026-01-02T03:04:05")


@responses.activate
@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (403, {"code": "ErrorAccessDenied", "message": "Access is denied. Check credentials and try again."},
         PermissionMissing),
        (404, {"code": "MailboxNotEnabledForRESTAPI", "message": "REST API is not yet supported for this mailbox."},
         BadConfiguration),
    ],
)  # fmt: skip
def test_documented_refusals(status: int, error: dict[str, Any], kind: type[Exception]) -> None:
    responses.post(f"{HOST}/t.example/oauth2/v2.0/token", json={"access_token": "t0ken", "expires_in": 3599})
    responses.get(f"{HOST}/v1.0/users/u/mailFolders", json={"error": error}, status=status)
    responses.get(f"{HOST}/v1.0/users/u/mailFolders/inbox", json={"error": error}, status=status)
    with pytest.raises(kind):
        documented(folders=["inbox"]).check()


class TestDefaultMapping:
    def mapped(self, **fields: Any) -> list[dict[str, Any]]:
        body = {"id": "1", "lastModifiedDateTime": "2026-01-02T03:04:05Z", **fields}
        return [found.customer for found in compile_mapping(load_spec(FOLDER / "mapping.yaml"))(body)]

    def test_a_contact_is_a_person_of_a_company(self) -> None:
        person_, company = self.mapped(
            displayName="Zhang Wei", givenName="Wei", surname="Zhang", companyName="华为", jobTitle="Buyer",
            emailAddresses=[{"name": "Z", "address": "Z@x.example"}], mobilePhone="+8613800138000",
            businessPhones=["+8675512345678"], businessAddress={"countryOrRegion": "China", "city": "深圳"},
        )  # fmt: skip
        assert person_["emails"][0]["value"] == "z@x.example"
        assert {phone["value"] for phone in person_["phones"]} == {"+8613800138000", "+8675512345678"}
        assert person_["addresses"][0]["country"] == "CN"
        assert (company["kind"], company["name"]) == ("organisation", "华为")

    def test_a_contact_without_a_persons_name_is_its_company(self) -> None:
        (company,) = self.mapped(companyName="Acme", emailAddresses=[{"address": "info@acme.example"}])
        assert (company["kind"], company["name"]) == ("organisation", "Acme")


def test_the_registry_knows_it_with_its_grade() -> None:
    info = load_registry().get("msgraph")
    assert info.load() is GraphConnector
    assert info.grade in ("silver", "gold")
    assert set(info.mappings) == {"mapping.yaml", "mapping_correspondents.yaml"}


ADDRESS = "https://kehu.example.com/api/hooks/mail"


class TestSubscriptions:
    @pytest.fixture
    def server(self) -> Iterator[GraphServer]:
        with GraphServer(contacts=3, mails=2) as running:
            yield running

    @pytest.fixture
    def connect(self, server: GraphServer) -> Iterator[Any]:
        made: list[Connector[Any]] = []

        def connected() -> Connector[Any]:
            made.append(ContactSource(server, notification_url=ADDRESS).connect())
            return made[-1]

        yield connected
        for connector in made:
            connector.close()

    def test_a_read_subscribes_to_its_stream_once(self, server: GraphServer, connect: Any) -> None:
        for _ in range(2):
            for stream in ("contacts", "correspondents"):
                list(connect().read(Read(stream)))
        made = {one["resource"]: one for one in server.subscriptions.values()}
        assert set(made) == {f"users/{MAILBOX}/contacts", f"users/{MAILBOX}/messages"}
        assert len(server.subscriptions) == 2
        assert all((one["notificationUrl"], one["clientState"]) == (ADDRESS, STATE) for one in made.values())
        told = connect().check().details
        assert told["notifications of contacts"] > "2026"

    def test_one_that_is_about_to_end_is_renewed_and_those_of_others_are_left_alone(
        self, server: GraphServer, connect: Any
    ) -> None:
        soon = (datetime.now(UTC) + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        ours = {"resource": f"users/{MAILBOX}/contacts", "notificationUrl": ADDRESS, "expirationDateTime": soon}
        server.subscriptions = {
            "a": {"id": "a", **ours},
            "b": {"id": "b", **ours, "notificationUrl": "https://other.example.com"},
            "c": {"id": "c", **ours, "expirationDateTime": "some day"},
        }
        list(connect().read(Read("contacts")))
        ends = {key: one["expirationDateTime"] for key, one in server.subscriptions.items()}
        assert ends["a"] > soon
        assert (ends["b"], ends["c"], len(ends)) == (soon, "some day", 3)

    @pytest.mark.parametrize("verb", ["GET", "POST"])
    def test_where_subscribing_is_refused_reads_go_on(self, server: GraphServer, connect: Any, verb: str) -> None:
        server.habits.forbidden = {f"{verb} subscriptions"}
        records = [record for page in connect().read(Read("contacts")) for record in page.records]
        assert len(records) == 3
        assert connect().check().details["notifications of contacts"] == "not yet"

    def test_without_an_address_nothing_is_subscribed(self, server: GraphServer) -> None:
        connector = ContactSource(server).connect()
        list(connector.read(Read("contacts")))
        assert not server.subscriptions
        assert not [name for name in connector.check().details if "notifications" in name]
        connector.close()

    def test_an_address_without_a_state_is_refused(self, server: GraphServer) -> None:
        with pytest.raises(BadConfiguration, match="client_state"):
            ContactSource(server, notification_url=ADDRESS, client_state=None).connect()
