"""Reviewing duplicates: the queue, a case side by side, and saying what it is. All that is seen is in the URL."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from dashboard import companies, comparing, ruling, showing
from dashboard.comparing import Shown
from dashboard.levels import level_in_words
from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.posting import Form, Posted, status_of, told
from dashboard.rendering import language_of, render, voice_of
from dashboard.waterfall import waterfall
from sync.errors import Misused, SyncError
from sync.matching import explaining
from sync.matching.explaining import Explanation
from sync.project import Project
from sync.stewardship import cases, services
from sync.stewardship.cases import Case
from sync.stewardship.services import Candidate, Engine, Side, Steward
from sync.stewardship.worklist import Worklist

reading = APIRouter(dependencies=[Depends(Requires(Permission.STEWARDSHIP_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.STEWARDSHIP_WRITE))])

PAGE = 25
MOST_AT_ONCE = 50
LONGEST_REASON = 1_000
Address = Annotated[str, Query(max_length=800)]
Ids = Annotated[list[str] | None, Query(max_length=cases.WIDEST)]
Numbers = Annotated[str, Query(max_length=1_000, pattern=r"^[0-9,]*$")]
"""Numbers of decisions that can be undone at once, separated by commas."""
Place = Annotated[int, Query(ge=0, le=100_000)]


@reading.get("/duplicates")
def show_all(request: Request, at: Place = 0, blind: bool = False, done: Numbers = "") -> Response:
    """The pairs to review, the most consequential first."""
    pairs, eyes = worklist(request).pairs(), showing.eyes_of(request)
    page = pairs[at : at + PAGE]
    return render(
        request, "duplicates.html", pairs=page, total=len(pairs), at=at, page_size=PAGE, blind=blind, done=done,
        hide=lambda name: eyes.name("person", name), record=eyes.record, named=lambda side: _named(side, eyes),
    )  # fmt: skip


@reading.get("/duplicates/review")
def review(
    request: Request,
    left: Address = "",
    right: Address = "",
    c: Ids = None,
    skip: Place = 0,
    blind: bool = False,
    done: Numbers = "",
    was: Address = "",
) -> Response:
    """One case: the pair that is named, else the next one of the queue. ``was``: the pair decided before, blindly."""
    if left and right:
        return _shown(request, left, right, c or [], skip, blind, done, was=was)
    pairs = worklist(request).pairs()
    if not pairs:
        return render(request, "duplicates_none.html", done=done, revealed=_told_after(request, was))
    place = min(skip, len(pairs)) % len(pairs)  # after the last one it begins again
    chosen = pairs[place]
    eyes = showing.eyes_of(request)
    return _goto(
        request, _named(chosen.left, eyes), _named(chosen.right, eyes), skip=place, blind=blind, done=done, was=was
    )


@writing.post("/duplicates/review")
def decide(request: Request, form: Form) -> Response:
    """Say what the case is: one customer, several, or undecided; answers with the next case."""
    left, right, skip, blind = (
        form.text("left", 800),
        form.text("right", 800),
        form.number("skip") or 0,
        form.has("blind"),
    )
    said, ids = form.word("said"), form.many("c")
    try:
        numbers = _carried_out(request, form, said, ids, left, right)
    except SyncError as error:
        return _shown(request, left, right, ids, skip, blind, "", error=error, marked=form.many("out"))
    if said == "exclude":
        return _goto(request, left, right, skip=skip, blind=blind, done=_joined(numbers))
    query: dict[str, Any] = {"skip": skip, "done": _joined(numbers), "blind": 1 if blind else None}
    return redirect("/duplicates/review", f"said-{said}", **query, was=f"{left}\n{right}" if blind else None)


@writing.post("/duplicates")
def decide_many(request: Request, form: Form) -> Response:
    """Say the same of several pairs: exactly those that were ticked, as long as they are what was seen."""
    said, at, blind = form.word("said"), form.number("at") or 0, form.has("blind")
    chosen = form.many("pair")[:MOST_AT_ONCE]
    numbers: list[int] = []
    for pair in chosen:
        numbers += _one_of_many(request, pair, said, _steward(request, form))
    query = {"at": at or None, "blind": 1 if blind else None, "done": _joined(numbers) or None}
    left_out = len(chosen) - len(numbers)
    return redirect("/duplicates", "decided-most" if left_out else "decided-many", count=len(numbers), **query)


@writing.post("/duplicates/log")
def undo(request: Request, form: Form) -> Response:
    """Take decisions back, the latest first."""
    numbers = sorted({int(one) for one in form.text("done", 1_000).split(",") if one.isdigit() and len(one) < 19})
    project, by = _project(request), _steward(request, form)
    back = form.text("back", 2_000)
    try:
        for number in reversed(numbers[:MOST_AT_ONCE]):
            services.carry_out(project.database, partial(services.undo, by=by, decision=number), engine(project))
    except SyncError as error:
        return render(request, "refused.html", status=status_of(error), faults=told(request, error), back=_safe(back))
    finally:
        worklist(request).renew()
    return redirect(_safe(back), "undone", count=len(numbers))


@reading.get("/duplicates/log")
def show_log(
    request: Request, before: Annotated[int | None, Query(ge=1, le=2**62)] = None, about: Address = ""
) -> Response:
    """What stewards decided, newest first."""
    with _project(request).database.reading() as connection:
        found = services.log(connection, about or None, PAGE + 1, before)
    more = found[PAGE - 1].decision if len(found) > PAGE else None
    record = showing.eyes_of(request).record
    return render(
        request, "decisions.html", record=record, entries=found[:PAGE], more=more, about=about, first=before is None
    )


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes])


def worklist(request: Request) -> Worklist:
    """The queue of this application."""
    return desk_of(request.app.state)


def desk_of(state: Any) -> Worklist:
    """The same, by the application's state; begin to read it with ``at_hand`` before the first visitor comes."""
    if not hasattr(state, "worklist"):
        state.worklist = Worklist(state.project.database, state.project.matcher)
    found: Worklist = state.worklist
    return found


