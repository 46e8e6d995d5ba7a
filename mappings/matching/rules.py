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
    """The deterministic rules behind the ``mappings.contract.Matcher`` interface. Learns nothing; holds no
    state.
    """

    version = "rules-1"

    def features(self, customer: Canonical) -> Features:
        """The comparison features of one customer (see ``mappings.matching.evidence``)."""
        return features_of(customer)

    def keys(self, features: Features) -> list[int]:
        """Hashes of what records can be recognised by. A contact that many may share counts with a word of
        the name only, so that 200 companies behind one switchboard are not compared with each other.
        """
        kind, bare = features[KIND], features[BARE]
        texts = [kind + value for value in features[IDS]]
        named = None
        for contact in features[CONTACTS]:
            if contact in bare:
                texts.append(kind + contact)
                if contact[0] == "e":  # whether a mailbox is shared shows in the address: both sides agree on it
                    continue
            if named is None:
                named = _anchors(features[FORMS])
            for anchor in named:
                texts.append(f"{kind}{contact} {anchor}")
        return list(dict.fromkeys(map(_hash, texts)))

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


def _hash(text: str) -> int:
    """xxh3 as a signed 64-bit integer, as databases store it."""
    number = xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))
    return number - _RANGE if number >= _SIGN else number
