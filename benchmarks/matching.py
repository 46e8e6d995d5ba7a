"""Matching a whole customer base: seconds and memory beside Splink's predict and cluster, on the same records, keys and
model, in the same run.

``python -m benchmarks.matching [RECORDS …]`` (by default 100000 300000 1000000). Customers are made up
(``benchmarks.population``); mapping and normalising them is not part of it, as it is not part of Splink. The model is
calibrated once (told apart). Each engine then runs by itself, on at most two processors:

- kehu: blocking keys, pairs, weights, clusters by average link over all pairs of each component, in two processes
- Splink on DuckDB: joins on the same keys (given to it ready made), predict with the same model and term frequencies,
  connected components at the weight at which kehu keeps pairs

Memory is what the engine's processes take together (what they share counts once), looked at several times a second;
processor time includes that of all of them.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.population import customers
from mappings.matching.bulk_blocking import bulk_keys
from mappings.matching.model import read_model
from mappings.matching.probabilistic import VALUES, FellegiSunterMatcher
from mappings.matching.processes import processors
from mappings.matching.score import Scorer
from sync.dedupe.matching import Matching
from sync.dedupe.records import KINDS, Records
from sync.matching.splinking import quiet, register_frequencies, table_of

SIZES = (100_000, 300_000, 1_000_000)


def main(arguments: list[str]) -> None:
    """Measure every size; with two words, be one of the engines."""
    if len(arguments) == 2 and arguments[0] in ENGINES:
        print(json.dumps(ENGINES[arguments[0]](Path(arguments[1]))))
        return
    sizes = [int(one) for one in arguments] or list(SIZES)
    print(f"{'records':>9} {'pairs':>11} {'kehu s':>7} {'MB':>6} {'s/million':>9} {'splink':>8} {'MB':>6} {'ratio':>6}"
          f" {'us/pair':>8}   learn s")  # fmt: skip
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="kehu-bench-") as folder:
            learnt = prepare(size, Path(folder))
            ours, theirs = (_child(engine, folder) for engine in ("kehu", "splink"))
        print(f"{size:>9,} {ours['pairs']:>11,} {ours['seconds']:>7.1f} {ours['mb']:>6,.0f} "
              f"{ours['seconds'] / size * 1e6:>9.1f} {theirs['seconds']:>8.1f} {theirs['mb']:>6,.0f} "
              f"{ours['seconds'] / theirs['seconds']:>6.2f} {ours['weighing'] / ours['pairs'] * 1e6:>8.2f}   "
              f"{learnt:.1f}  {ours['clusters']:,} customers; one pair by itself {ours['single']:.1f} us; "
              f"CPU {ours['cpu']:.1f} and {theirs['cpu']:.1f} s",
              flush=True)  # fmt: skip


def prepare(size: int, folder: Path) -> float:
    """Write the records, the models and the keys that each engine reads; the seconds that calibration took."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    matcher, records = FellegiSunterMatcher(), Records()
    for number, (_entity, customer) in enumerate(customers(size)):
        records.profile_of.append(records.profiles.number(matcher.features(customer)))
        records.file.append(0)
        records.line.append(number)
        records.row.append(number)
    records.profiles.close()
    started = time.perf_counter()
    matching = Matching(records, processes=processors())
    learnt = time.perf_counter() - started
    with (folder / "kehu.pickle").open("wb") as file:
        models = {kind: model.to_json() for kind, model in matching.matcher.models.items()}
        pickle.dump((matching.records, models), file, protocol=5)
    for letter, kind in KINDS.items():
        model = matching.matcher.models[kind]
        table, numbers = matching.records.profiles.of_kind(letter)
        rows = bulk_keys(kind, table, model.oversized, model.words)
        bounds = np.searchsorted(rows.owners, np.arange(len(numbers) + 1))
        keys = pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), pa.array(rows.keys))
        pq.write_table(table_of(model.columns, list(table)).append_column("keys", keys), folder / f"{kind}.parquet")
    return learnt


