"""``kehu match``: how records are matched, in which version, and what another version would change."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sync.cli import match_training
from sync.cli.console import emit_json, emit_table, moment, next_step, number, progress, say
from sync.cli.match_showing import QUESTIONS, changed, explanation, model, proposal_data, proposed, stage
from sync.cli.options import DryRun, Json, Limit, Yes
from sync.cli.reporting import refuse_without_terminal
from sync.cli.session import session
from sync.errors import Misused
from sync.language import _
from sync.master.bulk import bulk_for
from sync.master.candidates import Compare
from sync.matching import calibration, comparing, drift, exchange, explaining, store, switching
from sync.matching.drift import Proposal
from sync.matching.due import ASK, NEVER
from sync.matching.switching import Progress
from sync.project import Project
from sync.runs import pending

app = typer.Typer(no_args_is_help=True)
app.add_typer(match_training.app)

Version = Annotated[int, typer.Argument(min=1, help=_("Number of a version; see `kehu match versions`."))]
By = Annotated[str | None, typer.Option("--by", help=_("Who decides; by default the user of this terminal."))]
Reason = Annotated[str, typer.Option("--reason", "-r", help=_("Why, for those who look later."))]
Note = Annotated[str, typer.Option(help=_("A word on the version, for the list."))]
Either = Annotated[
    str, typer.Argument(help=_("A customer's id, or a source record: CONNECTION/STREAM/KEY."), show_default=False)
]


@app.command(help=_("List the versions of the match model: where they come from, and which is in force."))
def versions(context: typer.Context, as_json: Json = False) -> None:
    """All versions, newest first, and the latest switches."""
    database = session(context).migrated.database
    with database.reading() as connection:
        found, switches = store.versions(connection), switching.history(connection)
        waiting = drift.open_proposal(connection)
    state = switching.progress(database)
    if as_json:
        shown = {"versions": [one._asdict() for one in found], "switches": [one._asdict() for one in switches]}
        emit_json("match_versions", {**shown, "progress": state._asdict(), "proposal": proposal_data(waiting)})
        return
    columns = (_("Version"), _("State"), _("Family"), _("Origin"), _("Records"), _("Made"), _("By"), _("Note"))
    rows = [
        (v.number, v.state, v.family, v.origin, v.statistics.get("records", ""), moment(v.made_at), v.made_by, v.note)
        for v in found
    ]
    emit_table(columns, rows, right=(0, 4))
    for one in switches[:5]:
        say(changed(one))
    if state.stage is not None or state.unsettled:
        say(_("A switch is under way: {stage}.", stage=stage(state)), "yellow")
    if waiting is not None:
        _show_proposal(waiting)


@app.command(
    help=_("Say whether the data have moved on since the model was learnt; if so, learn, compare and propose.")
)
def due(context: typer.Context, as_json: Json = False) -> None:
    """What the maintenance loop does every ten minutes."""
    project = session(context).migrated
    policy = project.settings.matching.recalibrate
    with project.database.reading() as connection:
        found = drift.measure(connection)
    drift.propose_if_due(project.database, policy if policy != NEVER else ASK)
    if switching.under_way(project.database) is not None:
        _go_on(project)
    with project.database.reading() as connection:
        waiting = drift.open_proposal(connection)
    if as_json:
        data = None if found is None else {**found._asdict(), "due": found.due}
        emit_json("match_due", {"drift": data, "proposal": proposal_data(waiting)})
        return
    if found is None:
        say(_("No version that was learnt from your records is in force; `kehu match calibrate` learns one."))
    else:
        now, then, crowded = number(found.records), number(found.learnt_from), number(found.crowded)
        say(_("Records now: {records}; learnt from: {learnt}; blocks crowded since: {crowded}.",
              records=now, learnt=then, crowded=crowded))  # fmt: skip
    if waiting is not None:
        _show_proposal(waiting)
    elif found is not None and not found.due:
        say(_("The model still fits: nothing is proposed."), "green")


def _show_proposal(found: Proposal) -> None:
    say(proposed(found), "yellow" if found.asks else "")
    next_step(f"kehu match compare {found.basis} {found.version.number}")


@app.command(help=_("Show what a version has learnt: thresholds, priors, and the weight of every level."))
def show(context: typer.Context, version: Version, as_json: Json = False) -> None:
    """One version."""
    with session(context).migrated.database.reading() as connection:
        found = store.get(connection, version)
        models = store.load(connection, version)
    if as_json:
        data = {kind: {"prior": one.prior, "splink": dict(one.settings)} for kind, one in models.items()}
        emit_json("match_version", {**found._asdict(), "models": data})
        return
    for one in models.values():
        model(one)


@app.command(help=_("Learn a version from the records as they are now, and propose it."))
def calibrate(context: typer.Context, by: By = None, note: Note = "", as_json: Json = False) -> None:
    """Term frequencies, u, priors, shared contacts and crowded blocks, learnt without labels."""
    database = session(context).migrated.database
    learnt = calibration.learn(database)
    with database.transaction() as connection:
        active = store.active(connection).number
        found = calibration.propose(connection, learnt, by=_who(by), note=note)
    if as_json:
        emit_json("match_version", found._asdict())
        return
    if found.number == active:
        say(_("The records teach nothing new: version {number} is in force already.", number=active), "green")
        return
    records = number(found.statistics.get("records", 0))
    say(_("Version {number} was learnt from {records} records.", number=found.number, records=records), "green")
    next_step(f"kehu match compare {active} {found.number}")


@app.command(help=_("Count the customers that would merge or split under another version, with samples."))
def compare(context: typer.Context, version: Version, other: Version, as_json: Json = False) -> None:
    """In memory; nothing is written."""
    database = session(context).migrated.database
    with database.reading() as connection, progress() as bar:
        found = comparing.compare(connection, version, other, lambda done, _total: bar.update(_("compared"), done))
    if as_json:
        emit_json("match_comparison", found._asdict())
        return
    rows = [
        (_("Source records"), number(found.records)),
        (_("Customers under version {number}", number=version), number(found.before)),
        (_("Customers under version {number}", number=other), number(found.after)),
        (_("Would be merged of several"), number(found.merged)),
        (_("Would be split"), number(found.split)),
    ]
    emit_table((_("What"), _("Count")), rows, right=(1,))
    for title, samples in ((_("Merge"), found.merges), (_("Split"), found.splits)):
        for one in samples:
            say(f"{title}: {one.name}: " + " | ".join(", ".join(part) for part in one.parts))
    next_step(f"kehu match use {other}")


@app.command(help=_("Put a version in force: everything is derived and settled anew, and nothing shows half of it."))
def use(
    context: typer.Context,
    version: Version,
    by: By = None,
    reason: Reason = "",
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Switch."""
    project = session(context).migrated
    with project.database.reading() as connection:
        before, wanted = store.active(connection), store.get(connection, version)
    if before.number == wanted.number:
        say(_("Version {number} is in force already.", number=version))
        return
    if dry_run:
        say(_("Would put version {number} in force instead of {before}.", number=version, before=before.number))
        next_step(f"kehu match compare {before.number} {version}")
        return
    _confirm(_("Put version {number} in force instead of {before}?", number=version, before=before.number), sure=yes)
    _switch(project, version, _who(by), reason)


