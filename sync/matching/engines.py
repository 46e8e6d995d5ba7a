"""Other engines for weighing all pairs of a customer base: Splink on DuckDB, or on Spark on any number of machines.

The engine weighs; everything else stays ours: blocking keys before, vetoes, official numbers and clustering after. With
the same model, keys and weights the partition is the same. Splink has no class of relatives (see
``mappings.matching.score``), so what relatives take off is taken off here, from the weights of the single comparisons
that Splink returns.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mappings.contract import Features
from mappings.matching.bulk import BulkScorer, Sums, Weights, likenesses, total_weights
from mappings.matching.model import Kind, MatchModel
from mappings.matching.pairing import Pairs
from mappings.matching.score import COMMON, OF_SITES, SELDOM
from mappings.matching.table import Table
from sync.dedupe.matching import Matching, PairWeights
from sync.dedupe.records import KINDS, Profiles, Records
from sync.errors import Misused
from sync.matching import spark_sql
from sync.matching.splinking import ID, ExtraMissing, quiet, register_frequencies, require_splink, table_of

LOCAL = "local[2]"


class Engine(Protocol):
    """Weighs pairs of records of a table, given by number (rows left, right), in the order given."""

    def weigh(self, model: MatchModel, table: Table, pairs: Pairs) -> Weights:
        """The weights under the model: ``mappings.matching.score.Scorer.weight`` of each pair."""


@contextmanager
def engine(name: str, spark_master: str = LOCAL) -> Iterator[Engine]:
    """An engine by name, ready until the block ends. Raises ``ExtraMissing``, or Misused for an unknown name."""
    if name == "own":
        yield _Own()
    elif name == "duckdb":
        require_splink()
        yield _DuckDb()
    elif name == "spark":
        with _spark(spark_master) as session:
            yield _Spark(session)
    else:
        raise Misused("There is no engine {name}.", name=name[:40], remedy="Choose own, duckdb or spark.")


def pair_weights(chosen: Engine, models: Mapping[Kind, MatchModel], profiles: Profiles) -> PairWeights:
    """The engine as ``sync.dedupe.matching.Matching.links`` takes it."""
    places = profiles.places

    def weigh(letter: str, pairs: Pairs) -> Weights:
        table, _numbers = profiles.of_kind(letter)
        return chosen.weigh(models[KINDS[letter]], table, places[pairs])

    return weigh


def partition(
    models: Mapping[Kind, MatchModel], features: Iterable[Features], name: str = "own", spark_master: str = LOCAL
) -> list[list[int]]:
    """The customers among records without steward decisions: groups of their numbers, in the order given.

    Give records by seniority: ties go to the first. Groups are sorted, and by their first record. ``features`` are
    ``FellegiSunterMatcher.features``; contacts that the models know to be shared are taken out.
    """
    records = Records()
    for number, found in enumerate(features):
        records.profile_of.append(records.profiles.number(found))
        records.file.append(0)
        records.line.append(number)
        records.row.append(number)
    records.profiles.close()
    matching = Matching(records, models)
    with engine(name, spark_master) as chosen:
        weigh = None if name == "own" else pair_weights(chosen, matching.matcher.models, matching.records.profiles)
        links = matching.links(_unwatched, weigh)
    return matching.clusters(links, _unwatched)


def _unwatched(done: int, total: int) -> None:
    """Nobody is told."""


class _Own:
    """The product's own arithmetic."""

    def weigh(self, model: MatchModel, table: Table, pairs: Pairs) -> Weights:
        return BulkScorer(model, table).weights(model, pairs[:, 0], pairs[:, 1])


class _DuckDb:
    """Splink on DuckDB, in this process."""

    def weigh(self, model: MatchModel, table: Table, pairs: Pairs) -> Weights:
        import duckdb
        from splink import DuckDBAPI

        if not len(pairs):
            return np.empty(0)
        with quiet(), duckdb.connect() as connection:
            predicted = _predict(DuckDBAPI(connection), model, model.settings, table, pairs)
            return _weights(model, predicted.as_duckdbpyrelation().to_arrow_table(), pairs, len(table))


