"""Headers, folder names and answers of IMAP servers, without a server: nothing hostile crashes, nothing is misread."""

from __future__ import annotations

import itertools
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.correspondence.headers import decode_raw, decode_words, fold_address, parse_message, split_fields
from connectors.correspondence.ledger import Ledger, Taken
from connectors.imap.folders import Folder, chosen, decode_name, encode_name, parse_list, quoted
from connectors.imap.wire import compressed, internal_date, parse_fetch, parse_search, parse_status

ADDRESSES = st.sampled_from(["a@x.example", "b@x.example", "c@x.example"])
TAKEN = st.builds(
    Taken,
    ADDRESSES,
    st.sampled_from(["<1@x>", "<2@x>", "<3@x>"]),
    st.integers(1, 9).map(lambda day: f"2026-03-0{day}T00:00:00+00:00"),
    st.booleans(),
    st.sampled_from(["", "Ann", "Ann Lee", "张伟"]),
)


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_message_or_a_value_error(block: bytes) -> None:
    try:
        message = parse_message(block)
    except ValueError:
        return
    assert message.senders or message.recipients


@given(st.lists(st.tuples(st.sampled_from(["From", "To", "Cc", "Reply-To"]), st.text(max_size=80)), max_size=6))
def test_addresses_found_are_folded_and_names_fit_on_a_line(fields: list[tuple[str, str]]) -> None:
    block = "\r\n".join(f"{name}: {value}" for name, value in fields).encode("utf-8", "surrogatepass")
    try:
        message = parse_message(block)
    except ValueError:
        return
    for person in (*message.senders, *message.recipients):
        assert fold_address(person.address) == person.address
        assert "\n" not in person.name
        assert len(person.name) <= 200


@pytest.mark.parametrize("nasty", [b"(" * 60_000, b"<" * 60_000, b'"\\' * 30_000, b"a@" * 30_000, b"=?a?q?" * 10_000])
def test_a_nasty_header_takes_no_time(nasty: bytes) -> None:
    started = time.monotonic()
    with suppress(ValueError, RecursionError):
        parse_message(b"From: " + nasty)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        ("张伟".encode("gb18030"), "", "张伟"),
        ("张伟".encode("gb18030"), "gb18030", "张伟"),
        ("Größe".encode("iso-8859-1"), "", "Größe"),
        ("Größe".encode(), "", "Größe"),
        ("Жуков".encode("koi8-r"), "koi8-r", "Жуков"),
        (b"\xff", "", "ÿ"),
    ],
)
def test_raw_text_is_read_by_declaration_and_looks(raw: bytes, charset: str, text: str) -> None:
    assert decode_raw(raw, charset) == text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("=?utf-8?q?Gr=C3=B6=C3=9Fe?= GmbH", "Größe GmbH"),
        ("=?GB2312?B?1cXOsA==?=", "张伟"),
        ("=?utf-8?b?5byg5Lyf?= =?gbk?b?1cXOsA==?=", "张伟张伟"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?utf-8?x?b?=", "=?utf-8?x?b?="),
        ("=?utf-8*de?q?J=C3=BCrgen?=", "Jürgen"),
    ],
)
def test_encoded_words_are_decoded(words: str, text: str) -> None:
    assert decode_words(words) == text


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Ann@X.Example", "ann@x.example"),
        ("ann@münchen.example", "ann@xn--mnchen-3ya.example"),
        ("ann", ""),
        ("ann@localhost", ""),
        ("ann@a b.example", ""),
        ("a" * 300 + "@x.example", ""),
    ],
)
def test_addresses_are_folded(written: str, folded: str) -> None:
    assert fold_address(written) == folded


def test_folded_lines_are_joined() -> None:
    assert dict(split_fields(b"To: a,\r\n\tb\r\nX\r\nCc: c")) == {"to": b"a, b", "cc": b"c"}


@given(st.text(st.characters(codec="utf-8")))
def test_folder_names_survive_modified_utf7(name: str) -> None:
    assert decode_name(encode_name(name)) == name
    assert encode_name(name).isascii()


def test_folders_are_parsed_in_all_spellings() -> None:
    lines: list[Any] = [
        b'(\\HasNoChildren \\Sent) "/" "&XfJT0ZAB-"',
        b'(\\Noselect) "/" Parent',
        (b'(\\Marked) "." {5}', b'a"b\\c'),
        b'() NIL "with \\"quote"',
        None,
        b"nonsense",
    ]
    assert [folder.name for folder in parse_list(lines)] == ["已发送", "Parent", 'a"b\\c', 'with "quote']


