"""Which value survives when several source records are one customer, and why.

A golden record is a pure function of its sources, the rules and the steward's pins; the order of the
sources does not matter. "Most recent" goes by the source's own change stamp, never by arrival; missing
stamps come last, ties go to the source of better priority, then to the senior record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import orjson

from mappings.contract import Canonical, RecordKey, seniority
from mappings.customer import Customer
from mappings.errors import SpecError
from mappings.uniting import DICTS, LISTS, Source, instant, is_validated, united, united_map

Rule = Literal["most_recent", "source_priority", "most_complete", "most_frequent", "longest", "validated_first"]
"""How a field's value is chosen among the sources that have one; every tie is broken by ``most_recent``.

- most_recent: the latest ``source_changed_at``
- source_priority: the connection of the best priority
- most_complete: the record with the most fields
- most_frequent: the value that most sources have (upper and lower case count as one)
- longest: the value with the most characters
- validated_first: a record with a valid identifier or a verified contact; in lists, such entries come first
"""

__all__ = ["FIELDS", "Choice", "Rule", "RunnerUp", "Source", "SurvivorshipRules", "explain", "golden", "merged"]

FIELDS = tuple(Customer.model_fields)
GROUPS: dict[str, tuple[str, ...]] = {
    "name": ("name", "given_name", "family_name", "native_name", "latin_name"),
    "credit_limit": ("credit_limit", "currency"),
}
"""Fields that make sense only together: taken from one source, under the rule of the leading field."""
EXTREMES: dict[str, Callable[[Iterable[datetime]], datetime]] = {
    "source_created_at": min,
    "source_changed_at": max,
    "last_contact_at": max,
}
_FOLLOWERS = {follower: leader for leader, group in GROUPS.items() for follower in group[1:]}
_SPECIAL = frozenset({f for g in GROUPS.values() for f in g} | set(LISTS) | set(DICTS) | set(EXTREMES))
_VALUE_RULES = ("most_frequent", "longest")


@dataclass(frozen=True)
class SurvivorshipRules:
    """The rule for every field: ``fields`` where it differs from ``default``. Raises ``SpecError`` for
    unknown ones.
    """

    default: Rule = "most_recent"
    fields: Mapping[str, Rule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rule in {"default": self.default, **self.fields}.items():
            if rule not in get_args(Rule):
                raise SpecError(
                    "survivorship rule {rule} of {field} is unknown; known are {known}",
                    rule=rule,
                    field=name,
                    known=", ".join(get_args(Rule)),
                )
        for name in self.fields:
            if name not in FIELDS or name in EXTREMES or name in _FOLLOWERS:
                raise SpecError(
                    "{field} has no survivorship rule of its own; fields that have one are {known}",
                    field=name,
                    known=", ".join(self.ruled_fields()),
                )

    @staticmethod
    def ruled_fields() -> list[str]:
        """The fields that a rule can be given for; the others follow one of these, or are the earliest or
        latest.
        """
        return [name for name in FIELDS if name not in EXTREMES and name not in _FOLLOWERS]

    def rule(self, name: str) -> Rule:
        """The rule for a field (or, for a field that is taken together with others, for its leading field)."""
        return self.fields.get(_FOLLOWERS.get(name, name), self.default)

    @cached_property
    def chosen_alone(self) -> frozenset[str]:
        """Single-valued fields that are not simply the default ranking's best source's."""
        value_rule = self.default in _VALUE_RULES
        return frozenset(name for name in self.ruled_fields() if value_rule or name in self.fields) - _SPECIAL


class RunnerUp(NamedTuple):
    """The value that would have survived without the winner, and whose it is."""

    value: Any
    source: RecordKey


class Choice(NamedTuple):
    """Why a golden field has its value.

    ``source`` is the record it came from (None: pinned, or united from several); ``rule`` is a ``Rule``,
    "pinned", "united", "earliest" or "latest"; ``sources`` has, for each entry of a united list (for maps:
    in the order of the keys), the records that have the entry.
    """

    value: Any
    source: RecordKey | None
    rule: str
    runner_up: RunnerUp | None = None
    sources: tuple[tuple[RecordKey, ...], ...] = ()


def golden(
    members: Sequence[Source], rules: SurvivorshipRules, pins: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The golden record of a customer's source records (at least one), in the shape of the canonical
    customer.

    The record of a single source is its canonical customer as it is. A pinned field has the steward's value
    (None: the field stays empty). ``organisation`` refers to a record of the source that it came from (see
    ``explain``).
    """
    result = dict(members[0].customer) if len(members) == 1 else merged(members, rules)
    for name, value in (pins or {}).items():
        result.pop(name, None)
        if value is not None:
            result[name] = value
    return result


