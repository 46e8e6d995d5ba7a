"""What every use of Splink shares: whether it is installed, records and term frequencies as its tables, its silence."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mappings.matching.columns import Values
from mappings.matching.model import MatchModel
from sync.errors import Refused

if TYPE_CHECKING:
    import pyarrow as pa
    from splink import Linker

LISTS = frozenset({"emails", "phones", "words"})
"""Columns that hold several values."""
ID = "unique_id"


class ExtraMissing(Refused):
    """A library is needed that comes with an extra only."""

    code = "extra_missing"


def require_splink() -> None:
    """Raise ``ExtraMissing`` if Splink, DuckDB or Arrow are not installed."""
    missing = [name for name in ("splink", "duckdb", "pyarrow") if importlib.util.find_spec(name) is None]
    if missing:
        raise ExtraMissing(
            "This needs libraries that are not installed: {missing}.",
            missing=", ".join(missing),
            remedy="Run: python -m pip install 'kehu[matching]'",
        )
    # DuckDB complains on stderr of what is not freed when the program ends, and we skip freeing (see collector).
    atexit.unregister(gc.freeze)


def table_of(columns: Sequence[str], records: Sequence[Values], ids: Sequence[int] | None = None) -> pa.Table:
    """The records as an Arrow table, numbered from 0 (or by ``ids``) in the column ``unique_id``."""
    import pyarrow as pa

    numbers = pa.array(range(len(records)) if ids is None else ids, pa.int64())
    columns_of = {name: _column([r[place] for r in records], name) for place, name in enumerate(columns)}
    return pa.table({ID: numbers, **columns_of})


def register_frequencies(linker: Linker, api: Any, model: MatchModel) -> None:
    """Splink uses the model's frozen term frequencies instead of counting its own, also where the model has none."""
    import pyarrow as pa

    wanted = {level.tf_column for comparison in model.comparisons for level in comparison.levels if level.tf_column}
    for column in sorted(wanted | model.term_frequencies.keys()):
        table = model.term_frequencies.get(column, {})
        rows = {column: _column(list(table), ""), f"tf_{column}": pa.array(table.values(), pa.float64())}
        linker.table_management.register_term_frequency_lookup(api.register(pa.table(rows)), column)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Splink tells of every step and warns of every level without pairs; we tell that ourselves, in two languages."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def parameters(settings: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """By comparison its levels without the null level."""
    return {
        c["output_column_name"]: [level for level in c["comparison_levels"] if not level.get("is_null_level")]
        for c in settings["comparisons"]
    }


def _column(values: list[Any], name: str) -> pa.Array:
    import pyarrow as pa

    kind = pa.list_(pa.string()) if name in LISTS else pa.string()
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:  # half of a surrogate pair is no text in Arrow
        return pa.array([_valid(value) for value in values], kind)


def _valid(value: Any) -> Any:
    if isinstance(value, list):
        return [_valid(one) for one in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
