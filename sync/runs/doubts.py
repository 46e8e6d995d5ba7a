"""Records that a full read met and could not identify: any of them may be one that it seems not to have seen."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from sync.runs.tables import seen_page

UNIDENTIFIED = "(unidentified)"
"""``seen_page.partition`` of the rows that count them: the page is how many there are so far."""


def add(connection: Connection, stream_id: int, generation: int, records: int) -> None:
    """Remember, with the page they were on, records that a full read met and could not identify."""
    if records:
        page = count(connection, stream_id, generation) + records
        row = {"stream_id": stream_id, "generation": generation, "partition": UNIDENTIFIED, "page": page}
        connection.execute(insert(seen_page).values(**row, record_ids=b""))


def count(connection: Connection, stream_id: int, generation: int) -> int:
    """How many records the full read could not identify: any of them may be one that it did not see."""
    here = (seen_page.c.stream_id == stream_id) & (seen_page.c.generation == generation)
    most = select(func.coalesce(func.max(seen_page.c.page), 0)).where(here, seen_page.c.partition == UNIDENTIFIED)
    return int(connection.execute(most).scalar_one())
