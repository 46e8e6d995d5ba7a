"""The Gmail connector against a simulator of an account, and with bodies as the documentation shows them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
import responses
from pydantic import SecretStr

from connectors.auth.jwt import signed
from connectors.conformance import ConformanceSuite, Copy
from connectors.contract import Connector, Context, Mode, Page, Read
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    PermissionMissing,
    StreamBroken,
    WaitUntil,
)
from connectors.gmail import mail
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.gmail.google_simulator import MAILBOX, START, Google, error, service_account
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, registered

_numbers = itertools.count(1)


class ContactSource(VendorSource):
    vendor = "gmail"
    stream = "contacts"
    server: Google

    def settings(self) -> dict[str, Any]:
        client, secret = Google.CLIENT
        login = {"client_id": client, "client_secret": secret, "refresh_token": Google.KEY}
        url = self.server.url
        return {"mailbox": MAILBOX, "base_url": url, "people_url": url, "token_url": f"{url}/token", **login}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"refresh_token": "revoked-token"}, "refresh_token"

    def with_service_account(self, key: str, **more: Any) -> dict[str, Any]:
        login = ("client_id", "client_secret", "refresh_token")
        kept = {name: value for name, value in self.settings().items() if name not in login}
        return kept | {"service_account": key} | more


class MailSource(ContactSource):
    stream = "correspondents"

    def sender(self, message: Any) -> str:
        return str(message["payload"]["headers"][0]["value"].partition("<")[2].rstrip(">"))

    def keys(self) -> set[str]:
        return {self.sender(message) for message in self.server.messages.values()}

    def add(self) -> str:
        return self.sender(self.server.messages[self.server.deliver()])

    def update(self, key: str) -> None:
        self.server.deliver(f"Renamed {next(_numbers)} <{key}>")

    def delete(self, key: str) -> None:
        for message in [k for k, m in self.server.messages.items() if self.sender(m) == key]:
            self.server.remove(message)

    def tie(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.server.clock -= timedelta(minutes=1)
            self.server.deliver(key)


@pytest.fixture
def server() -> Iterator[Google]:
    with Google() as server:
        yield server


@pytest.fixture
def source(server: Google) -> ContactSource:
    return ContactSource(server)


@pytest.fixture
def mails(server: Google) -> MailSource:
    return MailSource(server)


@pytest.fixture
def connector(source: ContactSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


class TestContacts(VendorSuite):
    throttled = error(429, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries'")

    def test_a_truncated_answer_is_asked_for_again(self, source: VendorSource, copy: Copy) -> None:
        copy.full()  # logged in: a refresh token that may have been rotated is not sent twice
        super().test_a_truncated_answer_is_asked_for_again(source, copy)

    @pytest.fixture
    def source(self) -> Iterator[ContactSource]:
        with Google() as server:
            yield ContactSource(server)


class TestCorrespondents(ConformanceSuite):
    @pytest.fixture
    def source(self, server: Google) -> MailSource:
        return MailSource(server)


class TestCorrespondentsInLargeMailboxes(ConformanceSuite):
    """Where searching pays."""

    @pytest.fixture
    def source(self, server: Google, monkeypatch: pytest.MonkeyPatch) -> MailSource:
        monkeypatch.setattr(mail.GmailMail, "search_pays", lambda self, addresses: True)
        return MailSource(server)


def pages(connector: Connector[Any], mode: Mode = Mode.FULL, cursor: Any = None, **more: Any) -> list[Page]:
    stream = more.pop("stream", "contacts")
    return list(connector.read(Read(stream, mode, cursor, page_size=3, **more)))


def keys(found: Sequence[Page]) -> list[str]:
    return [record.key for page in found for record in page.records]


def people(connector: Connector[Any], cursor: Any = None) -> dict[str, Any]:
    found = pages(connector, Mode.INCREMENTAL if cursor else Mode.FULL, cursor, stream="correspondents")
    return {record.key: orjson.loads(record.body) for page in found for record in page.records}


class TestLogin:
    def test_a_service_account_acts_for_the_mailbox(self, source: ContactSource) -> None:
        connector = source.connect(source.with_service_account(service_account()))
        assert f"{MAILBOX}: 8 messages" in str(connector.check())

    def test_a_delegation_that_does_not_cover_the_mailbox_names_the_settings(self, source: ContactSource) -> None:
        settings = source.with_service_account(service_account(), mailbox="other@us.example")
        with pytest.raises(BadCredentials, match="service_account, mailbox"):
            source.connect(settings).check()

    @pytest.mark.parametrize("key", ["{}", "no json", '{"client_email": "a", "private_key": "b"}', "[1]"])
    def test_a_key_that_is_none_is_named_and_not_shown(self, source: ContactSource, key: str) -> None:
        with pytest.raises(BadConfiguration) as caught:
            source.connect(source.with_service_account(key)).check()
        assert caught.value.setting == "service_account"

    def test_one_way_to_log_in_must_be_given(self, source: ContactSource) -> None:
        with pytest.raises(BadConfiguration, match="service_account"):
            source.connect(source.settings() | {"service_account": "{}"})

    def test_only_rights_of_reading_are_asked_for(self, server: Google, source: ContactSource) -> None:
        source.connect(source.with_service_account(service_account(), headers_only=True)).check()

    def test_a_token_signed_with_another_kind_of_key_is_refused(self) -> None:
        with pytest.raises(ValueError, match="RSA"):
            signed({}, SecretStr("-----BEGIN EC PRIVATE KEY-----"))

    def test_a_token_that_ends_amid_the_read_is_renewed(self, server: Google, source: ContactSource) -> None:
        assert set(Copy(source.connect(), source).full(server.expire).bodies) == source.keys()


class TestLimits:
    @pytest.mark.parametrize("reason", ["rateLimitExceeded", "userRateLimitExceeded"])
    def test_a_403_that_speaks_of_limits_is_tried_again(
        self, server: Google, connector: Connector[Any], reason: str
    ) -> None:
        pages(connector)
        server.habits.fail_next = [error(403, reason)]
        assert len(keys(pages(connector))) == 8

    def test_the_limit_of_the_day_is_not_asked_about_every_second(
        self, server: Google, connector: Connector[Any]
    ) -> None:
        pages(connector)
        server.habits.fail_next = [error(403, "dailyLimitExceeded")]
        before = connector.context.now()
        with pytest.raises(WaitUntil) as caught:
            pages(connector)
        assert caught.value.until - before > timedelta(minutes=50)

    def test_a_403_without_such_a_reason_is_a_missing_permission(
        self, server: Google, connector: Connector[Any]
    ) -> None:
        pages(connector)
        server.habits.fail_next = [error(403, "accessNotConfigured", "People API has not been used in project 1")]
        with pytest.raises(PermissionMissing, match="People API"):
            connector.check()


class TestAddressBook:
    def test_deletes_are_told(self, source: ContactSource, connector: Connector[Any]) -> None:
        cursor = pages(connector)[-1].cursor
        gone = min(source.keys())
        source.delete(gone)
        assert [key for page in pages(connector, Mode.INCREMENTAL, cursor) for key in page.deleted] == [gone]

    @pytest.mark.parametrize("status", [400, 404, 410])
    def test_a_token_that_has_ended_means_a_full_read_whatever_its_status(
        self, server: Google, connector: Connector[Any], status: int
    ) -> None:
        cursor = pages(connector)[-1].cursor
        server.links.clear()
        server.expired_status = status
        with pytest.raises(CursorExpired, match="no longer accepts"):
            pages(connector, Mode.INCREMENTAL, cursor)

    def test_the_size_of_pages_stays_that_of_the_first_call(
        self, server: Google, source: ContactSource, connector: Connector[Any]
    ) -> None:
        cursor = pages(connector)[-1].cursor
        source.update(min(source.keys()))
        found = list(connector.read(Read("contacts", Mode.INCREMENTAL, cursor, page_size=500)))
        assert keys(found) == [min(source.keys())]

    @pytest.mark.parametrize("counts_from", ["start", "end"])
    def test_contacts_changed_amid_a_read_are_not_lost_wherever_the_token_counts_from(
        self, server: Google, source: ContactSource, counts_from: str
    ) -> None:
        server.token_counts_from = counts_from
        copy = Copy(source.connect(), source).full(lambda: source.update(min(source.keys()))).incremental()
        assert copy.bodies == Copy(source.connect(), source).full().bodies

    def test_without_sync_tokens_every_read_is_whole(self, server: Google, source: ContactSource) -> None:
        server.gives_sync_tokens = False
        copy = Copy(source.connect(), source).full().incremental()
        assert copy.changed == source.keys()

    @pytest.mark.parametrize("stream", ["contacts", "correspondents"])
    def test_a_foreign_position_means_a_full_read(self, connector: Connector[Any], stream: str) -> None:
        with pytest.raises(CursorExpired):
            pages(connector, Mode.INCREMENTAL, {"value": "x"}, stream=stream)


class TestPeopleInMail:
    def test_the_last_contact_is_told_in_both_directions(self, server: Google, connector: Connector[Any]) -> None:
        server.deliver("=?utf-8?B?5byg5Lyf?= <ann@x.example>")
        server.deliver(MAILBOX, to="ANN@x.example", labels=("SENT",))
        ann = people(connector)["ann@x.example"]
        assert (ann["name"], ann["received"], ann["sent"]) == ("张伟", 1, 1)
        assert ann["last_sent"] > ann["last_received"]

    def test_junk_trash_drafts_lists_and_machines_are_left_out(self, server: Google, connector: Connector[Any]) -> None:
        for label in ("SPAM", "TRASH", "DRAFT", "CHAT"):
            server.deliver(f"{label.lower()}@x.example", labels=(label,))
        server.deliver("list@x.example", **{"LIST-UNSUBSCRIBE": "<mailto:x>"})
        server.deliver("robot@x.example", **{"auto-submitted": "auto-replied"})
        assert all(address.startswith("contact") for address in people(connector))

    def test_names_of_headers_count_in_any_case_and_copies_once(
        self, server: Google, connector: Connector[Any]
    ) -> None:
        server.deliver("ann@x.example", **{"Message-Id": "<same@x>"})
        server.deliver("ann@x.example", **{"Message-Id": "", "MESSAGE-ID": "<same@x>"})
        assert people(connector)["ann@x.example"]["messages"] == 1

    def test_nothing_new_costs_a_call_of_the_history(self, server: Google, connector: Connector[Any]) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        server.calls.clear()
        assert people(connector, cursor) == {}
        assert [call.path.rpartition("/")[2] for call in server.calls] == ["profile", "history"]

    def test_history_ids_are_compared_as_numbers(self, server: Google, connector: Connector[Any]) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        for _ in range(5):
            server.deliver()
        later = pages(connector, Mode.INCREMENTAL, cursor, stream="correspondents")[-1].cursor
        assert later["position"]["history"] == server.history_id > 9_999_999_999

    def test_a_history_that_is_no_longer_kept_means_a_full_read(
        self, server: Google, connector: Connector[Any]
    ) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        server.oldest_history = server.history_id + 1
        with pytest.raises(CursorExpired, match="no longer keeps"):
            people(connector, cursor)

    def test_a_message_that_came_and_went_does_no_harm(self, server: Google, connector: Connector[Any]) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        server.remove(server.deliver("gone@x.example"))
        assert people(connector, cursor) == {}

    def test_a_message_fetched_back_out_of_junk_is_new(self, server: Google, connector: Connector[Any]) -> None:
        key = server.deliver("friend@x.example", labels=("SPAM",))
        cursor = pages(connector, stream="correspondents")[-1].cursor
        server.relabel(key, "SPAM", "INBOX")
        assert set(people(connector, cursor)) == {"friend@x.example"}

    def test_messages_that_a_batch_does_not_bring_are_asked_for_singly(
        self, server: Google, mails: MailSource, connector: Connector[Any]
    ) -> None:
        server.batch_refuses = lambda key: key.endswith("3")
        assert set(people(connector)) == mails.keys()

    def test_a_batch_cut_short_loses_no_message(
        self, server: Google, mails: MailSource, connector: Connector[Any]
    ) -> None:
        def cut(request: Any) -> None:
            if request.path.startswith("/batch"):
                raise Answer(
                    200, b"--batch_x\r\nContent-Type: app", {"Content-Type": "multipart/mixed; boundary=batch_x"}
                )

        server.habits.before = cut
        assert set(people(connector)) == mails.keys()

    def test_where_it_pays_only_the_people_in_new_messages_are_searched_for(
        self, server: Google, connector: Connector[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor
        monkeypatch.setattr(mail.GmailMail, "search_pays", lambda self, addresses: True)
        server.deliver("new@x.example")
        assert set(people(connector, cursor)) == {"new@x.example"}
        assert server.searches == ["from:new@x.example OR to:new@x.example OR cc:new@x.example"]

    def test_a_search_that_misses_the_new_message_is_not_relied_upon(
        self, server: Google, mails: MailSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mail.GmailMail, "search_pays", lambda self, addresses: True)
        server.search_works = False
        copy = Copy(mails.connect(), mails).full()
        mails.update(min(mails.keys()))
        assert copy.incremental().bodies == Copy(mails.connect(), mails).full().bodies

    def test_a_sender_found_too_often_is_counted_by_going_through_everything(
        self, server: Google, mails: MailSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mail.GmailMail, "search_pays", lambda self, addresses: True)
        monkeypatch.setattr(mail, "FOUND_AT_MOST", 2)
        copy, one = Copy(mails.connect(), mails).full(), min(mails.keys())
        for _ in range(3):
            mails.update(one)
        assert copy.incremental().bodies[one]["messages"] == 4

    def test_with_the_right_to_headers_alone_nothing_is_searched_or_filtered(
        self, server: Google, mails: MailSource
    ) -> None:
        connector = mails.connect(mails.settings() | {"headers_only": True, "since": "2026-01-01"})
        cursor = pages(connector, stream="correspondents")[-1].cursor
        server.deliver("new@x.example")
        assert set(people(connector, cursor)) == {"new@x.example"}
        assert all("q" not in call.query for call in server.calls)

    def test_older_mail_is_neither_asked_for_nor_counted(self, server: Google, mails: MailSource) -> None:
        connector = mails.connect(mails.settings() | {"since": "2026-03-02"})
        server.clock = START + timedelta(days=2)
        server.deliver("new@x.example")
        assert set(people(connector)) == {"new@x.example"}
        assert {call.query["q"] for call in server.calls if "q" in call.query} == {"after:2026/03/01"}

    def test_a_message_without_anybody_is_put_aside(self, server: Google, connector: Connector[Any]) -> None:
        server.deliver("nobody <>", to="undisclosed-recipients:;")
        (bad,) = [bad for page in pages(connector, stream="correspondents") for bad in page.rejected]
        assert "no address" in str(bad.reason)

    @pytest.mark.parametrize("path", ["messages", "history"])
    def test_an_odd_answer_is_no_empty_mailbox(self, server: Google, connector: Connector[Any], path: str) -> None:
        cursor = pages(connector, stream="correspondents")[-1].cursor

        def odd(request: Any) -> None:
            if request.path.endswith(f"/{path}"):
                raise Answer(200, {"kind": "odd"})

        server.habits.before = odd
        with pytest.raises(StreamBroken):
            people(connector, cursor if path == "history" else None)


HOST = "https://93.184.216.34"
MESSAGE = json.loads("""{"id":"18c0a1","threadId":"18c0a1","labelIds":["INBOX"],"snippet":"Hello","historyId":"125",
"internalDate":"1767323045000","sizeEstimate":4321,"payload":{"mimeType":"text/plain","headers":[{"name":"From","value":
"=?utf-8?B?QW5u?= <ann@x.example>"},{"name":"To","value":"sales@us.example"}]}}""")
HISTORY = json.loads("""{"history":[{"id":"125","messages":[{"id":"18c0a1","threadId":"18c0a1"}],"messagesAdded":[
{"message":{"id":"18c0a1","threadId":"18c0a1","labelIds":["INBOX","UNREAD"]}}]}],"historyId":"130"}""")


def documented() -> Connector[Any]:
    connector = registered("gmail").load()
    login = {
        "client_id": "c",
        "client_secret": "s3cret-client",
        "refresh_token": "r3fresh",
        "token_url": f"{HOST}/token",
    }
    settings = {"mailbox": MAILBOX, "base_url": HOST, "people_url": HOST, **login}
    return connector(connector.config_model(**settings), Context("gmail"))


@responses.activate
def test_the_documented_history_tells_of_one_person() -> None:
    user = f"{HOST}/gmail/v1/users/{MAILBOX}"
    part = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{json.dumps(MESSAGE)}"
    batch = f"--b\r\nContent-Type: application/http\r\n\r\n{part}\r\n--b--"
    responses.post(f"{HOST}/token", json={"access_token": "t0ken", "expires_in": 3599, "token_type": "Bearer"})
    responses.get(f"{user}/profile", json={"emailAddress": MAILBOX, "messagesTotal": 1, "historyId": "130"})
    responses.get(f"{user}/history", json=HISTORY)
    responses.get(f"{user}/messages", json={"messages": [{"id": "18c0a1"}], "resultSizeEstimate": 1})
    responses.post(f"{HOST}/batch/gmail/v1", body=batch, content_type="multipart/mixed; boundary=b")
    found = pages(documented(), Mode.INCREMENTAL, {"position": {"history": 123}}, stream="correspondents")
    (record,) = [record for page in found for record in page.records]
    assert found[-1].cursor == {"position": {"history": 130}}
    spec = load_spec(registered("gmail").folder / "mapping_correspondents.yaml")
    (customer,) = compile_mapping(spec)(orjson.loads(record.body))
    assert customer.customer["name"] == "Ann"
    assert customer.customer["last_contact_at"].startswith("2026-01-02T03:04:05")


@responses.activate
def test_a_grant_that_was_taken_back_names_the_setting() -> None:
    responses.post(f"{HOST}/token", json={"error": "invalid_grant"}, status=400)
    with pytest.raises(BadCredentials, match="refresh_token") as caught:
        documented().check()
    assert "r3fresh" not in str(caught.value)


def test_a_contact_is_a_person_of_a_company() -> None:
    body = {
        "resourceName": "people/c1", "metadata": {"sources": [{"updateTime": "2026-01-02T03:04:05.678Z"}]},
        "names": [{"displayName": "Zhang Wei", "givenName": "Wei", "familyName": "Zhang"}],
        "emailAddresses": [{"value": "Z@x.example"}], "organizations": [{"name": "华为", "title": "Buyer"}],
        "phoneNumbers": [{"value": "138 0013 8000", "canonicalForm": "+8613800138000"}],
        "addresses": [{"countryCode": "CN", "city": "深圳"}],
    }  # fmt: skip
    person, company = compile_mapping(load_spec(registered("gmail").folder / "mapping.yaml"))(body)
    assert person.customer["emails"][0]["value"] == "z@x.example"
    assert person.customer["phones"][0]["value"] == "+8613800138000"
    assert (company.customer["kind"], company.customer["name"]) == ("organisation", "华为")


def test_the_contacts_are_only_read(connector: Connector[Any]) -> None:
    (contacts, _) = connector.discover()
    assert "write" not in contacts.capabilities
    with pytest.raises(NotImplementedError):
        connector.write("contacts", [])
