"""Conditions of mapping files compiled to functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mappings.errors import RecordInvalid, SpecError
from mappings.language import Condition, Source
from mappings.patterns import PatternError, compile_pattern, subject
from mappings.sources import Build, Getter, Location, compile_source, reader
from mappings.tables import fold
from mappings.values import FALSE, is_empty, scalar_key

Test = Callable[[Any, Any], bool]


def compile_condition(condition: Condition, build: Build, at: Location) -> Test:
    """(item, root) -> whether the condition holds. Never raises for a record, whatever it holds."""
    if condition.all is not None:
        tests = [compile_condition(one, build, (*at, "all", i)) for i, one in enumerate(condition.all)]
        return lambda item, root: all(test(item, root) for test in tests)
    if condition.any is not None:
        tests = [compile_condition(one, build, (*at, "any", i)) for i, one in enumerate(condition.any)]
        return lambda item, root: any(test(item, root) for test in tests)
    if condition.negated is not None:
        inner = compile_condition(condition.negated, build, (*at, "not"))
        return lambda item, root: not inner(item, root)
    origin = Source.model_validate({"jsonata": condition.jsonata} if condition.jsonata else {"from": condition.field})
    read = reader(compile_source(origin, build, at))
    return _tested(read, _value_test(condition, build, at))


def _tested(read: Getter, test: Callable[[Any], bool]) -> Test:
    def holds(item: Any, root: Any) -> bool:
        try:
            return test(read(item, root))
        except RecordInvalid:
            return False

    return holds


def _value_test(condition: Condition, build: Build, at: Location) -> Callable[[Any], bool]:
    if condition.exists is not None:
        wanted = condition.exists
        return lambda value: (not is_empty(value)) is wanted
    if condition.equals is not None:
        return _any_of(_one_of([condition.equals]))
    if condition.one_of is not None:
        return _any_of(_one_of(condition.one_of))
    if condition.matches is not None:
        return _any_of(_matches(condition.matches, build, (*at, "matches")))
    return _any_of(_truthy)


def _any_of(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def over(value: Any) -> bool:
        return any(test(item) for item in value) if value.__class__ is list else test(value)

    return over


def _one_of(values: list[Any]) -> Callable[[Any], bool]:
    keys = {fold(scalar_key(value) or "") for value in values}

    def test(value: Any) -> bool:
        key = scalar_key(value)
        return fold(key or "") in keys

    return test


def _matches(pattern: str, build: Build, at: Location) -> Callable[[Any], bool]:
    try:
        compiled = compile_pattern(pattern)
    except PatternError as error:
        raise SpecError(
            "{file}, line {line}, {key}: the pattern cannot be read: {problem}", **build.place(at), problem=str(error)
        ) from None

    def test(value: Any) -> bool:
        text = scalar_key(value)
        return text is not None and compiled.search(subject(text)) is not None

    return test


def _truthy(value: Any) -> bool:
    if is_empty(value) or value is False:
        return False
    return value.__class__ is dict or fold(scalar_key(value) or "") not in FALSE
