"""``kehu connection``: the systems this project connects; trying them out before the first sync."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Annotated, Any

import orjson
import typer

from connectors.contract import Connector, Mode, Read, Record, Stream
from connectors.errors import ConnectorError
from sync import language, oneshot
from sync.cli.console import emit, emit_json, emit_table, next_step, say, word
from sync.cli.exits import Exit, exit_code, worst
from sync.cli.options import Connection, DryRun, Json, Limit
from sync.cli.reporting import report
from sync.cli.session import session
from sync.errors import NotFound
from sync.language import _
from sync.project import Project
from sync.recognition import MappedBy, mapping_of
from sync.runs import services

app = typer.Typer(no_args_is_help=True)


@app.command("list", help=_("List the configured connections and their streams."))
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List connections with their streams and schedules."""
    project = session(context).project
    found = [_described(project, name) for name in project.settings.connections]
    if as_json:
        emit_json("connections", found)
        return
    columns = (_("Connection"), _("Connector"), _("Streams"), _("Every"), _("State"))
    emit_table(columns, [(f["name"], f["connector"], ", ".join(f["streams"]), f["every"], f["state"]) for f in found])
    next_step("kehu connection test" if found else "kehu init --help")


@app.command("test", help=_("Log in to a system and read a little; by default to all of them."))
def try_out(
    context: typer.Context,
    connections: Annotated[list[str] | None, typer.Argument(help=_("Names of connections; by default all."))] = None,
    as_json: Json = False,
) -> None:
    """Check connections; the exit code is that of the worst."""
    project = session(context).project
    results = [_tested(project, name, quiet=as_json) for name in connections or list(project.settings.connections)]
    if as_json:
        emit_json("connection_tests", [result for result, _code in results])
    code = worst([code for _result, code in results])
    if code:
        raise typer.Exit(code)
    next_step("kehu sync run")


@app.command(help=_("Ask a system which streams and fields it has."))
def discover(
    context: typer.Context,
    connection: Connection,
    accept: Annotated[bool, typer.Option("--accept", help=_("Accept changed fields: paused streams go on."))] = False,
    as_json: Json = False,
) -> None:
    """Show a connection's streams with their fields; accept a changed schema."""
    project = session(context).project
    with opened(project, connection) as connector:
        streams = list(connector.discover())
    if accept:
        _accept(context, connection)
    mapped = {stream.name: mapping_of(project, connection, stream) for stream in streams}
    if as_json:
        emit_json("streams", [{**_stream_data(stream), **mapped[stream.name]._asdict()} for stream in streams])
        return
    for stream in streams:
        capabilities = ", ".join(sorted(stream.capabilities)) or "-"
        title = _title(project, connection, stream)
        say(f"{stream.name}  {title}  [{capabilities}; {_('deletes')}: {stream.deletes}]", "bold")
        emit_table((_("Field"), _("Type"), _("Title")), [(f.path, f.type, f.title) for f in stream.fields])
        _show_mapping(connection, stream.name, mapped[stream.name])
    preview_of = f"kehu connection preview {word(connection)} --stream "
    next_step(preview_of + word(streams[0].name) if streams else "kehu doctor")


@app.command(help=_("Read a few records and show what the mapping makes of them; nothing is stored."))
def preview(
    context: typer.Context,
    connection: Connection,
    stream: Annotated[str | None, typer.Option(help=_("Name of a stream; by default the first."))] = None,
    limit: Limit = 5,
    raw: Annotated[bool, typer.Option("--raw", help=_("Show the records as they came."))] = False,
    as_json: Json = False,
) -> None:
    """Show records of a stream, mapped or raw."""
    project = session(context).project
    if stream is None and connection not in project.settings.connections:  # CONNECTION.STREAM is meant
        connection, stream = oneshot.split(project, connection)
    name = stream or _first_stream(project, connection)
    records = sample(project, connection, name, limit)
    if not raw and not project.has_mapping(connection, name):
        say(_("There is no mapping yet: these are the records as they came."), "yellow")
        raw, step = True, f"kehu mapping suggest {word(f'{connection}.{name}')}"
    else:
        step = f"kehu sync run {word(f'{connection}.{name}')}"
    shown = [_raw(record) for record in records] if raw else _mapped(project, connection, name, records)
    if as_json:
        emit_json("preview", shown)
    else:
        emit_table((_("Key"), _("Record")), [(row["key"], orjson.dumps(row["body"]).decode()) for row in shown])
        next_step(step)


@app.command(help=_("Stop syncing a connection until it is resumed."))
def pause(context: typer.Context, connection: Connection, dry_run: DryRun = False) -> None:
    """Pause a connection by hand."""
    project = session(context).ready
    project.connection(connection)
    if dry_run:
        say(_("Would pause {name}.", name=connection))
        return
    with project.database.transaction() as unit:
        services.pause_connection(unit, connection)
    say(_("{name} is paused.", name=connection))
    next_step(f"kehu connection resume {word(connection)}")