def merged(members: Sequence[Source], rules: SurvivorshipRules) -> dict[str, Any]:
    """The general path of ``golden``, without pins; for one source it gives the same as the short path."""
    ranking = _Ranking(members)
    result: dict[str, Any] = {}
    for source in reversed(ranking.by(rules.default)):
        result.update(source.customer)
    for name in result.keys() & rules.chosen_alone:
        result[name] = _winner(ranking, rules, name).customer[name]
    for leader, group in GROUPS.items():
        if not result.keys().isdisjoint(group):
            _merge_group(result, ranking, rules, leader)
    _merge_lists(result, ranking, rules)
    for name in result.keys() & EXTREMES.keys():
        result[name] = _extreme(ranking, name).customer[name]
    return {name: result[name] for name in FIELDS if name in result}


def explain(
    members: Sequence[Source], rules: SurvivorshipRules, pins: Mapping[str, Any] | None = None
) -> dict[str, Choice]:
    """For each field of the golden record where its value came from, by which rule, and which value came
    second.
    """
    pins = pins or {}
    values = golden(members, rules, pins)
    ranking = _Ranking(members)
    return {
        name: _pinned(values, ranking, rules, name) if name in pins else _choice(values[name], ranking, rules, name)
        for name in FIELDS
        if name in values
    }


class _Ranking:
    """The sources in the order of each rule, best first; worked out when asked for."""

    def __init__(self, members: Sequence[Source]) -> None:
        stamped = [(instant(s.customer.get("source_changed_at")), s) for s in members]
        stamped.sort(key=lambda item: (item[1].priority, seniority(item[1].key)))
        stamped.sort(key=lambda item: item[0], reverse=True)  # stable: ties keep priority and seniority
        self._by: dict[str, list[Source]] = {"most_recent": [s for _, s in stamped]}

    def by(self, rule: str) -> list[Source]:
        """The sources, best first; rules that look at a single value rank sources by recency."""
        if rule in _VALUE_RULES:
            rule = "most_recent"
        if rule not in self._by:
            self._by[rule] = sorted(self._by["most_recent"], key=_RANKS[rule])
        return self._by[rule]

    def holding(self, rule: str, name: str) -> list[Source]:
        """The sources that have the field, in the order of the rule applied to that field, best first."""
        holders = [s for s in self.by(rule) if name in s.customer]
        if rule == "longest":
            holders.sort(key=lambda s: -len(str(s.customer[name])))
        elif rule == "most_frequent" and len(holders) > 2:
            counts = Counter(_folded(s.customer[name]) for s in holders)
            holders.sort(key=lambda s: -counts[_folded(s.customer[name])])
        return holders


_RANKS: dict[str, Callable[[Source], Any]] = {
    "source_priority": lambda source: source.priority,
    "most_complete": lambda source: -len(source.customer),
    "validated_first": lambda source: not _has_validated(source.customer),
}


def _winner(ranking: _Ranking, rules: SurvivorshipRules, name: str) -> Source:
    return ranking.holding(rules.rule(name), name)[0]


def _merge_group(result: dict[str, Any], ranking: _Ranking, rules: SurvivorshipRules, leader: str) -> None:
    taken = _group_values(ranking, rules, leader)
    for name in GROUPS[leader]:
        if name in taken:
            result[name] = taken[name][0]
        else:
            result.pop(name, None)


