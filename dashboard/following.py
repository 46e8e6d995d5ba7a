"""The dashboard follows the project's files: what is changed in an editor is taken in before the next answer."""

from __future__ import annotations

import time

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.errors import BadConfiguration
from sync.project import Project

EVERY = 1.0
log = structlog.get_logger(__name__)


class FollowFiles:
    """Looks at the files at most once in ``EVERY`` seconds. Faulty ones change nothing; ``state.stale`` says why."""

    def __init__(self, app: ASGIApp, project: Project, state: State) -> None:
        self.app, self._project, self._state = app, project, state
        self._state.stale = None
        self._looked = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look, then go on."""
        if scope["type"] == "http" and time.monotonic() - self._looked > EVERY:
            self._looked = time.monotonic()
            await run_in_threadpool(self._look)
        await self.app(scope, receive, send)

    def _look(self) -> None:
        try:
            changed = self._project.refresh()
            if changed:
                with self._project.database.transaction() as connection:
                    self._project.register(connection)
            self._state.stale = None
        except BadConfiguration as error:
            if self._state.stale is None:
                log.warning("the project's files are faulty", code=error.code)
            self._state.stale = error
        except Exception as error:  # the database may be away: pages tell that themselves
            log.warning("changed files could not be taken in", kind=type(error).__name__)
