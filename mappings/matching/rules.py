"""Matching by deterministic rules: proof, not probability. For first runs and for data with official numbers.

Two records are one customer if they share a valid official number, or a contact (email, phone, unchecked
number) under an agreeing name; a nameless record joins the only owner of its mailbox. Different tax
numbers, or a different given name together with a different date of birth, forbid it whatever else agrees.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xxhash import xxh3_64_intdigest

from mappings.contract import Canonical, Decision, Evidence, Features, Member
from mappings.matching.evidence import (
    BARE,
    CONTACTS,
    FORMS,
    IDS,
    KIND,
    NATIVES,
    features_of,
    pair_evidence,
    veto,
)
from mappings.matching.linking import customers_of
from mappings.matching.names import anchors, names_agree

_SIGN, _RANGE = 1 << 63, 1 << 64


class RuleMatcher:
    """The deterministic rules behind the ``mappings.contract.Matcher`` interface. Learns nothing.

    Keys of crowded blocks (``without_blocks``) are replaced by the whole name with the contact, so that of a crowd
    behind one contact only those with equal names meet.
    """

    version = "rules-1"

    def __init__(self, without: frozenset[int] = frozenset()) -> None:
        self._without = without

    def features(self, customer: Canonical) -> Features:
        """The comparison features of one customer (see ``mappings.matching.evidence``)."""
        return features_of(customer)

    def keys(self, features: Features) -> list[int]:
        """Hashes of what records can be recognised by. A contact that many may share counts with a word of
        the name only, so that 200 companies behind one switchboard are not compared with each other.
        """
        keys = self._coarse_keys(features)
        if not self._without or self._without.isdisjoint(keys):
            return keys
        kept = [key for key in keys if key not in self._without]
        return list(dict.fromkeys([*kept, *(_proof(text) for text in _whole_names(features))]))

    def without_blocks(self, keys: frozenset[int]) -> RuleMatcher:
        """The same rules with finer keys than these."""
        return RuleMatcher(keys)

    def is_proof(self, key: int) -> bool:
        """Whether records that share the key are one customer by that alone, but for a veto: proof keys are odd."""
        return bool(key & 1)

    def block(self, features: Features, key: int) -> tuple[str, str]:
        """What a key of a record asks, and the value."""
        for value in features[IDS]:
            if _proof(features[KIND] + value) == key:
                return "number", value
        for text in _whole_names(features):
            if _proof(text) == key:
                return "contact", text[1:]
        for contact in features[CONTACTS]:
            texts = [contact, *(f"{contact} {anchor}" for anchor in _anchors(features[FORMS]))]
            if any(_hash(features[KIND] + text) == key for text in texts):
                return "contact", contact
        return "", ""

    def _coarse_keys(self, features: Features) -> list[int]:
        kind, bare, named = features[KIND], features[BARE], None
        texts: list[str] = []
        for contact in features[CONTACTS]:
            if contact in bare:
                texts.append(kind + contact)
                if contact[0] == "e":  # whether a mailbox is shared shows in the address: both sides agree on it
                    continue
            if named is None:
                named = _anchors(features[FORMS])
            for anchor in named:
                texts.append(f"{kind}{contact} {anchor}")
        keys = dict.fromkeys([_proof(kind + value) for value in features[IDS]])
        try:
            for text in texts:  # as ``_hash`` does
                number = xxh3_64_intdigest(text.encode()) & -2
                keys[number - _RANGE if number >= _SIGN else number] = None
        except UnicodeEncodeError:
            keys.update(dict.fromkeys(map(_hash, texts)))
        return list(keys)

    def compare(self, left: Features, right: Features) -> Evidence | None:
        """The strongest rule that holds, the veto that forbids it, or None. Symmetric."""
        return pair_evidence(left, right)

    def cluster(self, members: Sequence[Member], decisions: Sequence[Decision]) -> list[list[int]]:
        """The customers among the members: a pure function of keys, features and decisions."""
        return customers_of(members, decisions)

    def explain(self, left: Features, right: Features) -> dict[str, Any]:
        """Rule and weight, the names as compared and their agreement, the shared values, and a veto if
        there is one.
        """
        evidence, forbids = pair_evidence(left, right), veto(left, right)
        agreement = names_agree(left[FORMS], left[NATIVES], right[FORMS], right[NATIVES])
        return {
            "rule": evidence.rule if evidence else None,
            "weight": evidence.weight if evidence else 0.0,
            "same_kind": left[KIND] == right[KIND],
            "names": {"left": left[FORMS], "right": right[FORMS], "agreement": agreement.name.lower()},
            "shared_identifiers": sorted(set(left[IDS]) & set(right[IDS])),
            "shared_contacts": sorted(set(left[CONTACTS]) & set(right[CONTACTS])),
            "veto": forbids.rule if forbids else None,
        }


def _anchors(forms: Sequence[str]) -> Iterable[str]:
    return anchors(forms[0]) if len(forms) == 1 else {anchor for form in forms for anchor in anchors(form)}


def _whole_names(features: Features) -> list[str]:
    return [f"{features[KIND]}{contact} ={form}" for contact in features[CONTACTS] for form in features[FORMS]]


def _proof(text: str) -> int:
    return _hash(text) | 1


def _hash(text: str) -> int:
    """xxh3 as a signed 64-bit integer, as databases store it; even, unlike proof keys."""
    number = xxh3_64_intdigest(text.encode("utf-8", "surrogatepass")) & -2
    return number - _RANGE if number >= _SIGN else number
