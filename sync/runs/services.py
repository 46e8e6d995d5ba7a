"""What the command line and the dashboard may ask of sync runs: one list of names, made elsewhere.

Functions that take a ``Connection`` do not commit; those that take a ``Database`` or a ``Workspace`` do. After the
commit of a request, ring ``Doorbell.run``; without a worker at hand, ``execute`` does the work here and now.
"""

from sync.runs.controls import (
    Paused,
    accept_schema,
    pause_connection,
    pause_stream,
    resume_connection,
    resume_stream,
    why_paused,
)
from sync.runs.dispatch import Doorbell
from sync.runs.events import Event
from sync.runs.events import of_run as events_of_run
from sync.runs.history import NOT_RESPONDING, RunView, runs
from sync.runs.history import show as show_run
from sync.runs.pending import resolve_pending, retry_stuck
from sync.runs.pending import stuck as stuck_landings
from sync.runs.reconcile import CannotReconcile, Reconciliation, reconcile
from sync.runs.reconcile import latest as latest_reconciliation
from sync.runs.replay import Cause, Quarantined, Replayed, causes, replay
from sync.runs.replay import ignore as ignore_quarantined
from sync.runs.replay import open_ids as open_quarantined_ids
from sync.runs.replay import records as quarantined
from sync.runs.replay import show as show_quarantined
from sync.runs.requests import Requested, cancel, find_stream, request_run
from sync.runs.run import execute
from sync.runs.schedules import Schedule, list_schedules, set_schedule
from sync.runs.states import ENDED, Level, RunMode, Status, Trigger

__all__ = [
    "ENDED",
    "NOT_RESPONDING",
    "CannotReconcile",
    "Cause",
    "Doorbell",
    "Event",
    "Level",
    "Paused",
    "Quarantined",
    "Reconciliation",
    "Replayed",
    "Requested",
    "RunMode",
    "RunView",
    "Schedule",
    "Status",
    "Trigger",
    "accept_schema",
    "cancel",
    "causes",
    "events_of_run",
    "execute",
    "find_stream",
    "ignore_quarantined",
    "latest_reconciliation",
    "list_schedules",
    "open_quarantined_ids",
    "pause_connection",
    "pause_stream",
    "quarantined",
    "reconcile",
    "replay",
    "request_run",
    "resolve_pending",
    "resume_connection",
    "resume_stream",
    "retry_stuck",
    "runs",
    "set_schedule",
    "show_quarantined",
    "show_run",
    "stuck_landings",
    "why_paused",
]
