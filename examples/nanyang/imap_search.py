"""The SEARCH criteria of RFC 3501 that clients use on a mailbox they only read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime

from examples.nanyang.mailbox_store import Message

Test = Callable[[int, Message], bool]
"""Whether a message, by its sequence number, is found."""

_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\([^()]*(?:\([^()]*\)[^()]*)*\))|([^\s()"]+(?:\[[^\]]*\])?[^\s()"]*)')
_ALWAYS = frozenset({"ALL", "SEEN", "UNDELETED", "UNFLAGGED", "UNDRAFT", "UNANSWERED", "OLD"})
_NEVER = frozenset({"DELETED", "UNSEEN", "FLAGGED", "DRAFT", "ANSWERED", "NEW", "RECENT"})
_FIELDS = frozenset({"FROM", "TO", "CC", "BCC", "SUBJECT"})
_DATES: dict[str, Callable[[date, date], bool]] = {
    "SINCE": date.__ge__,
    "BEFORE": date.__lt__,
    "ON": date.__eq__,
}


def words(arguments: bytes) -> Iterator[bytes]:
    """The arguments of a command: atoms, quoted strings without quotes, lists with their parentheses."""
    for match in _TOKEN.finditer(arguments):
        quoted, listed, atom = match.groups()
        yield re.sub(rb"\\(.)", rb"\1", quoted) if quoted is not None else listed or atom


def wanted(text: str, there: Iterable[int]) -> set[int]:
    """The numbers of a message set such as ``1:5,9:*`` that exist; a range may be written backwards."""
    known = set(there)
    last = max(known, default=0)
    found: set[int] = set()
    for part in text.split(","):
        first, _, end = part.partition(":")
        bounds = [last if one == "*" else int(one) for one in (first, end or first) if one == "*" or one.isdigit()]
        if bounds:
            found |= {number for number in known if min(bounds) <= number <= max(bounds)}
    return found


def search(arguments: bytes, messages: list[Message]) -> list[tuple[int, Message]]:
    """The messages that meet all criteria, with their sequence numbers. Raises ValueError for an unknown criterion."""
    given = [word.decode("utf-8", "replace") for word in words(arguments)]
    if given and given[0].upper() == "CHARSET":
        given = given[2:]
    tests = []
    while given:
        tests.append(_criterion(given, messages))
    return [(n, m) for n, m in enumerate(messages, 1) if all(test(n, m) for test in tests)]


def _criterion(given: list[str], messages: list[Message]) -> Test:
    """The test of the next criterion, whose words are taken off the list."""
    word = given.pop(0)
    name = word.upper()
    if name in _ALWAYS or name in _NEVER:
        return lambda n, m: name in _ALWAYS
    if name == "NOT":
        inner = _criterion(given, messages)
        return lambda n, m: not inner(n, m)
    if name == "OR":
        left, right = _criterion(given, messages), _criterion(given, messages)
        return lambda n, m: left(n, m) or right(n, m)
    if word.startswith("("):
        found = {n for n, _ in search(word[1:-1].encode(), messages)}
        return lambda n, m: n in found
    if re.fullmatch(r"[\d:*,]+", word):
        numbers = wanted(word, range(1, len(messages) + 1))
        return lambda n, m: n in numbers
    return _with_argument(name, given, messages)


def _with_argument(name: str, given: list[str], messages: list[Message]) -> Test:
    if not given:
        raise ValueError(f"{name} is unknown or lacks its argument")
    if name == "HEADER" and len(given) > 1:
        field, text = given.pop(0).upper(), given.pop(0).lower()
        return lambda n, m: text in _text(m, field)
    argument = given.pop(0)
    if name == "UID":
        uids = wanted(argument, [message.uid for message in messages])
        return lambda n, m: m.uid in uids
    if name in _FIELDS:
        return lambda n, m: argument.lower() in _text(m, name)
    if name in _DATES:
        day, compare = datetime.strptime(argument, "%d-%b-%Y").date(), _DATES[name]  # noqa: DTZ007 - a calendar day
        return lambda n, m: compare(m.date.date(), day)
    raise ValueError(f"{name} is unknown")


def _text(message: Message, field: str) -> str:
    return message.fields({field}).decode("utf-8", "replace").lower()
