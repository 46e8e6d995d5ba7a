"""What a match model learns from a customer base without labels: frequencies, u, the prior, shared
contacts, large blocks.

Everything learnt is frozen with the model. The result is a function of the set of records: they are sorted
before anything is drawn from them.
"""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from mappings.matching.blocking import block_cap, soundex
from mappings.matching.bulk import BulkScorer, Levels, Numbers
from mappings.matching.bulk_blocking import bulk_oversized, shared_keys
from mappings.matching.columns import Values
from mappings.matching.model import MatchModel, compile_model
from mappings.matching.pairing import pairs_of
from mappings.matching.score import OF_SITES
from mappings.matching.scripts_level import with_scripts
from mappings.matching.table import Table

RANDOM_PAIRS = 100_000
BLOCKED_PAIRS = 200_000
"""Of more pairs the priors are learnt from so many."""
LOWEST_U = 5e-7
SHARED_BY = 5
"""A contact of at least so many different people proves nothing."""
_ROUNDS = 6
_PRIOR = "probability_two_random_records_match"
LEAST = 100
"""Records from which frequencies are learnt."""
CONTACT_COLUMNS = {"email": "emails", "phone": "phones"}
"""The column of the first contact of a sort, and of all of them."""


def calibrate(model: MatchModel, records: Table | Sequence[Values], processes: int = 1) -> MatchModel:
    """The model with what these records teach. Below ``LEAST`` records only shared contacts and large blocks are
    learnt: frequencies and priors of a handful would be noise. ``processes`` share in the work.
    """
    found = records if isinstance(records, Table) else Table.of_records(model.columns, records)
    shared = shared_contacts(model, found)
    table = table_without(found.at(_by_content(found)), shared)
    words = word_frequencies(model, table)
    oversized = bulk_oversized(model.kind, table, words, block_cap(len(records)), processes)
    fitted = replace(model, shared=shared, oversized=oversized, words=words)
    if len(records) < LEAST:
        return fitted
    return _fitted(fitted, table, processes)


def _by_content(records: Table) -> Numbers:
    """The records' numbers in an order that depends on what is in them alone."""
    hashes = (xxh3_64_intdigest(repr(record).encode("utf-8", "surrogatepass")) for record in records)
    return np.argsort(np.fromiter(hashes, dtype=np.uint64, count=len(records)), kind="stable")


def _fitted(model: MatchModel, records: Table, processes: int) -> MatchModel:
    """The model with frequencies, u and priors. Levels of pairs are judged once; what they weigh changes by round."""
    scorer, chance = BulkScorer(model, records, processes), np.random.default_rng(len(records))
    counts = [_random_levels(scorer, model, index, len(records), chance) for index in range(len(model.comparisons))]
    model, counts = with_scripts(model, records, counts)
    sample = _blocked_sample(scorer, model, records, processes)
    lam = 0.0
    for _ in range(2):  # the first round's prior tells how many matches are among random pairs
        frequencies = term_frequencies(model, records, lam)
        model = with_settings(model, _with_u(model, counts, frequencies, lam), frequencies)
        priors = estimate_priors(model, scorer, sample, len(records))
        lam, model = priors.match, replace(model, related=priors.related, sites=priors.sites)
    return with_settings(model, {**model.settings, _PRIOR: lam}, model.term_frequencies)


def with_settings(
    model: MatchModel, settings: Mapping[str, Any], frequencies: Mapping[str, Mapping[str, float]]
) -> MatchModel:
    """The model with other parameters; what it knows of contacts, blocks and relatives stays."""
    compiled = compile_model(model.kind, model.columns, settings, frequencies)
    kept = {name: getattr(model, name) for name in ("shared", "oversized", "words", "related", "alike", "sites")}
    return replace(compiled, **kept)


