"""What a match model learns from a customer base without labels: frequencies, u, the prior, shared
contacts, large blocks.

Everything learnt is frozen with the model. The result is a function of the set of records: they are sorted
before anything is drawn from them.
"""

from __future__ import annotations

import copy
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from mappings.matching.blocking import block_cap, block_keys, oversized_keys, soundex
from mappings.matching.columns import Values
from mappings.matching.model import MatchModel, compile_model
from mappings.matching.score import Scorer, level_of

RANDOM_PAIRS = 100_000
LOWEST_U = 5e-7
SHARED_BY = 5
"""A contact of at least so many different people proves nothing."""
_ROUNDS = 6
_PRIOR = "probability_two_random_records_match"
LEAST = 100
"""Records from which frequencies are learnt."""
_CONTACT_COLUMNS = {"email": "emails", "phone": "phones"}


def calibrate(model: MatchModel, records: Sequence[Values]) -> MatchModel:
    """The model with what these records teach. Below ``LEAST`` records only shared contacts and large blocks are
    learnt: frequencies and priors of a handful would be noise.
    """
    records = sorted(records, key=repr)
    shared = shared_contacts(model, records)
    records = [without_contacts(model, record, shared) for record in records]
    words = word_frequencies(model, records)
    oversized = oversized_keys(model.kind, records, words, block_cap(len(records)))
    fitted = replace(model, shared=shared, oversized=oversized, words=words)
    if len(records) < LEAST:
        return fitted
    lam = 0.0
    for _ in range(2):  # the first round's prior tells how many matches are among random pairs
        frequencies = term_frequencies(model, records, lam)
        fitted = with_settings(fitted, _with_u(model, records, frequencies, lam), frequencies)
        lam, related = estimate_priors(fitted, records)
        fitted = replace(fitted, related=related)
    return with_settings(fitted, {**fitted.settings, _PRIOR: lam}, fitted.term_frequencies)


def with_settings(
    model: MatchModel, settings: Mapping[str, Any], frequencies: Mapping[str, Mapping[str, float]]
) -> MatchModel:
    """The model with other parameters; what it knows of contacts, blocks and relatives stays."""
    compiled = compile_model(model.kind, model.columns, settings, frequencies)
    return replace(compiled, shared=model.shared, oversized=model.oversized, words=model.words, related=model.related)


def term_frequencies(model: MatchModel, records: Sequence[Values], lam: float = 0.0) -> dict[str, dict[str, float]]:
    """For each column with term-frequency levels: value → the chance that a record of *somebody else* has it.

    Of the other holders of a value, m · λ · (n − 1) are expected to be duplicates of the same customer.
    They are taken off, or a value would look common only because its owner is in many systems; at least one
    other holder is assumed.
    """
    tables: dict[str, dict[str, float]] = {}
    for column, m in sorted(_tf_columns(model).items()):
        place = model.columns.index(column)
        counts = Counter(r[place] for r in records if r[place] is not None)
        total = sum(counts.values())
        twins = m * lam * total
        tables[column] = {value: max(count - twins, 1) / total for value, count in sorted(counts.items())}
    return tables


def _tf_columns(model: MatchModel) -> dict[str, float]:
    """Columns with term frequencies, and how often customers agree on them (m)."""
    levels = [level for c in model.settings["comparisons"] for level in c["comparison_levels"]]
    return {v["tf_adjustment_column"]: v["m_probability"] for v in levels if v.get("tf_adjustment_column")}


def word_frequencies(model: MatchModel, records: Sequence[Values]) -> dict[str, float]:
    """Shares of records by word of the name, for organisations."""
    if "words" not in model.columns:
        return {}
    place = model.columns.index("words")
    counts = Counter(word for r in records for word in r[place] or ())
    return {word: count / len(records) for word, count in sorted(counts.items()) if count > 1}


def shared_contacts(model: MatchModel, records: Sequence[Values]) -> frozenset[str]:
    """Contacts of at least ``SHARED_BY`` different names: switchboards, placeholders, an agency's mailbox."""
    owners: dict[str, set[str]] = defaultdict(set)
    for record in records:
        name = _rough_name(model, record)
        for column in _CONTACT_COLUMNS.values():
            for contact in record[model.columns.index(column)] or ():
                owners[contact].add(name)
    return frozenset(contact for contact, names in owners.items() if len(names - {""}) >= SHARED_BY)


