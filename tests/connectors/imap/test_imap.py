"""The IMAP connector against a real Dovecot."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.header import Header
from pathlib import Path
from typing import Any

import orjson
import pytest

import connectors.imap
from connectors.conformance import ConformanceSuite, Copy, Source
from connectors.contract import Mode, Page, Read, Record
from connectors.errors import BadConfiguration, BadCredentials, RetryLater
from connectors.imap.connector import ImapConnector
from connectors.imap.contacts import Contacts
from connectors.imap.folders import encode_name
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.systems.dovecot import Dovecot, Mailbox

pytestmark = [pytest.mark.systems, pytest.mark.timeout(600), pytest.mark.xdist_group("dovecot")]
FOLDER = Path(connectors.imap.__file__).parent
SENT = encode_name("已发送")
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def message(sender: bytes | str, to: bytes | str = b"sales@ours.example", more: bytes = b"", key: str = "") -> bytes:
    """A message; headers are given raw, so that tests decide about their bytes."""
    identity = key or f"{next(_numbers)}@test"
    lines = [b"From: " + _raw(sender), b"To: " + _raw(to), f"Message-ID: <{identity}>".encode(), b"Subject: x"]
    return b"\r\n".join([*lines, *([more] if more else [])]) + b"\r\n\r\nHello\r\n"


def _raw(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


class ImapSource(Source):
    """A mailbox with contacts contact<n>@example.com; a contact changes when it writes again."""

    connector = ImapConnector
    stream = "contacts"
    folder = FOLDER

    def __init__(self, server: Dovecot, mailbox: Mailbox) -> None:
        self.server, self.mailbox = server, mailbox
        self.delivered: dict[str, list[str]] = {}
        self.clock = START
        for _ in range(9):
            self.add()

    def settings(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.server.tls_port,
            "ca_file": str(self.server.certificate),
            "user": self.mailbox.user,
            "password": self.mailbox.password,
            "own_domains": ["ours.example"],
        }

    def keys(self) -> set[str]:
        return set(self.delivered)

    def add(self) -> str:
        key = f"contact{next(_numbers):05d}@example.com"
        self.deliver(key, message(f"Contact {key[7:12]} <{key}>"))
        return key

    def deliver(self, key: str, content: bytes, folder: str = "") -> str:
        self.clock += timedelta(minutes=1)
        name = self.mailbox.deliver(content, folder, self.clock)
        self.delivered.setdefault(key, []).append(name)
        return name

    def update(self, key: str) -> None:
        self.deliver(key, message(f"Renamed {next(_numbers)} <{key}>"))

    def delete(self, key: str) -> None:
        for name in self.delivered.pop(key):
            self.mailbox.remove(name)

    def tie(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.delivered[key].append(self.mailbox.deliver(message(f"Tied <{key}>"), "", self.clock))

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return {**self.settings(), "password": "wrong-password"}, "password"

    def unreachable(self) -> dict[str, Any]:
        return {**self.settings(), "port": 9}


@pytest.fixture
def source(dovecot: Dovecot) -> ImapSource:
    return ImapSource(dovecot, dovecot.mailbox(f"box{next(_numbers)}@ours.example"))


@pytest.fixture
def connector(source: ImapSource) -> Iterator[ImapConnector]:
    made = connect(source)
    yield made
    made.close()


def connect(source: ImapSource, **settings: Any) -> ImapConnector:
    made = source.connect({**source.settings(), **settings})
    assert isinstance(made, ImapConnector)
    return made


class TestConformance(ConformanceSuite):
    @pytest.fixture
    def source(self, dovecot: Dovecot) -> ImapSource:
        return ImapSource(dovecot, dovecot.mailbox(f"box{next(_numbers)}@ours.example"))


def pages(connector: ImapConnector, mode: Mode = Mode.FULL, cursor: Any = None, **more: Any) -> list[Page]:
    return list(connector.read(Read("contacts", mode, cursor, **more)))


def records(found: Sequence[Page]) -> dict[str, Record]:
    return {record.key: record for page in found for record in page.records}


def contacts(connector: ImapConnector) -> dict[str, dict[str, Any]]:
    return {key: orjson.loads(record.body) for key, record in records(pages(connector)).items()}


def words(text: str, charset: str) -> str:
    return Header(text, charset).encode()


class TestPeople:
    @pytest.mark.parametrize(
        ("sender", "name"),
        [
            (words("张伟", "utf-8").encode() + b" <p@example.org>", "张伟"),
            (words("张伟", "gb2312").encode() + b" <p@example.org>", "张伟"),
            ("张伟 <p@example.org>".encode("gb18030"), "张伟"),
            ("张伟 <p@example.org>".encode(), "张伟"),
            ("Anna Größe <p@example.org>".encode("iso-8859-1"), "Anna Größe"),
            (b'"O\'Brien, Se\xe1n" <P@Example.ORG>', "O'Brien, Seán"),
            (b"p@example.org", None),
            (b'"p@example.org" <p@example.org>', None),
            (b"=?utf-8?B?5byg?= =?utf-8?B?5Lyf?= <p@example.org>", "张伟"),
            (b"=?utf-8?B?5bw=?= =?utf-8?B?oOS8nw==?= <p@example.org>", "张伟"),
            (b"=?no-such-charset?Q?Ann?= <p@example.org>", "Ann"),
        ],
    )
    def test_names_are_read_in_every_encoding(
        self, source: ImapSource, connector: ImapConnector, sender: bytes, name: str | None
    ) -> None:
        source.mailbox.deliver(message(sender))
        assert contacts(connector)["p@example.org"]["name"] == name

    def test_first_and_last_contact_are_counted_in_both_directions(
        self, source: ImapSource, connector: ImapConnector
    ) -> None:
        for day, (content, folder) in enumerate(
            [
                (message("Ann <ann@example.org>"), ""),
                (message(f"Us <{source.mailbox.user}>", "Ann Lee <ann@example.org>"), SENT),
                (message("Bob <bob@example.org>", "us@ours.example, Ann B. Lee <ANN@example.org>"), ""),
            ]
        ):
            source.mailbox.deliver(content, folder, START + timedelta(days=day))
        assert contacts(connector)["ann@example.org"] == {
            "address": "ann@example.org",
            "name": "Ann B. Lee",
            "names": ["Ann B. Lee", "Ann Lee", "Ann"],
            "first_contact": "2026-03-01T08:00:00+00:00",
            "last_contact": "2026-03-03T08:00:00+00:00",
            "last_received": "2026-03-03T08:00:00+00:00",
            "last_sent": "2026-03-02T08:00:00+00:00",
            "messages": 3,
            "received": 2,
            "sent": 1,
        }

    def test_a_web_form_that_writes_as_us_brings_the_customer_who_is_answered(
        self, source: ImapSource, connector: ImapConnector
    ) -> None:
        source.mailbox.deliver(message("Form <form@ours.example>", more=b"Reply-To: New <new@example.org>"))
        assert contacts(connector)["new@example.org"]["received"] == 1

    def test_copies_of_one_message_count_once(self, source: ImapSource, connector: ImapConnector) -> None:
        for folder in ("", SENT, ""):
            source.mailbox.deliver(message("Ann <ann@example.org>", key="same@test"), folder, START)
        assert contacts(connector)["ann@example.org"]["messages"] == 1

    @pytest.mark.parametrize(
        "content",
        [
            message("Shop <no-reply@example.org>"),
            message("Mailer <MAILER-DAEMON@example.org>"),
            message("News <news@example.org>", more=b"List-Unsubscribe: <mailto:x@example.org>"),
            message("List <member@example.org>", more=b"List-Id: <list.example.org>"),
            message("Bulk <bulk@example.org>", more=b"Precedence: bulk"),
            message("Away <away@example.org>", more=b"Auto-Submitted: auto-replied"),
            message("Bounce <b@example.org>", more=b"Return-Path: <>"),
            message("Report <r@example.org>", more=b"Content-Type: multipart/report; report-type=delivery-status"),
            message("Colleague <anna@ours.example>"),
        ],
    )
    def test_machines_lists_and_colleagues_are_no_contacts(
        self, source: ImapSource, connector: ImapConnector, content: bytes
    ) -> None:
        source.mailbox.deliver(content)
        assert set(contacts(connector)) == source.keys()

    def test_of_a_circular_only_the_sender_counts(self, source: ImapSource, connector: ImapConnector) -> None:
        crowd = ", ".join(f"guest{number}@example.org" for number in range(150))
        source.mailbox.deliver(message("Host <host@example.org>", crowd))
        assert set(contacts(connector)) - source.keys() == {"host@example.org"}

    def test_patterns_and_a_first_day_can_be_set(self, source: ImapSource) -> None:
        source.mailbox.deliver(message("Old <old@example.org>"), "", START - timedelta(days=30))
        source.mailbox.deliver(message("Not <secret@example.org>"), "", START)
        made = connect(source, since="2026-02-20", exclude_addresses=["secret@*"])
        assert set(contacts(made)) == source.keys()
        made.close()


class TestFolders:
    def test_junk_and_trash_are_left_out_and_other_folders_are_read(
        self, source: ImapSource, connector: ImapConnector
    ) -> None:
        for number, folder in enumerate(("Junk", "Trash", encode_name("项目 & 客户"))):
            source.mailbox.deliver(message(f"X <in{number}@example.org>"), folder)
        source.mailbox.deliver(message("Sent <us@ours.example>", "to@example.org"), SENT)
        assert set(contacts(connector)) - source.keys() == {"in2@example.org", "to@example.org"}

    def test_folders_can_be_named_in_any_script_or_by_use(self, source: ImapSource) -> None:
        source.mailbox.deliver(message("Sent <us@ours.example>", "to@example.org"), SENT)
        for name in ("已发送", "\\Sent"):
            made = connect(source, folders=[name])
            assert set(contacts(made)) == {"to@example.org"}
            made.close()

    def test_a_folder_that_is_not_there_is_named(self, source: ImapSource) -> None:
        with pytest.raises(BadConfiguration, match="没有的") as caught:
            connect(source, folders=["没有的"]).check()
        assert caught.value.setting == "folders"


class TestWhatChanged:
    @pytest.mark.parametrize("small", [0, 10_000])
    def test_new_mail_renews_exactly_the_contacts_it_names(
        self, source: ImapSource, connector: ImapConnector, monkeypatch: pytest.MonkeyPatch, small: int
    ) -> None:
        monkeypatch.setattr(Contacts, "small", small)
        for _ in range(60):
            source.add()
        before = sorted(source.keys())[4]
        cursor = pages(connector)[-1].cursor
        source.update(before)
        found = records(pages(connector, Mode.INCREMENTAL, cursor))
        assert list(found) == [before]
        assert orjson.loads(found[before].body)["messages"] == 2
        assert orjson.loads(found[before].body) == contacts(connector)[before]

    def test_no_new_mail_means_no_records_although_the_newest_uid_always_matches(
        self, source: ImapSource, connector: ImapConnector
    ) -> None:
        first = pages(connector)[-1].cursor
        second = pages(connector, Mode.INCREMENTAL, first)
        assert records(second) == {}
        assert second[-1].cursor == first

    def test_a_search_that_misses_mail_is_not_relied_upon(
        self, source: ImapSource, connector: ImapConnector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Contacts, "small", 0)
        for _ in range(60):
            source.add()
        before = sorted(source.keys())[0]
        cursor = pages(connector)[-1].cursor
        source.update(before)
        search = connector._mailbox.search
        monkeypatch.setattr(connector._mailbox, "search", lambda *c: [] if "OR" in c else search(*c))
        found = records(pages(connector, Mode.INCREMENTAL, cursor))
        assert orjson.loads(found[before].body)["messages"] == 2

    def test_a_renumbered_folder_is_read_again_and_nothing_counts_twice(
        self, source: ImapSource, connector: ImapConnector
    ) -> None:
        before = contacts(connector)
        cursor = pages(connector)[-1].cursor
        connector.close()
        source.mailbox.renumber()
        again = records(pages(connector, Mode.INCREMENTAL, cursor))
        assert {key: orjson.loads(record.body) for key, record in again.items()} == before

    def test_a_new_folder_is_found_by_an_incremental_read(self, source: ImapSource, connector: ImapConnector) -> None:
        cursor = pages(connector)[-1].cursor
        connector.close()  # a server need not show a session folders that others have made meanwhile
        source.mailbox.deliver(message("New <new@example.org>"), "Projects")
        assert list(records(pages(connector, Mode.INCREMENTAL, cursor))) == ["new@example.org"]

    def test_a_backfill_renews_the_contacts_of_its_days(self, source: ImapSource, connector: ImapConnector) -> None:
        source.mailbox.deliver(message("Old <old@example.org>"), "", datetime(2025, 5, 5, 5, tzinfo=UTC))
        bounds = {"since": datetime(2025, 5, 1, tzinfo=UTC), "until": datetime(2025, 6, 1, tzinfo=UTC)}
        assert list(records(pages(connector, Mode.INCREMENTAL, None, **bounds))) == ["old@example.org"]

    def test_a_crash_amid_an_incremental_read_loses_nothing(self, source: ImapSource, connector: ImapConnector) -> None:
        cursor = pages(connector)[-1].cursor
        for key in sorted(source.keys()):
            source.update(key)
        first = next(iter(connector.read(Read("contacts", Mode.INCREMENTAL, cursor, page_size=4))))
        source.add()  # arrives between crash and resumption
        resumed = pages(connector, Mode.INCREMENTAL, first.cursor, resumed=True, page_size=4)
        later = pages(connector, Mode.INCREMENTAL, resumed[-1].cursor)
        assert set(records([first, *resumed, *later])) == source.keys()


class TestSafety:
    def test_nothing_is_marked_as_read(self, source: ImapSource, connector: ImapConnector) -> None:
        connector.check()
        cursor = pages(connector)[-1].cursor
        source.update(sorted(source.keys())[0])
        pages(connector, Mode.INCREMENTAL, cursor)
        list(connector.ids("contacts"))
        assert not any("S" in flags for flags in source.mailbox.flags().values())

    @pytest.mark.parametrize(
        "content",
        [
            b"no headers at all\r\n\r\nbody",
            b"From: nobody\r\nTo: undisclosed-recipients:;\r\n\r\nbody",
            b"From: " + b"(" * 50_000 + b"\r\n\r\nbody",
            b"\x00\xff\xfe: \x80\r\n\r\n",
            b"From: =?utf-8?B?////?= <>\r\n\r\n",
        ],
    )
    def test_a_malformed_message_is_rejected_and_the_others_are_read(
        self, source: ImapSource, connector: ImapConnector, content: bytes
    ) -> None:
        source.mailbox.deliver(content)
        found = pages(connector)
        (rejected,) = [item for page in found for item in page.rejected]
        assert rejected.key.startswith("INBOX/")
        assert orjson.loads(rejected.body)["folder"] == "INBOX"
        assert set(records(found)) == source.keys()

    def test_a_huge_header_costs_a_bounded_amount(self, source: ImapSource, connector: ImapConnector) -> None:
        source.mailbox.deliver(message("Big <big@example.org>", more=b"Cc: " + b"x" * 3_000_000))
        assert "big@example.org" in contacts(connector)

    def test_the_certificate_is_checked(self, source: ImapSource) -> None:
        settings = {name: value for name, value in source.settings().items() if name != "ca_file"}
        with pytest.raises(BadConfiguration, match="not trusted") as caught:
            source.connect(settings).check()
        assert caught.value.setting == "ca_file"

    def test_the_name_in_the_certificate_is_checked(self, source: ImapSource) -> None:
        with pytest.raises(BadConfiguration, match="not trusted"):
            connect(source, host="127.0.0.2").check()

    def test_private_addresses_need_permission(self, source: ImapSource) -> None:
        made = connect(source)
        made.context.allow_private = []
        with pytest.raises(BadConfiguration, match="address guard"):
            made.check()


class TestLogin:
    def test_starttls_leads_to_the_same_mail(self, source: ImapSource, dovecot: Dovecot) -> None:
        made = connect(source, security="starttls", port=dovecot.plain_port)
        assert set(contacts(made)) == source.keys()
        made.close()

    def test_an_access_token_logs_in(self, source: ImapSource, dovecot: Dovecot) -> None:
        settings = {name: value for name, value in source.settings().items() if name != "password"}
        made = source.connect({**settings, "access_token": dovecot.access_token(source.mailbox.user)})
        assert str(made.check())
        made.close()

    def test_an_expired_access_token_is_named(self, source: ImapSource, dovecot: Dovecot) -> None:
        settings = {name: value for name, value in source.settings().items() if name != "password"}
        expired = dovecot.access_token(source.mailbox.user, seconds=-30)
        with pytest.raises(BadCredentials, match="access_token") as caught:
            source.connect({**settings, "access_token": expired}).check()
        assert expired not in str(caught.value)

    def test_exactly_one_way_to_log_in_must_be_set(self, source: ImapSource) -> None:
        with pytest.raises(BadConfiguration, match="password, access_token and oauth"):
            connect(source, access_token="x")

    def test_a_lost_connection_is_opened_again(self, source: ImapSource, connector: ImapConnector) -> None:
        assert connector.check()
        session = connector._mailbox._session
        assert session is not None
        session.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(RetryLater):
            connector.check()
        assert connector.check()


def test_the_default_mapping_gives_a_person_with_a_last_contact(source: ImapSource, connector: ImapConnector) -> None:
    source.mailbox.deliver(message(words("张伟", "gb2312") + " <zhang@example.org>"), "", START)
    mapper = compile_mapping(load_spec(FOLDER / "mapping.yaml"))
    customer = mapper(contacts(connector)["zhang@example.org"])[0].customer
    assert customer["kind"] == "person"
    assert customer["name"] == "张伟"
    assert [email["value"] for email in customer["emails"]] == ["zhang@example.org"]
    assert customer["last_contact_at"].startswith("2026-03-01T08:00:00")


def test_a_copy_kept_by_incremental_reads_equals_a_full_one(source: ImapSource) -> None:
    copy = Copy(source.connect(), source).full()
    for key in sorted(source.keys())[:3]:
        source.update(key)
    source.add()
    assert copy.incremental().bodies == Copy(source.connect(), source).full().bodies
