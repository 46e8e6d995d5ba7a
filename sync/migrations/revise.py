"""For developers: write a new revision from the difference between the tables and an up-to-date database.

python -m sync.migrations.revise "add the webhook tables"

Read what it wrote: sequences, data and renamed columns are not found by comparing, and are written by hand.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.util.exc import CommandError

from sync import migrations
from sync.database import Database


def revise(message: str) -> None:
    """Migrate an empty SQLite database to the newest revision, then write down what the tables have beyond it."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'revise.db'}")
        config = migrations._config()
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        if any(migrations.FOLDER.glob("versions/*.py")):
            migrations.migrate(database)
        number = len(list(migrations.FOLDER.glob("versions/[0-9]*.py"))) + 1
        with database.transaction() as connection:
            config.attributes["connection"] = connection
            command.revision(config, message=message, autogenerate=True, rev_id=f"{number:04d}")
        database.dispose()


if __name__ == "__main__":
    try:
        revise(" ".join(sys.argv[1:]) or "unnamed")
    except CommandError as error:
        sys.exit(str(error))
