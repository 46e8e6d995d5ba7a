"""What tests of the command line share."""

from __future__ import annotations

import pytest

from sync import language


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine's language is, commands speak English."""
    monkeypatch.setenv("KEHU_LANG", "en")
    language.use("en")
