"""Loggers for modules that every process loads and that seldom have anything to say.

structlog loads rich, pygments and more (60 ms): here it is loaded with the first line that is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from connectors.importing import IMPORTING

LARGEST = 10_000_000
"""Bytes; a log that has become larger is set aside when it is next opened, and the one set aside before goes."""

_configure: Callable[[], None] | None = None


def rotate(log: Path) -> None:
    """Make room for a log that is about to be opened: its folder, and no more than twice ``LARGEST`` bytes."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if log.stat().st_size > LARGEST:
            log.replace(log.with_suffix(".log.1"))


def configure_late(configure: Callable[[], None]) -> None:
    """Have logging set up by ``configure`` when the first line is logged, and not at all if none is."""
    global _configure
    _configure = configure


class Logger:
    """A structlog logger of that name, made when it is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def info(self, event: str, **values: Any) -> None:
        """Something that happened."""
        self._made().info(event, **values)

    def warning(self, event: str, **values: Any) -> None:
        """Something that went wrong and is taken care of."""
        self._made().warning(event, **values)

    def error(self, event: str, **values: Any) -> None:
        """Something that went wrong and should be looked at."""
        self._made().error(event, **values)

    def _made(self) -> Any:
        with IMPORTING:
            _begin()
            import structlog
        return structlog.get_logger(self._name)


def _begin() -> None:
    global _configure
    configure, _configure = _configure, None
    if configure is not None:
        configure()
