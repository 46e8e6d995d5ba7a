"""Which connections need somebody: a passing fault does not, until it no longer passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.attention import Standing, connections
from sync.overview import LastRun, StreamOverview
from sync.runs.wording import Wording

REFUSED = Wording("{connection} does not answer.", {"connection": "shop"})


def run(status: str, code: str = "", *, age: float = 10.0) -> LastRun:
    asked = datetime.now(UTC) - timedelta(seconds=age)
    counts: dict[str, Any] = dict.fromkeys(("read", "created", "updated", "unchanged", "quarantined", "deleted"), 0)
    return LastRun(id=1, mode="incremental", status=status, expected=None, queued_at=asked, finished_at=None,
                   error=REFUSED if code else None, remedy="Nothing to do." if code else "", error_code=code,
                   **counts)  # fmt: skip


def stream(name: str = "customers", **changed: Any) -> StreamOverview:
    given: dict[str, Any] = {
        "id": 1, "connection": "shop", "connector": "rest", "stream": name, "removed": False, "paused": False,
        "reason": None, "remedy": "", "records": 5, "quarantined": 0, "every_seconds": 30.0, "fresh_seconds": 20.0,
        "run": run("succeeded"),
    }  # fmt: skip
    return StreamOverview(**{**given, **changed})


@pytest.mark.parametrize(
    ("fresh", "every", "last", "standing"),
    [
        (20.0, 30.0, "succeeded", Standing.GOOD),
        (20.0, 30.0, "failed:retry_later", Standing.WAITING),
        (20.0, 30.0, "waiting:retry_later", Standing.WAITING),
        (300.0, 30.0, "waiting:retry_later", Standing.NEEDS_YOU),
        (300.0, 30.0, "failed:retry_later", Standing.NEEDS_YOU),
        (300.0, 30.0, "waiting:wait_until", Standing.WAITING),
        (20.0, 30.0, "failed:internal", Standing.NEEDS_YOU),
        (20.0, None, "failed:retry_later", Standing.NEEDS_YOU),
        (None, 30.0, "waiting:retry_later", Standing.WAITING),
        (None, 30.0, "waiting:retry_later:500", Standing.NEEDS_YOU),
        (300.0, 30.0, "running", Standing.WORKING),
        (300.0, 30.0, "running:retry_later", Standing.NEEDS_YOU),
        (20.0, 30.0, "running:retry_later", Standing.WAITING),
        (300.0, 30.0, "succeeded", Standing.NEEDS_YOU),
        (100.0, 30.0, "succeeded", Standing.GOOD),
        (None, 30.0, None, Standing.NEW),
    ],
)
def test_how_a_stream_stands(fresh: float | None, every: float | None, last: str | None, standing: Standing) -> None:
    """``last``: status, code and age of the newest run."""
    status, code, age = [*(last or "").split(":"), "", ""][:3]
    newest = run(status, code, age=float(age or 10)) if last else None
    found = connections([stream(fresh_seconds=fresh, every_seconds=every, run=newest)])
    assert found[0].standing is standing


def test_what_is_out_of_reach_for_long_does_not_say_that_nothing_is_to_be_done() -> None:
    soon = connections([stream(run=run("waiting", "retry_later"))])[0].worst
    late = connections([stream(run=run("waiting", "retry_later"), fresh_seconds=300.0)])[0].worst
    assert soon.reason == late.reason == REFUSED
    assert soon.remedy is not None
    assert soon.remedy.template == "Nothing to do."
    assert late.remedy is not None
    assert "See to the system" in late.remedy.template


def test_a_connection_stands_as_its_most_urgent_stream_and_is_as_fresh_as_its_stalest() -> None:
    found = connections([stream(), stream("contacts", fresh_seconds=900.0, run=run("failed", "retry_later"))])
    assert [one.standing for one in found] == [Standing.NEEDS_YOU]
    assert found[0].worst.stream.stream == "contacts"
    assert found[0].fresh_seconds == 900.0
    assert found[0].records == 10
