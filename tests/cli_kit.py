"""The command line called in the tests' own process."""

from __future__ import annotations

import pytest

from sync.cli import run


def kehu(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, what was printed as data, and what was said beside it."""
    code = run(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err
