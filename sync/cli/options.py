"""Options that several commands take, named once."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.language import _

Json = Annotated[bool, typer.Option("--json", help=_("Print data as JSON with a versioned schema."))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=_("Say what would be done, and do nothing."))]
Yes = Annotated[bool, typer.Option("--yes", "-y", help=_("Do not ask for confirmation."))]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help=_("Show at most this many."))]
Connection = Annotated[str, typer.Argument(help=_("Name of a connection in kehu.yaml."), show_default=False)]
Target = Annotated[str, typer.Argument(help=_("CONNECTION or CONNECTION.STREAM."), show_default=False)]
