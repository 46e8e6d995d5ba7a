"""The change feed on PostgreSQL: lag from commit to waiting consumers, and 1,000 changes a second sustained.

Run ``python -m benchmarks.feed``. Writers commit real changes (PUBLISH's rows, counter included) in a process of their
own at a steady rate; the interface serves in another; consumers in a third, some by long polling, some by streams. The
lag of an event is the time from when its writer's commit returned to when the consumer has read it, on one clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from dashboard.app import create_app
from sync import migrations
from sync.access import Access
from sync.database import Database
from sync.feed import tokens
from sync.identity import keys, users
from sync.identity.permissions import Role
from sync.master.bulk import bulk_for
from sync.project import Project
from tests.services import postgres

REAL = {"fsync": "on", "full_page_writes": "on"}
GOLDEN = json.dumps(
    {"kind": "person", "name": "Zhang Wei", "emails": [{"value": "zhang@example.com"}], "pad": "x" * 400}
)
FEED = "/api/v1/changes"


def write(url: str, rate: int, batch: int, seconds: float, done: Any) -> None:
    """Commit ``rate`` changes a second in batches; answers when each batch was committed, and the numbers' ends."""
    database, committed = Database(url), []
    began, number = time.perf_counter(), 0
    while (due := began + number * batch / rate) < began + seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        with database.hot_transaction() as connection:
            bulk = bulk_for(connection)
            at = bulk.instant(datetime.now(UTC))
            seqs = bulk.numbers("change", batch)
            body = f'{{"set":{GOLDEN}}}'
            bulk.insert("change", [(seq, seq % 997, "updated", 2, body, at, None) for seq in seqs])
        committed.append((seqs[-1], time.perf_counter()))
        number += 1
    done.put((committed, time.perf_counter() - began))


def serve(folder: str, port: int) -> None:
    """The application on a port."""
    import uvicorn

    project = Project.load(folder)
    uvicorn.run(create_app(project, Access(project.state_folder)), port=port, log_level="error")


async def long_polls(client: httpx.AsyncClient, stop: asyncio.Event, seen: list[tuple[int, float]]) -> None:
    """One consumer by long polling."""
    token = orjson.loads((await client.get(FEED, params={"start": "now"})).content)["token"]
    while not stop.is_set():
        told = await client.get(FEED, params={"after": token, "wait": 5, "limit": 1000})
        now, answer = time.perf_counter(), orjson.loads(told.content)
        token = answer["token"]
        seen += [(place(event["token"]), now) for event in answer["data"]]


async def streams(client: httpx.AsyncClient, stop: asyncio.Event, seen: list[tuple[int, float]]) -> None:
    """One consumer of server-sent events."""
    token = orjson.loads((await client.get(FEED, params={"start": "now"})).content)["token"]
    async with client.stream("GET", FEED, params={"after": token}, headers={"accept": "text/event-stream"}) as answer:
        rest = b""
        async for part in answer.aiter_raw():
            now = time.perf_counter()
            *frames, rest = (rest + part).split(b"\n\n")
            named = (frame[4 : frame.index(b"\n")].decode() for frame in frames if b"\ndata: " in frame)
            seen += [(place(token), now) for token in named]
            if stop.is_set():
                return


def place(token: str) -> int:
    """The number in a token."""
    return tokens.decode(token).seq


def consume(base: str, key: str, polling: int, streaming: int, ready: Any, over: Any, done: Any) -> None:
    """Some consumers in one process, until it is over; answers what each has seen when."""

    async def all_of_them() -> list[list[tuple[int, float]]]:
        stop, seen = asyncio.Event(), [[] for _ in range(polling + streaming)]
        limits = httpx.Limits(max_connections=None)
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30, limits=limits) as client:
            tasks = [asyncio.create_task(long_polls(client, stop, one)) for one in seen[:polling]]
            tasks += [asyncio.create_task(streams(client, stop, one)) for one in seen[polling:]]
            await asyncio.sleep(1.5)
            ready.set()
            await asyncio.to_thread(over.wait)
            stop.set()
            await asyncio.wait(tasks, timeout=3)
            for task in tasks:
                task.cancel()
        return seen

    done.put(asyncio.run(all_of_them()))


