"""Where values come from: sources of a mapping file compiled to functions, with their policy for errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from mappings.errors import RecordInvalid, SpecError
from mappings.expressions import Expression, ExpressionError, fields_read
from mappings.filling import Fail, Field, Notes
from mappings.language import MappingSpec, OnError, Source
from mappings.paths import Getter, Path, PathError, compile_path, parse_path, quoted, spelled
from mappings.tables import folded
from mappings.targets import DESCRIPTIVE
from mappings.transforms import Context, TransformError, build_chain
from mappings.transforms.data import table_lookup
from mappings.values import Convert, excerpt, is_empty, relocate, text_of, wrong_type

Location = tuple[str | int, ...]


@dataclass
class Build:
    """What is known and gathered while a mapping is compiled. ``prefix`` is the path of the enclosing ``each``."""

    spec: MappingSpec
    context: Context
    prefix: str = ""
    paths: set[str] = field(default_factory=set)
    expressions: list[str] = field(default_factory=list)

    def inside(self, each: Path | None) -> Build:
        """The same build, with paths relative to the items of ``each``."""
        if each is None:
            return self
        base = "" if each.rooted else self.prefix
        text = list(spelled(each, base))[-1]
        return replace(self, prefix=text if text.endswith("[]") else text + "[]")

    def place(self, at: Location) -> dict[str, Any]:
        """``file``, ``line`` and ``key`` of a place in the file, as parameters of a ``SpecError``."""
        return self.spec.place(at)

    def reads(self, names: Iterable[str]) -> None:
        """Note the source paths that are read."""
        self.paths.update(name for name in names if name)


class Value(NamedTuple):
    """A compiled source: either a field ``key`` of the item and ``finish`` for its value, or ``get`` does all.

    ``nested``: what ``get`` reads, where that is nothing but a field of an object of the item: ("address", "city").
    """

    key: str | None
    get: Getter | None
    finish: Convert | None
    path: str
    nested: tuple[str, str] | None = None


def compile_field(name: str, source: Source, convert: Convert, build: Build, at: Location, *, raw: int = 0) -> Field:
    """A single-valued target. ``raw`` is the length that `on_error: keep_raw` may keep, 0 where it may not."""
    if source.on_error == "keep_raw" and not raw:
        raise SpecError(
            "{file}, line {line}, {key}: keep_raw is for text fields only; use reject or drop",
            **build.place((*at, "on_error")),
        )
    value = compile_source(source, build, at)
    _check_constant(source, value, convert, build, at)
    fail = failing(value.path, source.on_error, raw)
    if source.required:
        return Field(name, None, _required(value, convert), _same, fail)
    if value.get is None and value.finish is None:
        return Field(name, value.key, None, convert, fail)
    if value.get is None:
        return Field(name, value.key, None, _composed(value.finish or _same, convert), fail)
    plural = _may_be_list(source)
    return Field(name, None, value.get, _composed(_same, convert) if plural else convert, fail, value.nested)


def compile_source(source: Source, build: Build, at: Location) -> Value:
    """The function that reads a source. Raises ``SpecError``."""
    get, key, path = _origin(source, build, at)
    finish = _finish(source, build, at)
    if key is not None and source.when is None and source.default is None:
        return Value(key, None, finish, path)
    total = _complete(source, get, finish, build, at)
    nested = _parse(source.path, build, at).nested if total is get and source.path is not None else None
    return Value(None, total, None, path, nested)


def reader(value: Value) -> Getter:
    """A compiled source as one function."""
    if value.get is not None:
        return value.get
    key, finish = value.key, value.finish

    def read(item: Any, root: Any) -> Any:
        found = item.get(key) if item.__class__ is dict else None
        return found if finish is None or found is None else finish(found)

    return read


def compile_each(text: str | None, build: Build, at: Location) -> tuple[Getter | None, Path | None]:
    """The function that gives the items of ``each``; ``contacts`` and ``contacts[]`` mean the same."""
    if text is None:
        return None, None
    path = _parse(text, build, (*at, "each"))
    if not path.many:
        path = _parse(text + "[]", build, (*at, "each"))
    build.reads(spelled(path, build.prefix))
    return compile_path(path), path


def failing(path: str, policy: OnError | None, raw: int) -> Fail:
    """What happens to a value that does not fit: reject the record, drop the value with a note, or keep its text."""

    def fail(error: RecordInvalid, value: Any, notes: Notes) -> Any:
        located = error if error.path else relocate(error, path)
        action = policy or ("drop" if error.rule in DESCRIPTIVE else "reject")
        if action == "reject":
            raise located
        notes.append(located)
        return raw_text(value, error, raw) if action == "keep_raw" else None

    return fail


def raw_text(value: Any, error: RecordInvalid, limit: int) -> str | None:
    """The cleaned text of a value that did not fit, cut to what its field may hold."""
    try:
        text = text_of(value if isinstance(value, str) else error.value)
    except RecordInvalid:
        text = text_of(error.value)
    return None if text is None else text[:limit].strip() or None


def one(value: Any) -> Any:
    """The first item that has a value, of a list; any other value as it is."""
    return next((item for item in value if not is_empty(item)), None) if value.__class__ is list else value


def _origin(source: Source, build: Build, at: Location) -> tuple[Getter, str | None, str]:
    if source.path is not None:
        path = _parse(source.path, build, at)
        build.reads(spelled(path, build.prefix))
        return compile_path(path), path.key, source.path
    if source.jsonata is not None:
        return _expression(source.jsonata, build, at), None, f"={source.jsonata[:80]}"
    if source.concat is not None:
        parts = [_named(part, build, (*at, "concat", i)) for i, part in enumerate(source.concat)]
        return _concat(parts, source.separator), None, " + ".join(path for _, path in parts)
    if source.first is not None:
        parts = [_named(part, build, (*at, "from", i)) for i, part in enumerate(source.first)]
        return _first(parts), None, " | ".join(path for _, path in parts)
    constant = source.const
    return (lambda item, root: constant), None, "(constant)"


def _named(source: Source, build: Build, at: Location) -> tuple[Getter, str]:
    value = compile_source(source, build, at)
    return reader(value), value.path


def _parse(text: str, build: Build, at: Location) -> Path:
    try:
        return parse_path(text)
    except PathError as error:
        raise SpecError(
            "{file}, line {line}, {key}: the path “{path}” cannot be read: {problem}",
            **build.place(at),
            path=text[:80],
            problem=str(error),
        ) from None


def _expression(text: str, build: Build, at: Location) -> Getter:
    try:
        expression = Expression(text)
    except ExpressionError as error:
        raise SpecError(
            "{file}, line {line}, {key}: the expression cannot be read: {problem}",
            **build.place(at),
            problem=str(error),
        ) from None
    build.expressions.append(text)
    build.reads(f"{build.prefix}.{name}" if build.prefix else name for name in fields_read(text))
    return expression


def _finish(source: Source, build: Build, at: Location) -> Convert | None:
    calls: Convert | None = None
    if source.do:
        try:
            calls = build_chain(source.do, build.context)
        except TransformError as error:
            raise SpecError(
                "{file}, line {line}, {key}: {problem}", **build.place((*at, "do")), problem=str(error)
            ) from None
    if source.table is None:
        return calls
    lookup = table_lookup(_table(source.table, build, at))

    def by_table(value: Any) -> Any:
        value = value if calls is None else calls(value)
        if value.__class__ is list:
            return [found for item in value if (found := lookup(item)) is not None] or None
        return None if value is None else lookup(value)

    return by_table


def _table(table: str | dict[str, Any], build: Build, at: Location) -> dict[str, Any]:
    if isinstance(table, dict):
        return folded(table)
    if table not in build.context.tables:
        known = ", ".join(sorted(build.context.tables)) or "none"
        raise SpecError(
            "{file}, line {line}, {key}: there is no table “{table}” under `tables:`; there are: {known}",
            **build.place((*at, "table")),
            table=table,
            known=known,
        )
    return folded(dict(build.context.tables[table]))


def _complete(source: Source, get: Getter, finish: Convert | None, build: Build, at: Location) -> Getter:
    from mappings.conditions import compile_condition

    applies = None if source.when is None else compile_condition(source.when, build, (*at, "when"))
    default = source.default

    def read(item: Any, root: Any) -> Any:
        if applies is not None and not applies(item, root):
            return None
        value = get(item, root)
        if finish is not None and value is not None:
            value = finish(value)
        return default if default is not None and is_empty(value) else value

    return get if applies is None and finish is None and default is None else read


def _concat(parts: list[tuple[Getter, str]], separator: str) -> Getter:
    def get(item: Any, root: Any) -> str | None:
        texts = []
        for read, path in parts:
            try:
                text = text_of(one(read(item, root)))
            except RecordInvalid as error:
                raise (error if error.path else relocate(error, path)) from None
            if text is not None:
                texts.append(text)
        return separator.join(texts) or None

    return get


def _first(parts: list[tuple[Getter, str]]) -> Getter:
    def get(item: Any, root: Any) -> Any:
        for read, path in parts:
            try:
                value = read(item, root)
            except RecordInvalid as error:
                raise (error if error.path else relocate(error, path)) from None
            if value is not False and not is_empty(value):
                return value
        return None

    return get


def _composed(first: Convert, then: Convert) -> Convert:
    def convert(value: Any) -> Any:
        value = first(value)
        if value.__class__ is list:
            value = one(value)
        return None if value is None else then(value)

    return convert


def _required(value: Value, convert: Convert) -> Getter:
    read, total = reader(value), _composed(_same, convert)

    def get(item: Any, root: Any) -> Any:
        found = read(item, root)
        found = None if found is None else total(found)
        if found is None:
            raise RecordInvalid("{path}: a value is required", path=value.path, rule="required")
        return found

    return get


def _check_constant(source: Source, value: Value, convert: Convert, build: Build, at: Location) -> None:
    if source.const is None or value.get is None:
        return
    try:
        convert(one(value.get({}, {})))
    except RecordInvalid as error:
        raise SpecError(
            "{file}, line {line}, {key}: {problem}",
            **build.place(at),
            problem=str(relocate(error, excerpt(source.const))),
        ) from None


def _may_be_list(source: Source) -> bool:
    if source.path is not None:
        return parse_path(source.path).many or bool(source.do) or source.table is not None
    return True


def _same(value: Any) -> Any:
    return value


__all__ = [
    "Build", "Getter", "Value", "compile_each", "compile_field", "compile_source", "failing", "one", "quoted",
    "raw_text", "reader", "wrong_type",
]  # fmt: skip
