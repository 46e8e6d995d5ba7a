"""Learning a version of the match model while the visitor looks on: in a thread, one at a time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import structlog
from fastapi import Request

from sync import audit
from sync.errors import SyncError
from sync.matching import calibration
from sync.project import Project

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class State:
    """``busy``: it is being learnt. ``version``: what came of the last time; ``known``: it was there before."""

    busy: bool = False
    version: int | None = None
    known: bool = False
    failed: bool = False


class Learning:
    """What this process learns, or has learnt last."""

    def __init__(self) -> None:
        self._state, self._lock = State(), threading.Lock()

    @property
    def state(self) -> State:
        """How it stands."""
        return self._state

    def begin(self, project: Project, by: str, actor: str) -> None:
        """Learn from the master as it is, and propose it. Whoever comes while it is being done waits for the same."""
        with self._lock:
            if self._state.busy:
                return
            self._state = State(busy=True)
        threading.Thread(target=self._learn, args=(project, by, actor), daemon=True).start()

    def _learn(self, project: Project, by: str, actor: str) -> None:
        done = State(failed=True)
        try:
            learnt = calibration.learn(project.database)
            with project.database.transaction() as connection:
                version = calibration.propose(connection, learnt, by=by)
                known = version.state != "proposed"
                if not known:
                    audit.record(connection, actor, "match.proposed", f"version:{version.number}", {"by": by})
            done = State(version=version.number, known=known)
        except SyncError as error:
            log.warning("a version of the match model could not be learnt", code=error.code)
        except Exception as error:
            log.error("a version of the match model could not be learnt", kind=type(error).__name__)
        finally:
            self._state = replace(done, busy=False)


def of(request: Request) -> Learning:
    """What this application learns."""
    state = request.app.state
    if not hasattr(state, "learning"):
        state.learning = Learning()
    found: Learning = state.learning
    return found
