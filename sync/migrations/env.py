"""What Alembic runs: on the connection it is handed, or offline to print the SQL."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import DateTime

from sync.schema import metadata


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """How a new revision writes our own column types: as the database type, so that old revisions never change."""
    is_instant = kind == "type" and isinstance(getattr(item, "impl", None), DateTime)
    return "sa.DateTime(timezone=True)" if is_instant else False


def run() -> None:
    """Configure and run the migrations of this call."""
    attributes = context.config.attributes
    if context.is_offline_mode():
        url = attributes["url"].render_as_string(hide_password=False)
        context.configure(url=url, target_metadata=metadata, literal_binds=True)
    else:
        connection = attributes["connection"]
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_item=render,
            render_as_batch=connection.dialect.name == "sqlite",
            transactional_ddl=True,
        )
    with context.begin_transaction():
        context.run_migrations()


run()