def kehu(folder: Path) -> dict[str, Any]:
    """Our engine."""
    with (folder / "kehu.pickle").open("rb") as file:
        records, written = pickle.load(file)
    models = {kind: read_model(data) for kind, data in written.items()}
    started, busy = time.perf_counter(), _busy()
    matching = Matching(records, models, processes=min(processors(), 2))
    began = time.perf_counter()
    links = matching.links(lambda done, total: None)
    weighing = time.perf_counter() - began
    clusters = matching.clusters(links, lambda done, total: None)
    seconds, cpu = time.perf_counter() - started, _busy() - busy
    return {
        "seconds": seconds, "mb": _peak(), "pairs": links.compared, "clusters": len(clusters),
        "weighing": weighing, "cpu": cpu, "single": _single(matching),
    }  # fmt: skip


def splink(folder: Path) -> dict[str, Any]:
    """Splink on DuckDB."""
    import duckdb
    import pyarrow.parquet as pq
    from splink import DuckDBAPI, Linker, block_on

    with (folder / "kehu.pickle").open("rb") as file:
        models = {kind: read_model(data) for kind, data in pickle.load(file)[1].items()}
    seconds = cpu = 0.0
    for kind, model in models.items():
        connection = duckdb.connect(config={"threads": 2})
        with quiet():
            table = pq.read_table(folder / f"{kind}.parquet")
            started, busy = time.perf_counter(), _busy()
            api = DuckDBAPI(connection)
            settings = {**model.settings, "blocking_rules_to_generate_predictions": [
                block_on("keys", arrays_to_explode=["keys"]).get_blocking_rule("duckdb").as_dict()
            ], "retain_matching_columns": False}  # fmt: skip
            linker = Linker(api.register(table), settings)
            register_frequencies(linker, api, model)
            predicted = linker.inference.predict(threshold_match_weight=-1)
            clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold_match_weight=-1)
            clusters.as_record_list(limit=1)
            seconds, cpu = seconds + time.perf_counter() - started, cpu + _busy() - busy
        connection.close()
    return {"seconds": seconds, "mb": _peak(), "cpu": cpu}


ENGINES = {"kehu": kehu, "splink": splink}


def _single(matching: Matching) -> float:
    """Microseconds for one pair at a time, as for an incoming record."""
    profiles, model = matching.records.profiles, matching.matcher.models["person"]
    _table, numbers = profiles.of_kind("p")
    values = [profiles[int(n)][VALUES:] for n in numbers[:400]]
    scorer = Scorer(model)
    started = time.perf_counter()
    for one in values[:50]:
        for other in values[50:]:
            scorer.weight(one, other)
    return (time.perf_counter() - started) / (50 * max(len(values) - 50, 1)) * 1e6


def _child(engine: str, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.matching", engine, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        most = [0.0]
        watching = threading.Thread(target=_watch, args=(process, most))
        watching.start()
        written, _ = process.communicate()
        watching.join()
    if process.returncode:
        raise SystemExit(process.returncode)
    found: dict[str, Any] = json.loads(written.strip().splitlines()[-1])
    return found | {"mb": max(found["mb"], most[0])}


def _watch(process: subprocess.Popen[str], most: list[float]) -> None:
    """The most megabytes that a process and its children take together."""
    while process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            most[0] = max(most[0], sum(map(_taken, [str(process.pid), *children.read_text().split()])))
        except OSError:
            return  # it has just ended
        time.sleep(0.2)


def _taken(pid: str) -> float:
    """Megabytes of a process; what several share counts for each in part."""
    try:
        found = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(found.partition("\nPss:")[2].split()[0]) / 1024 if "\nPss:" in found else 0.0


def _busy() -> float:
    """Seconds of processor time so far, with those of children that have ended."""
    return sum(os.times()[:4])


def _peak() -> float:
    """Megabytes at most so far. (getrusage would count the parent's memory, of which the process began as a copy.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