def engine(project: Project) -> Engine:
    """What decisions take effect with."""
    return Engine(project.matcher, project.survivorship)


def _carried_out(request: Request, form: Posted, said: str, ids: list[str], left: str, right: str) -> list[int]:
    """The numbers of the acts that were carried out."""
    project, by = _project(request), _steward(request, form)
    database, with_engine = project.database, engine(project)
    if said == "same":
        done = cases.settle_same(database, with_engine, by, ids, form.many("out"))
    elif said == "different":
        done = [
            services.carry_out(database, _deciding(by, *pair, "different"), with_engine)
            for pair in _pairs_among(request, ids, left, right)
        ]
    elif said == "undecided":
        done = [services.carry_out(database, _deciding(by, left, right, "undecided"), with_engine)]
    elif said == "exclude":
        done = cases.exclude_all(database, with_engine, by, ids, form.many("out"))
    else:
        raise Misused("Say same, different or undecided.")
    worklist(request).forget({one.public_id for outcome in done for one in (*outcome.before, *outcome.after)})
    worklist(request).renew()
    return [outcome.decision for outcome in done]


def _pairs_among(request: Request, ids: list[str], left: str, right: str) -> list[tuple[str, str]]:
    """The open pairs between the customers of a case; of a case of two, its own pair."""
    if len(ids) <= 2:
        return [(left, right)]
    among = [one for one in worklist(request).pairs() if {one.left.customer, one.right.customer} <= set(ids)]
    found = [(one.left.record, one.right.record) for one in among]
    return found if (left, right) in found else [(left, right), *found]


def _deciding(by: Steward, left: str, right: str, said: services.Verdict) -> Any:
    return lambda connection: services.decide(connection, by, left, right, said)


def _one_of_many(request: Request, pair: str, said: str, by: Steward) -> list[int]:
    """The act about a pair as it was shown: records and customers, one a line; none if it is another pair by now."""
    project, parts = _project(request), pair.split("\n")
    if len(parts) != 4 or said not in ("same", "different", "undecided"):
        return []
    left, right, *ids = parts
    try:
        with project.database.reading() as connection:
            now = [services.find_record(connection, one).customer_id for one in (left, right)]
            seen = [services.find_customer(connection, one).id for one in ids]
        if now != seen:
            return []
        work = (
            (lambda connection: services.merge(connection, by, ids))
            if said == "same"
            else _deciding(by, left, right, "different" if said == "different" else "undecided")
        )
        outcome = services.carry_out(project.database, work, engine(project))
    except SyncError:
        return []
    worklist(request).forget({one.public_id for one in (*outcome.before, *outcome.after)})
    worklist(request).renew()
    return [outcome.decision]


