"""Match quality: weights, what people said of them, crowded blocks; versions compared before one is put in force."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response

from dashboard import learning, remembered
from dashboard.histogram import histogram
from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.posting import Form, Posted, status_of, told
from dashboard.rendering import render
from sync import audit
from sync.errors import Misused, Refused, SyncError
from sync.master import tally
from sync.master.bulk import bulk_for
from sync.master.inforce import reading_with
from sync.matching import comparing, drift, due, store, switching
from sync.matching.active import plain
from sync.matching.comparing import Comparison
from sync.project import Project
from sync.stewardship import quality
from sync.stewardship.quality import Band, Bin

reading = APIRouter(dependencies=[Depends(Requires(Permission.STEWARDSHIP_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.STEWARDSHIP_WRITE))])

MOST_COMPARED = 200_000
"""Records up to which two versions are compared in this process; beyond, on the command line."""
LONGEST_REASON = 1_000
FRESH, COMPARED_FRESH = 30.0, 600.0
SMALL = 100_000
"""Up to so many records the pairs are counted while the page waits."""
Version = Annotated[int, Query(ge=1, le=2**31)]


class Weights(NamedTuple):
    """What is counted over all compared pairs."""

    review_from: float | None
    accept_from: float | None
    bins: list[Bin]
    bands: list[Band]


@reading.get("/matching")
def show(request: Request) -> Response:
    """The version in force and how good it is; versions, switches, blocks."""
    project = _project(request)
    learnt = learning.of(request).state  # before the versions are read: else one that is just made may be missed
    with project.database.reading() as connection:
        if not due.in_force(connection):
            return render(request, "matching_none.html")
        versions, switches = store.versions(connection), switching.history(connection, 5)
        crowded = quality.blocks(connection)
        active, proposal = store.active(connection), drift.open_proposal(connection)
        small = tally.read(connection).placed <= SMALL
    memory, name = remembered.of(request), f"weights {active.number}"
    find = memory.get if small else memory.soon
    return render(
        request,
        "matching.html",
        active=active,
        proposal=proposal,
        versions=versions,
        switches=switches,
        blocks=crowded,
        progress=switching.progress(project.database),
        **_charted(find(name, lambda: _weights(project), FRESH)),
        learnt=learnt,
    )


@reading.get("/matching/weights")
def weights(request: Request) -> Response:
    """The weights of all compared pairs, a part of the page; waits until they are counted."""
    project = _project(request)
    with project.database.reading() as connection:
        active = store.active(connection)
    found = remembered.of(request).get(f"weights {active.number}", lambda: _weights(project), FRESH)
    return render(request, "matching_weights.html", **_charted(found))


@writing.post("/matching")
def act(request: Request, form: Form) -> Response:
    """Learn a version and propose it, or put one in force."""
    project, visitor, said = _project(request), principal_of(request), form.word("act")
    try:
        if said == "learn":
            learning.of(request).begin(project, visitor.user, visitor.actor)
            return redirect("/matching", "learning")
        if said == "use":
            _use(project, form, visitor.user, visitor.actor)
            return redirect("/matching", "switching")
        raise Misused("There is nothing of that kind to do.")
    except SyncError as error:
        return render(request, "refused.html", status=status_of(error), faults=told(request, error), back="/matching")


@reading.get("/matching/compare")
def compare(request: Request, version: Version) -> Response:
    """What would change if a version were in force; counted when the page has come."""
    project = _project(request)
    with project.database.reading() as connection:
        wanted, active = store.get(connection, version), store.active(connection)
        records = tally.read(connection).placed
    too_many = records > MOST_COMPARED
    return render(
        request, "matching_compare.html", wanted=wanted, active=active, records=records, too_many=too_many,
        most=MOST_COMPARED,
    )  # fmt: skip


@reading.get("/matching/compared")
def compared(request: Request, version: Version) -> Response:
    """The comparison itself, a part of the page."""
    project = _project(request)
    with project.database.reading() as connection:
        active = store.active(connection).number
        if tally.read(connection).placed > MOST_COMPARED:
            raise Refused("There are too many records to compare versions here.")
    name = f"compared {active} {version}"
    found = remembered.of(request).get(name, lambda: _compared(project, active, version), COMPARED_FRESH)
    return render(request, "matching_compared.html", found=found, version=version, personal=_sees(request))


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes])


def _charted(found: Weights | None) -> dict[str, Any]:
    if found is None:
        return {"weights": None}
    return {"weights": found, "chart": histogram(found.bins, found.review_from, found.accept_from)}


def _weights(project: Project) -> Weights:
    with project.database.reading() as connection:
        matcher = plain(reading_with(project.matcher, bulk_for(connection)).matcher)
        low, high = getattr(matcher, "review_from", None), getattr(matcher, "merge_at", None)
        bands = [] if low is None or high is None else quality.bands(connection, low, high)
        return Weights(low, high, quality.histogram(connection), bands)


def _compared(project: Project, active: int, version: int) -> Comparison:
    with project.database.reading() as connection:
        return comparing.compare(connection, active, version)


def _use(project: Project, form: Posted, by: str, actor: str) -> None:
    number, seen = form.number("version"), form.number("seen")
    if number is None:
        raise Misused("There is nothing of that kind to do.")
    with project.database.transaction() as connection:
        if seen != store.active(connection).number:
            raise Refused("Another version is in force by now.", remedy="Look at the page again, then decide.")
        reason = form.text("reason", LONGEST_REASON)
        switch = switching.begin(connection, number, by=by, reason=reason)
        details = {"version": number, "instead_of": seen, "reason": reason}
        audit.record(connection, actor, "match.switched", f"switch:{switch}", details)


def _sees(request: Request) -> bool:
    return principal_of(request).may(Permission.PERSONAL_READ)


def _project(request: Request) -> Project:
    found: Project = request.app.state.project
    return found
