"""A weight of ours beside Splink's, on every candidate pair of models that Splink has trained.

``python -m benchmarks.equality [FOLDER]`` with fake_1000.csv, febrl3.csv and organisations_chicago.csv in FOLDER;
without it only the made-up Chinese customers. Columns are compared as they stand, with comparisons of Splink's library;
u and m are Splink's (random pairs, EM on two blocking rules), the JSON that Splink saves is read by us.
Thirty rows of mischief are added to every set: nulls, empty texts, impossible dates, accents, Chinese.

Splink predicts in DuckDB; each pair's match weight is compared with ``mappings.matching.score.Scorer``'s and
``mappings.matching.bulk``'s.
"""

from __future__ import annotations

import csv
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.population import customers
from mappings.matching.bulk import BulkScorer
from mappings.matching.model import Kind, compile_model
from mappings.matching.score import Scorer
from sync.matching.splinking import quiet

Row = dict[str, str | None]
MISCHIEF = (
    None,
    "",
    " ",
    "0000-00-00",
    "1999-02-30",
    "000-04-23",
    "1990-4-3",
    "张伟",
    "張偉",
    "Zoë",
    "ÉCOLE",
    "a'b\"c",
    "x" * 300,
)
MOST = 1_200


class DataSet(NamedTuple):
    """Rows, the comparisons of each column, and the columns on which EM looks at pairs."""

    name: str
    kind: Kind
    rows: list[Row]
    comparisons: Callable[[], list[Any]]
    sessions: Sequence[Sequence[str]]


class Equality(NamedTuple):
    """What came out: pairs compared, the greatest difference pair by pair and in bulk, and its pair."""

    pairs: int
    worst: float
    worst_in_bulk: float
    at: tuple[int, int]


def main(folder: Path | None) -> int:
    """Compare every set; 1 if a weight differs by more than 1e-9."""
    sets = ([fake(folder), febrl(folder), chicago(folder)] if folder else []) + [made_up(900)]
    bad = 0
    print(f"{'set':24} {'records':>8} {'pairs':>9} {'largest difference':>20} {'in bulk':>10}")
    for one in sets:
        found = compare(one)
        bad += max(found.worst, found.worst_in_bulk) > 1e-9 or found.pairs < 50_000
        print(f"{one.name:24} {len(one.rows):>8,} {found.pairs:>9,} {found.worst:>20.2e} {found.worst_in_bulk:>10.2e}")
    return int(bad > 0)


def compare(data: DataSet) -> Equality:
    """Train by Splink, predict by Splink, weigh by us."""
    columns = [name for name in data.rows[0] if name != "unique_id"]
    records = [tuple(row[name] for name in columns) for row in data.rows]
    with quiet():
        saved = trained(data, columns, records)
        scored = predicted(saved, columns, records)
    model = compile_model(data.kind, columns, saved, frequencies(columns, records))
    left, right, weights = (np.array(column) for column in zip(*scored, strict=True))
    scorer = Scorer(model)
    ours = np.array([scorer.weight(records[a], records[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)])
    bulk = BulkScorer(model, records).weights(model, left, right)
    worst = int(np.argmax(np.abs(ours - weights)))
    return Equality(
        len(scored), float(np.abs(ours - weights).max()), float(np.abs(bulk - weights).max()),
        (int(left[worst]), int(right[worst])),
    )  # fmt: skip


def trained(data: DataSet, columns: Sequence[str], records: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """The JSON of a model that Splink trained; levels that no pair had get what stands for never."""
    from splink import SettingsCreator, block_on

    settings = SettingsCreator(
        link_type="dedupe_only", comparisons=data.comparisons(), blocking_rules_to_generate_predictions=["1=1"],
        probability_two_random_records_match=1 / len(records),
    )  # fmt: skip
    linker = _linker(settings, columns, records)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for session in data.sessions:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*session))
    saved: dict[str, Any] = linker.misc.save_model_to_json()
    for comparison in saved["comparisons"]:
        for level in comparison["comparison_levels"]:
            for name in ("m_probability", "u_probability"):
                if not level.get("is_null_level") and not isinstance(level.get(name), float):
                    level[name] = 1e-6
    return saved


