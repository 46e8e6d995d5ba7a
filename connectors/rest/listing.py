"""One listing of a manifest at work: requests built, pages fetched and sliced, the pager of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

import msgspec
import orjson

from connectors import paging
from connectors.errors import BadConfiguration, StreamBroken
from connectors.response import Response
from connectors.rest.client import RuledClient
from connectors.rest.manifest import (
    CursorPages,
    KeysetPages,
    LinkPages,
    Listing,
    NumberPages,
    OffsetPages,
    RestStream,
    Tombstone,
)
from connectors.rest.manifest_calls import Call
from connectors.rest.offsets import SteadyOffsets
from connectors.rest.slicing import Envelope, Opener, Sliced, Slicer, find, put
from connectors.rest.stamps import reader, unit, writer, zone
from connectors.rest.templates import Values, fill, fill_headers, fill_path


@dataclass(slots=True)
class Wire:
    """What every part of one connector calls through: the client, the settings as places."""

    client: RuledClient
    values: Values = field(repr=False)  # holds secrets in plain text
    weight_read: float = 1.0
    weight_write: float = 1.0

    def send(self, call: Call, values: Values, *, read: bool, **options: Any) -> Response:
        """One call of the manifest with its places filled; raises what the rules or else its status say."""
        url = options.pop("url", None)
        options["headers"] = fill_headers(call.headers, values) | options.get("headers", {})
        return self.client.request(
            "GET" if url else call.method,
            url or fill_path(call.path, values),
            read=read,
            weight=self.weight_read if read else self.weight_write,
            **options,
        )


class Bounds(NamedTuple):
    """The change stamps asked for: at or after ``since``, before ``until``; None leaves a side open."""

    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Bounds()


@dataclass(frozen=True, slots=True)
class Fetched:
    """One page: what was cut from it, the rest of the answer, and where the pager goes on (None: nowhere)."""

    sliced: Sliced
    rest: Any
    response: Response
    next: Any = None
    total: int | None = None

    def keys(self) -> list[str]:
        """The keys of all rows that have one."""
        return [record.key for record in self.sliced.records] + list(self.sliced.deleted)


class Lister:
    """Lists records as a manifest describes it."""

    def __init__(self, wire: Wire, spec: Listing) -> None:
        self._wire, self.spec = wire, spec
        local = _zone(str(fill(spec.zone, wire.values)))
        since = spec.incremental
        notation = (since.format if since else "") or spec.stamps
        self.coarse = unit(spec.stamps).total_seconds()
        self.smallest = unit(notation)
        self._say = writer(notation, local, strict=bool(since and since.strict))
        self._say_until = writer(notation, local)
        self._opener = Opener(spec.records)
        self._slicer = Slicer(spec.key, spec.changed_at, reader(spec.stamps, local), **_tombstone(spec))

    def pages(
        self, size: int, bounds: Bounds = EVERYTHING, partition: str = "", start: Any = None
    ) -> Iterator[Fetched]:
        """All pages from a position on. ``size`` is capped by what the system takes."""
        values = self._values(min(size, self.spec.pages.max), bounds, partition)
        for batch in self._batches(values, start):
            page = batch.response
            yield Fetched(page.sliced, page.rest, page.response, batch.next, page.total)

    def single(self, answer: msgspec.Raw, place: str) -> Sliced:
        """The one record that stands at ``place`` of an answer; none where there is nothing, or a list is empty."""
        page = Opener(place).open(bytes(answer))
        if page.odd is not None or page.slices is None:
            return self._slicer.slice(page)
        text = bytes(page.slices).strip()
        if text == b"null":
            return Sliced()
        return self._slicer.slice(Envelope(page.rest, page.slices if text[:1] == b"[" else msgspec.Raw(b"[%b]" % text)))

    def count(self, bounds: Bounds, partition: str = "") -> int | None:
        """How many records there are within the bounds, as the system counts; None if it does not say."""
        values = self._values(1, bounds, partition)
        return next(iter(self._batches(values, None))).response.total

    def keys(self, size: int, partition: str = "") -> Iterator[list[str]]:
        """The keys of all records, page by page."""
        for page in self.pages(size, partition=partition):
            yield [record.key for record in page.sliced.records]

    def _values(self, size: int, bounds: Bounds, partition: str) -> dict[str, Any]:
        return {
            **self._wire.values,
            "size": size,
            "partition": partition,
            "cursor.value": None if bounds.since is None else self._say(bounds.since),
            "cursor.until": None if bounds.until is None else self._say_until(bounds.until),
        }

    def _fetch(self, values: Values, asked: Mapping[str, Any], url: str | None = None) -> Fetched:
        spec, since = self.spec, self.spec.incremental
        params, body = dict(spec.params), dict(spec.body or {})
        lower, upper = values["cursor.value"] is not None, values["cursor.until"] is not None
        for part in since.parts(lower=lower, upper=upper) if since is not None else ():
            params, body = params | part.params, merged(body, part.body)
        params, body = fill(params, values), fill(body, values)
        if spec.pages.into == "query":
            params |= asked
        else:
            for name, value in asked.items():
                put(body, name, value)
        sends_body = spec.method != "GET"
        response = self._wire.send(
            spec, values, read=True, url=url,
            params=None if url else params, json=body if sends_body and not url else None,
        )  # fmt: skip
        if response.status == 204:
            return Fetched(Sliced(), None, response)
        page = self._opener.open(response.utf8())
        if page.slices is None and page.odd is None and not spec.may_be_absent:
            raise StreamBroken(
                "{connection}: the answer of {method} {path} holds no list at {place}.",
                remedy="Check `records` in the manifest. Where a missing list means none, set `may_be_absent: true`.",
                connection=response.connection,
                method=response.method,
                path=response.path,
                place=spec.records or "the top",
            )
        total = find(page.rest, spec.pages.total) if spec.pages.total else None
        return Fetched(self._slicer.slice(page), page.rest, response, total=total if isinstance(total, int) else None)

    def _batches(self, values: Values, start: Any) -> Iterator[paging.Batch[Fetched]]:
        spec, size = self.spec.pages, values["size"]

        def fetch(asked: Mapping[str, Any], url: str | None = None) -> tuple[Any, Fetched]:
            page = self._fetch(values, asked, url)
            return page.sliced.rows, page

        if isinstance(spec, OffsetPages):
            limit = {spec.limit: size}
            steady = SteadyOffsets(
                lambda at: fetch({spec.offset: at} | limit), self._slicer.key, _trimmed, start, overlap=spec.overlap
            )
            return steady.pages(spec, size)
        if isinstance(spec, NumberPages):
            return paging.numbered_pages(
                fetch, param=spec.page, first=spec.first, size=size, size_param=spec.size, start=start,
                pages=_page_count(spec.total, size),
            )  # fmt: skip
        sized = {spec.size: size} if spec.size else {}
        if isinstance(spec, CursorPages):
            return paging.cursor_pages(
                lambda asked: fetch(sized | asked), _next_cursor(spec), param=spec.param, start=start
            )
        if isinstance(spec, KeysetPages):
            path = spec.field or self.spec.key[0]
            return paging.keyset_pages(
                lambda asked: fetch(sized | asked),
                lambda row: find(orjson.loads(bytes(row)), path),
                param=spec.param,
                start=start,
            )
        if isinstance(spec, LinkPages):
            return paging.url_pages(lambda url: fetch(sized, url or None), "", _next_link(spec), start=start)
        rows, page = fetch(sized)
        return iter([paging.Batch(rows, page)])


def _trimmed(page: Fetched, key: str) -> Fetched:
    """The page without its first row, which has this key."""
    cut = page.sliced
    records = cut.records[1:] if cut.records and cut.records[0].key == key else cut.records
    deleted = cut.deleted[1:] if cut.deleted and cut.deleted[0] == key else cut.deleted
    return replace(page, sliced=replace(cut, rows=cut.rows[1:], records=records, deleted=deleted))


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else zone(name)
    except ValueError:
        raise BadConfiguration(
            "There is no time zone {zone}.",
            setting="zone",
            remedy="Write it as Asia/Shanghai or Europe/Berlin are written.",
            zone=name[:60],
        ) from None


def _tombstone(spec: Listing) -> dict[str, Any]:
    dead = spec.deletes if isinstance(spec, RestStream) else None
    if not isinstance(dead, Tombstone):
        return {}
    if dead.equals:
        return {"tombstone": dead.field, "is_dead": lambda value: value in dead.equals}
    return {"tombstone": dead.field, "is_dead": bool}


def _page_count(path: str, size: int) -> Callable[[Fetched], int | None] | None:
    """Pages by the total number of records, rounded up."""
    return (lambda page: None if page.total is None else -(-page.total // size)) if path else None


def _next_cursor(spec: CursorPages) -> Callable[[Fetched], Any]:
    def following(page: Fetched) -> Any:
        if spec.more and not find(page.rest, spec.more):
            return None
        return find(page.rest, spec.next)

    return following


def _next_link(spec: LinkPages) -> Callable[[Fetched], str | None]:
    def following(page: Fetched) -> str | None:
        if spec.header:
            return page.response.headers.get(spec.header)
        if not spec.next:
            return page.response.link()
        link = find(page.rest, spec.next)
        return link if isinstance(link, str) and link else None

    return following


def merged(body: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Two JSON objects in one; where both hold an object, these too, else the second wins."""
    whole = dict(body)
    for name, value in more.items():
        old = whole.get(name)
        whole[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return whole
