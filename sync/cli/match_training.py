"""``kehu match train`` and ``kehu match evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mappings.matching.columns import Values
from mappings.matching.model import Kind, MatchModel
from sync.cli.console import Bar, emit, emit_json, emit_table, next_step, number, progress, say
from sync.cli.options import Json
from sync.cli.session import Session, session
from sync.errors import Misused
from sync.language import _
from sync.matching import evaluating, populations, splinking, store, training, truth
from sync.matching.evaluating import Evaluation, WrongPair
from sync.matching.modelfile import read_models, write_models
from sync.matching.populations import FromFiles
from sync.matching.training import Training

app = typer.Typer()
"""Mounted into ``kehu match`` by ``sync.cli.match``."""

Files = Annotated[
    list[Path] | None,
    typer.Argument(help=_("CSV, Excel, JSON lines, JSON or Parquet files; none: the project's own records.")),
]
MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", exists=True, dir_okay=False, help=_("A mapping file; by default one is proposed.")),
]
Region = Annotated[str, typer.Option(help=_("Default country of phone numbers, e.g. CN."))]
KindOf = Annotated[
    Literal["person", "organisation"] | None,
    typer.Option(help=_("What a proposed mapping takes the rows for; by default as the columns suggest.")),
]


@app.command(help=_("Learn a match model from data without labels, and propose it as a version."))
def train(
    context: typer.Context,
    files: Files = None,
    mapping: MappingFile = None,
    kind: KindOf = None,
    region: Region = "CN",
    note: Annotated[str, typer.Option(help=_("A word on the version, for the list."))] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help=_("Write the models to this file instead; needs no project."))
    ] = None,
    as_json: Json = False,
) -> None:
    """Expectation maximisation through Splink on DuckDB."""
    splinking.require_splink()
    with progress() as bar:
        found = _trained(session(context), files or [], mapping, kind, region, bar)
    version = None
    if out is not None:
        write_models(out, {kind: one.model for kind, one in found.items()})
    else:
        with session(context).migrated.database.transaction() as connection:
            records = sum(one.records for one in found.values())
            models = {kind: one.model for kind, one in found.items()}
            version = store.propose(connection, models, origin="trained", note=note, statistics={"records": records})
    if as_json:
        emit_json("match_training", _training_data(found, version.number if version else None))
        return
    _show_training(found)
    if version is not None:
        say(_("Proposed as version {number}. Nothing uses it before someone switches.", number=version.number), "green")
        next_step(f"kehu match compare {version.number}")
    else:
        emit(str(out))


@app.command(help=_("Measure how right the customers are, against a truth column or a file of pairs."))
def evaluate(
    context: typer.Context,
    files: Files = None,
    truth_column: Annotated[
        str | None,
        typer.Option("--truth", help=_("The column (of a project: the source's field) that says who is who.")),
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", help=_("A file: two ids a row, and same or different."))
    ] = None,
    id_column: Annotated[str | None, typer.Option("--id", help=_("The column with the ids of the pairs."))] = None,
    mapping: MappingFile = None,
    kind: KindOf = None,
    region: Region = "CN",
    version: Annotated[int | None, typer.Option(help=_("Judge files by this version of the project's model."))] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", exists=True, dir_okay=False, help=_("Judge files by models in a file.")),
    ] = None,
    train_first: Annotated[bool, typer.Option("--train", help=_("Train on the files first."))] = False,
    worst: Annotated[int, typer.Option(min=0, max=1_000, help=_("How many wrong pairs to show of each sort."))] = 10,
    as_json: Json = False,
) -> None:
    """On files, or on the project's master as it is."""
    if (truth_column is None) == (pairs is None):
        raise Misused("Give the truth: either --truth COLUMN or --pairs FILE.")
    judged = truth.read_pairs(pairs) if pairs is not None else None
    if not files:
        result, unknown = _judge_master(session(context), truth_column, judged, worst)
    else:
        with progress() as bar:
            told = _told(bar)
            with populations.from_files(files, mapping, kind, region.upper(), truth_column, told) as loaded:
                models = _models(session(context), loaded, version, model, train_first, bar)
                result, unknown = _judge_files(loaded, models, truth_column, judged, id_column, worst, bar)
    if as_json:
        emit_json("match_evaluation", _evaluation_data(result, unknown))
    else:
        _show_evaluation(result, unknown)


def _trained(
    given: Session, files: list[Path], mapping: Path | None, kind: str | None, region: str, bar: Bar
) -> dict[Kind, Training]:
    if files:
        with populations.from_files(files, mapping, kind, region.upper(), None, _told(bar)) as loaded:
            return _train(populations.values_of_files(loaded), bar)
    with given.migrated.database.reading() as connection:
        values = populations.values_of_master(connection)
    return _train(values, bar)


def _train(values: Mapping[Kind, list[Values]], bar: Bar) -> dict[Kind, Training]:
    step = _("Learning from pairs")
    return {
        kind: training.train(kind, records, lambda done, total: bar.update(step, done, total))
        for kind, records in values.items()
    }


def _models(
    given: Session, loaded: FromFiles, version: int | None, file: Path | None, train_first: bool, bar: Bar
) -> dict[Kind, MatchModel] | None:
    if sum([version is not None, file is not None, train_first]) > 1:
        raise Misused("--version, --model and --train exclude each other.")
    if version is not None:
        with given.migrated.database.reading() as connection:
            return store.load(connection, version)
    if file is not None:
        return read_models(file)
    if train_first:
        return {kind: one.model for kind, one in _train(populations.values_of_files(loaded), bar).items()}
    return None


