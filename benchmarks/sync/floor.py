"""The floor: ``python -m benchmarks.sync.floor API POSTGRES``.

The least that any loader must do: request pages, parse them, COPY each to a staging table, one INSERT … ON CONFLICT
a page. No cursor, no hash, no retry, no mapping, no matching.
"""

from __future__ import annotations

import sys

import orjson
import psycopg
import requests


def main(api: str, url: str) -> None:
    """Load everything once."""
    session = requests.Session()
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS floor (id text PRIMARY KEY, raw json)")
        connection.execute("CREATE TEMP TABLE staging (id text, raw json) ON COMMIT DELETE ROWS")
        connection.commit()
        offset = 0
        while True:
            page = session.get(f"{api}/customers", params={"limit": "1000", "offset": str(offset)}, timeout=60)
            rows = orjson.loads(page.content)["customers"]
            if not rows:
                return
            with connection.cursor() as cursor:
                with cursor.copy("COPY staging FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row((row["id"], orjson.dumps(row).decode()))
                cursor.execute(
                    "INSERT INTO floor SELECT id, raw FROM staging ON CONFLICT (id) DO UPDATE SET raw = excluded.raw"
                )
            connection.commit()
            offset += len(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
