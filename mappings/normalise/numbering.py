"""The short cut for plain telephone numbers: numbering plans compiled from the phonenumbers library's
metadata.

It follows libphonenumber's ``parse`` and ``is_valid_number`` step by step for numbers made of digits and "
-.()" with at most a leading "+", and declines (None) as soon as anything would need the rest of the
library: carrier codes with transform rules, international prefixes, short or local numbers, invalid
numbers. Checked against the library by a fuzz test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata

_PUNCTUATION = str.maketrans("", "", " -.()")
_TYPES = [
    "mobile",
    "fixed_line",
    "toll_free",
    "voip",
    "shared_cost",
    "premium_rate",
    "uan",
    "personal_number",
    "pager",
    "voicemail",
]
_CODES = frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))
_Match = Any  # a bound `fullmatch` or `match` of a compiled pattern


class _Zone(NamedTuple):
    """One region sharing a calling code: how its numbers are told apart from those of its neighbours.

    ``types``: the patterns of its types of numbers by length; ``checks``: for the lengths that were met, all of them
    with the general pattern as one.
    """

    leading: _Match | None
    general: str
    types: Mapping[int, Sequence[str]]
    checks: dict[int, _Match]

    def holds(self, number: str) -> bool:
        """Whether ``number`` (national significant number) is a valid number of some type here."""
        check = self.checks.get(len(number)) or self._check(len(number))
        return check(number) is not None

    def _check(self, length: int) -> _Match:
        types = "|".join(self.types.get(length, ())) or "(?!)"
        self.checks[length] = re.compile(f"(?=(?:{self.general})\\Z)(?:{types})\\Z").match
        return self.checks[length]


class Plan(NamedTuple):
    """How a number dialled in one region is read; ``zones`` are all regions of its calling code, main
    region first.
    """

    code: str
    abroad: _Match
    trunk: _Match | None
    transforms: bool
    general: _Match
    lengths: frozenset[int]
    longest: int
    zones: tuple[_Zone, ...]


def plain_e164(text: str, region: str | None) -> str | None:
    """E.164 of a plain valid number, equal to the library's answer; None where the library has to decide."""
    digits = text if text.removeprefix("+").isdigit() else text.translate(_PUNCTUATION)
    if digits[:1] == "+":
        plan = _plan_at(digits[1:4])
        bare = digits[1:] if plan is None else digits[len(plan.code) + 1 :]
        return _national(bare, plan) if plan is not None and bare.isascii() and bare.isdigit() else None
    if region is None or not (digits.isascii() and digits.isdigit()):
        return None
    plan = plan_of_region(region)
    if plan is None or plan.abroad(digits) is not None or _may_hold_code(digits, plan):
        return None
    return _national(digits, plan)


@lru_cache(maxsize=512)
def plan_of_region(region: str) -> Plan | None:
    """The plan of an ISO 3166-1 alpha-2 region; None if the library does not know the region."""
    if region not in SUPPORTED_REGIONS:
        return None
    return _compile(PhoneMetadata.metadata_for_region(region))


@lru_cache(maxsize=1024)
def _plan_at(start: str) -> Plan | None:
    """The plan of an international number by its first three digits (calling codes are prefix-free)."""
    for length in (1, 2, 3):
        if start[:length] in _CODES:
            return plan_of_region(COUNTRY_CODE_TO_REGION_CODE[int(start[:length])][0])
    return None


def _may_hold_code(digits: str, plan: Plan) -> bool:
    """Whether the library might strip the region's own calling code from a number written without "+"."""
    if not digits.startswith(plan.code):
        return False
    return len(digits) > plan.longest or plan.general(digits) is None


def _national(digits: str, plan: Plan) -> str | None:
    number: str | None = digits
    if plan.trunk is not None and (found := plan.trunk(digits)) is not None:
        number = _without_trunk_prefix(digits, found, plan)
    if number is None or len(number) not in plan.lengths:
        return None
    valid = plan.zones[0].holds(number) if len(plan.zones) == 1 else _valid(number, plan.zones)
    return f"+{plan.code}{number}" if valid else None


def _without_trunk_prefix(digits: str, found: re.Match[str], plan: Plan) -> str | None:
    if plan.transforms and found.lastindex:
        return None
    rest: str = digits[found.end() :]
    if plan.general(digits) is not None and plan.general(rest) is None:
        return digits
    return rest if len(rest) in plan.lengths else None


def _valid(number: str, zones: tuple[_Zone, ...]) -> bool:
    """Libphonenumber's ``region_code_for_number`` followed by ``is_valid_number_for_region``."""
    for zone in zones:
        if zone.leading is not None:
            if zone.leading(number) is not None:
                return zone.holds(number)
        elif zone.holds(number):
            return True
    return False


def _compile(metadata: Any) -> Plan:
    regions = COUNTRY_CODE_TO_REGION_CODE[metadata.country_code]
    trunk = metadata.national_prefix_for_parsing
    lengths = frozenset(metadata.general_desc.possible_length)
    return Plan(
        code=str(metadata.country_code),
        abroad=re.compile(metadata.international_prefix or "(?!)").match,
        trunk=re.compile(trunk).match if trunk else None,
        transforms=metadata.national_prefix_transform_rule is not None,
        general=re.compile(metadata.general_desc.national_number_pattern).fullmatch,
        lengths=lengths,
        longest=max(lengths),
        zones=tuple(_zone(PhoneMetadata.metadata_for_region(region)) for region in regions),
    )


def _zone(metadata: Any) -> _Zone:
    descriptions = [d for name in _TYPES if (d := getattr(metadata, name)) and d.national_number_pattern]
    every_length = metadata.general_desc.possible_length
    types: dict[int, list[str]] = {length: [] for length in every_length}
    for description in descriptions:
        for length in types.keys() & (description.possible_length or every_length):
            types[length].append(description.national_number_pattern)
    return _Zone(
        leading=re.compile(metadata.leading_digits).match if metadata.leading_digits else None,
        general=metadata.general_desc.national_number_pattern,
        types=types,
        checks={},
    )
