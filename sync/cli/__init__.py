"""The ``kehu`` command: chooses the language, runs the command, turns errors into a message and an exit code."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sync import collector, language
from sync.cli.exits import Exit, exit_code
from sync.cli.session import Globals

__all__ = ["Exit", "main", "run"]

_LANGUAGE_LINE = re.compile(rb"^language:\s*[\"']?(en|zh)\b", re.MULTILINE)


def main() -> NoReturn:
    """Entry point of the console script."""
    collector.begin()
    code = run(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code. Nothing but a fault of the interpreter escapes."""
    given, rest = Globals.extract(arguments)
    # Help texts are translated while the commands are imported: the language must be known before.
    language.use(_language(given))
    from sync.cli import console
    from sync.cli.app import invoke
    from sync.cli.reporting import report, translated

    console.begin(sys.argv[0], given.project)
    try:
        given.require_known_language()
        return invoke(rest, given)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _close_quietly()
        return Exit.OK
    except Exception as error:
        if given.debug:
            raise
        told = translated(error)
        report(told)
        return exit_code(told)


def _language(given: Globals) -> str:
    environment = os.environ.get("KEHU_LANG")
    return language.choose(given.lang, environment, _configured(given.project), language.from_locale())


def _configured(project: Path) -> str | None:
    """The language of kehu.yaml, read without judging the rest of it."""
    folder = project if project.is_dir() else project.parent
    for candidate in [folder, *folder.resolve().parents]:
        path = candidate / "kehu.yaml"
        if path.is_file():
            with contextlib.suppress(OSError):
                found = _LANGUAGE_LINE.search(path.read_bytes()[:1_000_000])
                return found[1].decode() if found else None
    return None


def _close_quietly() -> None:
    """Who read our output has gone: end without the interpreter's complaint about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