@app.command(help=_("Sync a paused connection again."))
def resume(context: typer.Context, connection: Connection, dry_run: DryRun = False) -> None:
    """Resume a connection that a human or a fault has paused."""
    project = session(context).ready
    project.connection(connection)
    if dry_run:
        say(_("Would resume {name}.", name=connection))
        return
    with project.database.transaction() as unit:
        resumed = services.resume_connection(unit, connection)
    say(_("{name} goes on.", name=connection) if resumed else _("{name} was not paused.", name=connection))
    next_step(f"kehu sync run {word(connection)}")


@contextmanager
def opened(project: Project, name: str) -> Iterator[Connector[Any]]:
    """A connector of the connection, closed at the end."""
    connector = project.open(name)
    try:
        yield connector
    except ConnectorError as error:
        error.params.setdefault("connection", name)  # remedies name it in the command to type
        raise
    finally:
        connector.close()


def sample(project: Project, connection: str, stream: str, limit: int) -> list[Record]:
    """The first records of a stream."""
    with opened(project, connection) as connector:
        pages = connector.read(Read(stream, mode=Mode.FULL, page_size=max(limit, 10)))
        records = (record for page in pages for record in page.records)
        return list(islice(records, limit))


def _described(project: Project, name: str) -> dict[str, Any]:
    settings = project.connection(name)
    streams: list[str] = []
    state = "ok"
    try:
        project.connector_info(name)
        streams = project.streams(name)
    except ConnectorError as error:
        state = language.told(error)[0]
    every = _("by hand") if settings.every is None else f"{settings.every:g} s"
    return {"name": name, "connector": settings.connector, "streams": streams, "every": every, "state": state}


def _tested(project: Project, name: str, *, quiet: bool) -> tuple[dict[str, Any], Exit]:
    try:
        with opened(project, name) as connector:
            checked = connector.check()
    except (ConnectorError, NotFound) as error:
        message, remedy = language.told(error)
        if not quiet:
            say(f"✗ {name}", "red")
            report(error)
        return {"connection": name, "ok": False, "code": error.code, "message": message, "remedy": remedy}, exit_code(
            error
        )
    if not quiet:
        say(f"✓ {name}: {language.passed(checked)}", "green")
        for key, value in checked.details.items():
            say(f"    {key}: {value}")
    return {
        "connection": name,
        "ok": True,
        "message": language.passed(checked),
        "details": dict(checked.details),
    }, Exit.OK


def _first_stream(project: Project, connection: str) -> str:
    streams = project.streams(connection)
    if streams:
        return streams[0]
    with opened(project, connection) as connector:
        offered = connector.discover()
    if not offered:
        raise NotFound("The connection {name} offers no stream.", name=connection)
    return offered[0].name


def _raw(record: Record) -> dict[str, Any]:
    body: Any = record.body.decode(errors="replace")
    with suppress(orjson.JSONDecodeError):
        body = orjson.loads(record.body)
    return {"key": record.key, "body": body}


def _mapped(project: Project, connection: str, stream: str, records: Sequence[Record]) -> list[dict[str, Any]]:
    from mappings.compile import Mapper
    from mappings.errors import MappingError

    mapping = project.mapping(connection, stream)
    shown = []
    for record in records:
        try:
            body = orjson.loads(record.body)
            customers, notes = mapping.explain(body) if isinstance(mapping, Mapper) else (mapping(body), ())
        except (MappingError, orjson.JSONDecodeError) as error:
            shown.append({"key": record.key, "body": {"quarantined": language.told(error)[0]}})
            continue
        shown += [{"key": record.key + (f" {part}" if part else ""), "body": customer} for part, customer in customers]
        if notes:
            shown.append({"key": record.key, "body": {"left_out": [language.told(note)[0] for note in notes]}})
    return shown


def _show_mapping(connection: str, stream: str, mapped: MappedBy) -> None:
    if mapped.recognised is not None:
        say(mapped.recognised, "green")
    if mapped.proposal is not None:
        say(_("There is no mapping yet. This one is proposed from the fields' names and values:"), "yellow")
        emit(mapped.proposal.rstrip("\n"))
        say(_("Save it with `kehu mapping suggest {target}`.", target=word(f"{connection}.{stream}")))


def _accept(context: typer.Context, connection: str) -> None:
    project = session(context).ready
    with project.database.transaction() as unit:
        accepted = services.accept_schema(unit, connection)
    say(_("Accepted the fields of {count} streams.", count=accepted), "green")


def _title(project: Project, connection: str, stream: Stream) -> str:
    """As the connector's manifest calls it in the user's language, where it does."""
    note = project.connector_info(connection).streams.get(stream.name)
    return stream.title if note is None else note.title.to(language.current())


def _stream_data(stream: Stream) -> dict[str, Any]:
    return {
        "name": stream.name,
        "title": stream.title,
        "capabilities": sorted(stream.capabilities),
        "deletes": stream.deletes,
        "lookback": stream.lookback,
        "fields": [{"path": field.path, "type": field.type, "title": field.title} for field in stream.fields],
    }
