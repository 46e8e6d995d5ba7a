"""Large reads by Bulk API 2.0: a query job, its results as CSV in parts that a locator leads to.

A job runs for minutes; where it stands is part of the cursor, so that a read goes on with the same job after a crash.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connectors.errors import StreamBroken
from connectors.response import Response
from connectors.salesforce.client import SalesforceClient

PATIENCE = 60.0
"""Seconds that one step waits for a job; then the place is stored and the next step goes on waiting."""
STEPS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
FAILED = frozenset({"Failed", "Aborted"})
NEWEST_LIMIT = 1 << 20
"""Characters of one field; long texts of Salesforce hold 131,072."""


class BulkQuery:
    """Query jobs of one org. ``sleep`` is replaced by tests."""

    def __init__(self, client: SalesforceClient, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client, self._sleep = client, sleep

    def start(self, soql: str) -> str:
        """The id of a new job. Raises what the org refuses."""
        body = {"operation": "query", "query": soql, "contentType": "CSV", "columnDelimiter": "COMMA",
                "lineEnding": "LF"}  # fmt: skip
        found = self._client.call("POST", "/jobs/query", json=body).json(lenient=True)
        job = found.get("id") if isinstance(found, Mapping) else None
        if not isinstance(job, str) or not job.isalnum():
            raise StreamBroken("{connection}: Salesforce made no job of the query.", connection=self._client.connection)
        return job

    def ready(self, job: str) -> bool:
        """Wait a while for the job. Raises ``StreamBroken`` for one that failed or that there is no more."""
        waited = 0.0
        for step in [*STEPS, *[STEPS[-1]] * 10]:
            found = self._client.get(f"/jobs/query/{job}", allow=frozenset({404})).json(lenient=True)
            state = str(found.get("state", "")) if isinstance(found, Mapping) else "Failed"
            if state == "JobComplete":
                return True
            if state in FAILED or not state:
                raise self._failed(found)
            if waited + step > PATIENCE:
                return False
            self._sleep(step)
            waited += step
        return False

    def part(self, job: str, locator: str, size: int) -> tuple[list[dict[str, str]], str, Response]:
        """Rows from a locator on (an empty text: the first), the locator behind them (empty: none), the answer."""
        params = {"maxRecords": size} | ({"locator": locator} if locator else {})
        response = self._client.get(
            f"/jobs/query/{job}/results", params=params, headers={"Accept": "text/csv"}, allow=frozenset({404})
        )
        if not response.ok:
            raise self._failed(None)
        rows = list(_rows(response.text()))
        told = response.headers.get("Sforce-NumberOfRecords", "")
        if told.isdecimal() and int(told) != len(rows):
            raise StreamBroken(
                "{connection}: of {told} records of the job only {found} came.",
                connection=self._client.connection,
                told=told,
                found=len(rows),
            )
        following = response.headers.get("Sforce-Locator", "null")
        return rows, "" if following == "null" else following, response

    def _failed(self, found: Any) -> StreamBroken:
        reason = str(found.get("errorMessage") or found.get("state") or "?") if isinstance(found, Mapping) else "?"
        return StreamBroken(
            "{connection}: the job of the query failed in Salesforce: {reason}.",
            connection=self._client.connection,
            reason=reason[:300],
        )


def _rows(text: str) -> Iterator[dict[str, str]]:
    csv.field_size_limit(NEWEST_LIMIT)
    reader = csv.DictReader(io.StringIO(text.replace("\x00", ""), newline=""))
    try:
        for row in reader:
            if None in row or None in row.values():
                raise StreamBroken("A line of the job's results has not as many values as the header has names.")
            yield row
    except csv.Error:
        raise StreamBroken("The job's results are no CSV that can be read.") from None
