"""Contacts out of mail, whatever mailbox they come from: no reading, resuming or searching changes the records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Mode, Page, Read
from connectors.correspondence.headers import Message, Person
from connectors.correspondence.ledger import Taken
from connectors.correspondence.people import People
from connectors.correspondence.reading import ContactReader, Haul, Mail
from connectors.errors import CursorExpired

START = datetime(2026, 3, 1, tzinfo=UTC)
ADDRESSES = ["a@x.example", "b@x.example", "c@x.example", "d@x.example"]


class ListedMail(Mail):
    """Messages in a list; the position is how many there were. ``blind`` messages the search does not find."""

    def __init__(self, senders: list[str], *, pays: bool = True, blind: bool = False) -> None:
        self.pays, self.blind, self.scans = pays, blind, 0
        self.rows: list[Taken] = []
        for sender in senders:
            self.deliver(sender)

    def deliver(self, sender: str) -> None:
        moment = (START + timedelta(minutes=len(self.rows))).isoformat(timespec="seconds")
        self.rows.append(Taken(sender, f"m{len(self.rows)}", moment, False, f"Name {len(self.rows)}"))

    def everything(self) -> Iterator[Haul]:
        self.scans += 1
        self.position = len(self.rows)
        return iter([Haul([row]) for row in list(self.rows)])

    def new(self, position: Any) -> Iterator[Haul]:
        self.position = len(self.rows)
        return iter([Haul([row]) for row in self.rows[position:]])

    def naming(self, address: str) -> Iterator[Haul] | None:
        return iter([] if self.blind else [Haul([row for row in self.rows if row.address == address])])

    def search_pays(self, addresses: int) -> bool:
        return self.pays


def pages(mail: Mail, mode: Mode = Mode.FULL, cursor: Any = None, **more: Any) -> list[Page]:
    return list(ContactReader(mail).read(Read("contacts", mode, cursor, page_size=2, **more)))


def bodies(found: list[Page]) -> dict[str, Any]:
    return {record.key: orjson.loads(record.body) for page in found for record in page.records}


@given(st.lists(st.sampled_from(ADDRESSES)), st.lists(st.sampled_from(ADDRESSES)), st.booleans(), st.booleans())
def test_reading_what_is_new_gives_what_reading_everything_gives(
    before: list[str], after: list[str], pays: bool, blind: bool
) -> None:
    mail = ListedMail(before, pays=pays, blind=blind)
    found = pages(mail)
    copy = bodies(found)
    for sender in after:
        mail.deliver(sender)
    later = pages(mail, Mode.INCREMENTAL, found[-1].cursor)
    assert bodies(later).keys() == set(after)
    assert copy | bodies(later) == bodies(pages(mail))


@given(st.lists(st.sampled_from(ADDRESSES), min_size=1), st.sampled_from(ADDRESSES), st.booleans())
def test_mail_that_comes_while_a_read_is_interrupted_is_not_lost(
    senders: list[str], latecomer: str, pays: bool
) -> None:
    mail = ListedMail([*senders, *ADDRESSES], pays=pays)
    start = {"position": 0}
    first = pages(mail, Mode.INCREMENTAL, start)[0]
    mail.deliver(latecomer)
    rest = pages(mail, Mode.INCREMENTAL, first.cursor, resumed=True)
    copy = bodies([first]) | bodies(rest)
    copy |= bodies(pages(mail, Mode.INCREMENTAL, rest[-1].cursor))
    assert copy == bodies(pages(mail))


def test_the_search_saves_going_through_everything_and_is_tested_at_work() -> None:
    for blind, scans in ((False, 1), (True, 2)):
        mail = ListedMail(ADDRESSES, blind=blind)
        cursor = pages(mail)[-1].cursor
        mail.deliver("b@x.example")
        assert bodies(pages(mail, Mode.INCREMENTAL, cursor))["b@x.example"]["messages"] == 2
        assert mail.scans == scans


def test_a_finished_read_that_is_resumed_reads_nothing() -> None:
    mail = ListedMail(ADDRESSES)
    (page,) = pages(mail, Mode.FULL, pages(mail)[-1].cursor, resumed=True)
    assert (list(page.records), mail.scans) == ([], 1)


def test_a_foreign_position_is_refused() -> None:
    with pytest.raises(CursorExpired):
        pages(ListedMail(ADDRESSES), Mode.INCREMENTAL, {"folders": {}})


def message(*senders: str, to: tuple[str, ...] = (), automatic: bool = False, listed: bool = False) -> Message:
    return Message("<1@x>", *(tuple(Person(a, "") for a in group) for group in (senders, to)), automatic, listed)


class TestPeople:
    people = People(["Me@us.example"], ["us.example"], ["no-reply@*"], since=date(2026, 1, 1))

    def taken(self, one: Message) -> dict[str, bool]:
        return {row.address: row.sent for row in self.people.taken(one, START, "m")}

    def test_colleagues_and_machines_are_no_contacts(self) -> None:
        one = message("ann@x.example", to=("me@us.example", "boss@us.example", "no-reply@x.example"))
        assert self.taken(one) == {"ann@x.example": False}

    def test_mail_from_us_is_sent_by_us_unless_it_answers_to_a_customer(self) -> None:
        assert self.taken(message("me@us.example", to=("ann@x.example",))) == {"ann@x.example": True}
        assert self.taken(message("me@us.example", "ann@x.example")) == {"ann@x.example": False}

    def test_automatic_listed_and_old_mail_does_not_count(self) -> None:
        assert self.people.counts(message("a@x.example"), START)
        assert not self.people.counts(message("a@x.example", automatic=True), START)
        assert not self.people.counts(message("a@x.example", listed=True), START)
        assert not self.people.counts(message("a@x.example"), datetime(2025, 12, 31, tzinfo=UTC))
        assert People([], [], [], mailing_lists=True).counts(message("a@x.example", listed=True), START)
