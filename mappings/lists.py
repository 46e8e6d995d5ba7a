"""The canonical customer's lists compiled: emails, phones, identifiers, addresses, consents, tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mappings.conditions import compile_condition
from mappings.errors import RecordInvalid, SpecError
from mappings.filling import Field, Filling, Notes, fill, filling
from mappings.language import (
    AddressSource,
    ConsentSource,
    CustomerSpec,
    EmailSource,
    IdentifierSource,
    PhoneSource,
    Repeated,
    Source,
    SpecModel,
)
from mappings.normalise.emails import normalise_email, plain_email
from mappings.normalise.identifiers import normalise_identifier
from mappings.readings import (
    SCHEME,
    country_of,
    emails_in,
    ensure_whole,
    extension_of,
    phones_in,
    plain_phone,
    region_of,
    scheme_of,
    set_postcode,
    take_apart,
)
from mappings.sources import (
    Build,
    Getter,
    Location,
    compile_each,
    compile_field,
    compile_source,
    failing,
    reader,
)
from mappings.targets import MAX_ITEMS, MAX_TAGS, channel, instant, texts_of
from mappings.values import Convert, TextUpTo, boolean_of, excerpt, text_of

Add = Callable[[Any, Any, Notes, list[Any]], None]
"""(item, root, notes, out): append what one entry of the file finds."""

Settle = Callable[[list[Any], Notes], list[Any]]
"""Several entries -> those that stay: distinct ones, not too many."""

Listed = tuple[str, Add, Settle]
"""A list field: its name, what appends its entries, and what becomes of several."""

Plain = Callable[[str], str | None]
"""The value of an entry out of a text that is one such value as it stands; None if ``Parse`` has to look at it."""

Parse = Callable[[Any, Any, Any], list[dict[str, Any]]]
"""(value, item, root) -> the entries found in one raw value. Raises ``RecordInvalid``."""

LABEL, TAG = 40, 200
_ADDRESS_TEXTS = {
    "region": 120, "city": 120, "district": 120, "street": 300, "postcode": 40, "text": 600, "latin": 600,
}  # fmt: skip
_label, _tag_text = TextUpTo(LABEL), TextUpTo(TAG)


def compile_lists(entry: CustomerSpec, build: Build, at: Location) -> tuple[Listed, ...]:
    """The list fields that an entry sets, in the canonical order."""
    compilers: tuple[tuple[str, Callable[[Any, Build, Location], Add], Callable[[Any], Any], int], ...] = (
        ("identifiers", _identifier, lambda one: (one["scheme"], one["value"]), MAX_ITEMS),
        ("emails", _email, lambda one: one["value"], MAX_ITEMS),
        ("phones", _phone, lambda one: (one["value"], one.get("extension")), MAX_ITEMS),
        ("addresses", _address, lambda one: tuple(one.items()), MAX_ITEMS),
        ("tags", _tag, lambda one: one, MAX_TAGS),
        ("consents", _consent, lambda one: tuple(one.items()), MAX_ITEMS),
    )
    found = []
    for name, compiler, identity, limit in compilers:
        sources = getattr(entry, name)
        if sources:
            adds = [compiler(source, build, (*at, name, i)) for i, source in enumerate(sources)]
            found.append((name, _all_of(adds), _settling(name, identity, limit)))
    return tuple(found)


def _all_of(adds: list[Add]) -> Add:
    if len(adds) == 1:
        return adds[0]

    def every(item: Any, root: Any, notes: Notes, out: list[Any]) -> None:
        for add in adds:
            add(item, root, notes, out)

    return every


def _settling(name: str, identity: Callable[[Any], Any], limit: int) -> Settle:
    def settle(entries: list[Any], notes: Notes) -> list[Any]:
        kept = _distinct(entries, identity)
        if len(kept) > limit:
            notes.append(_too_many(name, len(kept), limit))
            del kept[limit:]
        return kept

    return settle


def _distinct(entries: list[Any], identity: Callable[[Any], Any]) -> list[Any]:
    kept: dict[Any, Any] = {}
    for entry in entries:
        first = kept.setdefault(identity(entry), entry)
        if first is not entry and isinstance(entry, dict):
            for key, value in entry.items():
                first.setdefault(key, value)
    return list(kept.values())


def _email(source: EmailSource, build: Build, at: Location) -> Add:
    def parse(value: Any, item: Any, root: Any) -> list[dict[str, Any]]:
        text = value if value.__class__ is str else text_of(value)
        if not text or text.isspace():
            return []
        address = normalise_email(text) if text.count("@") == 1 else None
        if address is not None:
            return [{"value": address}]
        found = emails_in(text)
        if not found:
            raise RecordInvalid("{path}: “{value}” is no email address", path="", rule="email", value=excerpt(value))
        return [{"value": address} for address in found]

    def keep(text: str) -> dict[str, Any]:
        return {"value": text}

    extras: dict[str, Convert] = {"label": _label, "verified": boolean_of}
    return _repeated(source, build, at, lambda inner: parse, keep, 254, extras, plain_email)


def _phone(source: PhoneSource, build: Build, at: Location) -> Add:
    def parser(inner: Build) -> Parse:
        regions = None if source.region is None else reader(compile_source(source.region, inner, (*at, "region")))
        usual = build.context.region

        def parse(value: Any, item: Any, root: Any) -> list[dict[str, Any]]:
            text = value if value.__class__ is str else text_of(value)
            if not text or text.isspace():
                return []
            region = usual if regions is None else region_of(regions(item, root)) or usual
            return phones_in(text, region)

        return parse

    extras: dict[str, Convert] = {"extension": extension_of, "label": _label, "verified": boolean_of}
    plain = plain_phone(build.context.region) if source.region is None else None
    return _repeated(source, build, at, parser, lambda text: {"value": text}, 40, extras, plain)


def _identifier(source: IdentifierSource, build: Build, at: Location) -> Add:
    constant = source.scheme.const if isinstance(source.scheme.const, str) else None
    if constant is not None and not SCHEME.match(constant):
        raise SpecError(
            "{file}, line {line}, {key}: “{value}” is no scheme; write e.g. cn.uscc, eu.vat or my_erp.code",
            **build.place((*at, "scheme")),
            value=constant,
        )

    def parser(inner: Build) -> Parse:
        read = reader(compile_source(source.scheme, inner, (*at, "scheme")))

        def parse(value: Any, item: Any, root: Any) -> list[dict[str, Any]]:
            text = value if value.__class__ is str else text_of(value)
            if not text or text.isspace():
                return []
            ensure_whole(text, "identifier")
            scheme = constant or scheme_of(read(item, root))
            found = normalise_identifier(scheme, text)
            if found is None:
                raise RecordInvalid(
                    "{path}: “{value}” is no number of the scheme {scheme}",
                    path="", rule="identifier", value=excerpt(value), scheme=scheme,
                )  # fmt: skip
            entry: dict[str, Any] = {"scheme": scheme, "value": found.value}
            if found.valid:
                entry["valid"] = True
            return [entry]

        return parse

    return _repeated(
        source, build, at, parser, lambda text: {"scheme": constant or "unknown", "value": text.upper()}, 80, {}
    )


def _tag(source: Repeated, build: Build, at: Location) -> Add:
    def parse(value: Any, item: Any, root: Any) -> list[Any]:
        if value.__class__ is not str:
            return list(texts_of(value, TAG))
        text = _tag_text(value)
        return [] if text is None else [text]

    return _repeated(source, build, at, lambda inner: parse, lambda text: text, TAG, {})  # type: ignore[arg-type,return-value]


def _repeated(
    source: Repeated,
    build: Build,
    at: Location,
    parser: Callable[[Build], Parse],
    keep: Callable[[str], dict[str, Any]],
    raw: int,
    extras: dict[str, Convert],
    plain: Plain | None = None,
) -> Add:
    each, path = compile_each(source.each, build, at)
    inner = build.inside(path)
    value = compile_source(source, inner, at)
    read, parse, fail = reader(value), parser(inner), failing(value.path, source.on_error, raw)
    key = value.key if value.finish is None else None
    fields = _extras(source, extras, inner, at)
    constants: dict[str, Any] = {}
    fixed = [field for field in fields if field.get and field.key is None and _is_const(source, field.name)]
    fill(filling(fixed), {}, {}, constants, [])
    more = filling(field for field in fields if not _is_const(source, field.name))
    if constants.get("verified") is False:
        del constants["verified"]
    simply = plain if plain is not None and not more else _not_plain

    def add(item: Any, root: Any, notes: Notes, out: list[Any]) -> None:
        found: Any = None
        try:
            found = read(item, root) if key is None or item.__class__ is not dict else item.get(key)
            if found is None:
                return
            if found.__class__ is str and (simple := simply(found)) is not None:
                out.append({"value": simple, **constants})
                return
            if found is False or found == []:
                return
            entries = parse(found, item, root) if found.__class__ is not list else _all(found, item, root, parse)
        except RecordInvalid as error:
            text = fail(error, found, notes)
            entries = [] if text is None else [keep(text)]
        if constants or more:
            _complete(entries, constants, more, item, root, notes)
        out.extend(entries)

    return add if each is None else _over(each, source.each or "", add)


def _not_plain(text: str) -> None:
    return None


def _all(values: list[Any], item: Any, root: Any, parse: Parse) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for value in values[:MAX_TAGS]:
        if value is not None and value is not False:
            found.extend(parse(value, item, root))
    return found


def _over(each: Getter, path: str, add: Add) -> Add:
    def over(item: Any, root: Any, notes: Notes, out: list[Any]) -> None:
        for one in (each(item, root) or ())[:MAX_TAGS]:
            add(one, root, notes, out)

    return over


def _complete(
    entries: list[dict[str, Any]],
    constants: dict[str, Any],
    fields: Filling,
    item: Any,
    root: Any,
    notes: Notes,
) -> None:
    more = constants
    if fields and entries:
        more = dict(constants)
        fill(fields, item, root, more, notes)
        if more.get("verified") is False:
            del more["verified"]
    for entry in entries:
        if "extension" in entry:
            entry.update({**more, "extension": entry["extension"]})
        else:
            entry.update(more)


def _extras(source: SpecModel, extras: dict[str, Convert], build: Build, at: Location) -> tuple[Field, ...]:
    fields = []
    for name, convert in extras.items():
        given = getattr(source, name, None)
        if given is not None:
            fields.append(compile_field(name, given, convert, build, (*at, name), raw=LABEL if name == "label" else 0))
    return tuple(fields)


def _is_const(source: SpecModel, name: str) -> bool:
    given: Source | None = getattr(source, name)
    return given is not None and given.const is not None and given.when is None


def _address(source: AddressSource, build: Build, at: Location) -> Add:
    each, path = compile_each(source.each, build, at)
    inner = build.inside(path)
    applies = None if source.when is None else compile_condition(source.when, inner, (*at, "when"))
    setters: dict[str, Convert] = {"label": _label, "country": country_of}
    setters |= {name: TextUpTo(limit) for name, limit in _ADDRESS_TEXTS.items()}
    given = {name: getattr(source, name) for name in setters}
    fields = tuple(
        compile_field(name, one, setters[name], inner, (*at, name), raw=_ADDRESS_TEXTS.get(name, 0))
        for name, one in given.items()
        if one is not None
    )
    base: dict[str, Any] = {}
    if source.label is not None and _is_const(source, "label"):
        fill(filling(fields[:1]), {}, {}, base, [])
        fields = fields[1:]
    parts, split = filling(fields), source.split

    def add(item: Any, root: Any, notes: Notes, out: list[Any]) -> None:
        if applies is not None and not applies(item, root):
            return
        entry = base.copy()
        fill(parts, item, root, entry, notes)
        if len(entry) > 1 or (entry and "label" not in entry):
            if "postcode" in entry:
                set_postcode(entry)
            if split and "text" in entry and "city" not in entry:
                take_apart(entry)
            out.append(entry)

    return add if each is None else _over(each, source.each or "", add)


def _consent(source: ConsentSource, build: Build, at: Location) -> Add:
    each, path = compile_each(source.each, build, at)
    inner = build.inside(path)
    applies = None if source.when is None else compile_condition(source.when, inner, (*at, "when"))
    setters: dict[str, Convert] = {
        "channel": channel, "purpose": TextUpTo(60), "granted": boolean_of, "source": TextUpTo(120),
        "at": instant(build.context.zone),
    }  # fmt: skip
    fields = filling(_extras(source, setters, inner, at))

    def add(item: Any, root: Any, notes: Notes, out: list[Any]) -> None:
        if applies is not None and not applies(item, root):
            return
        entry: dict[str, Any] = {}
        fill(fields, item, root, entry, notes)
        if "channel" in entry and "granted" in entry:
            out.append(entry)

    return add if each is None else _over(each, source.each or "", add)


def _too_many(name: str, count: int, limit: int) -> RecordInvalid:
    return RecordInvalid(
        "{path}: {count} values, only the first {limit} are kept", path=name, rule="count", count=count, limit=limit
    )
