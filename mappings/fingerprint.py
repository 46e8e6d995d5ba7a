"""What a mapping takes from its connection, and the fingerprint that changes whenever it could map differently."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import orjson

from mappings.language import MappingSpec
from mappings.targets import AttributeType

SEMANTICS = 3
"""Raise it whenever this package maps the same record differently: it is part of every fingerprint."""

DERIVATION = 2
"""Raise it whenever matching makes other features or keys of the same customer: masters then derive all anew.

``tests/mappings/matching/test_derivation.py`` notices.
"""

_LIBRARIES = ("phonenumbers", "python-stdnum", "opencc", "jsonata-rs", "google-re2")


@dataclass(frozen=True)
class MappingDefaults:
    """What a mapping takes from its connection: the region of phone numbers without country code, the zone of times
    without offset (IANA name), and the attributes declared in kehu.yaml with their types.
    """

    region: str = "CN"
    timezone: str = "UTC"
    attributes: Mapping[str, AttributeType] = field(default_factory=dict)


def fingerprint(spec: MappingSpec, defaults: MappingDefaults) -> str:
    """The fingerprint of a mapping under these defaults, with these versions of our own and of the libraries."""
    content = spec.model_dump(mode="json", exclude={"description"}, exclude_defaults=True)
    facts = [SEMANTICS, content, defaults.region, defaults.timezone, sorted(defaults.attributes.items())]
    facts.extend(version(library) for library in _LIBRARIES)
    return hashlib.blake2b(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()
