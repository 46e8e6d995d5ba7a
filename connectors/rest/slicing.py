"""Cut a page of JSON into records without decoding them; bodies stay raw slices of the page.

msgspec finds the slices and decodes only keys and stamps, with a struct made for the stream. Whatever does not
fit (odd paths, a bad record among good ones, text that is not UTF-8) goes record by record through orjson,
which tells the bad from the good.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import GenericAlias
from typing import Any

import msgspec
import orjson

from connectors.contract import Record, Rejected
from connectors.errors import RecordRejected, RetryLater, StreamBroken
from connectors.rest.stamps import Stamp

ReadStamp = Callable[[Any], Stamp | None]

KEY_SEPARATOR = "|"
"""Between the parts of a composite key."""

MAX_KEY = 500

_SIMPLE = re.compile(r"^[^.\[\]]+(\.[^.\[\]]+)*$")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

Row = msgspec.Raw | bytes


@dataclass(frozen=True, slots=True)
class Sliced:
    """One page: ``rows`` are all of it as it came; each is a record, rejected, or the tombstone of a deleted key."""

    rows: Sequence[Row] = ()
    records: Sequence[Record] = ()
    rejected: Sequence[Rejected] = ()
    deleted: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """A page's body: the raw array of records, and all around it decoded (for pagers and error rules).

    ``odd`` holds the records decoded leniently, where the page is JSON only to a lenient reader.
    """

    rest: Any
    slices: msgspec.Raw | None
    odd: list[Any] | None = None


def steps(path: str) -> tuple[str | int, ...]:
    """A path such as ``data.items[0].id`` as its steps; the empty path has none."""
    return tuple(int(index) if index else name for name, index in _STEP.findall(path))


def find(data: Any, path: str) -> Any:
    """The value at a path in decoded JSON, None where there is none."""
    return _walk(data, steps(path))


def _walk(data: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        if isinstance(step, str) and isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(step, int) and isinstance(data, list) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set a value at a path such as ``a.b`` or ``a[0].b``, making the objects on the way.

    A list is only entered, never made: it must be there and long enough, else ValueError. What is on the way is
    copied, so that a body that others share stays as it is.
    """
    *way, last = steps(path)
    here: Any = body
    for step in way:
        inner = _member(here, step)
        here[step] = inner = list(inner) if isinstance(inner, list) else dict(inner) if inner else {}
        here = inner
    _member(here, last)
    here[last] = value


def _member(place: Any, step: str | int) -> Any:
    if isinstance(step, str) and isinstance(place, dict):
        inner = place.get(step)
        return inner if isinstance(inner, dict | list) else None
    if isinstance(step, int) and isinstance(place, list) and step < len(place):
        return place[step] if isinstance(place[step], dict | list) else None
    raise ValueError(f"there is no place for {step!r}")


class Opener:
    """Opens page bodies: everything but the array at ``path`` is decoded."""

    def __init__(self, path: str) -> None:
        self._steps = steps(path)
        self._top = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def open(self, body: bytes) -> Envelope:
        """The page in ``body``; raises RetryLater when it is not JSON (a truncated answer, an HTML page).

        A page that is JSON but for a lone surrogate, a NaN or a wrong byte in one record is opened leniently.
        """
        try:
            return self._descend(msgspec.Raw(body), self._steps)
        except (msgspec.MsgspecError, orjson.JSONDecodeError, UnicodeDecodeError):
            return self._leniently(body)
        except RecursionError:
            raise StreamBroken("The system's answer is nested too deeply to be read.") from None

    def _leniently(self, body: bytes) -> Envelope:
        try:
            data = json.loads(body.decode("utf-8", "surrogateescape"))
        except ValueError:
            raise RetryLater("The system's answer is not valid JSON.") from None
        except RecursionError:
            raise StreamBroken("The system's answer is nested too deeply to be read.") from None
        found = _walk(data, self._steps)
        return Envelope(data, None, found if isinstance(found, list) else None)

    def _descend(self, raw: msgspec.Raw, path: Sequence[str | int]) -> Envelope:
        if not path:
            msgspec.json.decode(raw, type=msgspec.Raw)
            return Envelope(None, raw)
        step, following = path[0], path[1:]
        if isinstance(step, int) or bytes(raw).lstrip()[:1] != b"{":
            return self._by_hand(raw, path)
        members = self._top.decode(raw)
        inner = members.pop(step, None)
        rest = {name: orjson.loads(bytes(value)) for name, value in members.items()}
        if inner is None:
            return Envelope(rest, None)
        deeper = self._descend(inner, following)
        if following:
            rest[str(step)] = deeper.rest
        return Envelope(rest, deeper.slices)

    @staticmethod
    def _by_hand(raw: msgspec.Raw, path: Sequence[str | int]) -> Envelope:
        data = orjson.loads(bytes(raw))
        found = _walk(data, path)
        return Envelope(data, None if found is None else msgspec.Raw(orjson.dumps(found)))


