"""Every module that declares a table is known to migrations and backups."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_module_with_tables_is_forgotten() -> None:
    known = set(re.findall(r"^import (sync[\w.]+)", (ROOT / "sync" / "schema.py").read_text(), re.MULTILINE))
    declaring = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "sync").rglob("*.py")
        if re.search(r"^\w+ = Table\($", path.read_text(), re.MULTILINE)
    }
    assert len(declaring) > 8
    assert declaring == known
