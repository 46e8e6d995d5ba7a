"""Making one file: every customer of a single snapshot, with the token from which the change feed goes on.

Whoever takes the file and then the changes after its token holds an equal copy of the master: both are read in the
same snapshot of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection

from sync.database import Database
from sync.exporting.files import Growing, appearing
from sync.exporting.reading import Source
from sync.exporting.request import Request
from sync.exporting.writing import writer_for
from sync.feed import tokens

MOST_LACKING = 20
CACHE = -4096
"""In units of PRAGMA cache_size: kilobytes, negative."""

Told = Callable[[int, int | None], None]
"""Is told after each page how many customers are written, and of how many. What it raises ends the export."""


class Exported(NamedTuple):
    """What was written. ``replaced``: how many characters the encoding lacked; ``lacking``: the first of them."""

    records: int
    bytes: int
    sha256: str
    token: str
    replaced: int = 0
    lacking: str = ""

    def details(self, request: Request) -> dict[str, Any]:
        """For the audit log."""
        said: dict[str, Any] = {"format": request.format.value, "filters": request.filters, "masked": request.masked}
        if request.fields is not None:
            said["fields"] = list(request.fields)
        return {**said, "records": self.records, "sha256": self.sha256}


def make(
    database: Database,
    request: Request,
    path: Path,
    *,
    replace: bool = False,
    told: Told = lambda _done, _of: None,
    before_naming: Callable[[Exported], None] = lambda _made: None,
) -> Exported:
    """Write the file; it appears under its name when it is whole and ``before_naming`` has returned.

    Raises Refused, CannotWrite, NotFound for an unknown connection, and whatever the callbacks raise.
    """
    with appearing(path, replace=replace) as file:
        made = _written(database, request, file, told)
        before_naming(made)
    return made


@contextmanager
def _small_cache(connection: Connection) -> Iterator[None]:
    """Everything is read once: SQLite need not keep it (64 MB otherwise)."""
    if connection.dialect.name != "sqlite":
        yield
        return
    before = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql(f"PRAGMA cache_size = {CACHE}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size = {before}")


def _written(database: Database, request: Request, file: Growing, told: Told) -> Exported:
    writer, records = writer_for(request, file), 0
    with database.reading() as connection, _small_cache(connection):
        source, token = Source(connection, request), tokens.encode(tokens.now(connection))
        expected = source.expected()
        told(0, expected)
        for rows in source.pages():
            writer.write(rows)
            records += len(rows)
            told(records, expected)
    writer.finish()
    lacking = writer.lacking
    sample = "".join(letter for letter, _count in lacking.most_common(MOST_LACKING))
    return Exported(records, file.bytes, file.sha256, token, lacking.total(), sample)