class Slicer:
    """Turns the raw array of one page into records, in the order of the page.

    ``key`` and ``stamps`` are paths; several key paths make a composite key, and the first stamp that is not null
    counts. ``tombstone`` is the path of a field, and ``is_dead`` tells from its value whether the record is deleted.
    """

    def __init__(
        self,
        key: Sequence[str],
        stamps: Sequence[str],
        read_stamp: ReadStamp,
        tombstone: str = "",
        is_dead: Callable[[Any], bool] = bool,
    ) -> None:
        self._key, self._stamps, self._read_stamp = tuple(key), tuple(stamps), read_stamp
        self._tombstone, self._is_dead = tombstone, is_dead
        self._raws = msgspec.json.Decoder(list[msgspec.Raw])
        self._fast: msgspec.json.Decoder[list[Any]] | None = None
        wanted = [*self._key, *self._stamps, *([tombstone] if tombstone else [])]
        if all(_SIMPLE.match(path) for path in wanted) and not _nested_twice(wanted):
            row, self._picks = _struct(wanted)
            self._fast = msgspec.json.Decoder(GenericAlias(list, (row,)))

    def slice(self, page: Envelope) -> Sliced:
        """The page's records; raises StreamBroken when there is no array."""
        if page.odd is not None:
            return self._carefully([_written(item) for item in page.odd])
        array = page.slices
        if array is None or bytes(array) == b"null":
            return Sliced()
        try:
            raws = self._raws.decode(array)
        except (msgspec.MsgspecError, RecursionError):
            raise StreamBroken("The system's answer holds no list of records where one is expected.") from None
        if self._fast is not None:
            try:
                bytes(array).decode()  # msgspec does not look into the text it skips
                return self._quickly(raws, self._fast.decode(array))
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
                pass  # some record is odd: find out which
        return self._carefully(raws)

    def key(self, row: Row) -> str | None:
        """The key of one row; None for a row that has none."""
        try:
            return self._join(self._checked(bytes(row))[: len(self._key)])
        except RecordRejected:
            return None

    def _quickly(self, raws: list[msgspec.Raw], rows: list[Any]) -> Sliced:
        if len(self._picks) == 2 and len(self._key) == len(self._stamps) == 1:
            key, stamp, read = self._picks[0], self._picks[1], self._read_stamp
            return Sliced(
                raws,
                [Record(_text(key(row)), bytes(raw), read(stamp(row))) for raw, row in zip(raws, rows, strict=True)],
            )
        values = [[pick(row) for pick in self._picks] for row in rows]
        return self._sorted(raws, [(bytes(raw), found) for raw, found in zip(raws, values, strict=True)], [])

    def _carefully(self, rows: Sequence[Row]) -> Sliced:
        good: list[tuple[bytes, list[Any]]] = []
        rejected: list[Rejected] = []
        for row in rows:
            body = bytes(row)
            try:
                good.append((body, self._checked(body)))
            except RecordRejected as reason:
                rejected.append(Rejected("", body, reason))
        return self._sorted(rows, good, rejected)

    def _sorted(self, rows: Sequence[Row], good: Iterable[tuple[bytes, list[Any]]], rejected: list[Rejected]) -> Sliced:
        """Records and tombstones apart. Raises ValueError for a record without a key, or with an odd stamp."""
        keys, dead = len(self._key), len(self._key) + len(self._stamps)
        records: list[Record] = []
        deleted: list[str] = []
        for body, found in good:
            key = self._join(found[:keys])
            if self._tombstone and self._is_dead(found[dead]):
                deleted.append(key)
            else:
                records.append(Record(key, body, self._stamp(found[keys:dead])))
        return Sliced(rows, records, rejected, deleted)

    def _checked(self, body: bytes) -> list[Any]:
        """The wanted values of one record that is fit to be sorted; raises RecordRejected with what is wrong."""
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise RecordRejected("The record is not valid JSON: {reason}.", reason=error.msg) from None
        if not isinstance(data, dict):
            raise RecordRejected("The record is not a JSON object.", rule="object")
        keys = [find(data, path) for path in self._key]
        try:
            self._join(keys)
        except ValueError:
            path = ", ".join(self._key)
            raise RecordRejected("The record has no key at {path}.", path=path, rule="required") from None
        stamps = [self._readable(find(data, path)) for path in self._stamps]
        return [*keys, *stamps, *([find(data, self._tombstone)] if self._tombstone else [])]

    def _readable(self, value: Any) -> Any:
        """The stamp as it is, or None when it cannot be read: a record without a stamp is still a record."""
        try:
            self._read_stamp(value)
        except (ValueError, TypeError):
            return None
        return value

    @staticmethod
    def _join(parts: Sequence[Any]) -> str:
        return KEY_SEPARATOR.join([_text(part) for part in parts])

    def _stamp(self, values: Sequence[Any]) -> Stamp | None:
        for value in values:
            stamp = self._read_stamp(value)
            if stamp is not None:
                return stamp
        return None


