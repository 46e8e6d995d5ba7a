"""``kehu export``: the customers of this moment in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sync import audit
from sync.cli.acting import operator
from sync.cli.console import emit, emit_json, next_step, number, progress, say
from sync.cli.options import Json
from sync.cli.session import session
from sync.errors import Misused
from sync.exporting import making
from sync.exporting.making import Exported
from sync.exporting.request import Encoding, Format, Request, checked
from sync.feed import tokens
from sync.language import _

SUFFIXES = {".csv": Format.CSV, ".parquet": Format.PARQUET, ".ndjson": Format.NDJSON, ".jsonl": Format.NDJSON}


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help=_("The file to write."), show_default=False)],
    form: Annotated[
        Format | None, typer.Option("--format", help=_("By default as the file's name says, else ndjson."))
    ] = None,
    encoding: Annotated[Encoding, typer.Option(help=_("Of CSV: utf-8 (with mark, for Excel) or gbk."))] = Encoding.UTF8,
    status: Annotated[
        Literal["active", "merged", "deleted"], typer.Option(help=_("What became of the customers."))
    ] = "active",
    kind: Annotated[
        Literal["person", "organisation"] | None, typer.Option(help=_("Only persons or organisations."))
    ] = None,
    tag: Annotated[str | None, typer.Option(help=_("Only with this tag."))] = None,
    connection: Annotated[str | None, typer.Option(help=_("Only those with a record in this system."))] = None,
    field: Annotated[
        list[str] | None, typer.Option("--field", help=_("Only this field, e.g. golden.emails; may be repeated."))
    ] = None,
    masked: Annotated[bool, typer.Option("--masked", help=_("Mask personal data."))] = False,
    replace: Annotated[bool, typer.Option("--replace", help=_("Overwrite the file if there is one."))] = False,
    as_json: Json = False,
) -> None:
    """Write customers into a file that appears when it is whole."""
    wanted = Request(
        form or SUFFIXES.get(out.suffix.lower(), Format.NDJSON),
        encoding, status, kind, tag, connection, tuple(field) if field else None, masked,
    )  # fmt: skip
    request, database = checked(wanted), session(context).migrated.database
    if out.is_dir():
        raise Misused("{file} is a folder.", file=str(out), remedy="Name a file in it.")

    def note(made: Exported) -> None:
        with database.transaction() as transaction:
            audit.record(transaction, operator(), "export.made", "export", made.details(request))

    with progress() as bar:
        made = making.make(
            database,
            request,
            out,
            replace=replace,
            told=lambda done, of: bar.update(_("Customers"), done, of),
            before_naming=note,
        )
    _show(made, out, as_json)


def _show(made: Exported, out: Path, as_json: bool) -> None:
    if as_json:
        emit_json("export", {**made._asdict(), "file": str(out)})
    else:
        say(_("{count} customers, {size} bytes, SHA-256 {hash}.", count=number(made.records), size=number(made.bytes),
              hash=made.sha256), "green")  # fmt: skip
        emit(str(out))
    if made.replaced:
        say(
            _(
                "{count} characters do not exist in GBK and stand in the file as \\uXXXX, e.g. {sample}. "
                "Nothing is lost with --encoding utf-8.",
                count=made.replaced,
                sample=made.lacking,
            ),
            "yellow",
        )
    if not as_json:
        say(_("Token for the change feed: {token}", token=made.token))
        next_step(f"kehu changes tail --after {tokens.decode(made.token).seq}")
