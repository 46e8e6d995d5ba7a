"""``kehu doctor``: check everything."""

from __future__ import annotations

from typing import Annotated

import typer

from sync import doctor as checks
from sync.cli.console import emit, emit_json, next_step, say
from sync.cli.exits import Exit
from sync.cli.options import Json
from sync.cli.session import session
from sync.doctor import Verdict
from sync.language import _

_MARKS = {Verdict.OK: ("✓", "green"), Verdict.WARNING: ("!", "yellow"), Verdict.WRONG: ("✗", "red")}


def doctor(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help=_("Do not talk to the connected systems."))] = False,
    as_json: Json = False,
) -> None:
    """Print one line per finding; exit code 3 if something is wrong."""
    findings = []
    for finding in checks.examine(session(context).given.project, online=not offline):
        findings.append(finding)
        if not as_json:
            mark, style = _MARKS[finding.verdict]
            say(f"{mark} {finding.subject}: {finding.message}", style)
            if finding.remedy:
                say(f"    {finding.remedy}")
    if as_json:
        emit_json("findings", [finding._asdict() for finding in findings])
    if any(finding.verdict is Verdict.WRONG for finding in findings):
        raise typer.Exit(Exit.CONFIGURATION)
    if not as_json:
        emit(_("Everything needed is there."))
        running = any(finding.subject == "web" for finding in findings)
        next_step("kehu sync run" if running else "kehu up")