def _shown(
    request: Request, left: str, right: str, ids: list[str], skip: int, blind: bool, done: str,
    *, was: str = "", error: SyncError | None = None, marked: list[str] | None = None,
) -> Response:  # fmt: skip
    project, eyes, chosen = _project(request), showing.eyes_of(request), language_of(request)
    pairs = worklist(request).pairs()
    with project.database.reading() as connection:
        found = explaining.explain(connection, project.matcher, left, right)
        both = [found.left.customer, found.right.customer]
        cluster = cases.around(pairs, found.left.customer, found.right.customer)
        wanted = list(dict.fromkeys([*both, *(one for one in ids if one in cluster)]))
        case = cases.case(connection, wanted, project.survivorship, marked or [])
        employers = companies.named(connection, [one.golden for one in case.customers])
    voice = voice_of(request, companies.names(employers))
    place = next((n for n, one in enumerate(pairs) if _is(one, left, right)), None)
    return render(
        request, "duplicate.html",
        status=200 if error is None else status_of(error),
        faults=[] if error is None else told(request, error),
        found=found, case=case, eyes=eyes, rows=_rows(case, eyes, voice), voice=voice,
        fall=None if found.prior is None else _waterfall(found),
        level=lambda label: level_in_words(label, chosen),
        others=[one for one in cluster if one not in wanted],
        place=place, total=len(pairs), skip=skip, blind=blind, done=done, marked=marked or [],
        one=found.same_customer,
        revealed=_told_after(request, was),
        odds=odds, compared=ruling.compared(found), verdict=ruling.verdict(found),
        address=lambda hidden, more: _address(found, [*wanted, *more], skip, hidden, eyes),
    )  # fmt: skip


def odds(weight: float) -> str:
    """A weight (log2 odds) as people say it: 8 : 1."""
    times = 2.0 ** min(abs(weight), 20)
    shown = f"{times:,.0f}" if times >= 10 else f"{times:.2g}"
    return f"{shown} : 1" if weight >= 0 else f"1 : {shown}"


def _address(found: Explanation, customers: list[str], skip: int, blind: bool, eyes: showing.Eyes) -> str:
    ends = (found.left.record, found.right.record) if eyes.personal else (found.left.customer, found.right.customer)
    pairs = [("left", ends[0]), ("right", ends[1]), *(("c", one) for one in customers[2:])]
    pairs += [("c", one) for one in customers[:2] if len(customers) > 2]
    return "/duplicates/review?" + urlencode([*pairs, ("skip", skip), *([("blind", 1)] if blind else [])])


def _waterfall(found: Explanation) -> Any:
    return waterfall(found.prior or 0.0, found.steps, found.review_from, found.accept_from)


def _rows(case: Case, eyes: showing.Eyes, voice: showing.Voice) -> list[comparing.Row]:
    customers = [Shown(one.kind, one.golden) for one in case.customers]
    return comparing.rows(customers, eyes, voice)


def _named(side: Side, eyes: showing.Eyes) -> str:
    """What names a side in an address: its record; for who may not see how systems call a person, its customer."""
    return side.record if eyes.personal else side.customer


def _is(one: Candidate, left: str, right: str) -> bool:
    return {left, right} in ({one.left.record, one.right.record}, {one.left.customer, one.right.customer})


def _told_after(request: Request, was: str) -> Explanation | None:
    """The scores of a pair that was decided while they were hidden."""
    left, _, right = was.partition("\n")
    if not right:
        return None
    project = _project(request)
    try:
        with project.database.reading() as connection:
            return explaining.explain(connection, project.matcher, left, right)
    except SyncError:
        return None


def _goto(request: Request, left: str, right: str, *, skip: int, blind: bool, done: str, was: str = "") -> Response:
    kept = {
        name: request.query_params[name] for name in ("told", "count", "lang", "theme") if name in request.query_params
    }
    query = {"left": left, "right": right, "skip": skip or None, "blind": 1 if blind else None, "done": done or None}
    query["was"] = was or None
    asked = {name: value for name, value in {**query, **kept}.items() if value is not None}
    return RedirectResponse(f"/duplicates/review?{urlencode(asked)}", status_code=303)


def _steward(request: Request, form: Posted) -> Steward:
    return Steward(principal_of(request).user, form.text("reason", LONGEST_REASON))


def _joined(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def _safe(back: str) -> str:
    """A page of ours to go back to."""
    ours = back.startswith("/") and not back.startswith("//") and "\\" not in back and back.isprintable()
    return back if ours else "/duplicates"


def _project(request: Request) -> Project:
    found: Project = request.app.state.project
    return found