def term_frequencies(
    model: MatchModel, records: Table | Sequence[Values], lam: float = 0.0
) -> dict[str, dict[str, float]]:
    """For each column with term-frequency levels: value → the chance that a record of *somebody else* has it.

    Of the other holders of a value, m · λ · (n − 1) are expected to be duplicates of the same customer.
    They are taken off, or a value would look common only because its owner is in many systems; at least one
    other holder is assumed.
    """
    table = records if isinstance(records, Table) else Table.of_records(model.columns, records)
    tables: dict[str, dict[str, float]] = {}
    for column, m in sorted(_tf_columns(model).items()):
        codes, pool = table.column(column)
        counts = np.bincount(codes[codes >= 0], minlength=len(pool))
        total = int(counts.sum())
        shares = np.maximum(counts - m * lam * total, 1) / max(total, 1)
        tables[column] = {value: share for value, share in sorted(zip(pool, shares.tolist(), strict=True))}
    return tables


def _tf_columns(model: MatchModel) -> dict[str, float]:
    """Columns with term frequencies, and how often customers agree on them (m)."""
    levels = [level for c in model.settings["comparisons"] for level in c["comparison_levels"]]
    return {v["tf_adjustment_column"]: v["m_probability"] for v in levels if v.get("tf_adjustment_column")}


def word_frequencies(model: MatchModel, records: Table) -> dict[str, float]:
    """Shares of records by word of the name, for organisations."""
    if "words" not in model.columns:
        return {}
    codes, pool = records.column("words")
    counts: Counter[str] = Counter()
    for words, holders in zip(pool, np.bincount(codes[codes >= 0], minlength=len(pool)).tolist(), strict=True):
        for word in words:
            counts[word] += holders
    return {word: count / len(records) for word, count in sorted(counts.items()) if count > 1}


def shared_contacts(model: MatchModel, records: Table | Sequence[Values]) -> frozenset[str]:
    """Contacts of at least ``SHARED_BY`` different names: switchboards, placeholders, an agency's mailbox."""
    owners: dict[str, set[str]] = defaultdict(set)
    for record in records:
        name = _rough_name(model, record)
        for column in CONTACT_COLUMNS.values():
            for contact in record[model.columns.index(column)] or ():
                owners[contact].add(name)
    return frozenset(contact for contact, names in owners.items() if len(names - {""}) >= SHARED_BY)


def without_contacts(model: MatchModel, record: Values, shared: frozenset[str]) -> Values:
    """The record with shared contacts taken out."""
    places = [model.columns.index(several) for several in CONTACT_COLUMNS.values()]
    if not shared or not any(contact in shared for place in places for contact in record[place] or ()):
        return record
    values = list(record)
    for column, several in CONTACT_COLUMNS.items():
        place = model.columns.index(several)
        kept = [c for c in record[place] or () if c not in shared]
        values[place] = kept or None
        values[model.columns.index(column)] = kept[0] if kept else None
    return tuple(values)


def table_without(table: Table, shared: Collection[str]) -> Table:
    """A table without these contacts, in values and in lists of them."""
    columns = [table.coded(place) for place in range(len(table.columns))]
    for single, several in CONTACT_COLUMNS.items():
        place = table.columns.index(several)
        if not any(contact in shared for found in columns[place].pool for contact in found):
            continue
        columns[place] = columns[place].mapped(lambda found: [c for c in found if c not in shared] or None)
        columns[table.columns.index(single)] = columns[place].mapped(lambda found: found[0])
    return Table.of(table.columns, columns)


class Sample(NamedTuple):
    """Blocked pairs with the levels of every comparison; each stands for ``weight`` of all blocked pairs."""

    left: Numbers
    right: Numbers
    levels: list[Levels]
    weight: float


