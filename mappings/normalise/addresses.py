"""Postal addresses: countries to ISO codes, postcodes, Chinese addresses taken apart, and a Latin form."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from mappings.normalise.divisions import MUNICIPALITIES, Found, leading_city, leading_province, province_of
from mappings.normalise.scripts import fold, half_width, has_han, latin_text, simplify

MAX_TEXT = 600
_DISTRICT = re.compile(r"^[^\d\s,]{1,10}?(?:新区|开发区|高新区|自治县|自治旗|矿区|林区|特区|区|县|旗|市)(?!路|街|道)")
_UNKNOWN_CITY = re.compile(r"^[一-鿿]{2,5}?市(?!场)")
_LEADING = re.compile(r"^(?:中华人民共和国|中国)[\s,]*")
_POSTCODE = re.compile(r"[\s,(]*(?:邮编|邮政编码)?[:\s]*(\d{6})\)?$|^(\d{6})[\s,]+")
_POSTCODES = {
    "CN": re.compile(r"\d{6}"),
    "US": re.compile(r"\d{5}(?:-?\d{4})?"),
    "DE": re.compile(r"\d{5}"),
    "FR": re.compile(r"\d{5}"),
    "GB": re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"),
    "CA": re.compile(r"[A-Z]\d[A-Z] ?\d[A-Z]\d"),
    "NL": re.compile(r"\d{4} ?[A-Z]{2}"),
    "JP": re.compile(r"\d{3}-?\d{4}"),
}
_INWARD = {"GB": 3, "CA": 3, "NL": 2, "JP": 4}
_MORE_NAMES = {
    "US": "united states|usa|us|u s a|united states of america|america|美国",
    "GB": "united kingdom|uk|u k|great britain|england|scotland|wales|northern ireland|英国",
    "CN": "china|prc|pr china|p r china|people's republic of china|mainland china|中国|中国大陆|中华人民共和国",
    "HK": "hong kong|香港|中国香港|hong kong sar",
    "MO": "macao|macau|澳门|中国澳门",
    "TW": "taiwan|台湾|中国台湾",
    "KR": "korea|south korea|republic of korea|韩国",
    "RU": "russia|russian federation|俄罗斯",
    "VN": "vietnam|viet nam",
    "CZ": "czech republic",
    "NL": "netherlands|holland|荷兰|the netherlands",
    "AE": "uae|阿联酋",
    "DE": "germany|deutschland|德国",
    "AT": "austria|österreich|奥地利",
    "CH": "switzerland|瑞士|schweiz|suisse",
    "ES": "spain|españa|西班牙",
    "IT": "italy|italia|意大利",
    "BR": "brazil|brasil|巴西",
    "MX": "mexico|méxico|墨西哥",
    "JP": "japan|日本",
    "TR": "turkey|türkiye",
    "CI": "ivory coast",
    "FR": "france|法国",
    "CA": "canada|加拿大",
    "AU": "australia|澳大利亚",
    "SG": "singapore|新加坡",
    "MY": "malaysia|马来西亚",
    "TH": "thailand|泰国",
    "IN": "india|印度",
    "BE": "belgium|比利时",
    "PL": "poland|波兰",
    "SE": "sweden|瑞典",
}


class ChineseAddress(NamedTuple):
    """The parts of a Chinese address; what is not recognised stays in ``street``. Empty strings are
    unknown.
    """

    province: str
    city: str
    district: str
    street: str
    postcode: str


def country_code(text: str) -> str | None:
    """ISO 3166-1 alpha-2 code of a country named in English or Chinese (or by code: "CN", "chn" is not);
    None if unknown.
    """
    return _country(text) if len(text) <= 100 else None


@lru_cache(maxsize=2048)
def _country(text: str) -> str | None:
    if len(text) == 2 and text.isascii() and text.isalpha():
        code = text.upper()
        return {"UK": "GB", "EL": "GR"}.get(code, code if code in _iso_codes() else None)
    return _more_names().get(key := _name_key(text)) or _all_names().get(key)


def _name_key(name: str) -> str:
    return simplify("".join(name.split())) if has_han(name) else fold(name)


@lru_cache(maxsize=1)
def _more_names() -> dict[str, str]:
    """Everyday spellings; asked first, so that usual countries do not load the large table."""
    return {_name_key(name): code for code, names in _MORE_NAMES.items() for name in names.split("|")}


@lru_cache(maxsize=1)
def _all_names() -> dict[str, str]:
    """Names of all regions in English and Chinese from the phonenumbers library's CLDR data, loaded on
    first use (0.7 s).
    """
    from phonenumbers.geodata.locale import LOCALE_DATA

    found: dict[str, str] = {}
    for code, names in LOCALE_DATA.items():
        for language in ("en", "zh"):
            name = names.get(language, "")
            name = names.get(name[1:], "") if name.startswith("*") else name
            if name:
                found.setdefault(_name_key(name), code)
    return found


@lru_cache(maxsize=1)
def _iso_codes() -> frozenset[str]:
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS) | {"AQ", "BV", "GS", "HM", "PN", "TF", "UM"}


def normalise_postcode(text: str, country: str | None = None) -> str | None:
    """Upper case with the country's own spacing (GB, CA, NL, JP); None if empty or, for countries known
    here, malformed.
    """
    code = " ".join(half_width(text[:40]).upper().split())
    if country in _INWARD:
        packed = code.replace(" ", "").replace("-", "")
        code = f"{packed[: -_INWARD[country]]}{'-' if country == 'JP' else ' '}{packed[-_INWARD[country] :]}"
    pattern = _POSTCODES.get(country or "")
    if pattern is not None and not pattern.fullmatch(code):
        return None
    return code[:20] or None


def split_chinese_address(text: str) -> ChineseAddress | None:
    """Province, city, district, street and postcode of a Chinese address; None if it has no Chinese
    characters.

    Provinces and cities are recognised by the administrative divisions of GB/T 2260, with or without 省/市; a
    city alone gives its province, and the four municipalities are province and city at once.
    """
    if not has_han(text):
        return None
    rest = _LEADING.sub("", simplify(unicodedata.normalize("NFKC", text[:MAX_TEXT])).strip())
    rest, postcode = _take_postcode(rest)
    province, rest = _take(leading_province(rest), rest)
    city, rest = _take(leading_city(rest, province), rest)
    if not province and not city and (unknown := _UNKNOWN_CITY.match(rest)):
        city, rest = unknown.group(), rest[unknown.end() :]
    if city and not province:
        province = province_of(city)
    if not city and province in MUNICIPALITIES:
        city = province
    district = _DISTRICT.match(rest)
    if district:
        rest = rest[district.end() :].lstrip(" ,")
    return ChineseAddress(province, city, district.group() if district else "", rest, postcode)


def _take_postcode(text: str) -> tuple[str, str]:
    found = _POSTCODE.search(text)
    if found is None:
        return text, ""
    return (text[: found.start()] + text[found.end() :]).strip(" ,"), found.group(1) or found.group(2)


def _take(found: Found, text: str) -> tuple[str, str]:
    name, length = found
    return name, text[length:].lstrip(" ,")


def latin_address(text: str) -> str | None:
    """The address in Latin letters for foreign readers (pinyin for Chinese, accents kept off); None without
    letters.
    """
    return latin_text(text[:MAX_TEXT]) or None
