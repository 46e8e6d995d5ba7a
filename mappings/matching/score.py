"""The weight of a pair under a match model: log2 of the odds that two records are one customer.

weight = log2(λ / (1 − λ)) + Σ over comparisons of log2(m / u) of the first level that holds, plus, for
levels with term frequencies, tf_weight · (log2 u_exact − log2 max(tf_left, tf_right, minimum u)). The null
level weighs nothing. This is Splink's formula (Linacre et al., 2022, after Fellegi and Sunter, 1969); tests
hold the two equal to 1e-9.

Relatives. The formula knows matches and strangers only, so that a family's four members, with one surname,
address, phone and mailbox, look like one person. A third class of pairs, relatives, agrees on what
relatives have in common (``COMMON``) as often as matches do, and on the rest as seldom as strangers. With η
the share of such pairs, the odds against a match grow from 1 to 1 + η · 2^C, C being the weight of the
common fields: weight' = weight − log2(1 + η · 2^C). So the common fields together never say more than
log2(1 / η). For organisations the same holds of branches and neighbours in one house.

A few relatives agree on one thing more: namesakes (father and son) on the given name, twins on the birth date. With τ
the share of each, every such comparison (``SELDOM``) of weight w makes relatives 1 + τ · 2^w times likelier:
weight' = weight − log2(1 + η · 2^(C + K)), K = Σ log2(1 + τ · 2^w).

Sites. Branches, subsidiaries and franchises of one company are a class of their own: they agree on name, phone and
mailbox (``OF_SITES``) as often as matches do, on the address as seldom as strangers. With S the weight of these fields
and σ the share of such pairs the odds against a match grow by σ · 2^S besides:
weight' = weight − log2(1 + η · 2^(C + K) + σ · 2^S).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any, NamedTuple

from mappings.matching.model import Comparison, Kind, Level, MatchModel
from mappings.matching.sql import Row, Term
from mappings.matching.sql_functions import jaro_winkler_similarity, levenshtein, list_intersect

_REMEMBERED = 20_000
_ROUNDING = 1e-9
LIST_COLUMNS = frozenset({"emails", "phones", "words"})
"""Columns that hold several values."""
_PLAIN = (
    re.compile(r'"(\w+)_l" IS NULL OR "\1_r" IS NULL'),
    re.compile(r'"(\w+)_l" = "\1_r"'),
)
"""Null levels and exact levels as Splink's library writes them: answered without walking the condition."""


class Step(NamedTuple):
    """One bar of the waterfall: the comparison, the level that held, its weight and its term-frequency
    adjustment.
    """

    comparison: str
    level: str
    weight: float
    adjustment: float


class Parts(NamedTuple):
    """The sum of the weights of a pair's own fields and of those that relatives have in common, without the
    prior; ``kin``: how much likelier relatives are for being namesakes or twins; ``site``: the sum of what sites of one
    company have in common.
    """

    own: float
    common: float
    kin: float
    site: float


COMMON: dict[Kind, frozenset[str]] = {
    "person": frozenset({"family", "email", "phone", "street", "city", "postcode"}),
    "organisation": frozenset({"street", "city", "postcode", "phone", "email"}),
}
"""Comparisons that relatives agree on."""
SELDOM: dict[Kind, tuple[str, ...]] = {"person": ("given", "birth"), "organisation": ()}
"""Comparisons that a few relatives agree on: namesakes, twins."""

OF_SITES: dict[Kind, frozenset[str]] = {
    "person": frozenset(),
    "organisation": frozenset({"name", "phone", "email"}),
}
"""Comparisons that sites of one company agree on."""


