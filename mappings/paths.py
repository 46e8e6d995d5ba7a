r"""Source paths: where in a record a value stands, as written in mapping files, compiled to functions.

    name              a field; any characters but . [ ] ' " ` \ may be bare: 客户名称, Customer Name
    a.b               a field of an object
    'a.b'  "a.b"  `a.b`  a\.b     a name that holds special characters
    items[0] items[-1]            one item of a list
    items[].x                     x of every item
    items[type=email].value       of the items whose ``type`` is ``email`` (compared as text; != for the others)
    $.a               from the record's root, inside ``each``
    @                 the item itself, inside ``each``; the record outside

A step into something that is not there, or is not an object or list, gives nothing; it never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mappings.values import scalar_key

Getter = Callable[[Any, Any], Any]
"""(item, root) -> the raw value, None if there is none. A path with ``[]`` or a filter gives a list."""

MAX_LENGTH, MAX_STEPS = 500, 40
_MAX_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a field's name, an index, every item, or the items that pass a filter."""

    kind: str
    name: str = ""
    index: int = 0
    value: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path. ``steps`` is empty for ``@`` and ``$``."""

    steps: tuple[Step, ...]
    rooted: bool = False

    @property
    def many(self) -> bool:
        """Whether the path may give several values."""
        return any(step.kind in ("each", "filter") for step in self.steps)

    @property
    def key(self) -> str | None:
        """The field's name if the path is nothing else."""
        plain = len(self.steps) == 1 and self.steps[0].kind == "name" and not self.rooted
        return self.steps[0].name if plain else None

    @property
    def nested(self) -> tuple[str, str] | None:
        """The two names if the path is nothing but a field of an object."""
        plain = len(self.steps) == 2 and not self.rooted and all(step.kind == "name" for step in self.steps)
        return (self.steps[0].name, self.steps[1].name) if plain else None


class PathError(ValueError):
    """A path that cannot be read: what is wrong and where."""


def parse_path(text: str) -> Path:
    """The steps of a path as written. Raises ``PathError``."""
    if not text or len(text) > MAX_LENGTH:
        raise PathError("a path needs 1 to 500 characters")
    if text == "@":
        return Path(())
    rooted = text == "$" or text.startswith(("$.", "$["))
    scanner = _Scanner(text, 1 if rooted else 0)
    steps = tuple(scanner.steps(rooted))
    if len(steps) > MAX_STEPS:
        raise PathError("a path may have at most 40 steps")
    return Path(steps, rooted)


def compile_path(path: Path) -> Getter:
    """The function that reads ``path``."""
    if path.key is not None:
        return _field(path.key)
    if path.nested is not None:
        return _nested(*path.nested)
    walk = _walk(path.steps)
    if path.rooted:
        return lambda item, root: walk(root)
    return lambda item, root: walk(item)


def spelled(path: Path, prefix: str = "") -> Iterable[str]:
    """The path and the fields its filters read, in the contract's spelling: every index and filter is ``[]``."""
    text = "" if path.rooted else prefix
    for step in path.steps:
        if step.kind == "name":
            text = f"{text}.{quoted(step.name)}" if text else quoted(step.name)
            continue
        text += "[]"
        if step.kind == "filter":
            yield f"{text}.{quoted(step.name)}"
    if text:
        yield text


def quoted(name: str) -> str:
    """A field's name as it must be written in a path."""
    special = not name or name != name.strip() or any(sign in name for sign in ".[]'\"`\\")
    if not special and name[0] not in "$@=":
        return name
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