def _merge_lists(result: dict[str, Any], ranking: _Ranking, rules: SurvivorshipRules) -> None:
    for name in LISTS:
        if name in result:
            result[name] = [entry for entry, _ in _list_of(ranking, rules, name)]
    for name in DICTS:
        if name in result:
            result[name] = {key: value for key, (value, _) in united_map(ranking.by(rules.rule(name)), name).items()}


def _group_values(ranking: _Ranking, rules: SurvivorshipRules, leader: str) -> dict[str, tuple[Any, Source]]:
    """The group's fields of the winning source; gaps are filled by sources that agree on every field they
    share.
    """
    taken: dict[str, tuple[Any, Source]] = {}
    for source in _group_order(ranking, rules, leader):
        customer = source.customer
        gaps = [name for name in GROUPS[leader] if name in customer and name not in taken]
        if gaps and (not taken or _agrees(customer, taken)):
            taken |= {name: (customer[name], source) for name in gaps}
    return taken


def _agrees(customer: Canonical, taken: Mapping[str, tuple[Any, Source]]) -> bool:
    """Whether the customer has some of the values taken and contradicts none."""
    shared = [(customer[name], value) for name, (value, _) in taken.items() if name in customer]
    return bool(shared) and all(one == other or _folded(one) == _folded(other) for one, other in shared)


def _group_order(ranking: _Ranking, rules: SurvivorshipRules, leader: str) -> list[Source]:
    rule = rules.rule(leader)
    leading = ranking.holding(rule, leader)
    rest = [s for s in ranking.by(rule) if leader not in s.customer]
    return leading + rest


def _list_of(ranking: _Ranking, rules: SurvivorshipRules, name: str) -> list[tuple[Any, list[RecordKey]]]:
    rule = rules.rule(name)
    return united(ranking.by(rule), name, validated_first=rule == "validated_first")


def _extreme(ranking: _Ranking, name: str) -> Source:
    holders = ranking.holding("most_recent", name)
    instants = [instant(s.customer[name]) for s in holders]
    return holders[instants.index(EXTREMES[name](instants))]


def _choice(value: Any, ranking: _Ranking, rules: SurvivorshipRules, name: str) -> Choice:
    if name in LISTS:
        entries = _list_of(ranking, rules, name)
        return Choice(value, None, "united", sources=tuple(tuple(keys) for _, keys in entries))
    if name in DICTS:
        maps = united_map(ranking.by(rules.rule(name)), name)
        return Choice(value, None, "united", sources=tuple(tuple(maps[key][1]) for key in sorted(value)))
    if name in EXTREMES:
        rule = "earliest" if EXTREMES[name] is min else "latest"
        return Choice(value, _extreme(ranking, name).key, rule)
    winner, holders = _scalar_sources(ranking, rules, name)
    return Choice(value, winner.key, rules.rule(name), _runner_up(value, holders, name))


def _scalar_sources(ranking: _Ranking, rules: SurvivorshipRules, name: str) -> tuple[Source, list[Source]]:
    """The source whose value survived, and all that have one, best first."""
    leader = name if name in GROUPS else _FOLLOWERS.get(name)
    if leader is None:
        holders = ranking.holding(rules.rule(name), name)
        return holders[0], holders
    order = [s for s in _group_order(ranking, rules, leader) if name in s.customer]
    return _group_values(ranking, rules, leader)[name][1], order


def _runner_up(value: Any, holders: Sequence[Source], name: str) -> RunnerUp | None:
    """The best value that differs from the survivor."""
    for source in holders:
        if source.customer[name] != value:
            return RunnerUp(source.customer[name], source.key)
    return None


def _pinned(values: Canonical, ranking: _Ranking, rules: SurvivorshipRules, name: str) -> Choice:
    holders = ranking.holding(rules.rule(name), name)
    return Choice(values[name], None, "pinned", _runner_up(values[name], holders, name))


def _has_validated(customer: Canonical) -> bool:
    return any(is_validated(e) for name in ("identifiers", "emails", "phones") for e in customer.get(name, ()))


def _folded(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.casefold().split())
    return value if isinstance(value, int | float | bool) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
