"""How often Python looks for cyclic garbage.

Landing a page makes thousands of tuples and dicts that are freed by counting references; by default the collector
walks through them, and through all that was imported, every 700 of them, in vain (measured: an eighth of a first load).
"""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 20_000, 50, 100
"""New objects before the youngest are looked at, and how often that happens before the older ones are."""


def begin() -> None:
    """Call first of all: what is imported stays for good, and is not to be looked at while more is imported."""
    gc.set_threshold(YOUNG, MIDDLE, OLD)


def settle() -> None:
    """Call once a process is set up: what lives now stays for good, and new objects are looked at less often."""
    begin()
    gc.freeze()
