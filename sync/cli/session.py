"""What all commands share: the global options, and the project made ready as far as a command needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

if TYPE_CHECKING:
    from sync.project import Project


@dataclass(slots=True)
class Globals:
    """Options that every command takes, before or after its name."""

    project: Path = field(default_factory=Path)
    lang: str | None = None
    debug: bool = False

    @classmethod
    def extract(cls, arguments: Sequence[str]) -> tuple[Globals, list[str]]:
        """Take the global options out of a command line, wherever they stand before a ``--``."""
        given = cls()
        rest: list[str] = []
        todo = list(arguments)
        while todo:
            word = todo.pop(0)
            name, equals, value = word.partition("=")
            if word == "--":
                return given, [*rest, word, *todo]
            if word == "--debug":
                given.debug = True
            elif name in ("--lang", "--project", "-C") and (equals or todo):
                given._set(name, value if equals else todo.pop(0))
            else:
                rest.append(word)
        return given, rest

    def require_known_language(self) -> None:
        """Raise Misused for a ``--lang`` that is none of ours."""
        from sync import language
        from sync.errors import Misused

        if self.lang is not None and not language.known(self.lang):
            raise Misused("--lang cannot be {value}.", value=self.lang[:40], remedy="Write --lang en or --lang zh.")

    def _set(self, name: str, value: str) -> None:
        if name == "--lang":
            self.lang = value
        else:
            self.project = Path(value)


class Session:
    """One command's view of the project."""

    def __init__(self, given: Globals) -> None:
        self.given = given

    @cached_property
    def project(self) -> Project:
        """The project of ``--project`` or the current folder. Raises BadConfiguration."""
        from sync.project import Project

        return Project.load(self.given.project)

    @cached_property
    def ready(self) -> Project:
        """The project with a database at the right schema and its connections registered.

        The embedded database is migrated by itself; a shared one only by ``kehu db migrate``.
        """
        project = self.migrated
        with project.database.hot_transaction() as connection:
            project.register(connection)
        return project

    @cached_property
    def migrated(self) -> Project:
        """The project with a database at the right schema. Raises SchemaMismatch, DatabaseUnavailable."""
        from sync import audit, migrations
        from sync.cli.acting import operator

        audit.act_as(operator())
        project = self.project
        if project.embedded_database:
            migrations.migrate(project.database)
        else:
            migrations.require_current(project.database)
        return project

    def close(self) -> None:
        """Give back what was opened; nobody acts here any more."""
        if "migrated" in self.__dict__:
            from sync import audit

            audit.act_as(audit.SYSTEM)
        if "project" in self.__dict__:
            self.project.close()


def session(context: typer.Context) -> Session:
    """The session of the command that runs."""
    return cast(Session, context.obj)
