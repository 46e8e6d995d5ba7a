"""``python -m benchmarks.export``: exports of 100,000 customers (``--rows``), each in a process of its own.

Rows are made by SQL: golden records of some 700 bytes, one source record each. Stated are customers a second of wall
and of our CPU, and the peak of resident memory of the exporting process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from sync import migrations
from sync.database import Database
from sync.exporting import making
from sync.exporting.request import Encoding, Format, Request
from tests.services import postgres

FORMATS = (
    ("ndjson", Request()),
    ("ndjson, masked", Request(masked=True)),
    ("csv, utf-8", Request(Format.CSV)),
    ("csv, gbk", Request(Format.CSV, Encoding.GBK)),
    ("parquet", Request(Format.PARQUET)),
)
GOLDEN = """
    '{"kind":"person","name":"张伟 ' || n || '","native_name":"张伟","latin_name":"Zhang Wei","given_name":"伟",
    "family_name":"张","identifiers":[{"scheme":"erp.number","value":"' || n || '"}],
    "emails":[{"value":"zhang' || n || '@example.com","label":"work","verified":true},
    {"value":"wei' || n || '@mail.example.cn"}],"phones":[{"value":"+86138' || (10000000 + n) || '","label":"mobile"}],
    "addresses":[{"label":"billing","country":"CN","region":"上海市","city":"上海市","district":"黄浦区",
    "street":"南京东路 ' || n || ' 号","postcode":"200001"}],"status":"active","currency":"CNY",
    "credit_limit":"10000.00","owner":"李娜","language":"zh","tags":["vip","c' || (n & 63) || '"],
    "source_changed_at":"2026-05-01T00:00:00Z"}'
    """.replace("\n    ", "").strip()
SPREAD = "((((n * 2654435761) & 1048575) << 40) | n)"
PAGE = 100_000


def main() -> None:
    """Fill a database, then export it in every format."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.export")
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    arguments.add_argument("--formats", nargs="*", default=[name for name, _request in FORMATS])
    arguments.add_argument("--worker", nargs=3, metavar=("URL", "FORMAT", "FILE"))
    given = arguments.parse_args()
    if given.worker:
        _export(*given.worker)
        return
    with tempfile.TemporaryDirectory() as folder, Server(given.database, folder) as url:
        database = Database(url)
        migrations.migrate(database)
        fill(database, given.rows)
        database.dispose()
        print(f"{given.rows:,} customers, {given.database}")
        for name in given.formats:
            command = [
                sys.executable,
                "-m",
                "benchmarks.export",
                "--worker",
                url,
                name,
                f"{folder}/{given.database}.out",
            ]
            subprocess.run(command, check=True)


class Server:
    """A database that is thrown away."""

    def __init__(self, kind: str, folder: str) -> None:
        self._server = postgres({"fsync": "on"}) if kind == "postgresql" else nullcontext()
        self._folder = folder

    def __enter__(self) -> str:
        server = self._server.__enter__()
        if server is None:
            return f"sqlite:///{self._folder}/kehu.db"
        self._database = server.database()
        return self._database.__enter__()

    def __exit__(self, *details: object) -> None:
        self._server.__exit__(*details)  # type: ignore[arg-type]


def fill(database: Database, rows: int) -> None:
    """Customers, each of one source record; ids spread over all numbers, as hashes are."""
    moment = "timestamptz '2026-05-01'" if database.is_postgres else "'2026-05-01 00:00:00.000000'"
    with database.transaction() as connection:
        for statement in (
            f"INSERT INTO connection (id, name, connector, created_at) VALUES (1, 'erp', 'x', {moment})",
            "INSERT INTO stream_state (id, connection_id, name) VALUES (1, 1, 'customers')",
            f"INSERT INTO counter (name, value) VALUES ('change', {rows})",
        ):
            connection.exec_driver_sql(statement)
    for first in range(1, rows + 1, PAGE):
        series = _series(database, first, min(rows, first + PAGE - 1))
        with database.transaction() as connection:
            for statement in (
                "INSERT INTO customer (id, version, status, kind, name, golden, members, changed_at) "
                f"SELECT {SPREAD}, 1, 'active', 'person', '张伟 ' || n, {GOLDEN}, 1, {moment} FROM {series}",
                "INSERT INTO source_record (id, stream_id, source_id, part, version, landed_at) "
                f"SELECT n, 1, 'C' || n, '', 1, {moment} FROM {series}",
                f"INSERT INTO crosswalk (record_id, customer_id, version) SELECT n, {SPREAD}, 1 FROM {series}",
            ):
                connection.exec_driver_sql(statement)
    with database.engine.connect() as connection:
        outside = connection.execution_options(isolation_level="AUTOCOMMIT")
        outside.exec_driver_sql("VACUUM ANALYZE" if database.is_postgres else "ANALYZE")


def _series(database: Database, first: int, last: int) -> str:
    if database.is_postgres:
        return f"(SELECT generate_series(CAST({first} AS bigint), {last}) AS n) s"
    numbers = f"VALUES({first}) UNION ALL SELECT n + 1 FROM s WHERE n < {last}"
    return f"(WITH RECURSIVE s(n) AS ({numbers}) SELECT n FROM s) s"


def _export(url: str, name: str, file: str) -> None:
    """One measurement, printed as a line."""
    began, cpu = time.perf_counter(), time.process_time()
    made = making.make(Database(url), dict(FORMATS)[name], Path(file), replace=True)
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    peak = _peak_megabytes()
    rate, ours = made.records / took, made.records / spent
    print(
        f"{name:16} {made.records:>9,} customers {rate:>9,.0f}/s wall {ours:>9,.0f}/s CPU  peak {peak:>4.0f} MB  "
        f"file {made.bytes / 1e6:,.0f} MB  load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def _peak_megabytes() -> float:
    """Of this process alone; getrusage would count the process that started it, too."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
