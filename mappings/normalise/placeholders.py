"""Values that people type to get past a required field. They stand for "unknown" and must never make two
customers one.
"""

from __future__ import annotations

import re

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from mappings.normalise.vocabulary import words

PLACEHOLDERS = words(
    """
    n/a na n.a. n.a none null nil nan unknown unk not available not applicable not known tbd tba tbc
    - -- --- . ? ?? ??? x xx xxx xxxx test testing tester dummy asdf qwerty anonymous no name
    noname no-name not provided nobody keine unbekannt k.a. inconnu desconocido sconosciuto 无 無 未知
    不详 不詳 暂无 暫無 没有 沒有 空 未填 未填写 待定 待补 不清楚 测试 測試 匿名 未提供 保密 无名 佚名 なし 不明 없음
    """
) | {"not available", "not applicable", "not known", "no name", "not provided"}
"""Texts that say "unknown", in lower case."""

_EMAIL_LOCALS = words(
    """
    noemail no-email no_email no.email nomail no-mail no.mail none noreply no-reply no.reply
    donotreply do-not-reply test test1 test123 testing tester null na n.a unknown abc abc123 asdf
    aaa xxx a x example dummy fake nobody anonymous notprovided not.provided not-provided
    placeholder wu meiyou zanwu
    """
)
_EMAIL_DOMAINS = words("noemail.com nomail.com no-email.com none.com null.com invalid.com fake.com mailinator.com")
_DATES = words("0001-01-01 1753-01-01 1800-01-01 1899-12-30 1899-12-31 1900-01-01 1901-01-01 1970-01-01 9999-12-31")
_WELL_KNOWN = words("13800138000 13800000000 5555555555 5551234567 1234567890 0123456789 12345678901")
_ASCENDING, _DESCENDING = "01234567890123456789", "98765432109876543210"
_FILLERS = frozenset(" \t-_.*#/\\?？。,，x0")
_NO_DIGITS = re.compile(r"[^0-9]+")
_FILLER = re.compile(r"[\s\-_.*#/\\?？。,，xX0]*")


_WRAPPING = "()[]<>\"'（）【】《》“” \t"


def is_placeholder_text(text: str) -> bool:
    """Whether a name or any free text says "unknown" ("N/A", "无", "test", "---")."""
    bare = text.casefold()
    if not bare or not (bare[0].isalnum() and bare[-1].isalnum()):
        bare = bare.strip(_WRAPPING)
    if bare in PLACEHOLDERS:
        return True
    return (not bare or bare[0] in _FILLERS) and len(bare) < 40 and _FILLER.fullmatch(bare) is not None


def is_placeholder_email(address: str) -> bool:
    """Whether an address is nobody's (noemail@…, test@…, anything under .invalid, RFC 2606)."""
    local, _, domain = address.lower().rpartition("@")
    return is_placeholder_mailbox(local, domain)


def is_placeholder_mailbox(local: str, domain: str) -> bool:
    """The same of an address in its two parts, in lower case."""
    if local in _EMAIL_LOCALS or domain in _EMAIL_DOMAINS or domain.endswith(".invalid"):
        return True
    if local[:1] == local[1:2] and _one_character(local):
        return True
    return "+" in local and local.partition("+")[0] in _EMAIL_LOCALS


def is_placeholder_phone(value: str) -> bool:
    """Whether a number (E.164 or digits) is nobody's: one digit repeated, a run (123456789), or a famous
    dummy.
    """
    if len(value) > 7 and value[-_TAIL:] not in _SUSPECT_TAILS:
        return False
    digits = _NO_DIGITS.sub("", value)
    if len(digits) < 5:
        return True
    return _dummy_digits(digits) or (value[0] == "+" and _dummy_digits(_national_part(digits)))


def is_placeholder_date(value: str) -> bool:
    """Whether a date of birth (ISO) is the zero of some system's calendar or its end, and nobody's birthday."""
    return value in _DATES


def is_placeholder_identifier(value: str) -> bool:
    """Whether an official number is a filler: one character repeated, a run of digits, or too short to be
    any.
    """
    bare = value.upper()
    if not bare.isalnum():
        bare = "".join(filter(str.isalnum, bare))
    if len(bare) < 3 or _one_character(bare):
        return True
    digits = bare if bare.isdecimal() and bare.isascii() else _NO_DIGITS.sub("", bare)
    return len(digits) >= 6 and (_one_character(digits) or digits in _ASCENDING or digits in _DESCENDING)


def _national_part(digits: str) -> str:
    for length in (1, 2, 3):  # calling codes are prefix-free
        if int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE:
            return digits[length:]
    return digits


def _dummy_digits(digits: str) -> bool:
    if digits in _WELL_KNOWN or (len(digits) > 4 and (digits in _ASCENDING or digits in _DESCENDING)):
        return True
    return _one_character(digits) or (len(digits) >= 8 and _one_character(digits[-8:]))


def _one_character(text: str) -> bool:
    return len(text) > 2 and text.count(text[0]) == len(text)


_TAIL = 5
_SUSPECT_TAILS = frozenset(
    {number[-_TAIL:] for number in _WELL_KNOWN}
    | {digit * _TAIL for digit in "0123456789"}
    | {run[i : i + _TAIL] for run in (_ASCENDING, _DESCENDING) for i in range(len(run) - _TAIL + 1)}
)
"""Every dummy number ends like this, so that one look-up clears nearly all real ones."""