def measure(url: str, folder: Path, key: str, rate: int, batch: int, seconds: float, consumers: int) -> dict[str, Any]:
    """One round: steady writing while so many consumers wait, half of them by either way."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    ready, over, seen, written = context.Event(), context.Event(), context.Queue(), context.Queue()
    server = context.Process(target=serve, args=(str(folder), port), daemon=True)
    server.start()
    while httpx_fails(f"http://127.0.0.1:{port}/healthz"):
        time.sleep(0.1)
    half = consumers // 2
    arguments = (f"http://127.0.0.1:{port}", key, consumers - half, half, ready, over, seen)
    reader = context.Process(target=consume, args=arguments, daemon=True)
    reader.start()
    ready.wait(60)
    writer = context.Process(target=write, args=(url, rate, batch, seconds, written), daemon=True)
    writer.start()
    late = []
    while written.empty():
        began = time.perf_counter()
        time.sleep(0.02)
        late.append(time.perf_counter() - began - 0.02)
    committed, took = written.get()
    time.sleep(1)
    over.set()
    read = seen.get()
    busy = {"server": cpu(server), "consumers": cpu(reader)}
    for process in (writer, reader, server):
        process.terminate()
    machine = sorted(late)[int(len(late) * 0.99)] * 1000
    figures = judged(committed, took, read, batch) | {name: seconds / took for name, seconds in busy.items()}
    return {**figures, "machine": machine}


def cpu(process: Any) -> float:
    """Seconds of processor time a process has used, its start included."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def judged(committed: list[tuple[int, float]], took: float, read: list[Any], batch: int) -> dict[str, Any]:
    """Lags of all events at all consumers; whether each consumer has seen all, in order."""
    at = {seq: moment for last, moment in committed for seq in range(last - batch + 1, last + 1)}
    lags = sorted(max(0.0, moment - at[seq]) for seen in read for seq, moment in seen if seq in at)
    whole = all([seq for seq, _ in seen] == sorted(at) for seen in read)
    p99 = lags[int(len(lags) * 0.99)] * 1000
    figures = {"p50": statistics.median(lags) * 1000, "p99": p99, "worst": lags[-1] * 1000}
    return {"rate": len(at) / took, "events": len(at), "whole": whole, **figures}


def httpx_fails(url: str) -> bool:
    """Whether nothing answers yet."""
    try:
        return httpx.get(url).status_code != 200
    except httpx.HTTPError:
        return True


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--consumers", type=int, default=10)
    seconds, consumers = (arguments := parser.parse_args()).seconds, arguments.consumers
    with postgres(REAL) as server, server.database() as url, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "kehu.yaml").write_text(f"database: {url}\n")
        project = Project.load(folder)
        migrations.migrate(project.database)
        with project.database.transaction() as connection:
            users.add(connection, "bench", Role.ADMIN, by="bench")
            scopes = ["changes:read", "personal:read"]
            key = keys.create(connection, "bench", "bench", scopes, by="bench").secret
        for rate, batch, many in ((20, 1, consumers), (1_000, 20, consumers), (1_000, 20, 2)):
            found = measure(url, folder, key, rate, batch, seconds, many)
            lag = f"lag p50 {found['p50']:.0f} ms, p99 {found['p99']:.0f} ms, worst {found['worst']:.0f} ms"
            whole = "each saw all, in order" if found["whole"] else "SOME WERE MISSED"
            cores = f"server {found['server']:.2f}, consumers {found['consumers']:.2f}"
            machine = f"a sleeping process woke {found['machine']:.0f} ms late (p99)"
            print(f"{many:3} consumers, {found['rate']:6.0f} changes/s for {seconds:.0f} s: {lag}; {whole}")
            print(f"    cores: {cores}; {machine}")
        project.close()


if __name__ == "__main__":
    main()
