"""Chinese surnames and pinyin syllables: what is needed to recognise a Chinese name in Latin letters."""

from __future__ import annotations

from functools import lru_cache

from mappings.normalise.vocabulary import words

COMPOUND = words(
    """
    欧阳 司马 上官 诸葛 夏侯 皇甫 尉迟 公孙 慕容 令狐 司徒 司空 长孙 宇文 端木 东方
    独孤 南宫 万俟 闻人 公羊 澹台 公冶 宗政 濮阳 淳于 单于 太叔 申屠 钟离 鲜于 闾丘
    亓官 巫马 呼延 东郭 南门 羊舌 西门 百里 轩辕 拓跋 第五 纳兰
    """
)
"""Surnames of two characters (simplified)."""

READINGS = {
    "单": "shan", "曾": "zeng", "仇": "qiu", "区": "ou", "解": "xie", "查": "zha", "朴": "piao", "任": "ren",
    "盖": "ge", "员": "yun", "尉迟": "yuchi", "万俟": "moqi", "长孙": "zhangsun", "澹台": "tantai", "单于": "chanyu",
    "华": "hua", "翟": "zhai", "洗": "xian", "冼": "xian", "覃": "qin", "召": "shao", "黑": "he",
    "折": "she", "种": "chong", "秘": "bi", "贲": "ben", "乐": "yue", "缪": "miao", "燕": "yan", "宁": "ning",
    "尹": "yin", "俞": "yu", "葛": "ge", "隗": "wei", "句": "gou", "应": "ying", "牟": "mu", "邵": "shao",
    "吕": "lu", "重": "chong", "藏": "zang", "车": "che", "阚": "kan", "郗": "xi", "繁": "po", "逄": "pang",
    "宓": "mi", "晟": "cheng", "令狐": "linghu", "亓官": "qiguan", "鲜于": "xianyu", "那": "na", "柏": "bai",
    "厦": "xia", "薄": "bo", "谌": "chen", "夏侯": "xiahou", "沈": "shen", "石": "shi", "贾": "jia", "行": "xing",
}  # fmt: skip
"""Readings of characters as surnames where they are ambiguous (the National Standard for surnames, GB/T
28039).
"""

SURNAMES = words(
    """
    li wang zhang liu chen yang zhao huang zhou wu xu sun hu zhu gao lin he guo ma luo liang song
    zheng xie han tang feng yu dong xiao cheng cao yuan deng fu shen zeng peng lu su jiang cai jia
    ding wei xue ye yan pan du dai xia zhong tian ren fan fang shi yao tan liao zou xiong jin hao
    kong bai cui kang mao qiu qin gu hou shao meng long wan duan lei qian yin qi niu lai gong wen
    pang shan bao ning mo ou hua lan xing tong mi ji zhan yi ge lou tao tu bi nie jiao xi rao ke
    ruan pei miao ru shu chu che fei tai ai chai ouyang zhuge sima shangguan situ yuchi huangfu
    murong linghu zha zhuo mu piao min keng guan sheng rong lian leng le la qu pu ping ni na mei man
    lv lyu kuang jing ju jian ken sha shang bian bo chang chi cen an ao ba yue yun zang zhai zhen
    zhi zhuang zuo xin xian weng wo wanyan tuo teng sui
    """
)
"""Surnames in pinyin, the commonest few hundred."""

_FINALS = {
    "b": "a ai an ang ao ei en eng i ian iao ie in ing o u",
    "p": "a ai an ang ao ei en eng i ian iao ie in ing o ou u",
    "m": "a ai an ang ao e ei en eng i ian iao ie in ing iu o ou u",
    "f": "a an ang ei en eng o ou u",
    "d": "a ai an ang ao e ei en eng i ia ian iao ie ing iu ong ou u uan ui un uo",
    "t": "a ai an ang ao e eng i ian iao ie ing ong ou u uan ui un uo",
    "n": "a ai an ang ao e ei en eng i ian iang iao ie in ing iu ong ou u uan uo v ve ue",
    "l": "a ai an ang ao e ei eng i ia ian iang iao ie in ing iu o ong ou u uan un uo v ve ue yu",
    "g": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "k": "a ai an ang ao e en eng ong ou u ua uai uan uang ui un uo",
    "h": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "j": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "q": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "x": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "zh": "a ai an ang ao e ei en eng i ong ou u ua uai uan uang ui un uo",
    "ch": "a ai an ang ao e en eng i ong ou u ua uai uan uang ui un uo",
    "sh": "a ai an ang ao e ei en eng i ou u ua uai uan uang ui un uo",
    "r": "an ang ao e en eng i ong ou u ua uan ui un uo",
    "z": "a ai an ang ao e ei en eng i ong ou u uan ui un uo",
    "c": "a ai an ang ao e en eng i ong ou u uan ui un uo",
    "s": "a ai an ang ao e en eng i ong ou u uan ui un uo",
    "y": "a an ang ao e i in ing o ong ou u uan ue un",
    "w": "a ai an ang ao ei en eng o u",
}  # fmt: skip
SYLLABLES = frozenset(i + f for i, finals in _FINALS.items() for f in finals.split()) | {
    "a",
    "ai",
    "an",
    "ang",
    "ao",
    "e",
    "en",
    "er",
    "ou",
}
"""All syllables of Hanyu Pinyin without tones (ü as v, u or yu)."""

_SAME = {"lv": "lu", "lyu": "lu", "nv": "nu", "nyu": "nu", "lve": "lue", "nve": "nue"}
_MAX_WORD = 24
_LONGEST = max(map(len, SYLLABLES))


def is_pinyin(word: str) -> bool:
    """Whether the whole folded word can be read as pinyin syllables."""
    return bool(syllables(word))


@lru_cache(maxsize=16384)
def syllables(word: str) -> tuple[str, ...]:
    """The word cut into pinyin syllables, longest first with backing up; () if it is no pinyin. ü becomes
    u.
    """
    if not word or len(word) > _MAX_WORD:
        return ()
    return _cut(word, before_vowels=False) or _cut(word, before_vowels=True)


def _cut(word: str, before_vowels: bool) -> tuple[str, ...]:
    """Longest syllables first; a cut before a vowel is written with an apostrophe (xi'an), so it is the
    last resort.
    """
    for length in range(min(_LONGEST, len(word)), 0, -1):
        head, tail = word[:length], word[length:]
        if head not in SYLLABLES or (tail and tail[0] in "aeo" and not before_vowels):
            continue
        rest = _cut(tail, before_vowels) if tail else ()
        if rest or not tail:
            return (_SAME.get(head, head), *rest)
    return ()