class _Scanner:
    def __init__(self, text: str, position: int) -> None:
        self.text, self.at = text, position

    def steps(self, continued: bool) -> Iterable[Step]:
        first = not continued
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                yield self._bracket()
            elif first or self._take("."):
                yield Step("name", self._name(".["))
            else:
                raise PathError(f"expected . or [ at position {self.at + 1}")
            first = False

    def _take(self, sign: str) -> bool:
        if self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def _name(self, ends: str) -> str:
        sign = self.text[self.at : self.at + 1]
        if sign in ("'", '"', "`") and sign:
            self.at += 1
            name = self._until(sign)
            if not self._take(sign):
                raise PathError(f"the quote {sign} is not closed")
            return name
        name = self._until(ends).strip()
        if not name:
            raise PathError(f"a name is missing at position {self.at + 1}")
        return name

    def _until(self, ends: str) -> str:
        found: list[str] = []
        while self.at < len(self.text) and self.text[self.at] not in ends:
            if self.text[self.at] == "\\" and self.at + 1 < len(self.text):
                self.at += 1
            found.append(self.text[self.at])
            self.at += 1
        return "".join(found)

    def _bracket(self) -> Step:
        self.at += 1
        if self._take("]"):
            return Step("each")
        left = self._name("]=!")
        for operator in ("!=", "="):
            if self._take(operator):
                return self._closed(Step("filter", left, int(operator == "="), self._name("]")))
        if left.lstrip("-").isascii() and left.lstrip("-").isdigit():
            return self._closed(Step("index", index=int(left)))
        return self._closed(Step("name", left))

    def _closed(self, step: Step) -> Step:
        if not self._take("]"):
            raise PathError("the bracket [ is not closed")
        return step


def _field(name: str) -> Getter:
    def get(item: Any, root: Any) -> Any:
        return item.get(name) if item.__class__ is dict else None

    return get


def _nested(outer: str, inner: str) -> Getter:
    def get(item: Any, root: Any) -> Any:
        value = item.get(outer) if item.__class__ is dict else None
        return value.get(inner) if value.__class__ is dict else None

    return get


def _walk(steps: tuple[Step, ...]) -> Callable[[Any], Any]:
    if not steps:
        return lambda value: value
    head, rest = steps[0], _walk(steps[1:])
    if head.kind == "name":
        return _into(head.name, rest if len(steps) > 1 else None)
    if head.kind == "index":
        return _at(head.index, rest)
    many = any(step.kind in ("each", "filter") for step in steps[1:])
    keep = _filter(head) if head.kind == "filter" else None
    return _every(rest, keep, flat=many)


def _into(name: str, rest: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def last(value: Any) -> Any:
        return value.get(name) if value.__class__ is dict else None

    def through(value: Any) -> Any:
        if value.__class__ is not dict:
            return None
        value = value.get(name)
        return None if value is None else rest(value)  # type: ignore[misc]

    return last if rest is None else through


def _at(index: int, rest: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def get(value: Any) -> Any:
        if value.__class__ is not list or not -len(value) <= index < len(value):
            return None
        return rest(value[index])

    return get


def _every(rest: Callable[[Any], Any], keep: Callable[[Any], bool] | None, *, flat: bool) -> Callable[[Any], Any]:
    def get(value: Any) -> Any:
        if value.__class__ is dict:
            value = _items_of(value)
        if value.__class__ is not list:
            return None
        items = value[:_MAX_ITEMS] if keep is None else [item for item in value[:_MAX_ITEMS] if keep(item)]
        found = [one for one in map(rest, items) if one is not None]
        if flat:
            found = [one for some in found for one in some]
        return found or None

    return get


def _items_of(value: dict[Any, Any]) -> list[Any]:
    """Some systems (Mautic, PHP in general) send a list as an object keyed by id, or a lone item without its list."""
    items = list(value.values())
    return items if items and all(item.__class__ is dict for item in items) else [value]


def _filter(step: Step) -> Callable[[Any], bool]:
    name, wanted, equal = step.name, step.value, bool(step.index)

    def keep(item: Any) -> bool:
        if item.__class__ is not dict:
            return False
        value = item.get(name)
        same = value == wanted or (value.__class__ is not str and _key(value) == wanted)
        return same is equal

    return keep


def _key(value: Any) -> str | None:
    if (isinstance(value, int) and value.bit_length() > 128) or value in (float("inf"), float("-inf")):
        return None
    return scalar_key(value)
