"""Names of organisations taken apart: region, brand, trade, legal form (深圳市 · 腾讯 · 计算机系统 · 有限公司; Acme ·
GmbH & Co. KG).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from mappings.normalise.divisions import latin_places, leading_city, leading_province
from mappings.normalise.placeholders import is_placeholder_text
from mappings.normalise.scripts import fold, half_width, has_han, is_han, pinyin, simplify
from mappings.normalise.vocabulary import words

MAX_TEXT = 300
_CHINESE_FORMS = words(
    """
    集团股份有限公司 集团有限责任公司 集团有限公司 集团公司
    股份有限公司 有限责任公司 股份公司 有限公司 总公司 公司 集团
    有限合伙企业 普通合伙企业 特殊普通合伙企业 有限合伙 普通合伙
    合伙企业 个人独资企业 事务所 工作室 经营部 营业部 门市部 服务部
    商行 商店 商场 超市 专卖店 旗舰店 分店 总店 厂 店 行 社 部
    """
)
_BRANCHES = ("分公司", "办事处", "分厂", "分部", "事业部")
_BRANCH = re.compile(r"^(.*?(?:公司|厂|集团))(.{1,20}?(?:分公司|办事处|分厂|分部|事业部))$")
_WHOLE = re.compile(r"(?:公司|厂|集团|\(集团\))$")
_SITE_NUMBER = re.compile(
    r"(?:\s#\s?|\b(?:store|branch|shop|outlet|location)\s(?:no\.?\s)?#?)(\d{1,5})\b", re.IGNORECASE
)
_SITE_PLACE = re.compile(r"\s\(([^()]{2,30})\)\s*$")
_NO_BRANCH = words("formerly former fka dba aka old new inactive closed duplicate do not use test uk usa us eu china")
_TRADES = words(
    """
    计算机系统 计算机 电子商务 电子科技 电子技术 网络科技 网络技术 信息技术 信息科技 信息系统
    软件开发 软件 科技发展 科技 技术开发 技术服务 技术 国际贸易 贸易 商贸 进出口 外贸 经贸 工贸
    实业发展 实业 投资管理 投资控股 投资 控股 企业管理 管理咨询 咨询服务 咨询 文化传媒 文化传播
    文化 传媒 广告 物流 供应链管理 供应链 货运代理 国际货运 货运 运输 餐饮管理 餐饮 食品 饮料
    酒店管理 酒店 服饰 服装 纺织 针织 鞋业 家具 家居 建材 装饰工程 装饰 建筑工程 建筑 建设
    工程 房地产开发 房地产 置业 物业管理 物业 机械设备 机械制造 机械 机电设备 机电 设备 电器
    电气 电子 电力 能源 新能源 化工 化学 塑料 塑胶 橡胶 五金制品 五金 金属制品 金属 钢铁 制品
    制造 工业 产业 发展 医疗器械 医疗 医药 药业 生物科技 生物技术 生物 环保 教育科技 教育 培训
    旅游 汽车 农业 包装 印刷 印务 玩具 工艺品 日用品 化妆品 珠宝 光电 半导体 通信技术 通信
    通讯 自动化 仪器 仪表 模具 服务 集团 连锁 销售 国际
    """
)
_LATIN_FORMS = words(
    """
    gmbh mbh co company cie kg kgaa ag se ug ohg gbr ev eg ek ltd limited llc llp lp inc
    incorporated corp corporation plc sa sas sasu sarl eurl sci snc srl spa sapa ss srls bv nv vof
    cv oy oyj ab as asa aps hf ehf pty pte sdn bhd pvt private public kk yk gk kft zrt nyrt sro
    spol doo dd ad ead ood eood sl slu slp sc sca ltda eireli sab tbk pt cv jsc ojsc pjsc oao zao
    ooo pao sp zoo spzoo dac clg cic trust foundation
    """
)
_LATIN_JOINERS = words("and und et y e of the de mit")
_SPELT_OUT = re.compile(r"\b[a-z](?: [a-z]\b)+")
_LATIN_TRADES = words(
    """
    international intl trading trade traders technology technologies tech technical group holding
    holdings solutions services service systems system industries industry industrial import export
    imports exports impex enterprise enterprises global worldwide logistics consulting consultants
    computer computers electronics electronic electric electrical software manufacturing mfg
    products production engineering equipment machinery network networks information development
    investment investments management partners associates handel handels handelsgesellschaft
    vertrieb vertriebs technik dienstleistungen beteiligungs verwaltungs science scientific digital
    media commerce ecommerce business
    """
)


def _by_end(suffixes: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """The suffixes by their last character, longest first."""
    found: dict[str, list[str]] = {}
    for suffix in sorted(suffixes, key=len, reverse=True):
        found.setdefault(suffix[-1], []).append(suffix)
    return {end: tuple(same) for end, same in found.items()}


_FORMS_BY_END, _TRADES_BY_END = _by_end(_CHINESE_FORMS), _by_end(_TRADES)
_BRACKETS = re.compile(r"\(([^()]{1,20})\)")


class OrganisationName(NamedTuple):
    """The parts of a name, folded: Chinese parts simplified, Latin parts lower-case ASCII words. "" where
    missing.
    """

    region: str
    brand: str
    trade: str
    legal_form: str


@lru_cache(maxsize=16384)
def split_organisation_name(text: str) -> OrganisationName | None:
    """The parts of an organisation's name; None for placeholders, empty and over-long text. ``brand`` is
    never empty.
    """
    if len(text) > MAX_TEXT or is_placeholder_text(text):
        return None
    if has_han(text):
        return _split_chinese(simplify(half_width(text)).replace(" ", ""))
    return _split_latin(text)


def brand_key(text: str) -> str:
    """The brand in joined ASCII letters, the same in both scripts: 腾讯 and "Tengxun" → tengxun; "" if there
    is none.
    """
    parts = split_organisation_name(text)
    if parts is None:
        return ""
    return latin_brand(parts)


def latin_brand(parts: OrganisationName) -> str:
    """The joined ASCII form of ``parts.brand``."""
    brand = parts.brand
    return "".join(pinyin(brand)) if is_han(brand) else fold(brand).replace(" ", "")


@lru_cache(maxsize=16384)
def branch_of(text: str) -> str | None:
    """Which branch of its company a name says: "苏州分公司", "leeds" of "Smith Foods (Leeds)", "7" of "Smith Foods #7".

    "" for a whole name with its legal form and no branch; None where the name leaves it open.
    """
    if len(text) > MAX_TEXT or is_placeholder_text(text):
        return None
    if has_han(text):
        name = simplify(half_width(text)).replace(" ", "")
        found = _named_branch(name)
        return found.replace("市", "") if found else "" if _WHOLE.search(name) else None
    name, branch = _cut_latin_branch(text)
    if branch:
        return branch
    parts = _split_latin(name)
    return "" if parts is not None and parts.legal_form else None


def _named_branch(name: str) -> str:
    """The branch at the end of a Chinese name, with the place before it: also where the legal form is left out."""
    if not name.endswith(_BRANCHES):
        return ""
    found = _BRANCH.match(name)
    if found:
        return found.group(2)
    kind = next(kind for kind in _BRANCHES if name.endswith(kind))
    head = name[: -len(kind)]
    for length in range(min(4, len(head) - 2), 1, -1):
        place = head[-length:]
        if leading_city(place).length == length or leading_province(place).length == length:
            return place + kind
    return ""


def _cut_latin_branch(text: str) -> tuple[str, str]:
    """The name without a number or a place behind it that tells one site of a company from others, and that."""
    found = _SITE_NUMBER.search(text)
    if found:
        return text[: found.start()] + text[found.end() :], found.group(1).lstrip("0") or "0"
    found = _SITE_PLACE.search(text)
    if found is None:
        return text, ""
    place = fold(found.group(1))
    words = set(place.split())
    if not words or len(words) > 3 or words & (_LATIN_FORMS | _LATIN_TRADES | _NO_BRANCH):
        return text, ""
    return text[: found.start()], place


def _split_chinese(name: str) -> OrganisationName:
    name, branch = _cut_branch(name)
    name, bracketed = _cut_region_in_brackets(name)
    region, rest = _cut_region(name)
    legal = _suffix(rest, _FORMS_BY_END)
    middle = rest[: len(rest) - len(legal)]
    brand, trade = _cut_trade(middle)
    return OrganisationName(region or bracketed, brand, trade, legal + branch)


def _cut_branch(name: str) -> tuple[str, str]:
    branch = _named_branch(name)
    return (name[: -len(branch)], branch) if branch else (name, "")


def _cut_region_in_brackets(name: str) -> tuple[str, str]:
    """腾讯科技(深圳)有限公司 → 腾讯科技有限公司, 深圳; brackets that hold no place are taken off with their text."""
    if "(" not in name:
        return name, ""
    regions: list[str] = []

    def keep(found: re.Match[str]) -> str:
        place = found.group(1)
        if place == "中国" or leading_city(place).name or leading_province(place).name:
            regions.append(place)
        return ""

    bare = _BRACKETS.sub(keep, name)
    return (bare, regions[0] if regions else "") if len(bare) > 1 else (re.sub(r"[()]", "", name), "")


def _cut_region(name: str) -> tuple[str, str]:
    start = 2 if name.startswith("中国") and len(name) > 4 else 0
    for find in (leading_province, leading_city):
        length = find(name[start:]).length
        if length and len(name) - start - length >= 2:
            start += length
    county = re.match(r"[一-鿿]{1,3}(?:区|县)(?=.{4})", name[start:]) if start else None
    start += county.end() if county else 0
    return name[:start], name[start:]


def _cut_trade(middle: str) -> tuple[str, str]:
    brand = middle
    while found := _suffix(brand, _TRADES_BY_END):
        brand = brand[: -len(found)]
    return brand, middle[len(brand) :]


def _suffix(text: str, suffixes: Mapping[str, Sequence[str]]) -> str:
    """The longest of ``suffixes`` that ends the text and leaves two characters before it; "" if none does."""
    for suffix in suffixes.get(text[-1:], ()):
        if text.endswith(suffix) and len(text) - len(suffix) >= 2:
            return suffix
    return ""


def _split_latin(text: str) -> OrganisationName | None:
    words = _latin_words(_cut_latin_branch(text)[0])
    if not words:
        return None
    end = len(words)
    while end > 1 and (words[end - 1] in _LATIN_FORMS or words[end - 1] in _LATIN_JOINERS):
        end -= 1
    kept, form = words[:end], words[end:]
    while len(kept) > 1 and kept[0] in ("the", "pt", "ooo", "oao", "zao", "firma"):
        kept = kept[1:]
    return _latin_parts(kept, [w for w in form if w in _LATIN_FORMS])


def _latin_parts(words: list[str], form: list[str]) -> OrganisationName:
    region, rest = [], list(words)
    while len(rest) > 1 and rest[0] in latin_places():
        region.append(rest.pop(0))
    at = len(rest)
    while at > 1 and (rest[at - 1] in _LATIN_TRADES or rest[at - 1] in _LATIN_JOINERS or rest[at - 1] in _LATIN_FORMS):
        at -= 1
    while at > 1 and not region and rest[at - 1] in latin_places():
        at -= 1
        region.append(rest[at])
    return OrganisationName(" ".join(region), " ".join(rest[:at]), " ".join(rest[at:]), " ".join(form))


def _latin_words(text: str) -> list[str]:
    folded = fold(text.replace("&", " and ") if "&" in text else text)
    if " " in folded:
        folded = _SPELT_OUT.sub(lambda found: found.group().replace(" ", ""), folded)  # "g m b h" → "gmbh"
    return folded.split()


def organisation_tokens(text: str) -> tuple[str, ...]:
    """Brand and trade as sorted ASCII words (Chinese brands joined: tengxun), for agreement across
    spellings.
    """
    parts = split_organisation_name(text)
    if parts is None:
        return ()
    if has_han(parts.brand):
        return tuple(sorted({latin_brand(parts), *(["".join(pinyin(parts.trade))] if parts.trade else [])}))
    return tuple(sorted({*parts.brand.split(), *parts.trade.split()}))