def predicted(saved: dict[str, Any], columns: Sequence[str], records: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Splink's weights of all pairs, by a linker of its own."""
    linker = _linker(saved, columns, records)
    table = linker.inference.predict().as_duckdbpyrelation().to_arrow_table()
    names = ("unique_id_l", "unique_id_r", "match_weight")
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def frequencies(columns: Sequence[str], records: Sequence[tuple[Any, ...]]) -> dict[str, dict[str, float]]:
    """Shares of values among those that are not null, as Splink counts them."""
    tables = {}
    for place, name in enumerate(columns):
        counts = Counter(record[place] for record in records if record[place] is not None)
        tables[name] = {value: count / counts.total() for value, count in counts.items()}
    return tables


def made_up(count: int) -> DataSet:
    """Chinese persons, half of them more than once."""
    rows: list[Row] = []
    for _entity, customer in customers(count, seed=7, share_of_persons=1.0, chinese=1.0):
        address = (customer.get("addresses") or [{}])[0]
        rows.append({
            "name": customer["name"], "family": customer["name"][:1], "birth": customer.get("birth_date"),
            "email": (customer.get("emails") or [{}])[0].get("value"),
            "phone": (customer.get("phones") or [{}])[0].get("value"),
            "city": address.get("city"), "street": address.get("street"),
        })  # fmt: skip
    return DataSet("made-up Chinese", "person", with_mischief(rows), _chinese, (["birth"], ["name"], ["phone"]))


def fake(folder: Path) -> DataSet:
    """Splink's fake_1000."""
    rows = [_known(r, ("first_name", "surname", "dob", "city", "email")) for r in _read(folder / "fake_1000.csv")]
    return DataSet("fake_1000", "person", with_mischief(rows), _fake, (["dob"], ["surname"], ["email"]))


def febrl(folder: Path) -> DataSet:
    """FEBRL 3, the records with the lowest numbers, so that duplicates are among them."""
    names = ("given_name", "surname", "date_of_birth", "suburb", "postcode", "soc_sec_id", "address_1")
    found = [{k.strip(): v.strip() for k, v in row.items()} for row in _read(folder / "febrl3.csv")]
    found.sort(key=lambda row: (int(row["rec_id"].split("-")[1]), row["rec_id"]))
    rows = [_known(row, names) for row in found[:MOST]]
    return DataSet("febrl3", "person", with_mischief(rows), _febrl, (["date_of_birth"], ["surname", "given_name"]))


def chicago(folder: Path) -> DataSet:
    """Childcare sites, sorted by entity for the same reason."""
    found = sorted(_read(folder / "organisations_chicago.csv"), key=lambda row: int(row["True Id"]))
    columns = {"Site name": "name", "Address": "street", "Zip": "zip", "Phone": "phone", "Email Address": "email"}
    rows = [{new: row[old] or None for old, new in columns.items()} for row in found[:MOST]]
    return DataSet("organisations_chicago", "organisation", with_mischief(rows), _chicago, (["phone"], ["street"]))


def with_mischief(rows: list[Row], seed: int = 3) -> list[Row]:
    """Rows that nobody would want, mixed of each other."""
    chance = random.Random(seed)
    for _ in range(30):
        rows.append({name: chance.choice([*MISCHIEF, chance.choice(rows)[name]]) for name in rows[0]})
    return rows


def _chinese() -> list[Any]:
    import splink.comparison_library as cl

    return [
        cl.NameComparison("name"), cl.ExactMatch("family").configure(term_frequency_adjustments=True),
        cl.DateOfBirthComparison("birth", input_is_string=True), cl.EmailComparison("email"),
        cl.LevenshteinAtThresholds("phone", [1, 2]).configure(term_frequency_adjustments=True),
        cl.ExactMatch("city").configure(term_frequency_adjustments=True),
        cl.JaroWinklerAtThresholds("street", [0.95, 0.85]),
    ]  # fmt: skip


def _fake() -> list[Any]:
    import splink.comparison_library as cl

    return [
        cl.NameComparison("first_name"), cl.NameComparison("surname"),
        cl.DateOfBirthComparison("dob", input_is_string=True),
        cl.ExactMatch("city").configure(term_frequency_adjustments=True), cl.EmailComparison("email"),
    ]  # fmt: skip


def _febrl() -> list[Any]:
    import splink.comparison_library as cl

    return [
        cl.NameComparison("given_name"), cl.NameComparison("surname"),
        cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]).configure(term_frequency_adjustments=True),
        cl.ExactMatch("suburb").configure(term_frequency_adjustments=True), cl.LevenshteinAtThresholds("postcode", [1]),
        cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]), cl.JaroAtThresholds("address_1", [0.9, 0.8]),
    ]  # fmt: skip


def _chicago() -> list[Any]:
    import splink.comparison_library as cl

    return [
        cl.JaroWinklerAtThresholds("name", [0.93, 0.86]).configure(term_frequency_adjustments=True),
        cl.LevenshteinAtThresholds("street", [2, 6]).configure(term_frequency_adjustments=True),
        cl.ExactMatch("zip").configure(term_frequency_adjustments=True),
        cl.LevenshteinAtThresholds("phone", [1]), cl.EmailComparison("email"),
    ]  # fmt: skip


def _linker(settings: Any, columns: Sequence[str], records: Sequence[tuple[Any, ...]]) -> Any:
    """On a connection of its own: two linkers on one share their term frequencies wrongly."""
    import duckdb
    import pyarrow as pa
    from splink import DuckDBAPI, Linker

    table = {name: pa.array([r[place] for r in records], pa.string()) for place, name in enumerate(columns)}
    api = DuckDBAPI(duckdb.connect())
    return Linker(api.register(pa.table({"unique_id": pa.array(range(len(records)), pa.int64()), **table})), settings)


def _known(row: dict[str, str], names: Sequence[str]) -> Row:
    return {name: row[name] or None for name in names}


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
