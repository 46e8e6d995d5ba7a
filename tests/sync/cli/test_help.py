"""Help pages in both languages, their frame included."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sync.cli.app import COMMANDS, GROUPS

ROOT = Path(__file__).parents[3]
FRAME = ("Usage:", "Options:", "Arguments:", "Commands:", "Show this message", "[default:", "[required]")
HAN = re.compile("[\u4e00-\u9fff]")
PAGES = """
import contextlib, io, json, sys
from sync import language
language.use(sys.argv[1])  # before anything is imported that says something
import typer
from sync.cli.app import COMMANDS, GROUPS, build, invoke
from sync.cli.session import Globals

def below(words, command):
    yield words
    for child, inner in getattr(command, "commands", {}).items():
        yield from below([*words, child], inner)

pages = {}
for name in ["", *COMMANDS, *GROUPS]:
    root = typer.main.get_command(build([name]))
    for words in below([name], root.commands[name]) if name else [[]]:
        with contextlib.redirect_stdout(io.StringIO()) as page:
            invoke([*words, "--help"], Globals())
        pages[" ".join(words)] = page.getvalue()
json.dump(pages, sys.stdout)
"""


def pages(language: str) -> dict[str, str]:
    """Every command's help page by its words, of a program that was started in the language."""
    done = subprocess.run(
        [sys.executable, "-c", PAGES, language],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def chinese() -> dict[str, str]:
    return pages("zh")


@pytest.mark.parametrize("name", ["", *COMMANDS, *GROUPS])
def test_help_pages_in_chinese_are_wholly_chinese(name: str, chinese: dict[str, str]) -> None:
    found = [(words, page) for words, page in chinese.items() if words.partition(" ")[0] == name]
    assert found
    for words, page in found:
        assert page.startswith(f"用法： kehu {words}".rstrip())
        assert [word for word in FRAME if word in page] == []
        told = [line.strip().partition("  ")[2] for line in page.splitlines() if re.match(r"  \S", line)]
        assert [text for text in told if text and not HAN.search(text)] == []


def test_the_frame_is_english_by_default() -> None:
    found = pages("en")
    page = found["sync run"]
    assert page.startswith("Usage: kehu sync run [OPTIONS]")
    assert [word for word in FRAME if word not in page and word not in ("Commands:", "[required]")] == []
    assert "[required]" in found["connection preview"]
    assert "Commands:" in found["sync"]
    assert not any(HAN.search(page) for words, page in found.items() if words != "demo")
