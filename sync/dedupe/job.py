"""The whole job: read, map, calibrate, compare, cluster, write. The same input gives the same bytes."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mappings.matching.model import Kind, MatchModel
from mappings.matching.processes import processors
from sync.dedupe import accuracy, exporting, proposing, reading, risk, summary
from sync.dedupe.accuracy import Accuracy
from sync.dedupe.matching import Links, Matching, values_of
from sync.dedupe.reading import Input
from sync.dedupe.records import KINDS, Records, map_rows
from sync.dedupe.store import Store
from sync.errors import Misused
from sync.language import _

FILES = (
    "clusters.csv", "golden.csv", "golden.jsonl", "links.csv", "rejected.csv", "summary.html", "mapping.yaml",
)  # fmt: skip
RISKIEST = 25


@dataclass(frozen=True)
class Request:
    """What to do. ``region`` is the country of phone numbers without one; ``kind`` what a proposed mapping makes of a
    row (None: as its columns suggest); ``replace`` allows files of an earlier result to be overwritten. ``engine``
    weighs the pairs (see ``sync.matching.engines``); ``train`` learns the model from the rows, ``models`` gives it.
    """

    files: Sequence[Path]
    out: Path
    mapping: Path | None = None
    truth: str | None = None
    region: str = "CN"
    kind: str | None = None
    replace: bool = False
    engine: str = "own"
    spark_master: str = "local[2]"
    train: bool = False
    models: Mapping[Kind, MatchModel] | None = None


class Watcher(Protocol):
    """Is told how the job goes."""

    def update(self, name: str, done: int, total: int | None = None) -> None:
        """So much of a step is done."""

    def proposed(self, text: str, recognised: str | None) -> None:
        """This mapping is used, because none was given: proposed, or of what the files were recognised as."""


@dataclass(frozen=True)
class Report:
    """The figures of a job. rows = mapped rows + unmapped + filtered; all rows read = rows + unreadable;
    records = the sum of size · clusters over ``sizes``.
    """

    files: list[str]
    rows: int
    unreadable: int
    unmapped: int
    filtered: int
    records: int
    clusters: int
    sizes: dict[int, int]
    compared: int
    links: int
    vetoed: int
    histogram: dict[float, int]
    crowded_blocks: int
    unblocked: int
    shared_contacts: int
    proposal: str | None
    accuracy: Accuracy | None
    written: list[str]

    @property
    def rejected(self) -> int:
        """Rows that are in rejected.csv."""
        return self.unreadable + self.unmapped

    @property
    def duplicates(self) -> int:
        """Records beyond the first of their cluster."""
        return self.records - self.clusters


def dedupe(request: Request, watcher: Watcher) -> Report:
    """Do it. Raises Misused, SpecError, and the files connector's errors; the folder then is as it was."""
    if not request.files:
        raise Misused("Name at least one file.", remedy="For example: kehu dedupe customers.csv --out result")
    _require_free(request.out, request.replace)
    with _staging(request.out) as folder:
        with Store(folder / "job.sqlite") as store:
            report = _run(request, watcher, store, folder)
        _move(folder, request.out)
    return report


def _run(request: Request, watcher: Watcher, store: Store, folder: Path) -> Report:
    found = reading.read_files(request.files, store, lambda done: watcher.update(_("Reading rows"), done))
    accuracy.require_column(found, request.truth)
    mapper, proposal, recognised = proposing.choose_mapping(
        request.mapping, store, found, request.truth, request.kind, request.region
    )
    if proposal is not None:
        watcher.proposed(proposal, recognised)
        (folder / "mapping.yaml").write_text(proposal, encoding="utf-8")
    records = map_rows(store, mapper, lambda done: watcher.update(_("Mapping rows"), done, found.rows))
    watcher.update(_("Learning what is common"), 0)
    matching = Matching(records, _models(request, records, watcher), processes=processors())
    watcher.update(_("Learning what is common"), 1, 1)
    links = _links(request, matching, lambda done, total: watcher.update(_("Comparing pairs"), done, total))
    clusters = matching.clusters(links, lambda done, total: watcher.update(_("Clustering"), done, total))
    store.place((number, record) for number, group in enumerate(clusters, 1) for record in group)
    report = _report(request, store, found, matching, links, clusters, proposal)
    _write(report, watcher, store, folder, found, matching, links, clusters)
    return report


