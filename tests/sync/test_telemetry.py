"""Logs: structured, with context, and without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from sync import telemetry

CANARY = "c4nary-s3cret-value"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure(json=True, stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_carries_what_is_bound(output: io.StringIO) -> None:
    with telemetry.bound(run_id=7, stream="erp.customers"):
        structlog.get_logger("x").info("page stored", records=10)
        logging.getLogger("y").warning("slow")
    structlog.get_logger("x").info("after")
    first, second, third = lines(output)
    assert (first["run_id"], first["records"], first["level"]) == (7, 10, "info")
    assert second["run_id"] == 7
    assert "run_id" not in third


def test_secrets_appear_in_no_line(output: io.StringIO) -> None:
    log = structlog.get_logger("x")
    log.info("login", password=CANARY, url=f"https://u:{CANARY}@host/?token={CANARY}")
    log.info("nested", data={"deep": [{"api_key": CANARY}]}, header=f"Authorization: Bearer {CANARY}")
    logging.getLogger("y").error("failed for %s", f"postgresql://u:{CANARY}@h/d")
    try:
        raise ValueError(f"token={CANARY}")
    except ValueError:
        log.exception("boom")
    assert CANARY not in output.getvalue()
    assert len(lines(output)) == 4


def test_long_texts_are_cut_and_odd_values_do_no_harm(output: io.StringIO) -> None:
    structlog.get_logger("x").info("odd", text="x" * 100_000, raw=b"\xff\x00", none=None, key="C1", items={1, 2})
    (line,) = lines(output)
    assert len(str(line["text"])) == telemetry.LONGEST_TEXT
    assert line["key"] == "C1"