class Scorer:
    """Scores pairs of records (sequences of the model's columns)."""

    def __init__(self, model: MatchModel) -> None:
        self._model = model
        common, site = COMMON[model.kind], OF_SITES[model.kind]
        flat = [_flattened(c, s, model) for c, s in zip(model.comparisons, model.settings["comparisons"], strict=True)]
        self._own = [_evaluator(c, model) for c in flat if c.name not in common]
        seldom = SELDOM[model.kind] if model.alike else ()
        own = [c.name for c in flat if c.name not in common]
        self._seldom = [place for place, name in enumerate(own) if name in seldom]
        self._own_of_sites = [place for place, name in enumerate(own) if name in site]
        self._common = [(_evaluator(c, model), c.name in site) for c in flat if c.name in common]
        self._prior = model.prior
        self._steps = sorted((_bounded(c, model) for c in flat), key=lambda step: -step.worth)

    def weight_from(self, left: Row, right: Row, least: float) -> float | None:
        """The pair's total weight; None if it is below ``least``, which most pairs of strangers show early on.

        Begins with what each comparison can weigh at most, told from which columns are known and equal, and puts the
        weights in one by one, those first that may take most away for the work they are.
        """
        most, open_steps = self._prior, []
        for step in self._steps:
            nothing = step.nothing
            if nothing >= 0:
                one, other = left[nothing], right[nothing]
                if one is None or other is None:
                    continue
                bound = step.exact if one == other else step.rest
            else:
                bound = step.exact
            most += bound
            open_steps.append((step, bound))
        for step, bound in open_steps:
            if most < least - _ROUNDING:
                return None
            most += step.evaluate(left, right) - bound
        if most < least - _ROUNDING:
            return None
        weight = self.weight(left, right)
        return weight if weight >= least else None

    def weight(self, left: Row, right: Row) -> float:
        """The pair's total weight. Symmetric for models with symmetric conditions, as all of Splink's
        library are.
        """
        own, common, kin, site = self.parts(left, right)
        return self._prior + own + common - taken_off(self._model, common + kin, site)

    def parts(self, left: Row, right: Row) -> Parts:
        """The weights of own and of common fields."""
        own = common = kin = site = 0.0
        weights = [evaluate(left, right) for evaluate in self._own]
        for weight in weights:
            own += weight
        for place in self._own_of_sites:
            site += weights[place]
        for evaluate, of_sites in self._common:
            weight = evaluate(left, right)
            common += weight
            if of_sites:
                site += weight
        for place in self._seldom:
            kin += likeness(self._model.alike, weights[place])
        return Parts(own, common, kin, site)

    def waterfall(self, left: Row, right: Row) -> list[Step]:
        """What every comparison contributes, and what relatives take off; with the prior they add up to the
        weight.
        """
        steps = [_step(c, self._model, left, right) for c in self._model.comparisons]
        if self._model.related or self._model.sites:
            _own, common, kin, site = self.parts(left, right)
            steps.append(Step("relatives", "may be relatives", -taken_off(self._model, common + kin, site), 0.0))
        return steps

    @property
    def prior(self) -> float:
        """log2 of the odds that two random records are one customer."""
        return self._prior


def taken_off(model: MatchModel, common: float, site: float) -> float:
    """What the chance that the two are relatives or sites of one company takes off, in log2. ``common``: the weight of
    what relatives have in common, with what namesakes and twins add; ``site``: of what sites have in common.
    """
    if not model.related and not model.sites:
        return 0.0
    odds = model.related * 2.0 ** min(common, 200.0)
    if model.sites:
        odds += model.sites * 2.0 ** min(site, 200.0)
    return math.log2(1 + odds)


def likeness(alike: float, weight: float) -> float:
    """How much likelier relatives are, in log2, for a comparison of that weight which a share of them agrees on."""
    return math.log2(1 + alike * 2.0 ** min(weight, 200.0))


def level_of(comparison: Comparison, left: Row, right: Row) -> int:
    """The index of the first level that holds."""
    for index, level in enumerate(comparison.levels):
        if level.condition is None or level.condition(left, right):
            return index
    return len(comparison.levels) - 1


def _step(comparison: Comparison, model: MatchModel, left: Row, right: Row) -> Step:
    level = comparison.levels[level_of(comparison, left, right)]
    return Step(comparison.name, level.label, level.weight, _adjustment(level, model, left, right))


def _evaluator(comparison: Comparison, model: MatchModel) -> Callable[[Row, Row], float]:
    """The comparison's weight, remembered by the values it looks at: names and places repeat all the time."""
    nothing, equal = _plain_columns(comparison, model)
    lists = any(model.columns[place] in LIST_COLUMNS for place in comparison.places)
    if lists:
        return _unremembered(comparison, model, nothing, equal)
    asked = _of_known(comparison, nothing)
    look = itemgetter(*comparison.places) if comparison.places else lambda row: None
    remembered: dict[Any, float] = {}

    def evaluate(left: Row, right: Row) -> float:
        if nothing >= 0 and (left[nothing] is None or right[nothing] is None):
            return 0.0
        values = (look(left), look(right))
        known = remembered.get(values)
        if known is None:
            if len(remembered) >= _REMEMBERED:
                remembered.clear()
            known = remembered[values] = _weight(asked, model, left, right)
        return known

    return evaluate


class _Bounded(NamedTuple):
    """A comparison with its greatest weight: at all (``exact``), and where the column ``nothing`` differs (``rest``).

    ``nothing`` is the column without which the comparison weighs nothing (-1: it cannot be told by one column);
    ``worth``: how much it may take away, for each level that is looked at.
    """

    nothing: int
    exact: float
    rest: float
    worth: float
    evaluate: Callable[[Row, Row], float]


def _bounded(comparison: Comparison, model: MatchModel) -> _Bounded:
    nothing, equal = _plain_columns(comparison, model)
    most = [0.0 if level.is_null else level.weight + _most_adjusted(level, model) for level in comparison.levels]
    exact = max(most)
    rest = max(most[2:]) if nothing >= 0 and equal == nothing else exact
    worth = (rest - min(most)) / len(comparison.levels)
    return _Bounded(nothing, exact, rest, worth, _evaluator(comparison, model))


def _most_adjusted(level: Level, model: MatchModel) -> float:
    """What the rarest value would add to a level."""
    rarest = min(model.term_frequencies.get(level.tf_column or "", {}).values(), default=0.0)
    if level.tf_column is None or level.tf_weight == 0 or rarest <= 0:
        return 0.0
    return max(0.0, level.tf_weight * (math.log2(level.exact_u) - math.log2(max(rarest, level.tf_minimum_u))))