def _blocked_sample(scorer: BulkScorer, model: MatchModel, records: Table, processes: int) -> Sample:
    """The pairs of records that share a key, or ``BLOCKED_PAIRS`` of them at even distances."""
    rows = shared_keys(model.kind, records, model.oversized, model.words, processes)[0]
    pairs = pairs_of(rows.keys, rows.owners, len(records))
    count = len(pairs)
    if count > BLOCKED_PAIRS:
        pairs = pairs[np.arange(BLOCKED_PAIRS) * count // BLOCKED_PAIRS]
    left, right = pairs[:, 0], pairs[:, 1]
    return Sample(left, right, scorer.all_levels(left, right), count / len(pairs) if count else 1.0)


class Priors(NamedTuple):
    """The shares of matches (λ), of relatives (η) and of sites of one company (σ) among all pairs (see ``score``)."""

    match: float
    related: float
    sites: float


def estimate_priors(model: MatchModel, scorer: BulkScorer, sample: Sample, count: int) -> Priors:
    """The shares among all pairs of ``count`` records.

    Fixed-point rounds over the blocked pairs: each pair's odds of being of a class, or of none, under the present
    shares give the next shares. Pairs that blocking does not find count as none. Only organisations have sites.
    """
    pairs_in_all = count * (count - 1) / 2 / sample.weight
    own, common, kin, site = scorer.sums(model, sample.levels, sample.left, sample.right)
    classes = [own + common, common + kin, *([site] if OF_SITES[model.kind] else [])]
    shares = [1 / count, 0.1 / count, 0.1 / count][: len(classes)]
    for _ in range(_ROUNDS if len(own) else 0):
        odds = [np.exp2(np.clip(one + np.log2(share), -60, 60)) for one, share in zip(classes, shares, strict=True)]
        total = 1 + sum(odds)
        shares = [float(np.clip((one / total).sum() / pairs_in_all, 1e-12, 0.4)) for one in odds]
    return Priors(*shares, *([0.0] * (3 - len(shares))))


def _rough_name(model: MatchModel, record: Values) -> str:
    if model.kind == "organisation":
        return (record[model.columns.index("name_latin")] or "")[:5]
    family, given = (record[model.columns.index(c)] or "" for c in ("family_latin", "given_latin"))
    return soundex(family) + given[:1]


def _with_u(
    model: MatchModel, counts: Sequence[NDArray[np.int64]], frequencies: Mapping[str, Mapping[str, float]], lam: float
) -> dict[str, Any]:
    """Settings with u of exact levels as Σ tf², of others as their share among random pairs that do not
    match. ``counts``: how many random pairs have each level, by comparison.
    """
    settings = copy.deepcopy(dict(model.settings))
    for found, data in zip(counts, settings["comparisons"], strict=True):
        total = int(found.sum())
        for count, level in zip(found.tolist(), data["comparison_levels"], strict=True):
            if total and not level.get("is_null_level") and not level.get("fix_u_probability"):
                share = count / total
                share = max((share - lam * level["m_probability"]) / (1 - lam), share / 10)
                level["u_probability"] = _u(level, share, total, frequencies, data["comparison_levels"])
    return settings


def _random_levels(
    scorer: BulkScorer, model: MatchModel, index: int, count: int, chance: np.random.Generator
) -> NDArray[np.int64]:
    """How many random pairs of records that the comparison knows something of have each of its levels."""
    levels = model.comparisons[index].levels
    everybody = np.arange(count, dtype=np.int64)
    known = everybody[scorer.levels(index, everybody, everybody) > 0] if levels[0].is_null else everybody
    left, right = _random_pairs(len(known), chance)
    return np.bincount(scorer.levels(index, known[left], known[right]), minlength=len(levels))


def _random_pairs(count: int, chance: np.random.Generator) -> tuple[Numbers, Numbers]:
    """All pairs if they are few, else ``RANDOM_PAIRS`` drawn with replacement, without those of one record."""
    if count * (count - 1) // 2 <= RANDOM_PAIRS:
        left, right = np.triu_indices(count, 1)
        return left, right
    left, right = chance.integers(count, size=(2, RANDOM_PAIRS))
    return left[left != right], right[left != right]


def _u(
    level: Any, share: float, total: int, frequencies: Mapping[str, Mapping[str, float]], levels: Sequence[Any]
) -> float:
    """U of an exact level as Σ tf²; of others their share among random pairs. A level that no random pair
    reached is taken to be about as rare as an exact match, or as the sample can tell.
    """
    column = level.get("tf_adjustment_column")
    if column:
        share = sum(f * f for f in frequencies[column].values())
    elif not share:
        exact = next((c for v in levels if (c := v.get("tf_adjustment_column"))), None)
        match = sum(f * f for f in frequencies[exact].values()) if exact else 0.0
        share = min(match, 1 / total)
    return min(max(share, LOWEST_U), 1.0)
