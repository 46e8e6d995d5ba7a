"""Promise: after a crash at most one page is fetched again, counted where the requests arrive.

Not counted is the sample of 50 records by which a full read learns what fields a stream has, each time it is opened.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from sqlalchemy import update

from benchmarks.sync.api import Handler, Store
from benchmarks.sync.project import WHOLE, write_project
from sync.database import Database
from sync.runs.tables import lease
from sync.schema import metadata

pytestmark = pytest.mark.slow
RECORDS, PAGE = 230, 40
ROOT = Path(__file__).parents[2]

WORK = """
import sys
from sync.project import Project
from sync.runs import requests
from tests.promises import company
from sync.runs.workspace import Pace
project = Project.load(sys.argv[1])
with project.database.transaction() as connection:
    project.register(connection)
    requests.request_run(connection, requests.find_stream(connection, "api", "customers").id)
company.finish_open_runs(project, pace=Pace())
company.settle(project)
"""


class Counting(Handler):
    """The API; notes the offsets of the pages it is asked for, and kills whoever asks when it was asked so often."""

    asked: list[int]
    client: subprocess.Popen[bytes] | None = None
    kill_at = 0

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        is_page = int(query["limit"]) == PAGE
        if is_page:
            self.asked.append(int(query.get("offset", 0)))
        if is_page and self.kill_at == len(self.asked) and self.client is not None:
            self.client.kill()
            self.client.wait()
        try:
            super().do_GET()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


class Source:
    """The running API and a project that reads it; ``work`` syncs everything in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.handler: Any = type("Bound", (Counting,), {"asked": [], "store": Store(RECORDS)})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.folder, self.url = folder, f"sqlite:///{folder}/kehu.db"
        write_project(folder, f"http://127.0.0.1:{self.server.server_port}", self.url, WHOLE)
        file = folder / "kehu.yaml"
        file.write_text(
            file.read_text().replace("mapping: customers.yaml", f"mapping: customers.yaml, page_size: {PAGE}")
        )
        database = Database(self.url)
        metadata.create_all(database.engine)
        database.dispose()

    def work(self, failpoint: str = "", kill_at: int = 0) -> int:
        """One process to its end, or until it is killed; answers its exit status."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"KEHU_FAILPOINT": failpoint} if failpoint else {})
        process = subprocess.Popen([sys.executable, "-c", WORK, str(self.folder)], env=environment)
        self.handler.client, self.handler.kill_at = process, kill_at
        code = process.wait(timeout=60)
        self._let_leases_run_out()
        return code

    def _let_leases_run_out(self) -> None:
        """Of the dead, at once: while anybody lives they are long, so that a slow machine loses none."""
        database = Database(self.url)
        with database.transaction() as connection:
            connection.execute(update(lease).values(expires_at=0.0))
        database.dispose()

    def stored(self) -> dict[str, Any]:
        """The raw bodies in the database by key."""
        database = Database(self.url)
        with database.reading() as connection:
            rows = connection.exec_driver_sql("SELECT source_id, raw FROM source_record").all()
        database.dispose()
        return {key: orjson.loads(raw) for key, raw in rows}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    made = Source(tmp_path)
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """The offsets that a run asks for which nobody kills."""
    source = Source(tmp_path_factory.mktemp("undisturbed"))
    assert source.work() == 0
    source.server.shutdown()
    assert len(source.handler.asked) >= RECORDS // PAGE
    return list(source.handler.asked)


def at_most_one_page_more(source: Source, undisturbed: list[int]) -> None:
    asked = source.handler.asked
    assert len(undisturbed) <= len(asked) <= len(undisturbed) + 1, asked
    assert len(source.stored()) == RECORDS
    assert list(source.stored().values()) == sorted(source.handler.store.rows, key=lambda row: str(row["id"]))


@pytest.mark.parametrize("name", ["checkpoint:after", "commit:before", "commit:after", "resolve:before"])
def test_a_run_killed_at_its_third_page_fetches_at_most_one_page_again(
    name: str, source: Source, undisturbed: list[int]
) -> None:
    assert source.work(failpoint=f"{name}:3") == -signal.SIGKILL
    assert source.work() == 0
    at_most_one_page_more(source, undisturbed)


def test_a_run_killed_while_it_waits_for_a_page_fetches_only_that_page_again(
    source: Source, undisturbed: list[int]
) -> None:
    assert source.work(kill_at=4) == -signal.SIGKILL
    assert len(source.handler.asked) == 4
    assert source.work() == 0
    at_most_one_page_more(source, undisturbed)