def _judge_files(
    loaded: FromFiles, models: Mapping[Kind, MatchModel] | None, column: str | None, judged: truth.PairFile | None,
    id_column: str | None, worst: int, bar: Bar,
) -> tuple[Evaluation, int]:  # fmt: skip
    if column is not None:
        entities = populations.entities_of_files(loaded, column)
        return evaluating.by_entities(populations.matched_files(loaded, models, _told(bar)), entities, worst), 0
    assert judged is not None  # noqa: S101 - one of the two is given
    numbers = populations.numbers_of_files(loaded, judged, id_column)
    located = truth.locate(judged.pairs, numbers.get)
    return _by_pairs(populations.matched_files(loaded, models, _told(bar)), judged, located, worst)


def _judge_master(
    given: Session, column: str | None, judged: truth.PairFile | None, worst: int
) -> tuple[Evaluation, int]:
    with given.migrated.database.reading() as connection:
        matcher = store.matcher_of(connection, store.active(connection).number)
        found = populations.from_master(connection, matcher)
        if column is not None:
            return evaluating.by_entities(found.population, populations.entities_of_master(found, column), worst), 0
        assert judged is not None  # noqa: S101 - one of the two is given
        located = truth.locate(judged.pairs, found.numbers.get)
        return _by_pairs(found.population, judged, located, worst)


def _by_pairs(
    found: evaluating.Population, judged: truth.PairFile, located: truth.Located, worst: int
) -> tuple[Evaluation, int]:
    if judged.complete:
        same = ((pair.left, pair.right) for pair in located.pairs)
        entities = evaluating.entities_of(len(found.names), same)
        return evaluating.by_entities(found, entities, worst), located.unknown
    return evaluating.by_list(found, located.pairs, worst), located.unknown


def _told(bar: Bar) -> populations.Told:
    return lambda name, done, total: bar.update(name, done, total)


def _show_training(found: Mapping[Kind, Training]) -> None:
    for kind, one in found.items():
        say(_("{kind}: {count} records", kind=_kind(kind), count=one.records), "bold")
        rows = [
            (
                ", ".join(s.columns),
                number(s.pairs),
                f"{s.share:.1%}" if s.share else "–",
                _("yes") if s.counted else _("no"),
            )
            for s in one.sessions
            if s.pairs
        ]
        emit_table((_("Pairs that agree on"), _("Pairs"), _("Matches"), _("Learnt from")), rows, right=(1, 2))
        for sentence in one.notes:
            say(sentence, "yellow")


def _yes(value: bool) -> str:
    return _("yes") if value else _("no")


def _kind(kind: Kind) -> str:
    return _("Persons") if kind == "person" else _("Organisations")


def _show_evaluation(found: Evaluation, unknown: int) -> None:
    rows = [(_("By pair of rows"), *(f"{value:.4f}" for value in found.pairs))]
    if found.clusters is not None:
        rows.append((_("By customer"), *(f"{value:.4f}" for value in found.clusters)))
    emit_table((_("Accuracy"), _("Precision"), _("Recall"), _("F1")), rows, right=(1, 2, 3))
    c = found.confusion
    emit_table(
        (_("Pairs"), _("one customer"), _("several customers")),
        [(_("truly the same"), number(c.true_same), number(c.false_different)),
         (_("truly different"), number(c.false_same), number(c.true_different))],
        right=(1, 2),
    )  # fmt: skip
    emit_table(
        (_("Weight at least"), _("Precision"), _("Recall"), _("F1")),
        [(f"{t.weight:+.0f}", *(f"{value:.4f}" for value in t.score)) for t in found.thresholds],
        right=(0, 1, 2, 3),
    )
    _show_wrong(_("Wrongly one customer, the surest first"), found.false_same)
    _show_wrong(_("Wrongly several customers, the surest first"), found.false_different)
    if found.left_out:
        say(_("Records without truth, left out of this: {count}.", count=found.left_out))
    if unknown:
        say(_("Pairs that name a record that was not found: {count}.", count=unknown), "yellow")


def _show_wrong(title: str, pairs: list[WrongPair]) -> None:
    if not pairs:
        return
    say(title, "bold")
    rows = [(pair.left, pair.right, f"{pair.weight:+.1f}", _yes(pair.compared)) for pair in pairs]
    emit_table((_("Record"), _("Record"), _("Weight"), _("Shares a key")), rows, right=(2,))


def _training_data(found: Mapping[Kind, Training], version: int | None) -> dict[str, Any]:
    kinds = {
        kind: {
            "records": one.records,
            "trained": one.trained,
            "sessions": [session._asdict() for session in one.sessions],
            "notes": one.notes,
        }
        for kind, one in found.items()
    }
    return {"version": version, "kinds": kinds}


def _evaluation_data(found: Evaluation, unknown: int) -> dict[str, Any]:
    def finite(weight: float) -> float | None:
        return weight if abs(weight) < float("inf") else None

    return {
        "records": found.records,
        "left_out": found.left_out,
        "unknown_pairs": unknown,
        "confusion": found.confusion._asdict(),
        "pairs": found.pairs._asdict(),
        "clusters": found.clusters._asdict() if found.clusters else None,
        "thresholds": [{"weight": t.weight, **t.score._asdict()} for t in found.thresholds],
        "false_same": [{**pair._asdict(), "weight": finite(pair.weight)} for pair in found.false_same],
        "false_different": [{**pair._asdict(), "weight": finite(pair.weight)} for pair in found.false_different],
    }
