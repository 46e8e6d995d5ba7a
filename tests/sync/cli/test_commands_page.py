"""docs/cli.md names every command with every option it takes, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from sync import language
from sync.cli.app import build

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
_ROW = re.compile(r"\| `kehu (?P<name>[a-z -]+[a-z])[^`]*` \| [^|]+ \|(?P<options>[^|]*)\|")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    language.use("en")
    monkeypatch.setenv("_KEHU_COMPLETE", "all groups are loaded")
    return dict(_walk(typer.main.get_command(build([])), ""))


def _walk(command: object, name: str) -> Iterator[tuple[str, set[str]]]:
    if isinstance(command, TyperGroup):
        for word, below in command.commands.items():
            yield from _walk(below, f"{name} {word}".strip())
    elif isinstance(command, TyperCommand):
        spellings = (spelling for option in command.params for spelling in (*option.opts, *option.secondary_opts))
        yield name, {spelling for spelling in spellings if spelling.startswith("--")} - {"--help"}


def test_the_page_of_commands_is_complete(commands: dict[str, set[str]]) -> None:
    rows = [found for line in PAGE.read_text(encoding="utf-8").splitlines() if (found := _ROW.match(line))]
    told = {row["name"]: set(re.findall(r"`(--[a-z-]+)`", row["options"])) for row in rows}
    assert len(told) == len(rows)
    assert told == commands
