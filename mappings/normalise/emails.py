"""Email addresses: one spelling for sending (``normalise_email``) and a coarser one for comparing
(``fold_email``).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna

from mappings.normalise.vocabulary import words

MAX_TEXT = 1_000
_MAX_ADDRESS, _MAX_LOCAL = 254, 64

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_LABEL = r"[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*+"
_PLAIN = re.compile(rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*+@(?:{_LABEL}\.)++[A-Za-z]{{2,63}}")
_ANGLE = re.compile(r"<([^<>]*)>")
_LOCAL = re.compile(r'[^\s@<>()\[\],;:\\"\x00-\x1f\x7f]+')

_DOTS_IGNORED = frozenset({"gmail.com"})
_SAME_DOMAIN = {
    "googlemail.com": "gmail.com",
    "ymail.com": "ymail.com",
    "protonmail.com": "proton.me",
    "pm.me": "proton.me",
}
_PLUS_IGNORED = words(
    """
    gmail.com outlook.com hotmail.com live.com msn.com icloud.com me.com mac.com proton.me
    fastmail.com fastmail.fm zoho.com yandex.com yandex.ru pobox.com hey.com
    """
)
_HYPHEN_IGNORED = words(
    """
    yahoo.com yahoo.co.uk yahoo.co.jp yahoo.de yahoo.fr ymail.com
    """
)
_PARTICULAR = _SAME_DOMAIN.keys() | _PLUS_IGNORED | _HYPHEN_IGNORED | _DOTS_IGNORED
_FREE = words(
    """
    gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com yahoo.co.uk
    yahoo.co.jp yahoo.de yahoo.fr ymail.com icloud.com me.com mac.com aol.com proton.me
    protonmail.com pm.me gmx.de gmx.net gmx.com web.de t-online.de freenet.de orange.fr wanadoo.fr
    free.fr laposte.net libero.it virgilio.it mail.ru yandex.ru yandex.com zoho.com fastmail.com
    naver.com hanmail.net daum.net docomo.ne.jp ezweb.ne.jp softbank.ne.jp rediffmail.com qq.com
    vip.qq.com foxmail.com 163.com vip.163.com 126.com yeah.net sina.com sina.cn vip.sina.com
    sohu.com 139.com 189.cn wo.cn 21cn.com tom.com aliyun.com 263.net hotmail.co.uk live.cn
    outlook.fr btinternet.com comcast.net verizon.net att.net sbcglobal.net cox.net bellsouth.net
    shaw.ca rogers.com bigpond.com uol.com.br
    """
)


def normalise_email(text: str) -> str | None:
    """The address in ``text`` in lower case, with an ASCII (IDNA 2008) domain; None if there is no address.

    Understands display names ("Zhang Wei <zw@x.cn>"), ``mailto:``, full-width characters and trailing
    punctuation. The local part is lower-cased too: RFC 5321 allows servers to tell cases apart, no provider
    in use does.
    """
    plain = plain_email(text)
    if plain is not None:
        return plain
    if len(text) > MAX_TEXT:
        return None
    return _parse(_bare_address(text))


def plain_email(text: str) -> str | None:
    """The same of a text that is a usual ASCII address and nothing else; None for any other."""
    return text.lower() if len(text) <= _MAX_ADDRESS and _PLAIN.fullmatch(text) else None


def split_emails(text: str) -> list[str]:
    """Every address in a field that may hold several, in order, without repeats."""
    single = normalise_email(text)
    if single is not None:
        return [single]
    if len(text) > MAX_TEXT * 20:
        return []
    pieces = re.split(r"[;,、，；|\s]+", text)
    return list(dict.fromkeys(e for piece in pieces if (e := normalise_email(piece)) is not None))


def fold_email(address: str) -> str:
    """A comparison key: equal for addresses that reach the same mailbox at providers whose rules are known."""
    local, _, domain = address.lower().rpartition("@")
    return "@".join(fold_mailbox(local, domain))


def fold_mailbox(local: str, domain: str) -> tuple[str, str]:
    """The same of an address in its two parts, in lower case."""
    if domain not in _PARTICULAR:
        return local, domain
    domain = _SAME_DOMAIN.get(domain, domain)
    if domain in _PLUS_IGNORED:
        local = local.partition("+")[0] or local
    elif domain in _HYPHEN_IGNORED:
        local = local.partition("-")[0] or local
    if domain in _DOTS_IGNORED:
        local = local.replace(".", "") or local
    return local, domain


def email_domain(address: str) -> str:
    """The domain of a normalised address."""
    return address.rpartition("@")[2]


def is_free_mail(domain: str) -> bool:
    """Whether anybody can get an address there, so that sharing the domain says nothing."""
    return domain in _FREE


def _bare_address(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).strip()
    angle = _ANGLE.search(text)
    if angle:
        text = angle.group(1)
    text = text.strip().strip("\"'.,;:()").strip()
    return text[7:].strip() if text[:7].lower() == "mailto:" else text


def _parse(text: str) -> str | None:
    local, at, domain = text.rpartition("@")
    local = local.strip('"')
    if not at or len(local) > _MAX_LOCAL or not _LOCAL.fullmatch(local) or local[0] == "." or local[-1] == ".":
        return None
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None or ".." in local:
        return None
    address = f"{local.lower()}@{ascii_domain}"
    return address if len(address) <= _MAX_ADDRESS and _encodable(address) else None


@lru_cache(maxsize=4096)
def _ascii_domain(domain: str) -> str | None:
    domain = domain.replace("。", ".").rstrip(".").lower()
    try:
        encoded = idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError, IndexError):
        return None
    labels = encoded.split(".")
    return encoded if len(labels) > 1 and not labels[-1].isdigit() and len(labels[-1]) > 1 else None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
