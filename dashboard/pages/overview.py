"""The first page: who needs you, how fresh everything is, and what happened in the last day."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response

from dashboard import live, remembered
from dashboard.pages.duplicates import worklist
from dashboard.permissions import Permission, Requires
from dashboard.rendering import language_of, render, render_text
from sync import activity, attention, language, overview
from sync.attention import Standing
from sync.master import queries
from sync.master.search import index
from sync.matching import drift
from sync.stewardship.worklist import MOST

router = APIRouter(dependencies=[Depends(Requires(Permission.VIEW))])
HOURS = {"24h": 24, "7d": 168, "30d": 720}
Range = Literal["24h", "7d", "30d"]
EVERY = 3.0
SMALL = 100_000
"""Up to so many records the queue of duplicates is counted while the page waits."""


@router.get("/")
def show(request: Request, range: Range = "24h") -> Response:
    """What needs somebody, connections against their targets, charts, queues, and the size of the master."""
    return render(request, "overview.html", range=range, ranges=list(HOURS), **_now(request, range))


@router.get("/overview/live")
def watch(request: Request, range: Range = "24h") -> Response:
    """The same, as it changes."""

    def look() -> live.News:
        html = render_text(request, "overview_now.html", range=range, ranges=list(HOURS), **_now(request, range))
        return live.News({"now": html})

    return live.stream(request, look, every=EVERY)


def _now(request: Request, chosen: Range) -> dict[str, Any]:
    project, memory = request.app.state.project, remembered.of(request)

    def standing() -> list[overview.StreamOverview]:
        with project.database.reading() as connection:
            return overview.streams(connection)

    def happened() -> list[activity.Column]:
        with project.database.reading() as connection:
            return activity.activity(connection, hours=HOURS[chosen])

    found = attention.connections(memory.get("streams", standing, fresh=1.0))
    shown = [one for one in found if one.standing is not Standing.REMOVED]
    with project.database.reading() as connection:
        stats, histogram = queries.stats(connection), overview.members_histogram(connection)
        behind, proposal = index.behind(connection), drift.open_proposal(connection)
    desk = worklist(request)
    pairs = desk.pairs() if stats.source_records <= SMALL else desk.at_hand()
    stale = request.app.state.stale
    return {
        "stale": language.told(stale, language_of(request)) if stale is not None else None,
        "connections": sorted(shown, key=lambda one: one.standing is not Standing.NEEDS_YOU),
        "needing": [one for one in shown if one.standing is Standing.NEEDS_YOU],
        "stats": stats,
        "histogram": histogram,
        "largest": max(histogram.values(), default=1),
        "pairs": None if pairs is None else len(pairs),
        "most_pairs": MOST,
        "quarantined": sum(one.quarantined for one in shown),
        "behind": behind,
        "proposal": proposal if proposal is not None and proposal.asks else None,
        "columns": memory.get(f"activity {chosen}", happened),
    }
