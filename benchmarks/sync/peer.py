"""The peer: dlt, merging into PostgreSQL by primary key with its csv loader (its fastest).

``PYTHON -m benchmarks.sync.peer API POSTGRES FOLDER`` under a Python that has ``dlt[postgres]`` and ``psycopg2``.
The same folder again is an incremental run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any


def main(api: str, url: str, folder: str) -> None:
    """One pipeline run."""
    import dlt
    import requests

    session = requests.Session()

    @dlt.resource(primary_key="id", write_disposition="merge", max_table_nesting=0)
    def customers(
        updated_at: Any = dlt.sources.incremental("updated_at", initial_value=""),  # noqa: B008 - dlt's way
    ) -> Iterator[Any]:
        offset, since = 0, updated_at.last_value
        while True:
            params = {"limit": 1000, "offset": offset, "updated_since": since}
            rows = session.get(f"{api}/customers", params=params, timeout=60).json()["customers"]
            if not rows:
                return
            yield rows
            offset += len(rows)

    credentials = url.replace("+psycopg", "").replace("postgres@", "postgres:unused@")  # dlt wants a password
    pipeline = dlt.pipeline(
        "bench", pipelines_dir=folder, dataset_name="peer", destination=dlt.destinations.postgres(credentials)
    )
    pipeline.run(customers(), loader_file_format="csv")


if __name__ == "__main__":
    main(*sys.argv[1:])
