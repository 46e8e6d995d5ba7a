"""Workers follow the project's files: a connection or mapping that was changed holds from the next message on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import Middleware

from connectors.errors import BadConfiguration

log = structlog.get_logger(__name__)


class FollowFiles(Middleware):
    """Calls ``refresh`` before each message; faulty files change nothing, and are told once."""

    def __init__(self, refresh: Callable[[], object]) -> None:
        self._refresh = refresh
        self._told = False

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        """A worker has taken a message and is about to begin."""
        try:
            self._refresh()
            self._told = False
        except BadConfiguration as error:
            if not self._told:
                log.warning("the project's files are faulty; what was read before holds", code=error.code)
            self._told = True