@app.command(help=_("Derive and settle everything anew by the version in force; goes on with a switch that was left."))
def rebuild(
    context: typer.Context,
    by: By = None,
    reason: Reason = "",
    engine: Annotated[
        Literal["own", "duckdb", "spark"],
        typer.Option(help=_("What weighs the pairs; the customers are the same.")),
    ] = "own",
    spark_master: Annotated[
        str, typer.Option("--spark-master", help=_("Where Spark runs, e.g. spark://host:7077."))
    ] = "local[2]",
    dry_run: DryRun = False,
) -> None:
    """Rebuild, or finish what was begun."""
    project = session(context).migrated
    with project.database.reading() as connection:
        version = store.active(connection)
    if engine != "own":
        from sync.matching.weighing import require_probability

        require_probability(version)
    if dry_run:
        say(_("Would derive and settle everything anew by version {number}.", number=version.number))
        return
    with _comparing(engine, spark_master) as compare:
        if switching.under_way(project.database) is None:
            _switch(project, version.number, _who(by), reason, compare)
        else:
            _go_on(project, compare)


@contextmanager
def _comparing(engine: str, spark_master: str) -> Iterator[Compare | None]:
    """How pairs are compared; the engine is ready before anything is begun."""
    if engine == "own":
        yield None
        return
    from sync.matching import engines  # Splink is loaded only where it is used
    from sync.matching.weighing import comparing_with

    with engines.engine(engine, spark_master) as chosen:
        yield comparing_with(chosen)


