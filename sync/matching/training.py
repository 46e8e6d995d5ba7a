"""Match models trained on a customer base without labels: m by expectation maximisation, through Splink on DuckDB.

Each session looks at the pairs that agree on some columns ("same date of birth") and estimates how often matches agree
on all *other* columns (Splink's way: u stays as calibrated, the share of matches is the session's own). Sessions are
pooled by the matches they saw. What several sessions say is drawn towards the default m as if it had been seen in
``FAITH`` matches, so that small data cannot take a model far; what no session saw keeps the default.

EM looks for two classes of pairs, whatever they are. Where other fields follow from the columns agreed on (mailboxes
made of names), it takes nearly all pairs for matches. A session that finds many more matches than the calibrated
default model (or far fewer) has found another class, and does not count.

Relatives agree on surname, address, phone and mailbox without being matches. Pairs that agree on one of these alone are
therefore never a session: there EM would take relatives for matches, and learn that matches differ in given name. Some
are in every session, twins and namesakes above all. Where calibration finds many relatives, how often matches differ in
what tells relatives apart (given name, birth, number; name and branch) is therefore never learnt to be more than the
default says.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mappings.matching.bulk import BulkScorer
from mappings.matching.calibrate import LEAST, calibrate, with_settings, without_contacts
from mappings.matching.columns import Values
from mappings.matching.model import Kind, MatchModel
from mappings.matching.pairing import Agreeing, agreeing_pairs
from mappings.matching.probabilistic import default_model
from mappings.matching.score import COMMON
from sync.language import _
from sync.matching.splinking import parameters, quiet, register_frequencies, require_splink, table_of

SESSIONS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "person": (
        ("birth",), ("number",), ("email", "given_latin"), ("phone", "given_latin"), ("given_latin", "family_latin"),
        ("street", "given_latin"), ("given_latin", "postcode"), ("given_latin", "city"),
    ),
    "organisation": (
        ("tax",), ("name_latin",), ("phone",), ("email",), ("street",), ("domain", "city"), ("domain", "postcode"),
    ),
}  # fmt: skip
"""The columns on which the pairs of a session agree."""
FEWEST_PAIRS = 100
MOST_PAIRS = 1_000_000
"""Of more pairs a session looks at about so many."""
CROWDED = 200
"""A session of more pairs than so many per record does not consist of matches."""
LOOKED_AT = 20_000
"""From so many pairs the expected share of matches is judged."""
LEAST_MATCHES = 30.0
"""EM learns nothing from fewer."""
FAITH = 20.0
_UNSEEN = 1e-6
"""What Splink gives for m of a level that no pair had (``ComparisonLevel.m_probability``)."""
ROUNDS = 50
TOLERANCE = 0.09
"""How far the share of matches may be from the expected one."""
PURE = 0.75
"""At least so many of a session's pairs must be expected to be matches. Where relatives, or branches of one company,
are many among the rest, EM takes them for matches too.
"""
DIGITS = 7
"""Of m: sums in another order differ in the sixteenth."""

RELATIVES = 0.1
"""Relatives are many from so many pairs for each pair of matches on."""

Told = Callable[[int, int], None]


class Session(NamedTuple):
    """One run of EM: the columns agreed on, the pairs there are, the share of matches that the default model expects
    among them and that EM found (0: not tried), and whether it counts.
    """

    columns: tuple[str, ...]
    pairs: int
    expected: float
    share: float
    counted: bool


@dataclass(frozen=True)
class Training:
    """A trained model, and how it came about. ``notes`` are sentences in the language in use."""

    model: MatchModel
    records: int
    sessions: list[Session] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def trained(self) -> bool:
        """Whether EM changed anything; if not, the model is the default one, calibrated."""
        return any(session.counted for session in self.sessions)


def train(kind: Kind, records: Sequence[Values], told: Told = lambda done, total: None) -> Training:
    """A model of the customer base that ``records`` are. Raises ``ExtraMissing`` without Splink."""
    require_splink()
    model = calibrate(default_model(kind), records)
    if len(records) < LEAST:
        note = _("There are only {count} records of this kind, too few to learn from (at least {least}): the default "
                 "parameters are kept.", count=len(records), least=LEAST)  # fmt: skip
        return Training(model, len(records), [], [note])
    sessions, estimates = _sessions(model, records, told)
    settings, notes = _pooled(model, estimates)
    notes = [*_doubtful(sessions), *notes]
    if not any(session.counted for session in sessions):
        notes = [_("No group of pairs held enough matches to learn from: the default parameters are kept.")]
    fresh = default_model(kind)
    trained = calibrate(with_settings(fresh, {**fresh.settings, "comparisons": settings["comparisons"]}, {}), records)
    return Training(trained, len(records), sessions, notes)


def _doubtful(sessions: Sequence[Session]) -> list[str]:
    return [
        _("Pairs that agree on {columns} are left out: among them {found} matches were found where {expected} were "
          "expected, so something else was found.",
          columns=", ".join(session.columns), found=f"{session.share:.1%}", expected=f"{session.expected:.1%}")
        for session in sessions
        if session.share and not session.counted
    ]  # fmt: skip


class _Estimate(NamedTuple):
    """What a session says of one comparison: m of its levels (None: never seen), from so many matches."""

    matches: float
    m: list[float | None]


def _sessions(
    model: MatchModel, records: Sequence[Values], told: Told
) -> tuple[list[Session], dict[str, list[_Estimate]]]:
    records = sorted((without_contacts(model, record, model.shared) for record in records), key=repr)
    table, scorer = table_of(model.columns, records), BulkScorer(model, records)
    sessions, estimates = [], dict[str, list[_Estimate]]()
    asked = SESSIONS[model.kind]
    for number, columns in enumerate(asked):
        told(number, len(asked))
        places = [model.columns.index(column) for column in columns]
        agreeing = agreeing_pairs([tuple(record[place] for place in places) for record in records], LOOKED_AT)
        expected = _expected(model, scorer, agreeing)
        if not FEWEST_PAIRS <= agreeing.total <= CROWDED * len(records) or expected < PURE:
            sessions.append(Session(columns, agreeing.total, expected, 0.0, False))
            continue
        share, found = _run(model, table, columns)
        matches = share * min(agreeing.total, MOST_PAIRS)
        plausible = abs(share - expected) <= TOLERANCE
        counted = plausible and matches >= LEAST_MATCHES
        sessions.append(Session(columns, agreeing.total, expected, share, counted))
        for name, m in found.items() if counted else ():
            estimates.setdefault(name, []).append(_Estimate(matches, m))
    told(len(asked), len(asked))
    return sessions, estimates


def _expected(model: MatchModel, scorer: BulkScorer, agreeing: Agreeing) -> float:
    """The share of matches among pairs, as the model sees it."""
    if not len(agreeing.left):
        return 0.0
    weights = np.clip(scorer.weights(model, agreeing.left, agreeing.right), -60, 60)
    return float((1 / (1 + np.exp2(-weights))).mean())


def _run(model: MatchModel, table: Any, columns: tuple[str, ...]) -> tuple[float, dict[str, list[float | None]]]:
    """One session on a connection of its own (two linkers on one share their term frequencies wrongly)."""
    import duckdb
    from splink import DuckDBAPI, Linker, block_on

    with quiet(), duckdb.connect() as connection:
        api = DuckDBAPI(connection)
        linker = Linker(api.register(table), {**model.settings, "max_iterations": ROUNDS})
        register_frequencies(linker, api, model)
        session = linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*columns), max_pairs=MOST_PAIRS
        )
        trained = session.core_model_settings
        share = trained.probability_two_random_records_match
    return share, {
        comparison.output_column_name: [
            None if level.m_probability == _UNSEEN else level.m_probability
            for level in comparison.comparison_levels
            if not level.is_null_level
        ]
        for comparison in trained.comparisons
    }


def _pooled(model: MatchModel, estimates: Mapping[str, list[_Estimate]]) -> tuple[dict[str, Any], list[str]]:
    """Settings with the pooled m, and what was left at its default."""
    settings = copy.deepcopy(dict(model.settings))
    whole, single = [], []
    many = model.related >= RELATIVES * settings["probability_two_random_records_match"]
    for name, levels in parameters(settings).items():
        found = estimates.get(name, [])
        if not any(m is not None for one in found for m in one.m):
            whole.append(name)
            continue
        most = levels[-1]["m_probability"] if many and name not in COMMON[model.kind] else 1.0
        unseen = _pool(levels, found, most)
        single += [f"{name}: {label}" for label in unseen]
    notes = []
    if whole:
        notes.append(_("Nothing could be learnt of these fields, whose default parameters are kept: {fields}.",
                       fields=", ".join(whole)))  # fmt: skip
    if single:
        notes.append(_("No pair showed these levels, whose default parameters are kept: {levels}.",
                       levels="; ".join(single)))  # fmt: skip
    return settings, notes


def _pool(levels: Sequence[dict[str, Any]], found: Sequence[_Estimate], most: float) -> list[str]:
    """Set m of one comparison's levels, of the last at most ``most``; returns the labels of those no session saw."""
    unseen, pooled = [], []
    for place, level in enumerate(levels):
        seen = [(one.matches, m) for one in found if (m := one.m[place]) is not None]
        matches = sum(weight for weight, _m in seen)
        mean = sum(weight * m for weight, m in seen)
        pooled.append((mean + FAITH * level["m_probability"]) / (matches + FAITH))
        if not seen:
            unseen.append(str(level["label_for_charts"]))
    rest = sum(pooled[:-1])
    pooled[-1] = min(pooled[-1], rest * most / (1 - most)) if most < 1 else pooled[-1]
    total = sum(pooled)
    for level, m in zip(levels, pooled, strict=True):
        level["m_probability"] = round(m / total, DIGITS)
    return unseen