def without_contacts(model: MatchModel, record: Values, shared: frozenset[str]) -> Values:
    """The record with shared contacts taken out."""
    if not shared:
        return record
    values = list(record)
    for column, several in _CONTACT_COLUMNS.items():
        place = model.columns.index(several)
        kept = [c for c in record[place] or () if c not in shared]
        values[place] = kept or None
        values[model.columns.index(column)] = kept[0] if kept else None
    return tuple(values)


def blocked_pairs(model: MatchModel, records: Sequence[Values]) -> Iterator[tuple[int, int]]:
    """The pairs of records that share a key, each once, as indices."""
    blocks: dict[int, list[int]] = defaultdict(list)
    for number, record in enumerate(records):
        for key in block_keys(model.kind, record, model.oversized, model.words):
            blocks[key].append(number)
    seen: set[tuple[int, int]] = set()
    for members in blocks.values():
        for pair in combinations(members, 2):
            if pair not in seen:
                seen.add(pair)
                yield pair


def estimate_priors(model: MatchModel, records: Sequence[Values]) -> tuple[float, float]:
    """λ, the share of matching pairs, and η, the share of pairs of relatives (see ``score``), among all
    pairs.

    Fixed-point rounds over the blocked pairs: each pair's odds of being a match, relatives or neither under
    the present λ and η give the next λ and η. Pairs that blocking does not find count as neither.
    """
    scorer, pairs_in_all = Scorer(model), len(records) * (len(records) - 1) / 2
    parts = [scorer.parts(records[a], records[b]) for a, b in blocked_pairs(model, records)]
    own, common = np.array([p.own for p in parts]), np.array([p.common for p in parts])
    lam, eta = 1 / len(records), 0.1 / len(records)
    for _ in range(_ROUNDS if parts else 0):
        match = np.exp2(np.clip(own + common + np.log2(lam), -60, 60))
        related = np.exp2(np.clip(common + np.log2(eta), -60, 60))
        total = 1 + match + related
        lam = float(np.clip((match / total).sum() / pairs_in_all, 1e-12, 0.4))
        eta = float(np.clip((related / total).sum() / pairs_in_all, 1e-12, 0.4))
    return lam, eta


def _rough_name(model: MatchModel, record: Values) -> str:
    if model.kind == "organisation":
        return (record[model.columns.index("name_latin")] or "")[:5]
    family, given = (record[model.columns.index(c)] or "" for c in ("family_latin", "given_latin"))
    return soundex(family) + given[:1]


def _with_u(
    model: MatchModel, records: Sequence[Values], frequencies: Mapping[str, Mapping[str, float]], lam: float
) -> dict[str, Any]:
    """Settings with u of exact levels as Σ tf², of others as their share among random pairs that do not
    match.
    """
    settings = copy.deepcopy(dict(model.settings))
    chance = random.Random(len(records))  # noqa: S311 - a sample, not a secret
    for comparison, data in zip(model.comparisons, settings["comparisons"], strict=True):
        counts: Counter[int] = Counter()
        null = comparison.levels[0].condition
        known = [r for r in records if null is None or not null(r, r)]
        for left, right in _random_pairs(known, chance):
            counts[level_of(comparison, left, right)] += 1
        total = sum(counts.values())
        for index, level in enumerate(data["comparison_levels"]):
            if total and not level.get("is_null_level"):
                share = counts[index] / total
                share = max((share - lam * level["m_probability"]) / (1 - lam), share / 10)
                level["u_probability"] = _u(level, share, total, frequencies, data["comparison_levels"])
    return settings


def _random_pairs(records: Sequence[Values], chance: random.Random) -> Iterator[tuple[Values, Values]]:
    """All pairs if they are few, else ``RANDOM_PAIRS`` drawn with replacement."""
    if len(records) * (len(records) - 1) // 2 <= RANDOM_PAIRS:
        yield from combinations(records, 2)
        return
    for _ in range(RANDOM_PAIRS):
        left, right = chance.choice(records), chance.choice(records)
        if left is not right:
            yield left, right


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
