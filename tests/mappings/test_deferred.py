"""A mapping made when the first record needs it maps as one made at once."""

from __future__ import annotations

import subprocess
import sys

from mappings.compile import compile_mapping
from mappings.deferred import DeferredMapping
from mappings.fingerprint import MappingDefaults
from mappings.spec import load_spec

TEXT = "customer: {kind: person, name: n, phones: p, addresses: [{city: a.city}]}"
RECORD = {"n": "Ida Novak", "p": "13800138001", "a": {"city": "Brno"}}


def test_a_deferred_mapping_maps_as_the_compiled_one() -> None:
    spec, defaults = load_spec(TEXT), MappingDefaults("CN", "UTC")
    compiled, deferred = compile_mapping(spec, defaults=defaults), DeferredMapping(spec, defaults)
    assert deferred.fingerprint == compiled.fingerprint
    assert deferred(RECORD) == compiled(RECORD)
    assert deferred.paths == compiled.paths == {"n", "p", "a.city"}


def test_what_maps_is_loaded_when_a_record_needs_it() -> None:
    code = f"""
import sys
from mappings.deferred import DeferredMapping
from mappings.fingerprint import MappingDefaults
from mappings.spec import load_spec
mapping = DeferredMapping(load_spec({TEXT!r}), MappingDefaults())
assert mapping.fingerprint and "phonenumbers" not in sys.modules
mapping({RECORD!r})
assert "phonenumbers" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
