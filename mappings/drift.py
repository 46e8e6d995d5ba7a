"""Schema drift: fields that a stream's records lost, changed in type, or gained.

A page's records are boiled down to a ``Shape``: per path how often it could have been there, how often it was, and with
which types. Shapes add up (``merge``) and are plain JSON (``dump``, ``load``), so the engine keeps one per stream.

What counts, so that sparse fields, small pages and empty values raise no false alarm:

- *removed*: in every one of at least 50 known records, and in none of at least 10 of this page;
- *retyped*: the types seen in at least 10 values share none with those of at least 50 known values. Null, "", [], {}
  and ``false`` have no type, since systems send them for "empty"; all numbers are one type;
- *renamed*: removed, while a similar name of a fitting type appeared beside it;
- *added*: new. Told, never a reason to stop.

Only paths that the mapping reads (and the objects around them) can stop a stream. A page of fewer records than needed
says nothing by itself: merge it with the next ones.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mappings.paths import quoted

MIN_KNOWN, MIN_SEEN = 50, 10
SAMPLE, MAX_PATHS, MAX_DEPTH, MAX_ITEMS, MAX_KEYS = 25, 1_000, 6, 5, 300
_SIMILAR = 0.6


class Seen(NamedTuple):
    """One path: in how many objects it could stand, in how many it did, and its values' types with their counts."""

    possible: int
    present: int
    types: Mapping[str, int]


@dataclass(frozen=True)
class Shape:
    """What records look like, by path (``a.b``, ``items[].x``)."""

    records: int = 0
    fields: Mapping[str, Seen] = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        """As JSON data."""
        fields = {path: [seen.possible, seen.present, dict(seen.types)] for path, seen in self.fields.items()}
        return {"records": self.records, "fields": fields}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Shape:
        """Out of what ``dump`` made."""
        return cls(data["records"], {path: Seen(*seen) for path, seen in data["fields"].items()})