def _models(request: Request, records: Records, watcher: Watcher) -> Mapping[Kind, MatchModel] | None:
    """The models to use; None for the default ones, calibrated."""
    if not request.train:
        return request.models
    from sync.matching.training import train  # Splink is loaded only where it is used

    step = _("Learning from pairs")
    values = {kind: list(values_of(records, letter)) for letter, kind in KINDS.items()}
    return {
        kind: train(kind, found, lambda done, total: watcher.update(step, done, total)).model
        for kind, found in values.items()
        if found
    }


def _links(request: Request, matching: Matching, told: Callable[[int, int], None]) -> Links:
    if request.engine == "own":
        return matching.links(told)
    from sync.matching.engines import engine, pair_weights

    with engine(request.engine, request.spark_master) as chosen:
        return matching.links(told, pair_weights(chosen, matching.matcher.models, matching.records.profiles))


def _report(
    request: Request, store: Store, found: Input, matching: Matching, links: Links, clusters: Sequence[Sequence[int]],
    proposal: str | None,
) -> Report:  # fmt: skip
    records = matching.records
    return Report(
        files=found.files,
        rows=found.rows,
        unreadable=found.unreadable,
        unmapped=records.rejected,
        filtered=records.filtered,
        records=len(records),
        clusters=len(clusters),
        sizes=dict(sorted(Counter(map(len, clusters)).items())),
        compared=links.compared,
        links=len(links.weight),
        vetoed=links.vetoed,
        histogram=dict(sorted(links.histogram.items())),
        crowded_blocks=matching.crowded_blocks,
        unblocked=matching.unblocked,
        shared_contacts=matching.shared_contacts,
        proposal=proposal,
        accuracy=accuracy.measure(store, request.truth) if request.truth else None,
        written=[name for name in FILES if name != "mapping.yaml" or proposal is not None],
    )


def _write(
    report: Report, watcher: Watcher, store: Store, folder: Path, found: Input, matching: Matching, links: Links,
    clusters: Sequence[Sequence[int]],
) -> None:  # fmt: skip
    def told(done: int) -> None:
        watcher.update(_("Writing"), done)

    exporting.write_clusters(folder / "clusters.csv", store, found, [len(group) for group in clusters], told)
    exporting.write_golden(folder / "golden.csv", folder / "golden.jsonl", store, found, told)
    exporting.write_links(folder / "links.csv", matching, links, clusters, found, told)
    exporting.write_rejected(folder / "rejected.csv", store, found)
    risks = risk.riskiest(matching, links, clusters, RISKIEST)
    page = summary.page(report, summary.threads(risks, store, found, matching, clusters), store.reasons(20))
    (folder / "summary.html").write_text(page, encoding="utf-8")


def _require_free(out: Path, replace: bool) -> None:
    if out.exists() and not out.is_dir():
        raise Misused("{folder} is a file.", folder=str(out), remedy="Name a folder with --out.")
    if out.is_dir() and any(out.iterdir()) and not replace:
        raise Misused(
            "The folder {folder} exists already and is not empty.",
            folder=str(out),
            remedy="Name another one with --out, or add --replace to overwrite an earlier result in it.",
        )


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A folder beside the result's, so that an interrupted job leaves nothing half done."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name[:40]}-", dir=out.parent))
    except OSError as error:
        raise _unwritable(out, error) from None
    try:
        yield folder
    except BrokenPipeError:
        raise
    except (OSError, sqlite3.OperationalError) as error:
        raise _unwritable(out, error) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, out: Path) -> None:
    try:
        out.mkdir(exist_ok=True)
        for name in FILES:
            if (folder / name).exists():
                (folder / name).replace(out / name)
    except OSError as error:
        raise _unwritable(out, error) from None


def _unwritable(out: Path, error: Exception) -> Misused:
    reason = getattr(error, "strerror", None) or str(error)
    return Misused(
        "The folder {folder} cannot be written: {reason}.",
        folder=str(out),
        reason=reason[:200],
        remedy="Name another folder with --out, or make room there.",
    )
