"""``kehu backup`` and ``kehu restore``: the whole database in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync import audit
from sync.backups import restoring, saving
from sync.backups.archive import Manifest
from sync.backups.facts import broken_at
from sync.cli.acting import operator
from sync.cli.console import emit, emit_json, next_step, number, progress, say
from sync.cli.options import Json, Yes
from sync.cli.session import session
from sync.errors import SyncError
from sync.language import _
from sync.privacy import erasing, ledger
from sync.project import LOCK_FILE
from sync.stewardship.effect import Engine
from sync.up import only_one


class AuditBroken(SyncError):
    """Somebody has touched the audit log. What was asked for is done all the same."""

    code = "audit_broken"
    default_remedy = "Look at it with `kehu audit verify`; keep older backups."


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help=_("The file to write."), show_default=False)],
    replace: Annotated[bool, typer.Option("--replace", help=_("Overwrite the file if there is one."))] = False,
    as_json: Json = False,
) -> None:
    """Save the database of this moment; everything may go on meanwhile."""
    database = session(context).migrated.database
    with progress() as bar:
        manifest = saving.save(database, file, replace=replace, told=lambda part, done: bar.update(part, done))
    with database.transaction() as connection:
        details = {"revision": manifest.revision, "head": manifest.head, "audit": manifest.audit}
        audit.record(connection, operator(), "backup.made", "database", details)
    if as_json:
        emit_json("backup", _data(manifest, file))
        return
    say(_("Saved and read again: {rows} rows of {tables} tables, schema {revision}.",
          rows=number(sum(manifest.tables.values())), tables=len(manifest.tables), revision=manifest.revision),
        "green")  # fmt: skip
    emit(str(file))
    say(
        _(
            "Not inside: kehu.yaml, mappings, connectors, .env, the master key (KEHU_MASTER_KEY or "
            ".kehu/master.key), files of exports. Without the master key stored secrets cannot be opened: "
            "keep it, and not beside the backup."
        ),
        "yellow",
    )
    say(_("The file holds all customer data as it is. Keep it encrypted."), "yellow")
    if entry := broken_at(manifest.audit):
        raise AuditBroken("The backup is complete, but the audit log in it is damaged at entry {entry}.", entry=entry)


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help=_("A file that `kehu backup` wrote."), show_default=False)],
    replace: Annotated[bool, typer.Option("--replace", help=_("Throw away what the database holds now."))] = False,
    tombstones: Annotated[
        Path | None,
        typer.Option(help=_("Erasures that neither backup nor present database know of: a ledger file.")),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make the project's database what it was when the backup was taken."""
    project = session(context).project
    if replace and not yes:
        typer.confirm(_("Throw away everything in the database of {project}?", project=str(project.folder)), abort=True)
    kept = ledger.kept_at(project)
    named = [tombstones] if tombstones else []
    ledgers = [ledger.load(path, project.vault) for path in [*named, *([kept] if kept.exists() else [])]]
    with only_one(project.state_folder / LOCK_FILE):
        engine = Engine(project.matcher, project.survivorship)
        done = restoring.restore(
            project.database, file, project.vault, engine, replace=replace, ledgers=ledgers, by=operator()
        )
        erasing.finish(project)
    if as_json:
        more = {"schema": done.revision, "sealed": done.sealed, "erased": done.erased}
        emit_json("restore", {**_data(done.manifest, file), **more})
        return
    say(_("Restored and checked: {rows} rows as of {moment}, schema {revision}.",
          rows=number(sum(done.manifest.tables.values())), moment=f"{done.manifest.made_at:%Y-%m-%d %H:%M:%S} UTC",
          revision=done.revision), "green")  # fmt: skip
    if done.sealed:
        say(
            _("The master key here is not the one of the backup: stored secrets cannot be opened until it is given."),
            "yellow",
        )
    say(
        _(
            "Consumers of the change feed begin again, everybody signs in again. Users, keys and webhook endpoints are "
            "those of that moment: revoke again what was revoked since."
        ),
        "yellow",
    )
    say(_("Erased again, because it happened after the backup: {count} persons.", count=number(done.erased)))
    next_step("kehu up")


def _data(manifest: Manifest, file: Path) -> dict[str, object]:
    kept = manifest.model_dump(include={"kind", "revision", "made_at", "tables", "audit", "head"})
    return {"file": str(file), **kept}
