"""All tables, whichever module declares them: what migrations compare with, and what backups hold.

A module with tables that is not named here fails ``tests/sync/test_schema.py``.
"""

from __future__ import annotations

import sync.alerts.tables
import sync.audit
import sync.delivery.tables
import sync.exporting.tables
import sync.idempotency
import sync.identity.tables
import sync.mapping_versions
import sync.master.search.tables
import sync.master.tables
import sync.monitoring.tables
import sync.privacy.tables
import sync.runs.tables
import sync.vault  # noqa: F401 - all of them fill the metadata
from sync.database import metadata

__all__ = ["metadata"]
