"""The page for people: what was found, how sure it is, and where to look first. One file, loads nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from connectors.files.rows import printable
from mappings.matching.cluster import MERGE_AT
from sync import language
from sync.dedupe import exporting
from sync.dedupe.cells import flat
from sync.dedupe.matching import BIN, HIGHEST_BIN, LOWEST_BIN, Matching
from sync.dedupe.reading import Input
from sync.dedupe.risk import Risk
from sync.dedupe.store import Store, StoredCustomer
from sync.language import _

if TYPE_CHECKING:
    from sync.dedupe.job import Report

SHOWN = ("name", "emails", "phones", "birth_date", "addresses", "identifiers")
LONGEST = 120
WIDTH, HEIGHT = 720, 200


class Thread(NamedTuple):
    """A cluster by its weakest needed link: the two records side by side, and what each comparison says of them."""

    title: str
    size: int
    weight: float
    places: tuple[str, str]
    fields: list[tuple[str, str, str]]
    evidence: list[tuple[str, str]]


class Column(NamedTuple):
    """A bar of the histogram in the drawing's units, with its tooltip."""

    x: float
    y: float
    width: float
    height: float
    kept: bool
    title: str


def page(report: Report, found: Sequence[Thread], reasons: Sequence[tuple[str, int]]) -> str:
    """The page in the language in use, everything in it escaped."""
    bars, ticks = histogram(report.histogram)
    return _template().render(
        report=report, threads=found, reasons=reasons, bars=bars, ticks=ticks, width=WIDTH, height=HEIGHT,
        cut=_x(MERGE_AT), language=language.current(), texts=texts(report),
        sizes=[(size, count, size * count) for size, count in report.sizes.items()], number=_number,
    )  # fmt: skip


def threads(
    risks: Sequence[Risk], store: Store, found: Input, matching: Matching, clusters: Sequence[Sequence[int]]
) -> list[Thread]:
    """The riskiest clusters with what is to be seen of them."""
    return [_thread(one, store, found, matching, len(clusters[one.cluster])) for one in risks]


def histogram(counts: dict[float, int]) -> tuple[list[Column], list[tuple[float, str]]]:
    """Bars of logarithmic height for the pairs of each bin, and the ticks of the axis."""
    most = math.log1p(max(counts.values(), default=1))
    bars = []
    for edge, count in counts.items():
        height = HEIGHT * math.log1p(count) / most
        title = f"{_range(edge)}: {count:,}"
        bars.append(Column(_x(edge) + 1, HEIGHT - height, _x(BIN) - _x(0) - 2, height, edge + BIN > MERGE_AT, title))
    ticks = [(_x(edge), f"{edge:+.0f}") for edge in range(int(LOWEST_BIN), int(HIGHEST_BIN) + 1, 10)]
    return bars, ticks


def texts(report: Report) -> dict[str, str]:
    """The page's words in the language in use."""
    return {
        "title": _("Duplicates found"),
        "of": _("in {files}", files=", ".join(report.files)),
        "rows_read": _("Rows read"),
        "unreadable": _("could not be read (rejected.csv)"),
        "unmapped": _("could not be mapped to a customer (rejected.csv)"),
        "filtered": _("left out by the mapping's condition"),
        "mapped": _("rows with customers"),
        "records": _("Records compared"),
        "clusters": _("Customers"),
        "duplicates": _("Duplicates"),
        "counts": _("What became of every row"),
        "sizes": _("Customers by number of records"),
        "size": _("Records per customer"),
        "total": _("Total"),
        "accuracy": _("Accuracy against the truth column"),
        "by_pair": _("By pair of rows"),
        "by_cluster": _("By customer"),
        "precision": _("Precision"),
        "recall": _("Recall"),
        "f1": _("F1"),
        "histogram": _("Weights of the compared pairs"),
        "axis": _("Weight in log2 odds: above 0 it is likelier that the two are one customer. Heights are logarithmic; "
                  "the line is where groups of records stop merging."),
        "pairs": _("Pairs compared: {compared}; of these kept in links.csv: {links}; forbidden by different tax "
                   "numbers or kinds: {vetoed}.", compared=report.compared, links=report.links, vetoed=report.vetoed),
        "blocks": _("Blocking keys shared by too many records, replaced by finer ones: {crowded}; distinct records "
                    "left without any key, so compared with nobody: {unblocked}; contacts of many different names, "
                    "which prove nothing: {shared}.", crowded=report.crowded_blocks, unblocked=report.unblocked,
                    shared=report.shared_contacts),
        "riskiest": _("The riskiest customers"),
        "risk_about": _("Each would fall apart without the link shown: its two records are the weakest bridge between "
                        "the customer's records. Look at these first."),
        "weakest": _("weakest link"),
        "none": _("No customer has more than one distinct record."),
        "field": _("Field"),
        "prior": _("prior"),
        "rejected": _("Rows left out, by reason"),
        "reason": _("Reason"),
        "rows": _("Rows"),
        "mapping": _("The proposed mapping"),
        "mapping_about": _("Proposed from the columns' names and values; it is in mapping.yaml. Correct it and run "
                           "again with --mapping for a better result."),
        "files": _("Files"),
    }  # fmt: skip


def _thread(one: Risk, store: Store, found: Input, matching: Matching, size: int) -> Thread:
    left, right = store.customers((one.left, one.right))
    sides = [orjson.loads(member.body) for member in (left, right)]
    values = [(name, _shown(sides[0].get(name)), _shown(sides[1].get(name))) for name in SHOWN]
    profile_of, profiles = matching.records.profile_of, matching.records.profiles
    told = exporting.evidence(matching.matcher, profiles, profile_of[one.left], profile_of[one.right])
    evidence = [(name, weight) for name, weight in zip(("prior", *exporting.EVIDENCE), told, strict=True) if weight]
    places = (_place(left, found), _place(right, found))
    return Thread(
        _("Customer {id}", id=one.cluster + 1), size, one.weight, places, [v for v in values if v[1] or v[2]], evidence
    )


def _place(member: StoredCustomer, found: Input) -> str:
    part = f" {member.part}" if member.part else ""
    return f"{found.files[member.file]} {member.line}{part}"


def _shown(value: Any) -> str:
    text = printable(str(flat(value) if value is not None else ""))
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _range(edge: float) -> str:
    if edge <= LOWEST_BIN:
        return f"< {edge + BIN:+.0f}"
    return f"≥ {edge:+.0f}" if edge >= HIGHEST_BIN else f"{edge:+.0f} … {edge + BIN:+.0f}"


def _x(weight: float) -> float:
    return round((weight - LOWEST_BIN) / (HIGHEST_BIN + BIN - LOWEST_BIN) * WIDTH, 2)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("summary.html")
