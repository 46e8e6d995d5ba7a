"""Telephone numbers to E.164 with the connection's default region.

The phonenumbers library (Google's libphonenumber) decides what a number means but costs 40 to 70 µs each.
Plain, valid numbers take a short cut built from the library's own metadata (see ``numbering``), which gives
the same answer in a tenth of the time; whatever is unusual goes to the library.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from mappings.normalise.numbering import plain_e164
from mappings.normalise.rounded import written_out

MAX_TEXT = 200
_MIN_DIGITS, _MAX_DIGITS = 5, 30

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\u3161", "-"))
_CHINESE_EXTENSION = re.compile(
    r"\s*[,(]?\s*(?:转分机|轉分機|分机号?|分機號?|内线|內線|转|轉)\s*[:.]?\s*(\d{1,7})\)?\s*$"
)
_TRAILING_GROUP = re.compile(r"^(.*\d.*?)\s*-\s*(\d{1,6})$")
_SEPARATORS = re.compile(r"[;,、|\n\r\t]+|\s+(?:or|and|或|或者|和)\s+|[或和]", re.IGNORECASE)
_SLASH = re.compile(r"\s*/\s*")
_BLANKS = re.compile(r"\s+")
_MAYBE_AMOUNT = re.compile(r"\d[eE]\+?\d|\.0")
_EXTENSION_START = re.compile(r"\s*(?:;?\s*ext|x|分机|分機|转|轉|#)", re.IGNORECASE)


class PhoneNumber(NamedTuple):
    """A number in E.164 (else its digits as written), the extension behind it, and whether the number can
    exist.
    """

    value: str
    extension: str | None
    valid: bool


def normalise_phone(text: str, region: str | None = None) -> PhoneNumber | None:
    """The number in ``text``, read as if dialled in ``region`` (ISO 3166-1 alpha-2) unless written with a
    country code.

    Full-width digits, usual separators, extensions ("ext. 12", "x12", "分机12", "转12", a trailing "-8001")
    and words around the number are understood. A possible number that no numbering plan holds is kept with
    ``valid`` False; digits that make no number are kept as digits; None when there are fewer than 5 or more
    than 30 digits. A number that a spreadsheet wrote in scientific notation counts only where no digit was lost.
    """
    if len(text) > MAX_TEXT:
        return None
    fast = plain_e164(text, region)
    if fast is not None:
        return PhoneNumber(fast, None, True)
    prepared = _prepare(text)
    fast = plain_e164(prepared, region)
    if fast is not None:
        return PhoneNumber(fast, None, True)
    return _unusual(prepared, region)


def split_phones(text: str, region: str | None = None) -> list[PhoneNumber]:
    """Every number in a field that may hold several ("0755-1234567/138..., 139..."), in order, without
    repeats.
    """
    if len(text) > MAX_TEXT * 10:
        return []
    whole = normalise_phone(text, region)
    if whole is not None and whole.valid and not _SEPARATORS.search(text):
        return [whole]
    found: dict[PhoneNumber, None] = {}
    for piece in _pieces(_prepare(text), region):
        number = normalise_phone(piece, region)
        if number is not None:
            found.setdefault(number)
    return list(found)


def phone_by_library(text: str, region: str | None) -> PhoneNumber | None:
    """What the phonenumbers library alone says of a prepared text; None where it finds no possible number."""
    try:
        parsed = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(parsed)
    if not valid and phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        return None
    return PhoneNumber(phonenumbers.format_number(_bare(parsed), PhoneNumberFormat.E164), parsed.extension, valid)


def _bare(number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    bare = phonenumbers.PhoneNumber()
    bare.merge_from(number)
    bare.extension = None
    return bare


def _prepare(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    return (written_out(text) if _MAYBE_AMOUNT.search(text) else text).strip()


def _unusual(text: str, region: str | None) -> PhoneNumber | None:
    text, extension = _chinese_extension(text)
    number = phone_by_library(text, _known_region(region))
    if number is None or not number.valid:
        number = _with_trailing_extension(text, region) or number
    if number is not None:
        return number._replace(extension=number.extension or extension)
    return _digits_only(text, extension)


def _chinese_extension(text: str) -> tuple[str, str | None]:
    match = _CHINESE_EXTENSION.search(text)
    return (text[: match.start()], match.group(1)) if match else (text, None)


def _with_trailing_extension(text: str, region: str | None) -> PhoneNumber | None:
    """``0755-86013388-8001``: the last group is an extension if what stands before it is a valid number."""
    match = _TRAILING_GROUP.match(text)
    if match is None:
        return None
    number = phone_by_library(match.group(1), _known_region(region))
    if number is None or not number.valid or number.extension:
        return None
    return number._replace(extension=match.group(2))


def _digits_only(text: str, extension: str | None) -> PhoneNumber | None:
    digits = "".join(c for c in text if c in "0123456789")
    if not _MIN_DIGITS <= len(digits) <= _MAX_DIGITS:
        return None
    return PhoneNumber(digits, extension, False)


def _known_region(region: str | None) -> str | None:
    return region if region in phonenumbers.SUPPORTED_REGIONS else None


def _pieces(text: str, region: str | None) -> list[str]:
    pieces: list[str] = []
    for piece in _join_extensions([p for p in _SEPARATORS.split(text) if p.strip()]):
        pieces += (
            _split_if_all_numbers(piece, _SLASH, region) or _split_if_all_numbers(piece, _BLANKS, region) or [piece]
        )
    return pieces


def _join_extensions(pieces: list[str]) -> list[str]:
    joined: list[str] = []
    for piece in pieces:
        if joined and _EXTENSION_START.match(piece):
            joined[-1] += " " + piece.strip().lstrip(";")
        else:
            joined.append(piece)
    return joined


def _split_if_all_numbers(text: str, separator: re.Pattern[str], region: str | None) -> list[str]:
    """The parts of ``text`` if each is a valid number by itself (a slash or a blank may also be inside one
    number).
    """
    parts = [p for p in separator.split(text) if p]
    if len(parts) < 2:
        return []
    numbers = [normalise_phone(p, region) for p in parts]
    return parts if all(n is not None and n.valid for n in numbers) else []
