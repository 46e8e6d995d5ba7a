"""The page that names the tests which prove the connectors names tests that exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "connectors-proofs.md"


@cache
def defined() -> frozenset[str]:
    """The names of all tests of connectors."""
    folders = (ROOT / "tests" / "connectors", ROOT / "connectors" / "conformance")
    texts = (path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))
    return frozenset(name for text in texts for name in re.findall(r"def (test_\w+)", text))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))))
def test_a_test_that_is_named_is_there(name: str) -> None:
    assert name in defined()
