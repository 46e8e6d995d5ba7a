"""The registry of transforms, and how a chain of them becomes one function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, NamedTuple

from pydantic import ConfigDict, ValidationError, validate_call

from mappings.language import TransformCall
from mappings.spec import nearest
from mappings.values import Convert, is_empty


@dataclass(frozen=True)
class Context:
    """What transforms may need of the mapping: the region for phones, the zone for times, the value tables."""

    region: str = "CN"
    zone: tzinfo = UTC
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class TransformError(ValueError):
    """A transform that does not exist or has wrong parameters."""


class Registered(NamedTuple):
    """A transform: its factory, and whether it takes a list as a whole or "no value" too."""

    factory: Callable[..., Convert]
    whole: bool
    blank: bool


_TRANSFORMS: dict[str, Registered] = {}
_checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True, strict=False))


def transform(
    name: str, *, whole: bool = False, blank: bool = False
) -> Callable[[Callable[..., Convert]], Callable[..., Convert]]:
    """Register a factory ``(context, parameters…) -> function``; its first parameter may be given without a name.

    ``whole``: a list is passed as a list (else item by item). ``blank``: it is also called with None.
    """

    def register(factory: Callable[..., Convert]) -> Callable[..., Convert]:
        _TRANSFORMS[name] = Registered(factory, whole, blank)
        return factory

    return register


def registered() -> dict[str, str]:
    """Every transform's name with the first line of its documentation."""
    return {name: (inspect.getdoc(entry.factory) or "").split("\n")[0] for name, entry in sorted(_TRANSFORMS.items())}


def signature_of(name: str) -> list[str]:
    """The parameters of a transform."""
    return [
        parameter for parameter in inspect.signature(_TRANSFORMS[name].factory).parameters if parameter != "context"
    ]


def build_chain(calls: Sequence[TransformCall], context: Context) -> Convert:
    """One function for a chain. It gets a raw value (maybe a list) and answers a value, a list, or None.

    "No value" ends the chain, except for transforms made for it. Raises ``TransformError`` here and ``RecordInvalid``
    when called.
    """
    steps = [(_build(call, context), _TRANSFORMS[call.name].blank) for call in calls]

    def run(value: Any) -> Any:
        for step, blank in steps:
            if is_empty(value):
                if not blank:
                    continue
                value = None
            value = step(value)
        return None if is_empty(value) else value

    return run


def _build(call: TransformCall, context: Context) -> Convert:
    entry = _TRANSFORMS.get(call.name)
    if entry is None:
        near = nearest(call.name, _TRANSFORMS)
        hint = f"; did you mean “{near}”?" if near else ""
        raise TransformError(f"there is no transform “{call.name}”{hint} Known: {', '.join(sorted(_TRANSFORMS))}")
    arguments = dict(call.args)
    allowed = signature_of(call.name)
    if call.main is not None:
        if not allowed:
            raise TransformError(f"{call.name} takes no parameter")
        arguments[allowed[0]] = call.main
    unknown = [name for name in arguments if name not in allowed]
    if unknown:
        raise TransformError(f"{call.name} has no parameter “{unknown[0]}”; it takes: {', '.join(allowed) or 'none'}")
    convert = _made(call.name, entry, context, arguments)
    return convert if entry.whole else _item_by_item(convert)


def _made(name: str, entry: Registered, context: Context, arguments: dict[str, Any]) -> Convert:
    try:
        return _checked(entry.factory)(context, **arguments)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TransformError(f"{name}, {first['loc'][-1]}: {first['msg']}") from None
    except TransformError:
        raise
    except ValueError as error:
        raise TransformError(f"{name}: {error}") from None


def _item_by_item(convert: Convert) -> Convert:
    def apply(value: Any) -> Any:
        if value.__class__ is not list:
            return convert(value)
        return [found for item in value if not is_empty(item) and (found := convert(item)) is not None]

    return apply
