"""Transforms of text."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from mappings.errors import RecordInvalid
from mappings.patterns import compile_pattern, subject
from mappings.transforms.registry import Context, TransformError, transform
from mappings.values import Convert, excerpt, is_empty, text_of

_MAX_PIECES = 1_000
_MAX_HTML = 20_000
_TAG = re.compile(r"<[^<>]*>")


def on_text(change: Callable[[str], Any]) -> Convert:
    """A converter that first makes clean text of its value."""

    def convert(value: Any) -> Any:
        text = text_of(value)
        return None if text is None else change(text)

    return convert


@transform("trim")
def trim(context: Context, characters: str | None = None) -> Convert:
    """Removes blanks (or the given characters) at both ends."""
    return on_text(lambda text: text.strip(characters))


@transform("upper")
def upper(context: Context) -> Convert:
    """Upper case."""
    return on_text(str.upper)


@transform("lower")
def lower(context: Context) -> Convert:
    """Lower case."""
    return on_text(str.lower)


@transform("title")
def title(context: Context) -> Convert:
    """The first letter of each word in upper case."""
    return on_text(str.title)


@transform("collapse")
def collapse(context: Context) -> Convert:
    """Runs of blanks become one blank; control characters go."""
    return on_text(lambda text: text)


@transform("split")
def split(context: Context, by: Annotated[str, Field(min_length=1)] = ",") -> Convert:
    """Cuts text into a list at a separator; several separators are alternatives joined by blanks: `split: "; ,"`."""
    separators = by.split() or [by]
    pattern = re.compile("|".join(re.escape(one) for one in separators))
    return on_text(lambda text: [piece.strip() for piece in pattern.split(text, _MAX_PIECES) if piece.strip()])


@transform("join", whole=True)
def join(context: Context, by: str = " ") -> Convert:
    """Makes one text of a list."""

    def convert(value: Any) -> Any:
        items = value if isinstance(value, list) else [value]
        return by.join(text for item in items if (text := text_of(item)) is not None)

    return convert


@transform("part")
def part(context: Context, index: int, by: Annotated[str, Field(min_length=1)] = " ") -> Convert:
    """One piece of a text cut at a separator; 0 is the first, -1 the last."""

    def pick(text: str) -> str | None:
        pieces = text.split(by, _MAX_PIECES)
        return pieces[index].strip() if -len(pieces) <= index < len(pieces) else None

    return on_text(pick)


@transform("cut")
def cut(context: Context, length: Annotated[int, Field(ge=1, le=100_000)]) -> Convert:
    """At most that many characters."""
    return on_text(lambda text: text[:length].strip())


@transform("replace")
def replace(context: Context, old: Annotated[str, Field(min_length=1)], new: str = "") -> Convert:
    """Replaces every occurrence of a text."""
    return on_text(lambda text: text.replace(old, new))


@transform("prefix")
def prefix(context: Context, text: str) -> Convert:
    """Puts a text in front."""
    return on_text(lambda value: text + value)


@transform("suffix")
def suffix(context: Context, text: str) -> Convert:
    """Puts a text behind."""
    return on_text(lambda value: value + text)


@transform("strip_prefix")
def strip_prefix(context: Context, text: str) -> Convert:
    """Removes a text in front, if it is there."""
    return on_text(lambda value: value.removeprefix(text).strip())


@transform("strip_suffix")
def strip_suffix(context: Context, text: str) -> Convert:
    """Removes a text at the end, if it is there."""
    return on_text(lambda value: value.removesuffix(text).strip())


@transform("pad")
def pad(context: Context, length: Annotated[int, Field(ge=1, le=100)], fill: str = "0") -> Convert:
    """Fills up on the left to a length: 42 becomes 000042."""
    if len(fill) != 1:
        raise TransformError("pad: fill must be one character")
    return on_text(lambda text: text.rjust(length, fill))


@transform("digits")
def digits(context: Context) -> Convert:
    """Keeps the digits 0-9 only (full-width digits become these)."""
    return on_text(lambda text: "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign in "0123456789"))


@transform("regex")
def regex(context: Context, pattern: str, replace: str | None = None, group: int | str | None = None) -> Convert:
    r"""Takes the part that matches (or one of its groups), or replaces every match (`\1` is the first group).

    RE2 syntax: no look-around, no back-references in the pattern; time is linear in the text.
    """
    compiled = compile_pattern(pattern)
    if replace is not None and group is not None:
        raise TransformError("regex: give `replace` or `group`, not both")
    if replace is not None:
        _try_replacement(compiled, replace)
        return on_text(lambda text: compiled.sub(replace, subject(text)))
    wanted = group if group is not None else int(compiled.groups > 0)
    if wanted not in compiled.groupindex and not (isinstance(wanted, int) and 0 <= wanted <= compiled.groups):
        raise TransformError(f"regex: the pattern has no group {wanted}")

    def find(text: str) -> Any:
        match = compiled.search(subject(text))
        return match.group(wanted) if match else None

    return on_text(find)


@transform("matching")
def matching(context: Context, pattern: str) -> Convert:
    """Refuses text that does not match a regular expression."""
    compiled = compile_pattern(pattern)

    def check(text: str) -> str:
        if compiled.search(subject(text)) is None:
            raise RecordInvalid(
                "{path}: “{value}” does not match {pattern}",
                path="", rule="matching", value=excerpt(text), pattern=pattern,
            )  # fmt: skip
        return text

    return on_text(check)


@transform("halfwidth")
def halfwidth(context: Context) -> Convert:
    """Full-width letters, digits and signs become the usual ones (Unicode NFKC)."""
    return on_text(lambda text: unicodedata.normalize("NFKC", text))


@transform("plain")
def plain(context: Context) -> Convert:
    """Text out of HTML: tags removed, entities resolved."""

    def strip(text: str) -> str | None:
        return text_of(html.unescape(_TAG.sub(" ", text[:_MAX_HTML])))

    return on_text(strip)


@transform("first", whole=True)
def first(context: Context) -> Convert:
    """The first item of a list that has a value."""
    return lambda value: next((v for v in value if not is_empty(v)), None) if isinstance(value, list) else value


@transform("last", whole=True)
def last(context: Context) -> Convert:
    """The last item of a list that has a value."""
    return lambda value: (
        next((v for v in reversed(value) if not is_empty(v)), None) if isinstance(value, list) else value
    )


@transform("unique", whole=True)
def unique(context: Context) -> Convert:
    """A list without repeats, in order."""

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return list(dict.fromkeys(text for item in value if (text := text_of(item)) is not None))

    return convert


def _try_replacement(compiled: Any, replacement: str) -> None:
    try:
        compiled.sub(replacement, "")
        for reference in re.findall(r"\\(\d)", replacement):
            if int(reference) > compiled.groups:
                raise TransformError(f"regex: the pattern has no group {reference}")
    except (re.error, IndexError, UnicodeError) as error:
        raise TransformError(f"regex: {error}") from None
