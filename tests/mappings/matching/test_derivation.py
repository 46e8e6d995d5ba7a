"""Features and keys are stored: when the program makes others, masters must know, and derive all anew."""

from __future__ import annotations

import hashlib

import orjson

from mappings.contract import Canonical, Matcher
from mappings.fingerprint import DERIVATION
from mappings.matching.cautious import cautious_model
from mappings.matching.probabilistic import FellegiSunterMatcher
from mappings.matching.rules import RuleMatcher

CUSTOMERS: list[Canonical] = [
    {"kind": "person", "name": "Ann B. Lee", "emails": [{"value": "Ann.Lee+shop@gmail.com"}]},
    {"kind": "person", "name": "张伟", "phones": [{"value": "+8613912345678"}], "birth_date": "1980-02-29"},
    {"kind": "person", "name": "Zhang Wei", "phones": [{"value": "+8613912345678", "verified": True}]},
    {
        "kind": "person",
        "name": "諸葛 孔明",
        "addresses": [{"street": "天河路385号", "city": "广州市", "country": "CN"}],
    },
    {"kind": "person", "given_name": "Jürgen", "family_name": "Müller-Lüdenscheidt", "birth_date": "1971-11-03"},
    {"kind": "person", "emails": [{"value": "info@example.com"}]},
    {"kind": "person", "name": "J. Smith", "identifiers": [{"scheme": "loyalty", "value": "A-77"}]},
    {"kind": "organisation", "name": "深圳市腾讯计算机系统有限公司", "phones": [{"value": "+8675586013388"}]},
    {"kind": "organisation", "name": "Acme GmbH & Co. KG", "website": "https://www.acme.example/de"},
    {"kind": "organisation", "legal_name": "南洋贸易有限公司广州分公司", "trading_name": "Nanyang Trading Co., Ltd."},
    {
        "kind": "organisation",
        "name": "ACME Ltd",
        "identifiers": [{"scheme": "gb.vat", "value": "GB980780684", "valid": True}],
        "addresses": [{"street": "10 Downing St.", "city": "London", "postcode": "SW1A 2AA", "country": "GB"}],
    },
]

DIGESTS = {1: "215d24be8e9bd86a", 2: "dd899dd8d14eb60d"}
"""What each value of ``DERIVATION`` stood for."""


def digest(matchers: list[Matcher]) -> str:
    """One hash over the features and keys of all customers by all matchers."""
    found = []
    for matcher in matchers:
        for customer in CUSTOMERS:
            features = matcher.features(customer)
            found.append([features, sorted(matcher.keys(features))])
    return hashlib.blake2b(orjson.dumps(found), digest_size=8).hexdigest()


def test_who_changes_features_or_keys_says_so() -> None:
    shipped = FellegiSunterMatcher(cautious_model("person"), cautious_model("organisation"))
    assert digest([RuleMatcher(), shipped]) == DIGESTS[DERIVATION], (
        "features or keys of the same customers come out differently: "
        "raise mappings.fingerprint.DERIVATION and write the new digest down"
    )
