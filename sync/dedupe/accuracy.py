"""How right the clusters are, measured against a column that holds the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from mappings.values import text_of
from sync.dedupe.reading import Input
from sync.dedupe.store import Store, fields_of
from sync.errors import Misused


class Score(NamedTuple):
    """Precision, recall and their harmonic mean, each from 0 to 1."""

    precision: float
    recall: float
    f1: float


class Accuracy(NamedTuple):
    """By pair: of any two rows in one cluster, are they one entity. By cluster: is a cluster exactly one entity.

    Rows without a value in the truth column are left out; rows that could not be mapped count as clusters of their own.
    """

    rows: int
    left_out: int
    pairs: Score
    clusters: Score


def require_column(found: Input, truth: str | None) -> None:
    """Raise Misused, naming the most similar column, if the truth column is not there."""
    if truth is None or truth in found.columns:
        return
    near = nearest(truth, found.columns)
    if near is not None:
        raise Misused(
            "There is no column {column}. Did you mean {near}? The columns are: {columns}.",
            column=truth[:80],
            near=near,
            columns=", ".join(found.columns)[:1_000],
            remedy="Give --truth one of these.",
        )
    raise Misused(
        "There is no column {column}. The columns are: {columns}.",
        column=truth[:80],
        columns=", ".join(found.columns)[:1_000],
        remedy="Give --truth one of these.",
    )


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar name, however it is written; None if none is."""
    by_fold = {one.casefold(): one for one in names}
    found = get_close_matches(name.casefold()[:80], list(by_fold), 1, 0.6)
    return by_fold[found[0]] if found else None


def measure(store: Store, truth: str) -> Accuracy:
    """Compare the clusters in the store with the truth column."""
    labels: list[tuple[Any, Any]] = []
    left_out = 0
    for number, (_, _, body, part, cluster) in enumerate(store.placed_rows()):
        if part:
            continue  # a contact person inside the row is somebody else than the row's own customer
        entity = label_of(fields_of(body).get(truth))
        if entity is None:
            left_out += 1
        else:
            labels.append((("row", number) if cluster is None else cluster, entity))
    return Accuracy(len(labels), left_out, by_pair(labels), by_cluster(labels))


def by_pair(labels: Sequence[tuple[Any, Any]]) -> Score:
    """Of (cluster, entity) per row: pairs of rows in one cluster against pairs of one entity."""
    right = pairs_among(Counter(labels).values())
    found = pairs_among(Counter(cluster for cluster, _ in labels).values())
    true = pairs_among(Counter(entity for _, entity in labels).values())
    return score(right, found, true)


def by_cluster(labels: Sequence[tuple[Any, Any]]) -> Score:
    """Of (cluster, entity) per row: clusters that hold all rows of an entity and no other."""
    clusters, entities = Counter(cluster for cluster, _ in labels), Counter(entity for _, entity in labels)
    right = sum(n == clusters[cluster] == entities[entity] for (cluster, entity), n in Counter(labels).items())
    return score(right, len(clusters), len(entities))


def label_of(value: object) -> str | None:
    """The entity that a truth column's value names; None for no value."""
    if value is None or value == "" or isinstance(value, dict | list):
        return None
    return text_of(value)


def pairs_among(sizes: Iterable[int]) -> int:
    """The number of pairs within groups of these sizes."""
    return sum(size * (size - 1) // 2 for size in sizes)


def score(right: int, found: int, true: int) -> Score:
    """Of pairs (or clusters) found, and of those there are, how many are right.

    Of nothing found nothing is wrong, of nothing to find nothing is missed.
    """
    precision = right / found if found else 1.0
    recall = right / true if true else 1.0
    return Score(precision, recall, 2 * precision * recall / (precision + recall) if right else float(found == true))
