"""A mapping file compiled to functions: one raw record in, canonical customers out.

Compiling does all checking and all parsing; calling runs flat closures over the record. See ``mappings.filling`` for
the hot loop. Compiled mappings hold no state and may be shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mappings.conditions import Test, compile_condition
from mappings.contract import Mapped
from mappings.customer import SAME_RECORD
from mappings.errors import RecordInvalid, SpecError
from mappings.expressions import check_record
from mappings.filling import Field, Filling, Notes, fill, filling
from mappings.fingerprint import MappingDefaults, fingerprint
from mappings.instants import zone_named
from mappings.language import CustomerSpec, MappingSpec, OrganisationSource, Source
from mappings.lists import compile_lists
from mappings.readings import of_whole_numbers
from mappings.sources import (
    Build,
    Getter,
    Location,
    compile_each,
    compile_field,
    compile_source,
    one,
    reader,
)
from mappings.spec import nearest
from mappings.targets import TEXT_FIELDS, attribute_setter, display_name, setter
from mappings.transforms import Context
from mappings.values import Convert, TextUpTo, excerpt, relocate, text_of

MAX_PARTS, MAX_KEY = 5_000, 160
_SCALARS = (
    "kind", "name", "legal_name", "trading_name", "native_name", "latin_name", "given_name", "family_name",
    "birth_date", "status", "currency", "credit_limit", "owner", "language", "website", "source_created_at",
    "source_changed_at", "last_contact_at",
)  # fmt: skip


class Explained(NamedTuple):
    """The customers of a record, and what was left out of them on the way."""

    mapped: list[Mapped]
    notes: Notes


class Mapper:
    """A compiled mapping (``mappings.contract.CompiledMapping``)."""

    def __init__(
        self, spec: MappingSpec, fingerprint: str, build: Build, when: Test | None, entries: list[_Entry]
    ) -> None:
        self.spec = spec
        self.fingerprint = fingerprint
        self.paths = frozenset(build.paths)
        self._guarded = bool(build.expressions)
        self._when = when
        self._entries = entries

    def __call__(self, record: Mapping[str, Any]) -> list[Mapped]:
        """The canonical customers of one raw record; may be empty. Raises ``RecordInvalid`` and nothing else."""
        return self._map(record, [])

    def explain(self, record: Mapping[str, Any]) -> Explained:
        """The same, with notes of the values that were dropped or kept raw. Costs nothing more."""
        notes: Notes = []
        return Explained(self._map(record, notes), notes)

    def _map(self, record: Mapping[str, Any], notes: Notes) -> list[Mapped]:
        root = record if record.__class__ is dict else _as_object(record)
        if self._guarded:
            check_record(root)
        mapped: list[Mapped] = []
        if self._when is None or self._when(root, root):
            for entry in self._entries:
                entry(root, notes, mapped)
            if len(self._entries) > 1:
                mapped = _settled(mapped)
        return mapped


_Entry = Callable[[Any, Notes, list[Mapped]], None]
_Customer = Callable[[Any, Any, Notes], dict[str, Any]]


def compile_mapping(spec: MappingSpec, *, defaults: MappingDefaults | None = None) -> Mapper:
    """The function of a mapping. Raises ``SpecError`` for what only compiling shows: paths, expressions, transforms."""
    defaults = defaults or MappingDefaults()
    build = Build(spec, _context(spec, defaults))
    when = None if spec.when is None else compile_condition(spec.when, build, ("when",))
    entries = [
        _compile_entry(entry, build, ("customers", index), defaults) for index, entry in enumerate(spec.customers)
    ]
    return Mapper(spec, fingerprint(spec, defaults), build, when, entries)


def _context(spec: MappingSpec, defaults: MappingDefaults) -> Context:
    name = spec.timezone or defaults.timezone
    try:
        zone = zone_named(name)
    except ValueError:
        raise SpecError(
            "{file}, line {line}, {key}: the time zone “{zone}” is not known", **spec.place(("timezone",)), zone=name
        ) from None
    return Context(spec.region or defaults.region, zone, spec.tables)


def _compile_entry(entry: CustomerSpec, build: Build, at: Location, defaults: MappingDefaults) -> _Entry:
    each, path = compile_each(entry.each, build, at)
    inner = build.inside(path)
    when = None if entry.when is None else compile_condition(entry.when, inner, (*at, "when"))
    customer = _compile_customer(entry, inner, at, defaults)
    part = _part_namer(entry, inner, at)
    if each is not None:
        return _for_each(each, entry.each or "", _single(when, customer, part, main=False))
    if when is None and entry.part is None:
        return _main(customer)
    single = _single(when, customer, part, main=entry.part is None)
    return lambda root, notes, mapped: single(root, root, notes, mapped)


def _main(customer: _Customer) -> _Entry:
    def build(root: Any, notes: Notes, mapped: list[Mapped]) -> None:
        found = customer(root, root, notes)
        if "name" in found or "emails" in found or "phones" in found or "identifiers" in found:
            mapped.append(Mapped("", found))
        else:
            raise _nobody(notes)

    return build


def _single(when: Test | None, customer: _Customer, part: Callable[[Any, Any], str], *, main: bool) -> Any:
    def build(item: Any, root: Any, notes: Notes, mapped: list[Mapped]) -> None:
        if when is not None and not when(item, root):
            return
        found = customer(item, root, notes)
        if "name" in found or "emails" in found or "phones" in found or "identifiers" in found:
            mapped.append(Mapped("" if main else part(item, root), found))
        elif main:
            raise _nobody(notes)
        elif len(found) > 1:
            notes.append(_nobody(notes))

    return build


def _for_each(each: Getter, path: str, single: Any) -> _Entry:
    base = path.removesuffix("[]")

    def build(root: Any, notes: Notes, mapped: list[Mapped]) -> None:
        items = each(root, root) or ()
        if len(items) > MAX_PARTS:
            raise RecordInvalid(
                "{path}: {count} items, at most {limit} are allowed",
                path=path, rule="count", count=len(items), limit=MAX_PARTS,
            )  # fmt: skip
        for index, item in enumerate(items):
            before = len(notes)
            try:
                single(item, root, notes, mapped)
            except RecordInvalid as error:
                raise relocate(error, f"{base}[{index}].{error.path}") from None
            for position in range(before, len(notes)):
                notes[position] = relocate(notes[position], f"{base}[{index}].{notes[position].path}")

    return build


def _compile_customer(entry: CustomerSpec, build: Build, at: Location, defaults: MappingDefaults) -> _Customer:
    fields = _scalar_fields(entry, build, at)
    base: dict[str, Any] = {}
    if _is_constant(entry.kind):
        fill(filling(fields[:1]), {}, {}, base, [])
        fields = fields[1:]
    scalars = filling(fields)
    lists = compile_lists(entry, build, at)
    groups = _object_fields(entry, build, at, defaults)
    organisation = _organisation(entry, build, at)

    def customer(item: Any, root: Any, notes: Notes) -> dict[str, Any]:
        out = base.copy()
        fill(scalars, item, root, out, notes)
        if "kind" not in out:
            raise RecordInvalid(
                "{path}: neither person nor organisation",
                path="kind",
                rule="kind",
                remedy="Set `kind:` in the mapping.",
            )
        if "name" not in out and (name := display_name(out)) is not None:
            out["name"] = name
        for name, add, settle in lists:
            found: list[Any] = []
            add(item, root, notes, found)
            if found:
                out[name] = found if len(found) == 1 else settle(found, notes)
        for name, members in groups:
            inner: dict[str, Any] = {}
            fill(members, item, root, inner, notes)
            if inner:
                out[name] = inner
        if organisation is not None and out["kind"] == "person":
            organisation(item, root, out, notes)
        return out

    return customer


def _scalar_fields(entry: CustomerSpec, build: Build, at: Location) -> tuple[Field, ...]:
    fields = []
    for name in _SCALARS:
        source = getattr(entry, name)
        if source is None:
            continue
        if name == "kind" and source.path in ("person", "organisation"):
            source = source.model_copy(update={"path": None, "const": source.path})
        convert = setter(name, build.context.zone)
        fields.append(compile_field(name, source, convert, build, (*at, name), raw=TEXT_FIELDS.get(name, 0)))
    return tuple(fields)


def _is_constant(kind: Source) -> bool:
    return (kind.const is not None or kind.path in ("person", "organisation")) and kind.when is None


def _object_fields(
    entry: CustomerSpec, build: Build, at: Location, defaults: MappingDefaults
) -> tuple[tuple[str, Filling], ...]:
    groups = []
    if entry.external_ids:
        convert = of_whole_numbers(TextUpTo(200))
        ids = (
            compile_field(name, source, convert, build, (*at, "external_ids", name), raw=200)
            for name, source in sorted(entry.external_ids.items())
        )
        groups.append(("external_ids", filling(ids)))
    if entry.attributes:
        names = sorted(entry.attributes)
        groups.append(("attributes", filling(_attribute(name, entry, build, at, defaults) for name in names)))
    return tuple(groups)


def _attribute(name: str, entry: CustomerSpec, build: Build, at: Location, defaults: MappingDefaults) -> Field:
    place = (*at, "attributes", name)
    kind = defaults.attributes.get(name)
    if kind is None:
        near = nearest(name, defaults.attributes)
        known = ", ".join(sorted(defaults.attributes)) or "-"
        if near:
            raise SpecError(
                "{file}, line {line}, {key}: the attribute is not declared under `attributes:` in kehu.yaml; "
                "did you mean “{near}”? Declared: {known}",
                **build.place(place),
                near=near,
                known=known,
            )
        raise SpecError(
            "{file}, line {line}, {key}: the attribute is not declared under `attributes:` in kehu.yaml. "
            "Declared: {known}",
            **build.place(place),
            known=known,
        )
    source, convert = entry.attributes[name], attribute_setter(kind, build.context.zone)
    if kind == "list":
        return _list_attribute(name, compile_field(name, source, _same, build, place), source, build, place, convert)
    return compile_field(name, source, convert, build, place, raw=4_000 if kind == "text" else 0)


def _list_attribute(name: str, base: Field, source: Any, build: Build, place: Location, convert: Convert) -> Field:
    get = reader(compile_source(source, build, place))
    return base._replace(key=None, get=get, convert=convert, nested=None)


def _part_namer(entry: CustomerSpec, build: Build, at: Location) -> Callable[[Any, Any], str]:
    part = entry.part or ""
    if entry.key is None:
        return lambda item, root: part
    value = compile_source(entry.key, build, (*at, "key"))
    read = reader(value)

    def name(item: Any, root: Any) -> str:
        found = one(read(item, root))
        key = None if found is None else text_of(found)
        if key is None or len(key) > MAX_KEY:
            raise RecordInvalid(
                "{path}: {part} needs a key of 1 to 160 characters that is stable",
                path=value.path, rule="part_key", value=excerpt(found), part=part,
                remedy="Point `key` to a field that every item has, or give several: `key: [id, email]`.",
            )  # fmt: skip
        return f"{part}:{key}"

    return name


def _organisation(entry: CustomerSpec, build: Build, at: Location) -> Any:
    given = entry.organisation
    if given == "none" or (given is None and entry.part is None):
        return None
    given = given if isinstance(given, OrganisationSource) else OrganisationSource()
    automatic = entry.part is not None and given.source_id is None
    limits = {"source_id": 200, "stream": 80, "role": 120}
    fields = filling(
        compile_field(name, source, TextUpTo(limit), build, (*at, "organisation", name))
        for name, limit in limits.items()
        if (source := getattr(given, name)) is not None
    )

    def add(item: Any, root: Any, out: dict[str, Any], notes: Notes) -> None:
        found: dict[str, Any] = {"source_id": SAME_RECORD} if automatic else {}
        fill(fields, item, root, found, notes)
        if not automatic and found.get("source_id", "").startswith(SAME_RECORD):
            found["source_id"] = SAME_RECORD + found["source_id"]
        if "source_id" in found and len(found["source_id"]) <= 200:
            out["organisation"] = found

    return add


def _settled(mapped: list[Mapped]) -> list[Mapped]:
    """Parts without repeats; references to the record's own organisation only where it was found."""
    parts: dict[str, Mapped] = {}
    for one_mapped in mapped:
        first = parts.setdefault(one_mapped.part, one_mapped)
        if first is not one_mapped and first.customer != one_mapped.customer:
            raise RecordInvalid(
                "{path}: two different customers of one record have the key “{value}”",
                path=one_mapped.part.partition(":")[0], rule="part_key", value=excerpt(one_mapped.part),
                remedy="Point `key` to a field that is unique per item.",
            )  # fmt: skip
    main = parts.get("")
    if main is None or main.customer["kind"] != "organisation":
        return [_without_parent(found) for found in parts.values()]
    return list(parts.values())


def _without_parent(mapped: Mapped) -> Mapped:
    if mapped.customer.get("organisation", {}).get("source_id") != SAME_RECORD:
        return mapped
    return Mapped(mapped.part, {name: value for name, value in mapped.customer.items() if name != "organisation"})


def _nobody(notes: Notes) -> RecordInvalid:
    reasons = "; ".join(str(note) for note in notes[-3:])
    return RecordInvalid(
        "{path}: no name, email, phone or identifier: nobody can be recognised{reasons}",
        path="name",
        rule="identity",
        reasons=excerpt(f" ({reasons})") if reasons else "",
    )


def _as_object(record: Any) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        raise RecordInvalid(
            "{path}: a record is an object, found {value}", path="@", rule="type", value=excerpt(record)
        )
    return dict(record)


def _same(value: Any) -> Any:
    return value


__all__ = ["Explained", "Mapper", "MappingDefaults", "compile_mapping"]
