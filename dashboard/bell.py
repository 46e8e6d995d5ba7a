"""Waking the workers after a page has asked for runs."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import Request

from dashboard.api.runs import bell


def ring(request: Request, run_ids: Iterable[int]) -> None:
    """After the commit. Where no broker answers, the runs wait for a worker that looks by itself."""
    for run_id in run_ids:
        bell(request).run(run_id)
