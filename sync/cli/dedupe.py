"""``kehu dedupe``: find duplicates in files, without a project."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sync.cli.console import Bar, emit, emit_json, emit_table, next_step, number, progress, say
from sync.cli.exits import Exit
from sync.cli.options import Json
from sync.dedupe.accuracy import Accuracy
from sync.dedupe.job import Report, Request
from sync.dedupe.job import dedupe as run
from sync.errors import Misused
from sync.language import _
from sync.matching.modelfile import read_models


def dedupe(
    files: Annotated[list[Path], typer.Argument(help=_("CSV, Excel, JSON lines, JSON or Parquet files."))] = [],  # noqa: B006
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", exists=True, dir_okay=False, help=_("A mapping file; by default one is proposed.")),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help=_("Folder for the result; by default NAME-dedupe beside you."))
    ] = None,
    truth: Annotated[
        str | None, typer.Option("--truth", help=_("Column that says who is who: print how right the result is."))
    ] = None,
    region: Annotated[str, typer.Option(help=_("Default country of phone numbers, e.g. CN."))] = "CN",
    kind: Annotated[
        Literal["person", "organisation"] | None,
        typer.Option(help=_("What a proposed mapping takes the rows for; by default as the columns suggest.")),
    ] = None,
    train: Annotated[bool, typer.Option("--train", help=_("Learn the match model from the rows first."))] = False,
    model: Annotated[
        Path | None, typer.Option("--model", exists=True, dir_okay=False, help=_("Match by the models in this file."))
    ] = None,
    engine: Annotated[
        Literal["own", "duckdb", "spark"], typer.Option(help=_("What weighs the pairs; the result is the same."))
    ] = "own",
    spark_master: Annotated[
        str, typer.Option("--spark-master", help=_("Where Spark runs, e.g. spark://host:7077."))
    ] = "local[2]",
    replace: Annotated[bool, typer.Option("--replace", help=_("Overwrite an earlier result in the folder."))] = False,
    as_json: Json = False,
) -> None:
    """Read, match and write clusters, golden records, links and a summary page."""
    folder = out or Path(f"{files[0].stem[:80] if files else 'files'}-dedupe")
    if train and model is not None:
        raise Misused("--train and --model exclude each other.")
    models = read_models(model) if model is not None else None
    request = Request(files, folder, mapping, truth, region.upper(), kind, replace, engine, spark_master, train, models)
    with progress() as bar:
        report = run(request, _Watcher(bar))
    if as_json:
        emit_json("dedupe", _data(report, folder))
    else:
        _show(report, folder, shlex.join(map(str, files)))
    if report.rejected:
        say(
            _("Rows that could not be used: {count}; see {file}.", count=report.rejected,
              file=str(folder / "rejected.csv")),
            "yellow",
        )  # fmt: skip
        raise typer.Exit(Exit.QUARANTINED)


class _Watcher:
    """Bars for the steps; the proposed mapping as it is."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def update(self, name: str, done: int, total: int | None = None) -> None:
        self._bar.update(name, done, total)

    def proposed(self, text: str, recognised: str | None) -> None:
        if recognised is not None:
            say(recognised, "green")
            return
        say(_("No mapping was given. This one is proposed from the columns' names and values:"))
        say(text.rstrip("\n"), "dim")


def _show(report: Report, folder: Path, files: str) -> None:
    rows = [
        (_("Rows read"), number(report.rows + report.unreadable)),
        (_("Records compared"), number(report.records)),
        (_("Customers"), number(report.clusters)),
        (_("Duplicates"), number(report.duplicates)),
        (_("Pairs compared"), number(report.compared)),
    ]
    emit_table((_("What"), _("Count")), rows, right=(1,))
    if report.accuracy is not None:
        _show_accuracy(report.accuracy)
    for name in report.written:
        emit(str(folder / name))
    if report.proposal is not None:
        mapping, out = shlex.quote(str(folder / "mapping.yaml")), shlex.quote(str(folder))
        next_step(f"kehu dedupe {files} --mapping {mapping} --out {out} --replace")


def _show_accuracy(accuracy: Accuracy) -> None:
    scores = ((_("By pair of rows"), accuracy.pairs), (_("By customer"), accuracy.clusters))
    rows = [(name, *(f"{value:.4f}" for value in score)) for name, score in scores]
    emit_table((_("Accuracy"), _("Precision"), _("Recall"), _("F1")), rows, right=(1, 2, 3))
    if accuracy.left_out:
        say(_("Rows without a value in the truth column, left out of this: {count}.", count=accuracy.left_out))


def _data(report: Report, folder: Path) -> dict[str, Any]:
    accuracy = report.accuracy
    return {
        "folder": str(folder),
        "files": report.files,
        "written": report.written,
        "rows": {
            "read": report.rows + report.unreadable,
            "unreadable": report.unreadable,
            "unmapped": report.unmapped,
            "filtered": report.filtered,
        },
        "records": report.records,
        "clusters": report.clusters,
        "duplicates": report.duplicates,
        "sizes": {str(size): count for size, count in report.sizes.items()},
        "pairs": {"compared": report.compared, "kept": report.links, "forbidden": report.vetoed},
        "histogram": {f"{edge:.0f}": count for edge, count in report.histogram.items()},
        "blocks": {"crowded": report.crowded_blocks, "records_without": report.unblocked},
        "shared_contacts": report.shared_contacts,
        "accuracy": None
        if accuracy is None
        else {
            "rows": accuracy.rows,
            "left_out": accuracy.left_out,
            "pairs": accuracy.pairs._asdict(),
            "clusters": accuracy.clusters._asdict(),
        },
    }
