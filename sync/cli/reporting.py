"""Errors as a human reads them: what is wrong, what to do; several at once where there are several."""

from __future__ import annotations

import os
import re

import typer
from typer.exceptions import TyperException

from connectors.errors import BadConfiguration
from sync import language
from sync.cli.console import err, say
from sync.errors import ConfigurationFaults, SyncError
from sync.language import Phrase, _


def report(error: BaseException) -> None:
    """Say on stderr what is wrong and what to do about it."""
    if isinstance(error, typer.Abort):
        say(_("Interrupted."))
    elif isinstance(error, TyperException) and _HELP.match(_message(error)):
        say(_message(error))
    elif isinstance(error, TyperException):
        say(_("Usage error: {reason}", reason=_plain(error)), "red")
        say(_("Add --help to the command to see what it accepts."))
    elif isinstance(error, ConfigurationFaults):
        _faults(error)
    elif hasattr(error, "template") and isinstance(error, Exception):
        _told(error)
    else:
        say(_("Something unexpected happened: {kind}.", kind=type(error).__name__), "red")
        say(_("Run the command again with --debug to see where, and report it."))


def translated(error: Exception) -> Exception:
    """The errors of the database driver and of the file system as ours; others as they are."""
    from sqlalchemy.exc import DBAPIError

    from sync.migrations import unavailable

    if isinstance(error, DBAPIError):
        return unavailable(error)
    return _unusable(error) or error if isinstance(error, OSError) else error


def _unusable(error: OSError) -> SyncError | None:
    """A file or folder that the command could not use, by its name; None if the system named none."""
    if not isinstance(error.filename, str | os.PathLike) or isinstance(error, ConnectionError):
        return None
    return SyncError(
        "{path} cannot be used: {reason}.",
        remedy="Check that it exists, that this user may use it, and that there is room.",
        path=os.fsdecode(error.filename),
        reason=error.strerror or type(error).__name__,
    )


def _told(error: Exception) -> None:
    message, remedy = language.told(error)
    say(message, "red")
    for other in error.also if isinstance(error, BadConfiguration) else ():
        say(language.told(other)[0], "red")
    if remedy:
        say(remedy)


def _faults(error: ConfigurationFaults) -> None:
    for fault in error.faults:
        say(language.told(fault)[0], "red")
    say(language.told(error)[1])


def _plain(error: TyperException) -> str:
    """The command line's own complaint; in our words for the likeliest ones, which then are translated."""
    message = _message(error)
    for pattern, words in _USAGE:
        found = pattern.match(message)
        if found is not None:
            return language.text(words.template, found.groupdict())
    return message


def _message(error: TyperException) -> str:
    return str(error.format_message()) if hasattr(error, "format_message") else str(error)


_HELP = re.compile(r"Usage: kehu")
"""A group that was named without a command: the message is its whole help."""
_VALUE = r"Invalid value for '(?P<name>[^']*)'[^:]*: "
_USAGE = (
    (
        re.compile(r"No such command '(?P<name>[^']*)'\. Did you mean (?:one of: )?(?P<nearest>.*?)\??$"),
        Phrase("there is no command {name}. Did you mean {nearest}?"),
    ),
    (re.compile(r"No such command '(?P<name>.*)'\.$"), Phrase("there is no command {name}.")),
    (
        re.compile(r"No such option: (?P<name>\S+) \((?:Possible options|Did you mean):? (?P<nearest>.*?)\??\)$"),
        Phrase("there is no option {name}. Did you mean {nearest}?"),
    ),
    (re.compile(r"No such option: (?P<name>\S+)"), Phrase("there is no option {name}.")),
    (re.compile(r"Missing argument '(?P<name>.*)'\.$"), Phrase("{name} must be given.")),
    (re.compile(r"Missing command\.$"), Phrase("a command must be given.")),
    (re.compile(r"Option '(?P<name>.*)' requires an argument\.$"), Phrase("{name} needs a value.")),
    (re.compile(_VALUE + r"Input should be a valid integer"), Phrase("{name} must be a whole number.")),
    (re.compile(_VALUE + r"Input should be a valid number"), Phrase("{name} must be a number.")),
    (re.compile(_VALUE + r".* greater than or equal to (?P<limit>\S+)$"), Phrase("{name} must not be below {limit}.")),
    (re.compile(_VALUE + r".* less than or equal to (?P<limit>\S+)$"), Phrase("{name} must not be above {limit}.")),
    (re.compile(_VALUE + r"\w+ '(?P<file>.*)' does not exist\.$"), Phrase("there is no file {file}.")),
    (re.compile(_VALUE + r"\w+ '(?P<file>.*)' is not readable\.$"), Phrase("{file} cannot be read.")),
    (
        re.compile(_VALUE + r".* is not one of (?P<choices>.*)\.$"),
        Phrase("{name} must be one of {choices}."),
    ),
    (re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((?P<name>.*)\)$"), Phrase("{name} is too much.")),
)


def refuse_without_terminal() -> bool:
    """Whether nobody can be asked, because stderr or stdin is no terminal."""
    import sys

    return not (sys.stdin.isatty() and err().is_terminal)