def _flattened(comparison: Comparison, settings: Mapping[str, Any], model: MatchModel) -> Comparison:
    """The comparison with the commonest conditions of Splink's library as one function each, not a tree of them."""
    places = {name: place for place, name in enumerate(model.columns)}
    levels = []
    for level, data in zip(comparison.levels, settings["comparison_levels"], strict=True):
        made = None if level.condition is None else _flat(data["sql_condition"], places)
        levels.append(level if made is None else replace(level, condition=made))
    return replace(comparison, levels=tuple(levels))


def _flat(condition: str, places: Mapping[str, int]) -> Term | None:
    for pattern, make in _FLAT:
        found = pattern.fullmatch(condition)
        if found and found[1] in places:
            return make(places[found[1]], float(found[2]))
    return None


def _similar(place: int, least: float) -> Term:
    def similar(left: Row, right: Row) -> bool | None:
        one, other = left[place], right[place]
        return None if one is None or other is None else jaro_winkler_similarity(one, other) >= least

    return similar


def _near(place: int, most: float) -> Term:
    def near(left: Row, right: Row) -> bool | None:
        one, other = left[place], right[place]
        return None if one is None or other is None else levenshtein(one, other) <= most

    return near


def _overlapping(place: int, least: float) -> Term:
    def overlapping(left: Row, right: Row) -> bool | None:
        one, other = left[place], right[place]
        if one is None or other is None:
            return None
        if len(one) == len(other) == 1:
            return (one[0] is not None and one[0] == other[0]) >= least
        return len(list_intersect(one, other)) >= least

    return overlapping


def _near_mailbox(place: int, most: float) -> Term:
    def near(left: Row, right: Row) -> bool | None:
        one, other = left[place], right[place]
        if one is None or other is None:
            return None
        return levenshtein(one, other) <= most or one.partition("@")[0] == other.partition("@")[0]

    return near


_FLAT: tuple[tuple[re.Pattern[str], Callable[[int, float], Term]], ...] = (
    (re.compile(r'jaro_winkler_similarity\("(\w+)_l", "\1_r"\) >= ([\d.]+)'), _similar),
    (re.compile(r'levenshtein\("(\w+)_l", "\1_r"\) <= (\d+)'), _near),
    (
        re.compile(
            r'levenshtein\("(\w+)_l", "\1_r"\) <= (\d+) OR '
            r"""regexp_extract\("\1_l", '\^\[\^@\]\+', 0\) = regexp_extract\("\1_r", '\^\[\^@\]\+', 0\)"""
        ),
        _near_mailbox,
    ),
    (re.compile(r'len\(list_intersect\("(\w+)_l", "\1_r"\)\) >= (\d+)'), _overlapping),
)


def _unremembered(comparison: Comparison, model: MatchModel, nothing: int, equal: int) -> Callable[[Row, Row], float]:
    """The same for a comparison of lists (several mailboxes), whose values hardly ever meet again."""
    asked = _of_known(comparison, nothing)

    def evaluate(left: Row, right: Row) -> float:
        if nothing >= 0:
            one, other = left[nothing], right[nothing]
            if one is None or other is None:
                return 0.0
            if one == other and equal == nothing:
                level = comparison.levels[1]
                return level.weight + _adjustment(level, model, left, right)
        return _weight(asked, model, left, right)

    return evaluate


def _of_known(comparison: Comparison, nothing: int) -> Comparison:
    """The comparison without its null level, where that asks for one column which is known to be there."""
    return replace(comparison, levels=comparison.levels[1:]) if nothing >= 0 else comparison


def _plain_columns(comparison: Comparison, model: MatchModel) -> tuple[int, int]:
    """The column that the null level asks for (-1: it asks more than that), and the one whose equality is the next
    level.
    """
    names = [c.name for c in model.comparisons]
    levels = model.settings["comparisons"][names.index(comparison.name)]["comparison_levels"]
    null, equal = (_PLAIN[n].fullmatch(levels[n]["sql_condition"]) for n in (0, 1))
    places = {name: place for place, name in enumerate(model.columns)}
    nothing = places.get(null[1], -1) if null and comparison.levels[0].is_null else -1
    return nothing, places.get(equal[1], -1) if equal else -1


def _weight(comparison: Comparison, model: MatchModel, left: Row, right: Row) -> float:
    level = comparison.levels[level_of(comparison, left, right)]
    return level.weight if level.tf_column is None else level.weight + _adjustment(level, model, left, right)


def _adjustment(level: Level, model: MatchModel, left: Row, right: Row) -> float:
    """0 where neither value has a known frequency (a value that the model was not frozen with)."""
    if level.tf_column is None or level.tf_weight == 0:
        return 0.0
    table = model.term_frequencies.get(level.tf_column, {})
    mine, theirs = table.get(left[level.tf_place]), table.get(right[level.tf_place])
    if mine is None and theirs is None:
        return 0.0
    frequency = max(mine or 0.0, theirs or 0.0, level.tf_minimum_u)
    return level.tf_weight * (math.log2(level.exact_u) - math.log2(frequency))