def test_only_the_folder_with_all_mail_is_read_where_there_is_one() -> None:
    names = [("INBOX", ""), ("[Gmail]/All Mail", "\\all"), ("[Gmail]/Sent", "\\sent"), ("[Gmail]/Spam", "\\junk")]
    folders = [Folder(name, name, frozenset([flag])) for name, flag in names]
    assert [folder.name for folder in chosen(folders, [])[0]] == ["[Gmail]/All Mail"]


def test_junk_is_known_by_its_usual_names_where_servers_do_not_tell() -> None:
    folders = [Folder(name, name, frozenset()) for name in ("INBOX", "垃圾邮件", "Deleted Messages", "客户")]
    assert [folder.name for folder in chosen(folders, [])[0]] == ["INBOX", "客户"]


@given(st.text())
def test_quoting_leaves_no_way_out(text: str) -> None:
    inner = quoted(text)[1:-1]
    assert inner.replace("\\\\", "").replace('\\"', "").count('"') == 0


def test_fetch_answers_are_taken_apart_in_any_order() -> None:
    lines: list[Any] = [
        (b'1 (UID 5 INTERNALDATE " 2-Jan-2026 03:04:05 +0800" BODY[HEADER.FIELDS (FROM)]<0> {9}', b"From: a\r\n"),
        b")",
        b"7 (FLAGS (\\Seen))",
        (b"2 (BODY[HEADER.FIELDS (FROM)] {9}", b"From: b\r\n"),
        b' UID 6 INTERNALDATE "02-Jan-2026 03:04:05 +0000")',
        b'3 (UID 7 INTERNALDATE "bad" BODY[HEADER.FIELDS (FROM)] "From: \\"UID 9\\"")',
        b"4 (UID 8 BODY[HEADER.FIELDS (FROM)] NIL)",
    ]
    found = list(parse_fetch(lines))
    assert [(item.uid, item.header) for item in found] == [
        (5, b"From: a\r\n"),
        (6, b"From: b\r\n"),
        (7, b'From: "UID 9"'),
    ]
    assert found[0].arrived == datetime(2026, 1, 1, 19, 4, 5, tzinfo=UTC)
    assert found[2].arrived is None


@given(st.lists(st.binary(max_size=60) | st.tuples(st.binary(max_size=60), st.binary(max_size=60)) | st.none()))
def test_no_answer_of_a_server_crashes_the_parsers(lines: list[Any]) -> None:
    list(parse_fetch(lines))
    parse_status(lines)
    parse_search(lines)
    parse_list(lines)


@given(st.binary(max_size=40))
def test_no_date_of_a_server_crashes(text: bytes) -> None:
    internal_date(text)


def test_status_and_search_answers_are_read() -> None:
    state = parse_status([b'"a (b" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7)'])
    assert state is not None
    assert (state.messages, state.next_uid, state.validity) == (3, 9, 7)
    assert parse_status([b"x (MESSAGES 3)"]) is None
    assert parse_search([b"3 1 2", None, b""]) == [1, 2, 3]


@given(st.sets(st.integers(1, 300)))
def test_sets_of_uids_are_compressed_without_loss(numbers: set[int]) -> None:
    found: set[int] = set()
    for part in filter(None, compressed(sorted(numbers)).split(",")):
        low, _, high = part.partition(":")
        found |= set(range(int(low), int(high or low) + 1))
    assert found == numbers


@given(st.lists(TAKEN, max_size=12), st.randoms())
def test_a_contact_is_a_function_of_its_messages_in_any_order_and_number(rows: list[Taken], random: Any) -> None:
    shuffled = [*rows, *random.sample(rows, len(rows) // 2)]
    random.shuffle(shuffled)
    assert gathered([rows]) == gathered([[row] for row in shuffled])


def gathered(batches: list[list[Taken]]) -> list[dict[str, Any]]:
    ledger = Ledger()
    for batch in batches:
        ledger.add(batch)
    found = list(ledger.contacts())
    assert list(itertools.chain(*ledger.addresses(2))) == [contact["address"] for contact in found]
    ledger.close()
    return found