def _text(part: Any) -> str:
    """One part of a key as text; raises ValueError where there is none."""
    if part.__class__ is str:
        if part and len(part) <= MAX_KEY:
            return part
        raise ValueError("empty or too long")
    if part.__class__ is int:
        return str(part)
    raise ValueError("neither text nor whole number")


def _written(item: Any) -> bytes:
    """A leniently read record as JSON again; what strict JSON cannot say is left in for the check to find."""
    return json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _nested_twice(paths: Sequence[str]) -> bool:
    """Whether one path leads through another's value, which one struct cannot say."""
    return any(b.startswith(a + ".") for a in paths for b in paths)


def _struct(paths: Sequence[str]) -> tuple[Any, list[Callable[[Any], Any]]]:
    """A struct type that decodes just these dotted paths, and a getter for each; the rest is skipped."""
    heads = list(dict.fromkeys(path.partition(".")[0] for path in paths))
    fields: list[tuple[str, Any, Any]] = []
    getters: dict[str, Callable[[Any], Any]] = {}
    for number, head in enumerate(heads):
        name = f"f{number}"
        getters[head] = attrgetter(name)
        kind: Any = str | int | float | bool | None
        below = [path for path in paths if path.startswith(head + ".")]
        if below:
            inner, picks = _struct([path.partition(".")[2] for path in below])
            kind = inner | None
            getters |= {path: _through(getters[head], pick) for path, pick in zip(below, picks, strict=True)}
        fields.append((name, kind, None))
    rename = {f"f{number}": head for number, head in enumerate(heads)}
    row = msgspec.defstruct("Row", fields, rename=rename, gc=False)
    return row, [getters[path] for path in paths]


def _through(outer: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def pick(row: Any) -> Any:
        below = outer(row)
        return None if below is None else inner(below)

    return pick