class _Spark:
    """Splink on Spark."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def weigh(self, model: MatchModel, table: Table, pairs: Pairs) -> Weights:
        from splink.backends.spark import SparkAPI

        make: Any = SparkAPI
        if not len(pairs):
            return np.empty(0)
        settings = spark_sql.translated(model)
        spark_sql.register(self._session)
        with quiet():
            api = make(spark_session=self._session, break_lineage_method="persist", register_udfs_automatically=False)
            predicted = _predict(api, model, settings, table, pairs)
            found = predicted.as_spark_dataframe().toArrow()
            self._session.catalog.clearCache()
        return _weights(model, found, pairs, len(table))


def _predict(api: Any, model: MatchModel, settings: Mapping[str, Any], table: Table, pairs: Pairs) -> Any:
    """Splink's prediction for exactly these pairs."""
    import pyarrow as pa
    from splink import Linker

    whole = {
        **settings,
        "blocking_rules_to_generate_predictions": ["1=1"],  # not used: the pairs are given
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": True,
    }
    linker = Linker(api.register(table_of(model.columns, list(table))), whole)
    register_frequencies(linker, api, model)
    keys = pa.array(np.zeros(len(pairs), dtype=np.int64)).cast(pa.string())
    blocked = {"match_key": keys, "join_key_l": pa.array(pairs[:, 0]), "join_key_r": pa.array(pairs[:, 1])}
    linker.table_management.register_blocked_pairs_for_predict(api.register(pa.table(blocked)))
    return linker.inference.predict()


def _weights(model: MatchModel, found: Any, pairs: Pairs, count: int) -> Weights:
    """Splink's weights by comparison, added up in our order, in the order of the pairs."""
    own, common, kin, site = (np.zeros(found.num_rows) for _ in Sums._fields)
    for comparison in model.comparisons:
        total = common if comparison.name in COMMON[model.kind] else own
        weight = _numbers(found, f"mw_{comparison.name}")
        if f"mw_tf_adj_{comparison.name}" in found.column_names:
            weight = weight + _numbers(found, f"mw_tf_adj_{comparison.name}")
        total += weight
        if comparison.name in OF_SITES[model.kind]:
            site += weight
        if model.alike and comparison.name in SELDOM[model.kind]:
            kin += likenesses(model.alike, weight)
    weights = total_weights(model, Sums(own, common, kin, site))
    codes = _numbers(found, f"{ID}_l") * count + _numbers(found, f"{ID}_r")
    order = np.argsort(codes, kind="stable")
    places = np.searchsorted(codes[order], pairs[:, 0].astype(np.float64) * count + pairs[:, 1])
    return weights[order][places]


def _numbers(found: Any, column: str) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = found.column(column).to_numpy().astype(np.float64)
    return numbers


@contextmanager
def _spark(master: str) -> Iterator[Any]:
    """A Spark session; a local one binds to this machine alone. Raises ``ExtraMissing`` without PySpark or Java."""
    require_splink()
    if importlib.util.find_spec("pyspark") is None:
        raise ExtraMissing(
            "This needs libraries that are not installed: {missing}.",
            missing="pyspark",
            remedy="Run: python -m pip install 'kehu[spark]'",
        )
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        raise ExtraMissing(
            "Spark needs Java, and there is none on this machine.",
            remedy="Install Java 17 or newer (on Debian and Ubuntu: apt install openjdk-17-jre-headless).",
        )
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName("kehu match rebuild").config("spark.ui.enabled", "false")
    builder = builder.config("spark.log.level", "ERROR").config("spark.ui.showConsoleProgress", "false")
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.sql.shuffle.partitions", "4").config("spark.default.parallelism", "4")
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()