@app.command(help=_("Explain why two records or customers are, or are not, one customer."))
def explain(context: typer.Context, one: Either, other: Either, as_json: Json = False) -> None:
    """The waterfall of one pair."""
    project = session(context).migrated
    with project.database.reading() as connection:
        found = explaining.explain(connection, project.matcher, one, other)
    if as_json:
        data = found._asdict()
        for name in ("left", "right"):
            data[name] = data[name]._asdict()
        for name in ("shared", "crowded"):
            data[name] = [key._asdict() for key in data[name]]
        emit_json("match_explanation", data)
        return
    explanation(found)


@app.command("export", help=_("Write a version to a file: Splink's JSON with the frozen tables."))
def export_(
    context: typer.Context,
    version: Version,
    file: Annotated[Path, typer.Argument(dir_okay=False, help=_("The file to write."), show_default=False)],
) -> None:
    """Export."""
    with session(context).migrated.database.reading() as connection:
        exchange.export(connection, version, file)
    say(_("Version {number} is in {file}.", number=version, file=str(file)), "green")


@app.command("import", help=_("Propose a version from a file; nothing uses it until `kehu match use`."))
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=_("The file."), show_default=False)],
    by: By = None,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Import."""
    found = exchange.read(file)
    with session(context).migrated.database.transaction() as connection:
        version = store.propose(
            connection,
            found.models,
            origin="imported",
            note=note or file.name,
            by=_who(by),
            accept_from=found.accept_from,
            review_from=found.review_from,
            cap=found.block_cap,
        )
    if as_json:
        emit_json("match_version", version._asdict())
        return
    say(_("It is version {number}.", number=version.number), "green")
    next_step(f"kehu match use {version.number} --dry-run")


@app.command(help=_("List the blocking keys that too many records share, and what was done about them."))
def blocks(context: typer.Context, limit: Limit = 20, as_json: Json = False) -> None:
    """The recorded blocks of the version in force, the largest first."""
    with session(context).migrated.database.reading() as connection:
        rows = bulk_for(connection).fetch(
            "SELECT b.question, b.value, b.action, b.size, b.pairs, b.at FROM match_block b "
            "JOIN match_state s ON s.active = b.version ORDER BY b.size DESC, b.key LIMIT ?",
            limit,
        )
    names = ("question", "value", "action", "size", "pairs", "at")
    found: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]
    if as_json:
        emit_json("match_blocks", found)
        return
    if not found:
        say(_("No block has grown too large."), "green")
        return
    columns = (_("Asks"), _("Value"), _("Done"), _("Records"), _("Pairs avoided"))
    actions = {"refined": _("finer keys"), "linked": _("linked as a star")}
    cells = [
        (
            QUESTIONS.get(one["question"], one["question"]),
            one["value"],
            actions[one["action"]],
            number(one["size"]),
            number(one["pairs"]),
        )
        for one in found
    ]
    emit_table(columns, cells, right=(3, 4))


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _confirm(question: str, *, sure: bool) -> None:
    if sure:
        return
    if refuse_without_terminal():
        raise Misused("This changes many customers; add --yes to confirm.")
    typer.confirm(question, abort=True, err=True)


def _switch(project: Project, version: int, by: str, reason: str, compare: Compare | None = None) -> None:
    with project.database.transaction() as connection:
        switching.begin(connection, version, by=by, reason=reason)
    _go_on(project, compare)


def _go_on(project: Project, compare: Compare | None = None) -> None:
    with progress() as bar:

        def told(state: Progress) -> None:
            bar.update(stage(state), state.done, state.total or None)

        if not switching.go_on(project.database, told, compare=compare):
            say(_("Another process is at it; `kehu match versions` shows how far it is."))
            return
        bar.update(_("settling customers"), 0)
        pending.resolve_pending(project)
    with project.database.reading() as connection:
        latest = switching.history(connection, 1)
    say(changed(latest[0]), "green")
