"""Values that people type to get past a required field. They stand for "unknown" and must never make two
customers one.
"""

from __future__ import annotations

import re

from mappings.normalise.vocabulary import words

_TEXTS = words(
    """
    n/a na n.a. n.a none null nil nan unknown unk not available not applicable not known tbd tba tbc
    - -- --- . ? ?? ??? x xx xxx xxxx test testing tester dummy asdf qwerty anonymous no name
    noname no-name not provided nobody keine unbekannt k.a. inconnu desconocido sconosciuto 无 無 未知
    不详 不詳 暂无 暫無 没有 沒有 空 未填 未填写 待定 待补 不清楚 测试 測試 匿名 未提供 保密 无名 佚名 なし 不明 없음
    """
) | {"not available", "not applicable", "not known", "no name", "not provided"}

_EMAIL_LOCALS = words(
    """
    noemail no-email no_email no.email nomail no-mail no.mail none noreply no-reply no.reply
    donotreply do-not-reply test test1 test123 testing tester null na n.a unknown abc abc123 asdf
    aaa xxx a x example dummy fake nobody anonymous notprovided not.provided not-provided
    placeholder wu meiyou zanwu
    """
)
_EMAIL_DOMAINS = words("noemail.com nomail.com no-email.com none.com null.com invalid.com fake.com mailinator.com")
_WELL_KNOWN = words("13800138000 13800000000 5555555555 5551234567 1234567890 0123456789 12345678901")
_ASCENDING, _DESCENDING = "01234567890123456789", "98765432109876543210"
_FILLER = re.compile(r"[\s\-_.*#/\\?？。,，xX0]*")


def is_placeholder_text(text: str) -> bool:
    """Whether a name or any free text says "unknown" ("N/A", "无", "test", "---")."""
    bare = text.strip().strip("()[]<>\"'（）【】《》“”").strip().casefold()
    return bare in _TEXTS or (len(bare) < 40 and _FILLER.fullmatch(bare) is not None)


def is_placeholder_email(address: str) -> bool:
    """Whether an address is nobody's (noemail@…, test@…, anything under .invalid, RFC 2606)."""
    local, _, domain = address.lower().rpartition("@")
    if domain in _EMAIL_DOMAINS or domain.endswith(".invalid"):
        return True
    return local.partition("+")[0] in _EMAIL_LOCALS or _one_character(local)


def is_placeholder_phone(value: str) -> bool:
    """Whether a number (E.164 or digits) is nobody's: one digit repeated, a run (123456789), or a famous
    dummy.
    """
    digits = "".join(c for c in value if c.isdigit())
    if len(digits) < 5:
        return True
    return any(_dummy_digits(d) for d in _without_country_code(digits, value.startswith("+")))


def is_placeholder_identifier(value: str) -> bool:
    """Whether an official number is a filler: one character repeated, a run of digits, or no digit at all
    and short.
    """
    bare = "".join(c for c in value.upper() if c.isalnum())
    if len(bare) < 3 or _one_character(bare):
        return True
    digits = "".join(c for c in bare if c.isdigit())
    return len(digits) >= 6 and (_one_character(digits) or digits in _ASCENDING or digits in _DESCENDING)


def _without_country_code(digits: str, international: bool) -> list[str]:
    """The digits, and what may be the national part (a calling code has 1 to 3 digits)."""
    return [digits, *(digits[n:] for n in (1, 2, 3) if len(digits) - n >= 7)] if international else [digits]


def _dummy_digits(digits: str) -> bool:
    if digits in _WELL_KNOWN or digits in _ASCENDING or digits in _DESCENDING:
        return True
    return _one_character(digits) or (len(digits) >= 8 and _one_character(digits[-8:]))


def _one_character(text: str) -> bool:
    return len(text) > 2 and text.count(text[0]) == len(text)
