"""Transforms of numbers, dates, booleans, and by value tables."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, Literal

from mappings.errors import RecordInvalid
from mappings.instants import date_text, excel_moment, instant_text, parse, zone_named
from mappings.tables import OTHERWISE, fold, folded
from mappings.transforms.registry import Context, TransformError, transform
from mappings.values import Convert, boolean_of, decimal_of, decimal_text, excerpt, scalar_key, text_of

Scalar = str | int | float | bool


@transform("decimal")
def decimal(context: Context) -> Convert:
    """A decimal as text: ¥1,234.50 becomes 1234.5."""
    return decimal_text


@transform("number")
def number(context: Context) -> Convert:
    """A decimal as text; another name of `decimal`."""
    return decimal_text


@transform("integer")
def integer(context: Context) -> Convert:
    """A whole number; refuses fractions."""

    def convert(value: Any) -> int | None:
        found = decimal_of(value)
        if found is None:
            return None
        if found != found.to_integral_value():
            raise RecordInvalid(
                "{path}: “{value}” is not a whole number", path="", rule="integer", value=excerpt(value)
            )
        return int(found)

    return convert


@transform("multiply")
def multiply(context: Context, by: Decimal) -> Convert:
    """Multiplies a number, exactly: `multiply: 0.01` makes yuan of fen."""

    def convert(value: Any) -> str | None:
        found = decimal_of(value)
        return None if found is None else decimal_text(format(found * by, "f"))

    return convert


@transform("boolean")
def boolean(context: Context, true: list[Scalar] | None = None, false: list[Scalar] | None = None) -> Convert:
    """True or false from the usual words in English and Chinese, or from the given ones."""
    if true is None and false is None:
        return boolean_of
    yes, no = _keys(true), _keys(false)

    def convert(value: Any) -> bool | None:
        word = fold(scalar_key(value) or "")
        if word in yes:
            return True
        if word in no or false is None:
            return False
        return False if true is None else boolean_of(value)

    return convert


@transform("negate")
def negate(context: Context) -> Convert:
    """True becomes false and false true: consent out of an opt-out."""

    def convert(value: Any) -> bool | None:
        found = boolean_of(value)
        return None if found is None else not found

    return convert


@transform("date")
def date(context: Context, format: str | list[str] | None = None, zone: str | None = None) -> Convert:
    """A calendar date as YYYY-MM-DD. Formats are strptime's, or `excel` for serial day numbers."""
    return _dated(context, format, zone, date_text)


@transform("datetime")
def date_time(context: Context, format: str | list[str] | None = None, zone: str | None = None) -> Convert:
    """A point in time in UTC. `zone` is meant where the source names none. Formats as for `date`."""
    return _dated(context, format, zone, instant_text)


@transform("default", whole=True, blank=True)
def default(context: Context, value: Scalar) -> Convert:
    """A value to use where there is none."""
    return lambda found: value if found is None else found


@transform("lookup")
def lookup(
    context: Context, table: str | dict[str, Scalar | None], otherwise: Literal["reject", "keep", "drop"] = "reject"
) -> Convert:
    """The value that a table gives for this one, without regard to case; `"*"` in the table stands for all others."""
    return table_lookup(_table(context, table), otherwise)


def table_lookup(table: dict[str, Any], otherwise: str = "reject") -> Convert:
    """A look-up in a table with folded keys."""
    has_rest, rest = OTHERWISE in table, table.get(OTHERWISE)

    def convert(value: Any) -> Any:
        if value.__class__ is str and value in table:
            return table[value]
        key = scalar_key(value)
        if key is None:
            return None
        key = fold(key)
        if key in table:
            return table[key]
        if has_rest:
            return rest
        if otherwise == "reject":
            raise _not_in_table(value, table)
        return text_of(value) if otherwise == "keep" else None

    return convert


def _table(context: Context, table: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(table, dict):
        return folded(table)
    if table not in context.tables:
        known = ", ".join(sorted(context.tables)) or "none"
        raise TransformError(f"there is no table “{table}” under `tables:`; there are: {known}")
    return folded(dict(context.tables[table]))


def _not_in_table(value: Any, table: dict[str, Any]) -> RecordInvalid:
    return RecordInvalid(
        "{path}: “{value}” is not in the value table; it knows: {known}",
        path="",
        rule="lookup",
        value=excerpt(value),
        known=excerpt(", ".join(list(dict.fromkeys(map(fold, table)))[:12])),
        remedy='Add the value to the table, or a line "*" for all others.',
    )


def _dated(context: Context, format: str | list[str] | None, zone: str | None, write: Any) -> Convert:
    place = context.zone if zone is None else zone_named(zone)
    if format is None:
        return lambda value: write(value, place)
    formats = [format] if isinstance(format, str) else format
    for pattern in formats:
        _check_format(pattern)
    return lambda value: write(_formatted(value, formats, place), place)


def _formatted(value: Any, formats: list[str], zone: tzinfo) -> str | None:
    text = text_of(value)
    if text is None:
        return None
    error: RecordInvalid | None = None
    for pattern in formats:
        try:
            moment = excel_moment(text) if pattern == "excel" else parse(text, pattern)
        except RecordInvalid as failed:
            error = failed
            continue
        return moment.isoformat()
    if error is None:
        return None
    raise error


def _check_format(pattern: str) -> None:
    if pattern == "excel":
        return
    try:
        datetime.strptime(datetime(2001, 2, 3, tzinfo=UTC).strftime(pattern), pattern)  # noqa: DTZ007
    except (ValueError, UnicodeError) as error:
        raise TransformError(f"the date format “{pattern}” is not strptime's: {error}") from None


def _keys(values: list[Scalar] | None) -> frozenset[str]:
    return frozenset(fold(scalar_key(value) or "") for value in values or ())
