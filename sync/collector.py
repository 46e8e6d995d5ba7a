"""How often Python looks for cyclic garbage.

Landing a page makes thousands of tuples and dicts that are freed by counting references; by default the collector
walks through them, and through all that was imported, every 700 of them, in vain (measured: an eighth of a first load).
"""

from __future__ import annotations

import atexit
import gc
import os

YOUNG, MIDDLE, OLD = 200_000, 50, 100
"""New objects before the youngest are looked at, and how often that happens before the older ones are."""
WHILE_LOADING = 500_000
"""The same for the youngest until ``settle``: what is imported is not to be looked at while more is imported."""
_PYDANTIC = "PYDANTIC_DISABLE_PLUGINS"
"""Pydantic looks for plugins of its own in every installed distribution (4 ms); none of ours has any."""


def begin() -> None:
    """Call first of all. At the end of the process the system takes all memory back: nothing is looked at then."""
    gc.set_threshold(WHILE_LOADING, MIDDLE, OLD)
    os.environ.setdefault(_PYDANTIC, "__all__")
    atexit.register(gc.freeze)


def settle() -> None:
    """Call once a process is set up: what lives now stays for good, and new objects are looked at less often."""
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    gc.freeze()
