"""Every module that declares a table is known to migrations and backups; how the embedded database is set up."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import text

from sync.database import Database

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


def test_sqlite_carries_its_write_ahead_log_over_in_large_parts(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/kehu.db")
    with database.reading() as connection:
        pages = connection.execute(text("PRAGMA wal_autocheckpoint")).scalar_one()
    database.dispose()
    assert pages == 16_000