class Retyped(NamedTuple):
    """A path whose values changed their type."""

    path: str
    before: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """How records differ from what was known. ``stops`` says whether a mapped field is concerned."""

    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    retyped: tuple[Retyped, ...] = ()
    added: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether the stream must pause; added fields alone never make it."""
        return bool(self.removed or self.renamed or self.retyped)

    def lines(self) -> list[str]:
        """The difference for people and logs, one field a line."""
        return [
            *(f"- {path}" for path in self.removed),
            *(f"~ {old} -> {new}" for old, new in self.renamed),
            *(f"~ {one.path}: {'|'.join(one.before)} -> {'|'.join(one.now)}" for one in self.retyped),
            *(f"+ {path}" for path in self.added),
        ]


def observe(records: Sequence[Mapping[str, Any]], paths: Iterable[str] = (), *, cap: int = SAMPLE) -> Shape:
    """The shape of a page, from at most ``cap`` records spread over it. ``paths`` are counted even if never present."""
    chosen = _spread(records, cap)
    tally = _Tally()
    for record in chosen:
        tally.object(record, "", 0)
    for path in _watched(paths):
        tally.expect(path)
    return Shape(len(chosen), tally.fields())


def merge(left: Shape, right: Shape) -> Shape:
    """Both shapes added up. A path that only one of them knows was absent wherever its parent stood in the other."""
    fields = {}
    for path in left.fields.keys() | right.fields.keys():
        one = left.fields.get(path) or Seen(_possible(left, path), 0, {})
        two = right.fields.get(path) or Seen(_possible(right, path), 0, {})
        types = {kind: one.types.get(kind, 0) + two.types.get(kind, 0) for kind in sorted({*one.types, *two.types})}
        fields[path] = Seen(one.possible + two.possible, one.present + two.present, types)
    kept = sorted(fields, key=lambda path: (-fields[path].present, path))[:MAX_PATHS]
    return Shape(left.records + right.records, {path: fields[path] for path in sorted(kept)})


def compare(known: Shape, seen: Shape, paths: Iterable[str] | None = None) -> Drift | None:
    """What changed, or None. With ``paths`` (those the mapping reads), only these can be removed or retyped."""
    watched = None if paths is None else set(_watched(paths))
    gone = [path for path in sorted(known.fields) if _is_watched(path, watched) and _removed(path, known, seen)]
    gone = [path for path in gone if not any(path.startswith((f"{other}.", f"{other}[]")) for other in gone)]
    added = [path for path in sorted(seen.fields) if seen.fields[path].present and not _known(path, known)]
    renamed = tuple(_renames(gone, added, known, seen))
    old, new = {pair[0] for pair in renamed}, {pair[1] for pair in renamed}
    drift = Drift(
        tuple(path for path in gone if path not in old),
        renamed,
        tuple(_retyped(known, seen, watched)),
        tuple(path for path in added if path not in new) if known.records else (),
    )
    return drift if drift != Drift() else None


def check_page(known: Shape, records: Sequence[Mapping[str, Any]], paths: Iterable[str]) -> tuple[Drift | None, Shape]:
    """The drift of a page by its sample, confirmed on the whole page before it may stop anything; and the shape."""
    paths = list(paths)
    shape = observe(records, paths)
    drift = compare(known, shape, paths)
    if drift is not None and drift.stops and len(records) > shape.records:
        shape = observe(records, paths, cap=len(records))
        drift = compare(known, shape, paths)
    return drift, shape


class _Tally:
    def __init__(self) -> None:
        self.objects: dict[str, int] = {"": 0}
        self.present: dict[str, int] = {}
        self.types: dict[str, dict[str, int]] = {}

    def object(self, value: Mapping[str, Any], base: str, depth: int) -> None:
        self.objects[base] = self.objects.get(base, 0) + 1
        for name, member in list(value.items())[:MAX_KEYS]:
            path = _member(base, str(name)[:200])
            if path not in self.present and len(self.present) >= MAX_PATHS:
                continue
            self.present[path] = self.present.get(path, 0) + 1
            self.value(member, path, depth)

    def value(self, value: Any, path: str, depth: int) -> None:
        kind = type_of(value)
        if kind is None:
            return
        kinds = self.types.setdefault(path, {})
        kinds[kind] = kinds.get(kind, 0) + 1
        if depth >= MAX_DEPTH:
            return
        if isinstance(value, Mapping):
            self.object(value, path, depth + 1)
        elif kind == "array":
            for item in value[:MAX_ITEMS]:
                if isinstance(item, Mapping):
                    self.object(item, path + "[]", depth + 1)

    def expect(self, path: str) -> None:
        if not path.endswith("[]"):
            self.present.setdefault(path, 0)

    def fields(self) -> dict[str, Seen]:
        return {
            path: Seen(max(self.objects.get(_parent(path), 0), count), count, self.types.get(path, {}))
            for path, count in sorted(self.present.items())
        }


def type_of(value: Any) -> str | None:
    """string, number, boolean, object or array; None for what systems send as "empty"."""
    if value is None or value is False or value != value:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string" if value and not value.isspace() else None
    if not value:
        return None
    return "object" if isinstance(value, Mapping) else "array"


def _spread(records: Sequence[Mapping[str, Any]], cap: int) -> list[Mapping[str, Any]]:
    step = max(1, -(-len(records) // max(1, cap)))
    return [record for record in records[::step] if isinstance(record, Mapping)]


def _member(base: str, name: str) -> str:
    """The path of a member; names that are numbers are keys of a collection, not fields."""
    if base and name.isascii() and name.isdigit():
        return f"{base}[]" if not base.endswith("[]") else base
    return f"{base}.{quoted(name)}" if base else quoted(name)


def _parent(path: str) -> str:
    at, quote = len(path), ""
    for at in range(len(path) - 1, -1, -1):
        sign = path[at]
        if quote:
            quote = "" if sign == quote and path[at - 1 : at] != "\\" else quote
        elif sign == "'":
            quote = sign
        elif sign == ".":
            return path[:at]
    return path[: -len("[]")] if path.endswith("[]") and at else ""


def _watched(paths: Iterable[str]) -> Iterator[str]:
    """Mapped paths and the objects around them; ``a[]`` counts as ``a``."""
    found: set[str] = set()
    for path in paths:
        while path:
            found.add(path.removesuffix("[]"))
            path = _parent(path.removesuffix("[]"))
    yield from sorted(found)


def _is_watched(path: str, watched: set[str] | None) -> bool:
    return watched is None or path in watched


def _possible(shape: Shape, path: str) -> int:
    """In how many objects of a shape a path could have stood though it never did."""
    parent = _parent(path)
    if not parent:
        return shape.records
    siblings = (seen.possible for other, seen in shape.fields.items() if _parent(other) == parent)
    return max(siblings, default=0)


def _known(path: str, known: Shape) -> bool:
    seen = known.fields.get(path)
    return seen is not None and seen.present > 0


def _removed(path: str, known: Shape, seen: Shape) -> bool:
    before = known.fields[path]
    if before.possible < MIN_KNOWN or before.present < before.possible:
        return False
    now = seen.fields.get(path)
    return _possible(seen, path) >= MIN_SEEN if now is None else now.possible >= MIN_SEEN and now.present == 0


def _retyped(known: Shape, seen: Shape, watched: set[str] | None) -> Iterator[Retyped]:
    for path in sorted(known.fields.keys() & seen.fields.keys()):
        before, now = known.fields[path].types, seen.fields[path].types
        enough = sum(before.values()) >= MIN_KNOWN and sum(now.values()) >= MIN_SEEN
        if enough and _is_watched(path, watched) and not before.keys() & now.keys():
            yield Retyped(path, tuple(sorted(before)), tuple(sorted(now)))


def _renames(gone: list[str], added: list[str], known: Shape, seen: Shape) -> Iterator[tuple[str, str]]:
    free = list(added)
    for path in gone:
        beside = [other for other in free if _parent(other) == _parent(path) and _fits(path, other, known, seen)]
        best = max(beside, key=lambda other: _likeness(path, other), default=None)
        if best is not None and _likeness(path, best) >= _SIMILAR:
            free.remove(best)
            yield path, best


def _fits(path: str, other: str, known: Shape, seen: Shape) -> bool:
    before, now = known.fields[path].types, seen.fields[other].types
    return not before or not now or bool(before.keys() & now.keys())


def _likeness(path: str, other: str) -> float:
    left, right = _folded(path), _folded(other)
    if len(left) > 1 and len(right) > 1 and (left in right or right in left):
        return 0.9
    return difflib.SequenceMatcher(None, left, right).ratio()


def _folded(path: str) -> str:
    name = path[len(_parent(path)) :]
    return "".join(sign for sign in name.casefold() if sign.isalnum())
